"""The released MCP server over standard input and output, and a real MCP client that asks it about real runs."""

import json
import os
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import dlthub_mcp
import pytest
from anyio.from_thread import BlockingPortal, start_blocking_portal
from fastmcp import Client
from fastmcp.client.transports import StdioTransport
from fastmcp.exceptions import ToolError

from ..acceptance.conftest import NewWorkspace
from ..acceptance.servers import BIN, Homeport
from ..acceptance.workspaces import PYPROJECT, Workspace
from .ledger import covered, owed_nothing

pytestmark = pytest.mark.acceptance
covers = pytest.mark.covers

FEATURES = sorted(str(each) for name, each in vars(dlthub_mcp).items() if name.endswith("_FEATURE"))

FILES = {
    "pyproject.toml": PYPROJECT.replace('<1.32"]', '<1.32", "dlthub-client>=0.28.7"]'),
    "kitchen.py": """
        import dlt
        from dlt.hub import run


        @run.pipeline("orders")
        def load():
            pipeline = dlt.pipeline("orders", destination="warehouse", dataset_name="shop_data")
            pipeline.run([{"id": 1}, {"id": 2}], table_name="orders")
            print("two orders")
            run.result({"rows": 2})


        @run.pipeline("bread")
        def burn():
            @dlt.resource
            def loaves():
                yield {"id": 1}
                raise ValueError("the oven is cold")

            dlt.pipeline("bread", destination="warehouse", dataset_name="ashes").run(loaves)


        @run.job()
        def ponder():
            from dlthub_mcp.config_tools import dlthub_get_configuration_files, dlthub_list_variables
            from dlthub_mcp.telemetry_tools import dlthub_telemetry_status
            from dlthub_mcp.workspace_tools import dlthub_this_run, dlthub_workspace_info

            mine = dlthub_this_run()
            info = dlthub_workspace_info()
            print("I AM", mine.id, mine.status, "IN", info.id, "AS", info.caller_role)
            assert dlthub_get_configuration_files().version == 1 and dlthub_telemetry_status().reporting
            dlthub_list_variables()
    """,
    "__deployment__.py": "from kitchen import burn, load, ponder\n\n__all__ = ['burn', 'load', 'ponder']\n",
    ".dlt/access.config.toml": "greeting = 'just looking'\n",
}


@dataclass
class Agent:
    """An MCP client that is connected. It notes which tools it called."""

    portal: BlockingPortal
    client: Any
    called: set[str] = field(default_factory=set)

    def __call__(self, tool: str, **arguments: Any) -> Any:
        """What the tool answers, as JSON."""
        self.called.add(tool)
        said = self.portal.call(self.client.call_tool, tool, arguments).structured_content
        # MCP has objects only, so a list comes wrapped
        return said["result"] if set(said) == {"result"} else said

    def refused(self, tool: str, **arguments: Any) -> str:
        with pytest.raises(ToolError) as caught:
            self(tool, **arguments)
        return str(caught.value)

    def tools(self) -> set[str]:
        return {tool.name for tool in self.portal.call(self.client.list_tools)}


@contextmanager
def connected(folder: Path, environment: Mapping[str, str]) -> Iterator[Agent]:
    """To a server that was started in that folder; the client ends it."""
    command = ["ai", "mcp", "run", "--stdio", "--no-default-features", "--features", *FEATURES]
    with Path(os.devnull).open("w") as log, start_blocking_portal() as portal:
        transport = StdioTransport(
            str(BIN / "dlthub"), command, env=dict(environment), cwd=str(folder), log_file=log, keep_alive=False
        )
        with portal.wrap_async_context_manager(Client(transport)) as client:
            yield Agent(portal, client)


@dataclass
class Kitchen:
    """A workspace in which a pipeline run has succeeded and declared a result, and another one has failed."""

    place: Workspace
    good: str
    bad: str


@pytest.fixture(scope="module")
def kitchen(server: Homeport, new_workspace: NewWorkspace, tmp_path_factory: pytest.TempPathFactory) -> Kitchen:
    place = new_workspace(server, FILES)
    # a file that runs and the agent's machine both reach, as they would a database in the network
    warehouse = tmp_path_factory.mktemp("warehouse") / "warehouse.duckdb"
    secrets = place.folder / ".dlt/secrets.toml"
    secrets.write_text(f'{secrets.read_text()}\n[destination.warehouse]\ncredentials = "{warehouse}"\n')
    place.dlthub("variable", "set", "OVEN__URL", "--plain", "--value", "http://oven", "--workspace")
    place.dlthub(
        "variable", "set", "OVEN__PASSWORD", "--secret", "--value", "hunter2-hunter2", "--profile", "prod"
    )
    place.dlthub("deploy")
    good, bad = place.run("load"), place.run("burn")
    assert (good["status"], bad["status"]) == ("completed", "failed"), place.text(good["id"])
    return Kitchen(place, good["id"], bad["id"])


@pytest.fixture(scope="module")
def session(kitchen: Kitchen, environment: dict[str, str]) -> Iterator[Agent]:
    with connected(kitchen.place.folder, environment) as agent:
        yield agent


@pytest.fixture
def agent(session: Agent, request: pytest.FixtureRequest) -> Iterator[Agent]:
    """After the test, the tools that its mark promises must have been called."""
    agent = Agent(session.portal, session.client)
    yield agent
    owed_nothing(request, agent.called)


def test_every_tool_is_covered(agent: Agent) -> None:
    assert agent.tools() == covered("agent")


@covers("dlthub_workspace_info")
def test_where_the_agent_is(agent: Agent, kitchen: Kitchen, server: Homeport) -> None:
    info = agent("dlthub_workspace_info")
    assert (info["id"], info["name"]) == (kitchen.place.id, kitchen.place.folder.name)
    assert (info["organization_id"], info["organization_name"]) == (server.organization_id(), "Homeport")
    assert info["profiles"] == {"DATA_WRITE": "prod", "DATA_READ": "access"}
    assert (info["caller_email"], info["caller_role"]) == ("owner@localhost", "owner")
    assert info["members_listed"]
    assert ("owner@localhost", "owner") in [(member["email"], member["role"]) for member in info["members"]]
    assert info["dashboard_url"] == f"{server.url}/w/{kitchen.place.id}"


@covers("dlthub_this_run")
def test_a_run_finds_itself_and_a_process_that_is_none_is_told_so(agent: Agent, kitchen: Kitchen) -> None:
    assert "not a platform run" in agent.refused("dlthub_this_run")
    assert agent("dlthub_this_run", run_id=kitchen.good)["job_ref"] == "jobs.kitchen.load"
    run = kitchen.place.run("ponder")
    text = kitchen.place.text(run["id"])
    assert f"I AM {run['id']} running IN {kitchen.place.id} AS viewer" in text, text
    # the last line of the job, and the only one that a run of no agent may not
    assert (run["status"], "needs the read_variables permission" in text) == ("failed", True), text


@covers("dlthub_list_jobs", "dlthub_get_job")
def test_jobs(agent: Agent) -> None:
    jobs = {job["job_ref"]: job for job in agent("dlthub_list_jobs")}
    assert set(jobs) == {
        "jobs.kitchen.burn",
        "jobs.kitchen.load",
        "jobs.kitchen.ponder",
        "jobs.workspace.dashboard",
    }
    assert agent("dlthub_list_jobs", archived=True) == []
    assert [job["id"] for job in agent("dlthub_list_jobs", limit=1, offset=1)] == [[*jobs.values()][1]["id"]]
    load = agent("dlthub_get_job", job_ref="jobs.kitchen.load")
    assert load == agent("dlthub_get_job", job_ref=load["id"])
    assert load["triggers"] == ["manual:jobs.kitchen.load", "pipeline_name:orders"]
    assert load["job_definition"]["entry_point"]["function"] == "load"
    assert "jobs.nowhere" in agent.refused("dlthub_get_job", job_ref="jobs.nowhere")


@covers("dlthub_list_runs", "dlthub_get_run")
def test_runs(agent: Agent, kitchen: Kitchen) -> None:
    statuses = {run["id"]: run["status"] for run in agent("dlthub_list_runs")}
    assert (statuses[kitchen.good], statuses[kitchen.bad]) == ("completed", "failed")
    [burnt] = agent("dlthub_list_runs", job="jobs.kitchen.burn")
    assert burnt == agent("dlthub_get_run", run_id=kitchen.bad)
    good = agent("dlthub_get_run", run_id=kitchen.good)
    assert (good["number"], good["profile"], good["trigger"]) == (1, "prod", "manual:jobs.kitchen.load")
    [pipeline] = good["pipeline_run_summaries"]
    assert (pipeline["pipeline_name"], pipeline["status"], pipeline["total_rows"]) == ("orders", "succeeded", 2)
    assert (pipeline["destination_name"], pipeline["dataset_name"]) == ("warehouse", "shop_data")
    assert "not found" in agent.refused("dlthub_get_run", run_id=kitchen.place.id)


@covers("dlthub_get_run_result", "dlthub_get_run_trace")
def test_results(agent: Agent, kitchen: Kitchen) -> None:
    result = agent("dlthub_get_run_result", run_id=kitchen.good)
    assert (result["job_run_id"], result["job_ref"]) == (kitchen.good, "jobs.kitchen.load")
    assert (result["result_type"], result["result"]) == ("job.load", {"rows": 2})
    trace = agent("dlthub_get_run_trace", run_id=kitchen.good)
    assert (trace["job_run_id"], trace["result"]["result"]) == (kitchen.good, {"rows": 2})
    for tool in ("dlthub_get_run_result", "dlthub_get_run_trace"):
        assert "declared no result" in agent.refused(tool, run_id=kitchen.bad)


@covers("dlthub_get_run_logs", "dlthub_grep_run_logs")
def test_logs(agent: Agent, kitchen: Kitchen) -> None:
    whole = [line["content"] for line in kitchen.place.lines(kitchen.bad)]
    tail = agent("dlthub_get_run_logs", run_id=kitchen.bad, max_lines=5)
    assert tail["lines"] == whole[-5:]
    assert (tail["total_lines"], tail["first_line_number"]) == (len(whole), len(whole) - 4)
    assert tail["truncated"]
    found = agent(
        "dlthub_grep_run_logs", run_id=kitchen.bad, pattern="^valueerror: .*OVEN", ignore_case=True, before=1
    )
    assert (found["searched_lines"], found["match_count"]) == (len(whole), len(found["matches"]))
    first = found["matches"][0]
    assert first["line"] == whole[first["line_number"] - 1] == "ValueError: the oven is cold"
    assert first["context_before"] == [whole[first["line_number"] - 2]]
    counted = agent("dlthub_grep_run_logs", run_id=kitchen.good, pattern="two orders", fixed=True, count_only=True)
    assert (counted["match_count"], counted["matches"]) == (1, [])
    assert "invalid pattern" in agent.refused("dlthub_grep_run_logs", run_id=kitchen.good, pattern="(")


@covers("dlthub_list_variables", "dlthub_get_configuration_files")
def test_configuration_without_secrets(agent: Agent, kitchen: Kitchen) -> None:
    scopes = agent("dlthub_list_variables")
    assert [(scope["profile"], [each["name"] for each in scope["variables"]]) for scope in scopes] == [
        (None, ["OVEN__URL"]),
        ("prod", ["OVEN__PASSWORD"]),
    ]
    assert [scopes[0]] == agent("dlthub_list_variables", workspace_scope=True)
    assert [scopes[1]] == agent("dlthub_list_variables", profile="prod")
    [[url], [password]] = (scope["variables"] for scope in scopes)
    assert (url["value"], url["secret"]) == ("http://oven", False)
    assert (password["value"], password["secret"]) == (None, True)
    configuration = agent("dlthub_get_configuration_files")
    assert configuration == agent("dlthub_get_configuration_files", version=1)
    assert (configuration["version"], configuration["profiles"]) == (1, ["access"])
    assert configuration["file_count"] == 3
    assert {file["relative_path"] for file in configuration["files"]} == {
        "access.config.toml",
        "config.toml",
        "secrets.toml",
    }
    assert "not found" in agent.refused("dlthub_get_configuration_files", version=2)


@covers("dlthub_telemetry_status", "dlthub_list_pipeline_runs", "dlthub_get_pipeline_run")
def test_pipeline_runs(agent: Agent, kitchen: Kitchen) -> None:
    assert agent("dlthub_telemetry_status")["reporting"]
    assert {run["pipeline_name"] for run in agent("dlthub_list_pipeline_runs")} == {"orders", "bread"}
    [good] = agent("dlthub_list_pipeline_runs", run_id=kitchen.good)
    assert [good] == agent("dlthub_list_pipeline_runs", dataset="shop_data", destination="warehouse")
    assert (good["status"], good["total_rows_loaded"]) == ("succeeded", 2)
    whole = agent("dlthub_get_pipeline_run", pipeline_run_id=good["id"])
    assert [(table["table_name"], table["rows_loaded"]) for table in whole["tables"]] == [("orders", 2)]
    assert [package["load_status"] for package in whole["load_packages"]] == ["loaded"]
    [bad] = agent("dlthub_list_pipeline_runs", status="failed")
    assert [bad] == agent("dlthub_list_pipeline_runs", pipeline_name="bread", empty_only=True)
    assert (bad["error_step"], "the oven is cold" in bad["error_message"]) == ("extract", True)
    assert "not found" in agent.refused("dlthub_get_pipeline_run", pipeline_run_id=kitchen.good)


@covers("dlthub_get_pipeline_run_trace")
def test_traces(agent: Agent, kitchen: Kitchen) -> None:
    [good] = agent("dlthub_list_pipeline_runs", run_id=kitchen.good)
    [bad] = agent("dlthub_list_pipeline_runs", run_id=kitchen.bad)
    trace = json.loads(agent("dlthub_get_pipeline_run_trace", pipeline_run_id=bad["id"])["trace"])
    [extract] = [step for step in trace["steps"] if step["step"] == "extract"]
    assert extract["exception_traces"][-1]["message"] == "the oven is cold"
    wanted = {"detail": "full", "step": "load", "max_chars": 200_000}
    answer = agent("dlthub_get_pipeline_run_trace", pipeline_run_id=good["id"], **wanted)
    [load] = json.loads(answer["trace"])["steps"]
    assert load["load_info"]["destination_name"] == "warehouse"
    cut = agent("dlthub_get_pipeline_run_trace", pipeline_run_id=good["id"], max_chars=100)
    assert (cut["truncated"], len(cut["trace"])) == (True, 100)


@covers("dlthub_list_pipelines", "dlthub_list_datasets")
def test_how_pipelines_and_datasets_do(agent: Agent) -> None:
    rows = {row["pipeline_name"]: row for row in agent("dlthub_list_pipelines")}
    assert {name: row["latest_status"] for name, row in rows.items()} == {"orders": "succeeded", "bread": "failed"}
    assert (rows["orders"]["total_rows_loaded"], rows["bread"]["success_ratio"]) == (2, 0.0)
    assert [rows["bread"]] == agent("dlthub_list_pipelines", status="failed")
    [dataset] = agent("dlthub_list_datasets")
    assert (dataset["dataset_name"], dataset["total_rows_loaded"]) == ("shop_data", 2)


@covers("dlthub_restore_pipeline_from_run", "dlthub_restore_pipeline")
def test_a_pipeline_is_restored_on_the_agents_machine(agent: Agent, kitchen: Kitchen) -> None:
    restored = agent("dlthub_restore_pipeline_from_run", run_id=kitchen.good)
    assert restored == agent("dlthub_restore_pipeline", pipeline_name="orders")
    assert (restored["destination"], restored["dataset"]) == ("warehouse", "shop_data")
    assert restored["workspace_dir"] == str(kitchen.place.folder)
    assert restored["schema_names"] == ["orders"]
    assert "nothing to restore" in agent.refused("dlthub_restore_pipeline_from_run", run_id=kitchen.bad)
    assert "recorded no run" in agent.refused("dlthub_restore_pipeline", pipeline_name="nowhere")


def test_a_login_in_the_environment_is_enough(
    server: Homeport, kitchen: Kitchen, jwt: str, environment: dict[str, str], tmp_path: Path
) -> None:
    injected = {
        "RUNTIME__API_BASE_URL": server.url,
        "RUNTIME__WORKSPACE_ID": kitchen.place.id,
        "RUNTIME__AUTH_TOKEN": jwt,
        "RUNTIME__RUN_ID": kitchen.good,
    }
    with connected(tmp_path, environment | injected) as agent:
        assert agent("dlthub_this_run")["id"] == kitchen.good
        assert agent("dlthub_workspace_info")["caller_email"] == "owner@localhost"


def test_a_key_that_is_not_known_is_refused_by_name(kitchen: Kitchen, environment: dict[str, str]) -> None:
    with connected(kitchen.place.folder, environment | {"RUNTIME__API_KEY": "dlt_u_" + "a" * 40}) as agent:
        assert "check the API key" in agent.refused("dlthub_list_jobs")
