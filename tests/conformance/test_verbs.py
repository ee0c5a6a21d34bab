"""Every verb of the released `dlthub` command on both databases, how it ends and what it prints."""

import re
import tomllib
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import httpx
import pytest
import yaml

from ..acceptance.conftest import NewWorkspace, workspace  # noqa: F401
from ..acceptance.servers import Homeport
from ..acceptance.test_login import browser, home, log_in, person  # noqa: F401
from ..acceptance.workspaces import Workspace
from .ledger import covered, owed_nothing
from .verbs import LOCAL, Dlthub, ask, is_local

pytestmark = pytest.mark.acceptance
covers = pytest.mark.covers

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
            run.result({"loaves": 1})
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
    "wait.py": """
        import time

        if __name__ == "__main__":
            print("waiting", flush=True)
            time.sleep(600)
    """,
    ".dlt/access.config.toml": "greeting = 'just looking'\n",
}

REFS = {
    "jobs.checks.check_bread",
    "jobs.checks.clean",
    "jobs.ingest.load_bread",
    "jobs.workspace.dashboard",
}


@pytest.fixture(scope="session")
def verbs(tmp_path_factory: pytest.TempPathFactory, environment: dict[str, str]) -> set[str]:
    return ask(tmp_path_factory.mktemp("verbs"), environment)


@pytest.fixture(scope="module")
def shop(server: Homeport, new_workspace: NewWorkspace) -> Workspace:
    """Deployed; its jobs are started at will."""
    shop = new_workspace(server, FILES)
    shop.dlthub("deploy")
    return shop


@pytest.fixture
def dlthub(shop: Workspace, verbs: set[str], request: pytest.FixtureRequest) -> Iterator[Dlthub]:
    """The command in the shop. After the test, the verbs that its mark promises must have been called."""
    dlthub = Dlthub(shop, verbs, set())
    yield dlthub
    owed_nothing(request, dlthub.called)


def column(table: str, name: str) -> list[str]:
    """What a printed table says below a heading."""
    lines = table.splitlines()
    head = next(index for index, line in enumerate(lines) if name in line)
    starts = [match.start() for match in re.finditer("-+", lines[head + 1])]
    start = max(start for start in starts if start <= lines[head].index(name) + len(name) - 1)
    ends = [end for end in starts if end > start]
    rows = [line for line in lines[head + 2 :] if line.strip()]
    return [line[start : ends[0] if ends else None].strip() for line in rows]


def test_every_verb_is_covered_or_local(verbs: set[str]) -> None:
    assert {verb for verb in verbs if not is_local(verb)} == covered("dlthub")


def test_what_is_held_to_be_local_is_a_verb(verbs: set[str]) -> None:
    assert {name for name in LOCAL if not any(f"{verb} ".startswith(f"{name} ") for verb in verbs)} == set()


@covers("workspace connect", "workspace list", "workspace show", "job list")
def test_a_workspace_is_created_connected_to_and_listed(
    dlthub: Dlthub,
    server: Homeport,
    workspace: Workspace,  # noqa: F811
) -> None:
    dlthub = dlthub.at(workspace)
    name = f"{workspace.folder.name}-two"
    assert f"'{name}' not found" in dlthub.refused("workspace", "connect", name)
    created = dlthub("workspace", "connect", name, "--create")
    assert f"Connected to workspace: {name} (Homeport)" in created
    listed = dlthub("workspace", "list")
    assert f"* {name}" in listed
    assert workspace.id in listed
    assert "No jobs found in this workspace" in dlthub("job", "list")
    assert workspace.id in dlthub("workspace", "connect", workspace.folder.name)
    assert server.url in dlthub("workspace", "show")


@covers("workspace info")
def test_workspace_info_tells_what_is_there_and_what_a_deploy_would_change(
    dlthub: Dlthub, shop: Workspace
) -> None:
    info = dlthub("workspace", "info")
    assert f"Workspace: {shop.folder.name} {shop.id}" in info
    assert "User: owner@localhost" in info
    assert f"Workspace URL: {shop.server.url}/w/{shop.id}" in info
    assert "Current deployment version: 1" in info
    assert "Current configuration version: 1" in info
    assert "DATA_WRITE: prod" in info
    assert "Unchanged jobs:" in info


@covers("show", "workspace show", "job show", "job runs show", "pipeline show")
def test_the_addresses_that_are_printed_lead_to_pages(dlthub: Dlthub, shop: Workspace) -> None:
    run = shop.run("clean")
    home = f"{shop.server.url}/w/{shop.id}"  # noqa: F811
    for words, path in (
        (["show"], ""),
        (["workspace", "show"], ""),
        (["job", "show", "clean"], "/jobs/jobs.checks.clean"),
        (["job", "runs", "show", "clean", str(run["number"])], f"/runs/{run['id']}"),
        (["pipeline", "show", "bread_pipeline"], "/pipelines/bread_pipeline"),
    ):
        [address] = re.findall(r"http://\S+", dlthub(*words))
        assert address == home + path
        # without a session: the way to sign in, never an error
        page = shop.server.http.get(address, headers={"Authorization": ""}, follow_redirects=True)
        assert page.status_code == 200, address


@covers("deploy", "workspace deploy")
def test_a_dry_deploy_shows_what_would_change_and_changes_nothing(
    dlthub: Dlthub,
    workspace: Workspace,  # noqa: F811
) -> None:
    workspace.write(FILES)
    for words in (["deploy", "--dry-run"], ["workspace", "deploy", "--dry-run"]):
        preview = dlthub.at(workspace)(*words)
        assert "New jobs:" in preview
        assert "+ load_bread (trigger: every:12h)" in preview
        assert "Dry run, skipping..." in preview
    assert workspace.jobs() == {}
    assert workspace.get("/deployments")["items"] == []
    assert workspace.get("/configurations")["items"] == []


@covers("deploy")
def test_the_manifest_is_shown_as_yaml(dlthub: Dlthub) -> None:
    manifest = yaml.safe_load(dlthub("deploy", "--show-manifest"))
    assert manifest["deployment_module"] == "__deployment__"
    assert {job["job_ref"] for job in manifest["jobs"]} == REFS


@covers("run", "job runs result")
def test_run_deploys_runs_and_follows_a_job_whose_result_can_be_read(dlthub: Dlthub, shop: Workspace) -> None:
    output = dlthub("run", "load_bread", "-f")
    assert "job_ref:    jobs.ingest.load_bread" in output
    assert "trigger:    every 12h" in output
    assert "profile:    prod" in output
    assert re.search(r"\[user\] +one loaf", output)
    assert "status: completed" in output
    number = shop.runs("load_bread")[-1]["number"]
    assert f"Run # {number} of job jobs.ingest.load_bread finished" in output
    assert f"{shop.server.url}/w/{shop.id}/runs/{shop.runs('load_bread')[-1]['id']}" in output
    assert re.search(r"Type +job\.load_bread", dlthub("job", "runs", "result", "load_bread"))
    payload = dlthub("job", "runs", "result", "load_bread", str(number), "--only-payload")
    assert yaml.safe_load(payload) == {"loaves": 1}
    envelope = yaml.safe_load(dlthub("job", "runs", "result", "load_bread", "--json"))
    assert (envelope["job_ref"], envelope["result"]) == ("jobs.ingest.load_bread", {"loaves": 1})


@covers("run", "job runs result")
def test_run_with_refresh_tells_the_job_so(dlthub: Dlthub) -> None:
    output = dlthub("run", "check_bread", "-f", "--refresh")
    assert "checked, refresh is True" in output
    assert "declared no job result" in dlthub.refused("job", "runs", "result", "check_bread")


@covers("job run")
def test_run_of_a_plain_file_deploys_it_beside_what_is_there(dlthub: Dlthub, shop: Workspace) -> None:
    output = dlthub("job", "run", "weigh.py", "-f", "--refresh")
    assert "job_ref:    jobs.weigh" in output
    assert "weighs nothing" in output
    assert shop.live_jobs() >= {*REFS, "jobs.weigh"}


@covers("run")
def test_run_of_a_file_or_job_that_is_not_there_says_so(dlthub: Dlthub) -> None:
    assert "nowhere.py" in dlthub.refused("run", "nowhere.py")
    assert "nothing_like_it" in dlthub.refused("run", "nothing_like_it")


@covers("pipeline run")
def test_pipeline_run_finds_the_job_of_the_pipeline(dlthub: Dlthub) -> None:
    output = dlthub("pipeline", "run", "bread_pipeline", "-f")
    assert "job_ref:    jobs.ingest.load_bread" in output
    assert "one loaf" in output
    assert "status: completed" in output


@covers("job list")
def test_job_list_shows_all_or_what_a_selector_picks(dlthub: Dlthub) -> None:
    names = column(dlthub("job", "list"), "Job name")
    assert {"checks.check_bread", "checks.clean", "ingest.load_bread", "workspace.dashboard"} <= set(names)
    assert column(dlthub("job", "list", "tag:ingest"), "Job name") == ["ingest.load_bread"]
    assert column(dlthub("job", "list", "interactive"), "Job name") == ["workspace.dashboard"]


@covers("job info")
def test_job_info_shows_how_and_when_the_job_runs(dlthub: Dlthub) -> None:
    info = dlthub("job", "info", "load_bread")
    for row in (
        r"Job ref +jobs\.ingest\.load_bread",
        r"Display name +Bread ingest",
        r"Entry point +ingest::load_bread",
        r"Default trigger +every:12h",
        r"Next run +\S+ hours from now",
    ):
        assert re.search(row, info), info
    assert "nothing_like_it" in dlthub.refused("job", "info", "nothing_like_it")


@covers("job pause", "job resume", "job info")
def test_schedules_are_paused_and_resumed_and_a_job_without_one_is_not(dlthub: Dlthub, shop: Workspace) -> None:
    assert "paused until you resume" in dlthub("job", "pause", "schedule:*")
    assert re.search("Next run +paused", dlthub("job", "info", "check_bread"))
    assert "are resumed" in dlthub("job", "resume", "check_bread")
    assert not shop.jobs()["jobs.checks.check_bread"]["is_paused"]
    assert "no scheduled run to come" in dlthub.refused("job", "pause", "clean")


@covers("job publish", "job unpublish")
def test_an_interactive_job_is_published_and_a_batch_job_is_not(dlthub: Dlthub, shop: Workspace) -> None:
    published = dlthub("job", "publish", "jobs.workspace.dashboard")
    address = shop.jobs()["jobs.workspace.dashboard"]["public_url"]
    assert f"enabled successfully: {address}" in published
    assert "disabled successfully" in dlthub("job", "unpublish", "jobs.workspace.dashboard")
    assert shop.jobs()["jobs.workspace.dashboard"]["public_url"] is None
    assert "only interactive ones" in dlthub.refused("job", "publish", "load_bread")


@covers("serve", "job serve", "dashboard", "workspace dashboard")
def test_an_app_is_served_once_and_every_verb_leads_to_its_address(dlthub: Dlthub, shop: Workspace) -> None:
    url = shop.jobs()["jobs.workspace.dashboard"]["job_url"]
    assert "jobs.workspace.dashboard" in dlthub("serve", "jobs.workspace.dashboard")
    # a start that is declined is no error to the command: exit code 0
    assert url in dlthub("job", "serve", "jobs.workspace.dashboard")
    for words in (["dashboard"], ["workspace", "dashboard"]):
        assert url in dlthub(*words)
    [run] = shop.get("/job-runs", include_system_job_runs=True, job_type="interactive")["items"]
    shop.server.post(f"/workspaces/{shop.id}/job-runs/{run['id']}/-cancel", {})


@covers("job trigger")
@pytest.mark.parametrize(
    ("selectors", "picked"),
    [
        (["schedule:*"], {"jobs.checks.check_bread": "schedule:0 3 1 1 *"}),
        (["clean"], {"jobs.checks.clean": "tag:night"}),
        (["tag:ingest", "tag:night"], {"jobs.ingest.load_bread": "tag:ingest", "jobs.checks.clean": "tag:night"}),
    ],
)
def test_a_dry_trigger_names_the_jobs_that_a_selector_picks(
    dlthub: Dlthub, shop: Workspace, selectors: list[str], picked: dict[str, str]
) -> None:
    runs = len(shop.runs())
    preview = dlthub("job", "trigger", *selectors, "--dry-run")
    assert f"{len(picked)} job(s) triggered, 0 skipped" in preview
    for ref, trigger in picked.items():
        assert f"{ref}: {trigger}" in preview
    assert len(shop.runs()) == runs


@covers("deploy", "job trigger", "job runs list", "job runs info", "job logs", "job runs logs")
def test_runs_are_triggered_listed_described_and_read(
    dlthub: Dlthub, server: Homeport, new_workspace: NewWorkspace
) -> None:
    shop = new_workspace(server, FILES)
    dlthub = dlthub.at(shop)
    dlthub("deploy")
    assert "3 job(s) triggered, 0 skipped" in dlthub("job", "trigger", "batch", "--profile", "access")
    for run in shop.runs():
        ended = shop.ended(run["id"])
        assert (ended["status"], ended["profile"]) == ("completed", "access")
    assert "unknown" in dlthub("job", "trigger", "clean", "--profile", "unknown")
    assert len(shop.runs("clean")) == 1
    shop.run("clean")
    names = column(dlthub("job", "runs", "list"), "Job name")
    assert sorted(names) == ["checks.check_bread", "checks.clean", "checks.clean", "ingest.load_bread"]
    listed = dlthub("job", "runs", "list", "clean")
    assert column(listed, "Run #") == ["2", "1"]
    assert column(listed, "Status") == ["completed", "completed"]
    info = dlthub("job", "runs", "info", "clean", "1")
    assert shop.runs("clean")[0]["id"] in info
    assert re.search(r"Status +completed", info)
    assert re.search(r"Profile +access", info)
    for words in (
        ["job", "logs", "clean"],
        ["job", "logs", "clean", "1", "-f"],
        ["job", "runs", "logs", "clean", "2"],
    ):
        assert re.search(r"\[user\] +clean", dlthub(*words))
    assert "nothing_like_it" in dlthub.refused("job", "logs", "nothing_like_it")


@covers("run", "job runs list", "job runs cancel", "job cancel")
def test_runs_are_cancelled_one_by_one_or_by_job(dlthub: Dlthub, shop: Workspace) -> None:
    dlthub("run", "wait.py")
    first = shop.runs("wait")[-1]
    shop.until_said(first["id"], "waiting")
    running = dlthub("job", "runs", "list", "--running")
    assert ("wait", "running") in zip(column(running, "Job name"), column(running, "Status"), strict=True)
    assert "1 run(s) would be cancelled" in dlthub("job", "cancel", "wait", "--dry-run")
    assert f"cancellation of run # {first['number']}" in dlthub("job", "runs", "cancel", "wait")
    assert shop.ended(first["id"])["status"] == "cancelled"
    assert "already in a terminal state" in dlthub.refused("job", "runs", "cancel", "wait")
    second = shop.trigger("manual:jobs.wait")
    dlthub("job", "cancel", "wait")
    assert shop.ended(second["id"])["status"] == "cancelled"
    assert "no active run" in dlthub("job", "cancel", "wait")


@covers("run")
def test_a_run_that_fails_ends_the_command_that_follows_it_with_exit_code_1(
    dlthub: Dlthub,
    workspace: Workspace,  # noqa: F811
) -> None:
    workspace.write({"fall.py": "raise SystemExit('over')"})
    assert dlthub.at(workspace).exit_code("run", "fall.py", "-f") == 1


@covers("variable list", "variable set", "variable delete")
def test_variables_are_set_listed_and_deleted(dlthub: Dlthub) -> None:
    assert "No variables set" in dlthub("variable", "list")
    assert "Set OVEN" in dlthub("variable", "set", "OVEN", "--plain", "--value", "hot", "--workspace")
    assert "Set PIN" in dlthub("variable", "set", "PIN", "--secret", "--value", "hunter2", "--profile", "prod")
    listed = dlthub("variable", "list")
    assert re.search(r"OVEN.*hot", listed)
    assert "PIN" in listed
    assert "hunter2" not in listed
    assert "PIN" not in dlthub("variable", "list", "--workspace")
    assert "reserved" in dlthub.refused("variable", "set", "PATH", "--plain", "--value", "x", "--workspace")
    assert "Removed OVEN" in dlthub("-y", "variable", "delete", "OVEN", "--workspace")
    assert "Removed PIN" in dlthub("-y", "variable", "delete", "PIN", "--profile", "prod")
    assert "does not exist" in dlthub.refused("-y", "variable", "delete", "OVEN", "--workspace")


@covers("workspace deployment sync", "workspace deployment list", "workspace deployment info")
@covers("workspace configuration sync", "workspace configuration list", "workspace configuration info")
def test_code_and_configuration_are_synced_and_listed_each_by_itself(
    dlthub: Dlthub,
    workspace: Workspace,  # noqa: F811
) -> None:
    dlthub = dlthub.at(workspace)
    for kind, file, others in (
        ("deployment", "weigh.py", []),
        ("configuration", ".dlt/prod.config.toml", [1, 2]),
    ):
        other = {"deployment": "configuration", "configuration": "deployment"}[kind]
        dlthub("workspace", kind, "sync")
        assert "No changes detected" in dlthub("workspace", kind, "sync")
        workspace.write({file: "greeting = 'new'\n"})
        assert "No changes detected" not in dlthub("workspace", kind, "sync")
        assert column(dlthub("workspace", kind, "list"), "Version #") == ["1", "2"]
        assert column(dlthub("workspace", kind, "info"), "Version #") == ["2"]
        assert column(dlthub("workspace", kind, "1", "info"), "Version #") == ["1"]
        assert sorted(each["version"] for each in workspace.get(f"/{other}s")["items"]) == others
    assert workspace.jobs() == {}


@covers("login", "logout", "workspace list")
def test_a_login_is_kept_until_the_logout(
    dlthub: Dlthub,
    person: Workspace,  # noqa: F811
    browser: httpx.Client,  # noqa: F811
    home: dict[str, str],  # noqa: F811
) -> None:
    dlthub = dlthub.at(person, **home)
    assert "owner@localhost" in log_in(dlthub, browser, {})
    assert person.folder.name in dlthub("workspace", "list")
    assert _kept(home)["auth_token"]
    assert "Logged out" in dlthub("logout")
    assert not _kept(home).get("auth_token")


def _kept(home: dict[str, str]) -> Any:  # noqa: F811
    """What the command keeps of a login."""
    found = [
        tomllib.loads(path.read_text()).get("runtime", {}) for path in Path(home["HOME"]).rglob("secrets.toml")
    ]
    return found[0] if found else {}


@covers("job list")
def test_a_key_that_is_not_known_is_refused_by_name(dlthub: Dlthub) -> None:
    complaint = dlthub.refused("job", "list", RUNTIME__API_KEY="dlt_u_" + "a" * 40)
    assert "Your API key is not valid" in complaint


@covers("job list")
def test_a_workspace_that_is_not_known_is_named(dlthub: Dlthub) -> None:
    unknown = "00000000-0000-4000-8000-000000000000"
    assert f"workspace '{unknown}' not found" in dlthub.refused("job", "list", RUNTIME__WORKSPACE_ID=unknown)
