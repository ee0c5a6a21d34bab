"""Every verb of the released `dlthub` command, and what it prints."""

import re

import pytest
import yaml

from .conftest import NewWorkspace
from .servers import Homeport
from .workspaces import Workspace

pytestmark = pytest.mark.acceptance

FILES = {
    "ingest.py": """
        import dlt
        from dlt.hub import run
        from dlt.hub.run import trigger


        @run.pipeline(
            "bread_pipeline",
            trigger=trigger.every("12h"),
            expose={"tags": ["ingest"], "display_name": "Bread ingest"},
        )
        def load_bread():
            pipeline = dlt.pipeline("bread_pipeline", destination="warehouse", dataset_name="bread")
            pipeline.run([{"id": 1, "name": "rye"}], table_name="loaves", write_disposition="replace")
            print("one loaf")
    """,
    "checks.py": """
        from dlt.hub import run
        from dlt.hub.run import trigger


        @run.job(trigger=trigger.schedule("0 3 1 1 *"))
        def check_bread(run_context):
            print("checked, refresh is", run_context["refresh"])


        @run.job(expose={"tags": ["night"]})
        def clean():
            print("clean")
    """,
    "__deployment__.py": '''
        """A bakery"""

        from checks import check_bread, clean
        from ingest import load_bread

        __all__ = ["check_bread", "clean", "load_bread"]
    ''',
    "weigh.py": """
        if __name__ == "__main__":
            print("weighs nothing")
    """,
    ".dlt/access.config.toml": "greeting = 'just looking'\n",
}

REFS = {
    "jobs.checks.check_bread",
    "jobs.checks.clean",
    "jobs.ingest.load_bread",
    "jobs.workspace.dashboard",
}


@pytest.fixture(scope="module")
def shop(server: Homeport, new_workspace: NewWorkspace) -> Workspace:
    """Deployed; its jobs are started at will."""
    shop = new_workspace(server, FILES)
    shop.dlthub("deploy")
    return shop


def column(table: str, name: str) -> list[str]:
    """What a printed table says below a heading."""
    lines = table.splitlines()
    head = next(index for index, line in enumerate(lines) if name in line)
    starts = [match.start() for match in re.finditer("-+", lines[head + 1])]
    start = max(start for start in starts if start <= lines[head].index(name) + len(name) - 1)
    ends = [end for end in starts if end > start]
    rows = [line for line in lines[head + 2 :] if line.strip()]
    return [line[start : ends[0] if ends else None].strip() for line in rows]


def test_a_workspace_is_created_connected_to_and_listed(server: Homeport, workspace: Workspace) -> None:
    name = f"{workspace.folder.name}-two"
    assert f"'{name}' not found" in workspace.refused("workspace", "connect", name)
    created = workspace.dlthub("workspace", "connect", name, "--create")
    assert f"Connected to workspace: {name} (Homeport)" in created
    listed = workspace.dlthub("workspace", "list")
    assert f"* {name}" in listed
    assert workspace.id in listed
    assert "No jobs found in this workspace" in workspace.dlthub("job", "list")
    assert workspace.id in workspace.dlthub("workspace", "connect", workspace.folder.name)
    assert server.url in workspace.dlthub("workspace", "show")


def test_workspace_info_tells_what_is_there_and_what_a_deploy_would_change(shop: Workspace) -> None:
    info = shop.dlthub("workspace", "info")
    assert f"Workspace: {shop.folder.name} {shop.id}" in info
    assert "User: owner@localhost" in info
    assert f"Workspace URL: {shop.server.url}/w/{shop.id}" in info
    assert "Current deployment version: 1" in info
    assert "Current configuration version: 1" in info
    assert "DATA_WRITE: prod" in info
    assert "Unchanged jobs:" in info


def test_the_addresses_that_are_printed_lead_to_pages(shop: Workspace) -> None:
    shown = shop.dlthub("workspace", "show")
    [address] = re.findall(r"http://\S+", shown)
    assert address == f"{shop.server.url}/w/{shop.id}"
    # without a session: the way to sign in, never an error
    assert shop.server.http.get(address, headers={"Authorization": ""}, follow_redirects=True).status_code == 200


def test_a_dry_deploy_shows_what_would_change_and_changes_nothing(workspace: Workspace) -> None:
    workspace.write(FILES)
    preview = workspace.dlthub("deploy", "--dry-run")
    assert "New jobs:" in preview
    assert "+ load_bread (trigger: every:12h)" in preview
    assert "Dry run, skipping..." in preview
    assert workspace.jobs() == {}
    assert workspace.get("/deployments")["items"] == []
    assert workspace.get("/configurations")["items"] == []


def test_the_manifest_is_shown_as_yaml(shop: Workspace) -> None:
    manifest = yaml.safe_load(shop.dlthub("deploy", "--show-manifest"))
    assert manifest["deployment_module"] == "__deployment__"
    assert {job["job_ref"] for job in manifest["jobs"]} == REFS


def test_run_deploys_runs_and_follows_a_job(shop: Workspace) -> None:
    output = shop.dlthub("run", "load_bread", "-f")
    assert "job_ref:    jobs.ingest.load_bread" in output
    assert "trigger:    every 12h" in output
    assert "profile:    prod" in output
    assert re.search(r"\[user\] +one loaf", output)
    assert "status: completed" in output
    number = shop.runs("load_bread")[-1]["number"]
    assert f"Run # {number} of job jobs.ingest.load_bread finished" in output
    assert f"{shop.server.url}/w/{shop.id}/runs/{shop.runs('load_bread')[-1]['id']}" in output


def test_run_with_refresh_tells_the_job_so(shop: Workspace) -> None:
    output = shop.dlthub("run", "check_bread", "-f", "--refresh")
    assert "checked, refresh is True" in output


def test_run_of_a_plain_file_deploys_it_beside_what_is_there(shop: Workspace) -> None:
    output = shop.dlthub("run", "weigh.py", "-f", "--refresh")
    assert "job_ref:    jobs.weigh" in output
    assert "weighs nothing" in output
    assert shop.live_jobs() == {*REFS, "jobs.weigh"}


def test_run_of_a_file_or_job_that_is_not_there_says_so(shop: Workspace) -> None:
    assert "nowhere.py" in shop.refused("run", "nowhere.py")
    assert "nothing_like_it" in shop.refused("run", "nothing_like_it")


def test_pipeline_run_finds_the_job_of_the_pipeline(server: Homeport, new_workspace: NewWorkspace) -> None:
    shop = new_workspace(server, FILES)
    output = shop.dlthub("pipeline", "run", "bread_pipeline", "-f")
    assert "job_ref:    jobs.ingest.load_bread" in output
    assert "one loaf" in output
    assert "status: completed" in output


def test_job_list_shows_all_or_what_a_selector_picks(shop: Workspace) -> None:
    names = column(shop.dlthub("job", "list"), "Job name")
    assert {"checks.check_bread", "checks.clean", "ingest.load_bread", "workspace.dashboard"} <= set(names)
    assert column(shop.dlthub("job", "list", "tag:ingest"), "Job name") == ["ingest.load_bread"]
    assert column(shop.dlthub("job", "list", "schedule:*"), "Job name") == ["checks.check_bread"]
    assert column(shop.dlthub("job", "list", "interactive"), "Job name") == ["workspace.dashboard"]


def test_job_info_shows_how_and_when_the_job_runs(shop: Workspace) -> None:
    info = shop.dlthub("job", "info", "load_bread")
    for row in (
        r"Job ref +jobs\.ingest\.load_bread",
        r"Display name +Bread ingest",
        r"Entry point +ingest::load_bread",
        r"Default trigger +every:12h",
        r"Next run +\S+ hours from now",
    ):
        assert re.search(row, info), info
    assert "nothing_like_it" in shop.refused("job", "info", "nothing_like_it")


@pytest.mark.parametrize(
    ("selectors", "picked"),
    [
        (["tag:ingest"], {"jobs.ingest.load_bread": "tag:ingest"}),
        (["schedule:*"], {"jobs.checks.check_bread": "schedule:0 3 1 1 *"}),
        (["clean"], {"jobs.checks.clean": "tag:night"}),
        (["tag:ingest", "tag:night"], {"jobs.ingest.load_bread": "tag:ingest", "jobs.checks.clean": "tag:night"}),
    ],
)
def test_a_dry_trigger_names_the_jobs_that_a_selector_picks(
    shop: Workspace, selectors: list[str], picked: dict[str, str]
) -> None:
    runs = len(shop.runs())
    preview = shop.dlthub("job", "trigger", *selectors, "--dry-run")
    assert f"{len(picked)} job(s) triggered, 0 skipped" in preview
    for ref, trigger in picked.items():
        assert f"{ref}: {trigger}" in preview
    assert len(shop.runs()) == runs


def test_trigger_starts_every_batch_job_once_and_declines_what_runs_already(
    server: Homeport, new_workspace: NewWorkspace
) -> None:
    shop = new_workspace(server, FILES)
    shop.dlthub("deploy")
    receipt = shop.dlthub("job", "trigger", "batch", "--profile", "access")
    assert "3 job(s) triggered, 0 skipped" in receipt
    for run in shop.runs():
        ended = shop.ended(run["id"])
        assert (ended["status"], ended["profile"]) == ("completed", "access")
    assert len(shop.runs()) == 3
    assert "unknown" in shop.dlthub("job", "trigger", "clean", "--profile", "unknown")
    assert len(shop.runs("clean")) == 1


def test_runs_are_listed_described_and_read(server: Homeport, new_workspace: NewWorkspace) -> None:
    shop = new_workspace(server, FILES)
    shop.dlthub("deploy")
    for _ in range(2):
        shop.run("clean")
    shop.run("check_bread")
    assert column(shop.dlthub("job", "runs", "list"), "Job name") == [
        "checks.check_bread",
        "checks.clean",
        "checks.clean",
    ]
    listed = shop.dlthub("job", "runs", "list", "clean")
    assert column(listed, "Run #") == ["2", "1"]
    assert column(listed, "Status") == ["completed", "completed"]
    info = shop.dlthub("job", "runs", "info", "clean", "1")
    assert shop.runs("clean")[0]["id"] in info
    assert re.search(r"Status +completed", info)
    assert re.search(r"Profile +prod", info)
    for words in (
        ["job", "logs", "clean"],
        ["job", "logs", "clean", "1", "-f"],
        ["job", "runs", "logs", "clean", "2"],
    ):
        assert re.search(r"\[user\] +clean", shop.dlthub(*words))
    assert "nothing_like_it" in shop.refused("job", "logs", "nothing_like_it")


@pytest.mark.parametrize(
    ("kind", "file"), [("deployment", "weigh.py"), ("configuration", ".dlt/prod.config.toml")]
)
def test_code_and_configuration_are_synced_and_listed_each_by_itself(
    workspace: Workspace, kind: str, file: str
) -> None:
    other = {"deployment": "configuration", "configuration": "deployment"}[kind]
    workspace.dlthub("workspace", kind, "sync")
    assert "No changes detected" in workspace.dlthub("workspace", kind, "sync")
    workspace.write({file: "greeting = 'new'\n"})
    assert "No changes detected" not in workspace.dlthub("workspace", kind, "sync")
    assert column(workspace.dlthub("workspace", kind, "list"), "Version #") == ["1", "2"]
    assert column(workspace.dlthub("workspace", kind, "info"), "Version #") == ["2"]
    assert column(workspace.dlthub("workspace", kind, "1", "info"), "Version #") == ["1"]
    assert workspace.get(f"/{other}s")["items"] == []
    assert workspace.jobs() == {}


def test_a_key_that_is_not_known_is_refused_by_name(workspace: Workspace) -> None:
    complaint = workspace.refused("job", "list", RUNTIME__API_KEY="dlt_u_" + "a" * 40)
    assert "Your API key is not valid" in complaint


def test_a_workspace_that_is_not_known_is_named(workspace: Workspace) -> None:
    unknown = "00000000-0000-4000-8000-000000000000"
    assert f"workspace '{unknown}' not found" in workspace.refused("job", "list", RUNTIME__WORKSPACE_ID=unknown)
