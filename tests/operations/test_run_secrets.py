"""Secrets of a run reach its runner by name, and nothing that the run reports keeps one."""

import base64
import json
from typing import Any

import pytest
import sqlalchemy as sa

from homeport.contract.variables import UpdateWorkspaceVariablesRequest
from homeport.operations import beacon, run_secrets, variables
from homeport.store import beacon_reports, pipeline_runs

from ..builders import definition
from ..world import Runner, World

SECRETS = 'api_key = "sk_live_51Hq"\nnumber = 12345678\n[a.b]\npassword = "hunter2!"\n'


@pytest.fixture
def runner(world: World) -> Runner:
    world.upload("configurations", {"secrets.toml": SECRETS})
    change = {
        "profile": None,
        "upserts": [
            {"name": "HIDDEN", "type": "secret", "value": "of a secret variable"},
            {"name": "SHOWN", "type": "plain", "value": "of a plain variable"},
        ],
    }
    request = UpdateWorkspaceVariablesRequest.model_validate(change)
    variables.change(world.platform, world.alice, world.workspace.id, request)
    world.deploy(definition("a"))
    return world.running("a")


def test_a_runner_is_told_what_is_secret(world: World, runner: Runner) -> None:
    own = {
        run_secrets.beacon_tokens(world.platform).of_run(runner.run_id),
        runner.launch.variables["RUNTIME__AUTH_TOKEN"],
    }
    secret = {"sk_live_51Hq", "12345678", "hunter2!", "of a secret variable"} | own
    assert set(runner.launch.secrets) == secret
    assert "hunter2!" not in repr(runner.launch)


def test_a_runner_is_told_how_long_its_log_may_get(world: World, runner: Runner) -> None:
    assert (runner.launch.log_limit_bytes, runner.launch.spool_bytes) == (1024**3, 1024**3)
    runner.exit(0)
    generous = world.platform_with(log_limit_bytes=0, log_spool_bytes=65536).settings
    object.__setattr__(world.platform, "settings", generous)
    launch = world.claim(world.start("a")).launch
    assert (launch.log_limit_bytes, launch.spool_bytes) == (None, 65536)


def report(world: World, runner: Runner, **more: Any) -> dict[str, Any]:
    document = {"transaction_id": "1", "pipeline_name": "shop", **more}
    beacon.take_in(world.platform, runner.run_id, "trace", json.dumps(document).encode())
    with world.database.read() as tx:
        found = beacon_reports.get(tx, runner.run_id, "trace", "1")
        rows = tx.execute(sa.select(pipeline_runs.table)).all()
    assert found is not None
    assert "hunter2!" not in str(rows)
    kept: dict[str, Any] = json.loads(found.body)
    return kept


@pytest.mark.parametrize("is_remembered", [True, False])
def test_a_trace_is_kept_without_secrets(world: World, runner: Runner, is_remembered: bool) -> None:
    if not is_remembered:
        world.platform.maskings.__init__()  # type: ignore[misc]
    encoded = base64.b64encode(b"user:hunter2!").decode()
    kept = report(
        world,
        runner,
        steps=[{"step_exception": "cannot log in with hunter2!", "hunter2!": [f"Basic {encoded}", 12345678, 7]}],
    )
    [step] = kept["steps"]
    assert step["step_exception"] == "cannot log in with ***"
    assert step["***"][1:] == ["***", 7]
    assert encoded not in step["***"][0]


def test_a_trace_without_secrets_is_kept_as_it_came(world: World, runner: Runner) -> None:
    assert report(world, runner, note="nothing to hide: é")["note"] == "nothing to hide: é"
