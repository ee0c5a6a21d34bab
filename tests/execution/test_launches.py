"""What a runner is told about one attempt."""

import json
from datetime import UTC, datetime
from typing import Any
from uuid import UUID

import pytest

from homeport.contract.runner_protocol import ArtifactsLaunch
from homeport.execution import launches
from homeport.execution.launches import LaunchOrder, Limits, idle_limit_of, limits_of

from ..builders import LAUNCHERS, definition, interactive, requirements

RUN, WORKSPACE, ORGANIZATION = UUID(int=1), UUID(int=2), UUID(int=3)


def order(**changes: Any) -> LaunchOrder:
    values: dict[str, Any] = {
        "run_id": RUN,
        "workspace_id": WORKSPACE,
        "organization_id": ORGANIZATION,
        "workspace_name": "fruitshop",
        "definition": definition("shop.load"),
        "requirements": requirements(),
        "trigger": "every:1h",
        "profile": "prod",
        "refresh": False,
        "interval": (datetime(2026, 3, 2, 11, tzinfo=UTC), datetime(2026, 3, 2, 12, tzinfo=UTC)),
        "code_sha256": "c0de",
        "limits": Limits(60.0, 5.0),
        "api_url": "http://127.0.0.1:4040",
        "lease_seconds": 300.0,
        **changes,
    }
    return LaunchOrder(**values)


def composed(**changes: Any) -> Any:
    return launches.compose(order(**changes), "session", "c0f19")


def entry_point(**changes: Any) -> dict[str, Any]:
    found: dict[str, Any] = json.loads(composed(**changes).command[-1])
    return found


@pytest.mark.parametrize(
    ("execute", "limits"),
    [
        ({}, Limits(7200.0, 30.0)),
        ({"timeout": None}, Limits(None, 30.0)),
        ({"timeout": {"timeout": 60}}, Limits(60.0, 30.0)),
        ({"timeout": {"timeout": 60, "grace_period": 5}}, Limits(60.0, 5.0)),
        ({"timeout": {"grace_period": 0}}, Limits(None, 0.0)),
        ({"timeout": {}}, Limits(None, 30.0)),
    ],
    ids=str,
)
def test_limits_are_the_jobs_own_or_the_servers(execute: dict[str, Any], limits: Limits) -> None:
    assert limits_of(definition("a", execute=execute), 7200.0, 30.0) == limits


def test_an_interactive_job_has_no_limit_of_its_own_accord() -> None:
    assert limits_of(interactive("a"), 7200.0, 30.0) == Limits(None, 30.0)
    assert limits_of(interactive("a", execute={"timeout": {"timeout": 900}}), 7200.0, 30.0) == Limits(None, 30.0)


@pytest.mark.parametrize(
    ("execute", "seconds"),
    [({}, 1800.0), ({"timeout": {"timeout": 900}}, 900.0), ({"timeout": None}, None), ({"timeout": {}}, None)],
    ids=str,
)
def test_what_an_interactive_job_sets_is_how_long_it_may_be_idle(
    execute: dict[str, Any], seconds: float | None
) -> None:
    assert idle_limit_of(interactive("a", execute=execute), 1800.0) == seconds


def test_no_limit_is_a_very_long_one_where_a_number_is_wanted() -> None:
    assert Limits(None, 0).max_run_time_seconds > 86_400 * 365
    assert Limits(90.5, 0).max_run_time_seconds == 90


def test_the_command_is_what_launchers_understand() -> None:
    command = composed().command
    assert command[:3] == ["-u", "-m", f"{LAUNCHERS}.job"]
    assert command[3:8] == ["--run-id", str(RUN), "--trigger", "every:1h", "--entry-point"]


def test_the_entry_point_has_function_profile_refresh_and_window() -> None:
    found = entry_point(refresh=True)
    assert (found["module"], found["function"], found["profile"], found["refresh"]) == (
        "shop",
        "load",
        "prod",
        True,
    )
    window = [datetime.fromisoformat(found[name]) for name in ("interval_start", "interval_end")]
    assert tuple(window) == order().interval


def test_the_profile_is_there_before_the_process_starts() -> None:
    assert composed(profile="staging").variables["WORKSPACE__PROFILE"] == "staging"


def test_the_run_knows_who_it_is_and_sends_no_telemetry_away() -> None:
    variables = composed().variables
    assert variables["RUNTIME__RUN_ID"] == str(RUN)
    assert variables["RUNTIME__WORKSPACE_ID"] == str(WORKSPACE)
    assert variables["RUNTIME__ORGANIZATION_ID"] == str(ORGANIZATION)
    assert variables["RUNTIME__API_BASE_URL"] == "http://127.0.0.1:4040"
    assert variables["RUNTIME__DLTHUB_TELEMETRY"] == "false"
    assert variables["MARIMO__ASSET_URL"] == ""


@pytest.mark.parametrize(
    ("launcher", "sync", "attach"), [("job", False, False), ("marimo", True, True), ("dashboard", True, False)]
)
def test_apps_get_what_pipelines_left_and_the_dashboard_fetches_it_itself(
    launcher: str, sync: bool, attach: bool
) -> None:
    job = definition("a", "http:")
    kind = "batch" if launcher == "job" else "interactive"
    job["entry_point"] |= {"job_type": kind, "launcher": f"{LAUNCHERS}.{launcher}"}
    found = composed(definition=job, profile="access")
    assert found.artifacts == ArtifactsLaunch(profile="access", sync=sync, attach=attach)
    assert found.variables.get("DASHBOARD__SYNC_FROM_RUNTIME") == ("true" if launcher == "dashboard" else None)


@pytest.mark.parametrize(("profile", "storage"), [("prod", "prod"), ("access", "prod"), ("staging", "staging")])
def test_access_reads_the_files_that_prod_has_written(profile: str, storage: str) -> None:
    assert composed(profile=profile).storage == f"{WORKSPACE}/{storage}"


@pytest.mark.parametrize(
    ("name", "folder"),
    [
        ("fruitshop", "fruitshop"),
        ("Fruit shop & more", "Fruit_shop_more"),
        ("../../etc", "etc"),
        ("..", "workspace"),
        ("Obstläden", "Obstl_den"),
        ("x" * 100, "x" * 60),
    ],
)
def test_the_folder_is_named_after_the_workspace_and_is_one_folder(name: str, folder: str) -> None:
    assert composed(workspace_name=name).root_name == folder


def test_limits_and_packages_are_passed_on() -> None:
    found = composed()
    assert (found.timeout_seconds, found.grace_seconds, found.lease_seconds) == (60.0, 5.0, 300.0)
    assert {name: package.sha256 for name, package in found.packages.items()} == {
        "code": "c0de",
        "configuration": "c0f19",
    }


def test_working_state_is_named_after_the_run_where_it_is_carried() -> None:
    assert composed().carry is None
    assert composed(carries=True).carry == RUN.hex
    assert composed(notes=("Attempt 2 of 3",)).notes == ["Attempt 2 of 3"]
