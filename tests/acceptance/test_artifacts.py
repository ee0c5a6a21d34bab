"""What pipelines leave is there for the dashboard and for `dlt.attach`, whichever run has loaded them."""

import pytest
from playwright.sync_api import Page, expect

from .apps import ask, serve
from .browsers import LOADED_MS, browser, sign_in
from .servers import until
from .workspaces import Workspace

pytestmark = [pytest.mark.acceptance, pytest.mark.timeout(600)]

LOADS = """
    import time

    import dlt
    from dlt.hub import run

    def load(table):
        pipeline = dlt.pipeline("orchard", destination="warehouse", dataset_name="trees")
        pipeline.run([{"id": 1}, {"id": 2}], table_name=table)

    @run.job
    def plant_apples():
        load("apples")

    @run.job
    def plant_pears():
        load("pears")
        time.sleep(3600)  # it is still under way when the dashboard shows it

    @run.job(require={"profile": "staging"})
    def rehearse():
        pipeline = dlt.pipeline("rehearsal", destination="warehouse", dataset_name="trees")
        pipeline.run([{"id": 1}], table_name="plums")
"""
ATTACHES = """
    import json
    from wsgiref.simple_server import make_server

    import dlt
    from dlt.hub import run

    @run.interactive()
    def board(run_context):
        def app(environ, start_response):
            pipeline = dlt.attach("orchard")
            counts = dict(pipeline.dataset().row_counts().fetchall())
            start_response("200 OK", [("Content-Type", "application/json")])
            trace = pipeline.last_trace
            return [json.dumps({"counts": counts, "loaded": trace.last_load_info is not None}).encode()]

        make_server("127.0.0.1", run_context["run_args"]["port"], app).serve_forever()
"""
FILES = {
    "trees.py": LOADS,
    "shown.py": ATTACHES,
    "__deployment__.py": "from trees import plant_apples, plant_pears, rehearse\n\n"
    "__all__ = ['plant_apples', 'plant_pears', 'rehearse']\n",
    ".dlt/prod.config.toml": "",
    ".dlt/access.config.toml": "",
    ".dlt/staging.config.toml": "",
}


@pytest.fixture
def orchard(workspace: Workspace) -> Workspace:
    """After a load under `prod`, and one under `staging`."""
    workspace.write(FILES)
    workspace.dlthub("deploy")
    for name in ("plant_apples", "rehearse"):
        assert workspace.run(name)["status"] == "completed"
    return workspace


def shown(page: Page, words: str) -> None:
    # the app starts at its first visit
    expect(page.get_by_text(words, exact=True).first).to_be_visible(timeout=2 * LOADED_MS)


def test_the_dashboard_shows_what_prod_has_loaded_and_after_a_reload_what_is_new(orchard: Workspace) -> None:
    """Schema, tables and data, and the last trace; nothing of another profile."""
    orchard.dlthub("dashboard")
    url = str(orchard.jobs()["jobs.workspace.dashboard"]["job_url"])
    with browser() as page:
        page.goto(f"{url}?sections=trace")
        sign_in(page, orchard.server)
        shown(page, "apples")
        shown(page, "succeeded")
        page.get_by_role("button", name="Load row counts").click()
        expect(page.locator("tr", has_text="apples").first).to_contain_text("2", timeout=LOADED_MS)
        expect(page.get_by_text("rehearsal")).to_have_count(0)
        pears = orchard.trigger("manual:*plant_pears")

        def is_there() -> bool:
            page.reload()
            shown(page, "apples")
            return page.get_by_text("pears", exact=True).count() > 0

        until(is_there, what="the dashboard to show the newer load")
        assert orchard.state_of(pears["id"])["status"] == "running"
    orchard.server.post(f"/workspaces/{orchard.id}/job-runs/{pears['id']}/-cancel", {})


def test_an_app_attaches_to_a_pipeline_by_its_name(orchard: Workspace) -> None:
    """And reads what `prod` has loaded, of which its own folder has nothing."""
    url = serve(orchard, "shown.py", "jobs.shown.board")
    assert ask(orchard.server, url).json() == {"counts": {"apples": 2}, "loaded": True}
