"""The released command pauses jobs and reads results; dlt inside of real runs reports by itself."""

import pytest

from ..acceptance.conftest import environment, environments, new_workspace, server, workspace  # noqa: F401
from ..acceptance.workspaces import Workspace

pytestmark = pytest.mark.acceptance

FILES = {
    "__deployment__.py": "from shop import answer, load\n\n__all__ = ['answer', 'load']\n",
    "shop.py": """
        import dlt
        from dlt.hub import run
        from dlt.hub.run import trigger


        @run.job(trigger=trigger.every("1h"))
        def answer():
            run.result({"rows": 42})


        @run.pipeline("orders")
        def load():
            pipeline = dlt.pipeline("orders", destination="duckdb", dataset_name="shop_data")
            pipeline.run([{"id": 1}, {"id": 2}], table_name="orders")
        """,
}


@pytest.fixture
def shop(workspace: Workspace) -> Workspace:  # noqa: F811
    workspace.write(FILES)
    workspace.dlthub("deploy")
    return workspace


def test_the_command_pauses_and_resumes_a_job(shop: Workspace) -> None:
    shop.dlthub("job", "pause", "jobs.shop.answer")
    assert shop.get("/jobs", ref="jobs.shop.answer")["items"][0]["is_paused"] is True
    shop.dlthub("job", "resume", "jobs.shop.answer")
    assert shop.get("/jobs", ref="jobs.shop.answer")["items"][0]["is_paused"] is False


def test_the_command_shows_what_a_run_declared(shop: Workspace) -> None:
    assert shop.ended(shop.run("shop.answer")["id"])["status"] == "completed"
    assert "42" in shop.dlthub("job", "runs", "result", "shop.answer")


def test_a_run_shows_the_pipeline_that_it_loaded(shop: Workspace) -> None:
    ended = shop.ended(shop.run("shop.load")["id"])
    (summary,) = ended["pipeline_run_summaries"]
    assert (summary["pipeline_name"], summary["status"], summary["total_rows"]) == ("orders", "succeeded", 2)
    assert (summary["dataset_name"], summary["destination_name"]) == ("shop_data", "duckdb")
