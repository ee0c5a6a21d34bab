"""What the code of a run may ask with the token that its run was given, and for how long."""

import json
import re
from typing import Any
from uuid import UUID, uuid4

import jwt
import pytest
import sqlalchemy as sa

from homeport.api.access import RULES, Let
from homeport.api.routes import ROUTES
from homeport.auth.permissions import OrganizationPermission, Permission
from homeport.contract.variables import UpdateWorkspaceVariablesRequest
from homeport.operations import cancel_runs, variables
from homeport.store import run_accounts
from homeport.store.tables import metadata

from ..builders import definition
from ..world import Runner, World
from .conftest import Doors
from .test_access import BODIES, DATAPLANE, _words

READ = {Permission.READ}
CONTEXTS = [
    (None, READ),
    (["read"], READ),
    (["read", "write"], READ),
    (["execute"], READ | {Permission.CREATE_RUN}),
    (["deploy"], READ | {Permission.CREATE_RUN, Permission.WRITE}),
    (["all"], READ | {Permission.CREATE_RUN, Permission.WRITE}),
]

ANSWERS = {Let.PERSON: (403,), Let.LOGGED_IN_PERSON: (403,), Let.UPLOADER: (401,), Let.RUNNER: (400, 401)}
"""What a run is told where it is not a matter of permissions; 400: a body is looked at first."""


def running(world: World, context: list[str] | None = None, **parts: Any) -> Runner:
    access = {} if context is None else {"access": {"context": context}}
    world.deploy(definition("a") | access | parts, definition("b"))
    return world.running("a")


def token_of(runner: Runner) -> str:
    return runner.launch.variables["RUNTIME__AUTH_TOKEN"]


def filled(path: str, runner: Runner, run_id: UUID, organization_id: UUID, workspace_id: UUID) -> str:
    ids = {
        "workspace_id": workspace_id,
        "organization_id": organization_id,
        "run_id": run_id,
        "attempt_id": runner.attempt_id,
        "which": "code",
        "kind": "trace",
    }
    return re.sub(r"{(\w+)(?::\w+)?}", lambda found: str(ids.get(found[1]) or uuid4()), path)


@pytest.mark.parametrize(("context", "granted"), CONTEXTS)
def test_every_route_gives_a_run_what_its_job_declares_and_no_more(
    doors: Doors, context: list[str] | None, granted: set[Permission]
) -> None:
    world = doors.world
    runner = running(world, context)
    over = world.complete("b").id  # the log of a run that is on would not end
    token = token_of(runner)
    dataplane = doors.post(f"{doors.ws}/-issue-dataplane-token", token).json()["token"]
    foreign = world.stranger()[1]
    wrong = []
    for method, path, _, _ in ROUTES:
        rule = RULES[method, path]
        is_dataplane = any(part in path for part in DATAPLANE)
        bearer = dataplane if is_dataplane else token
        body = BODIES.get((method, _words(path)), {} if method != "GET" else None)
        asked = filled(path, runner, over, world.alice.organization_id, world.workspace.id)
        here = doors.ask(method, asked, bearer, json=body)
        if isinstance(rule, Permission | OrganizationPermission):
            is_refused = rule not in granted and rule is not OrganizationPermission.READ
            elsewhere = filled(path, runner, over, foreign.organization_id, foreign.id)
            there = doors.ask(method, elsewhere, bearer, json=body).status_code
            if (here.status_code == 403) is not is_refused or there != (401 if is_dataplane else 404):
                wrong.append((method, path, rule, here.status_code, there))
        elif rule in ANSWERS and here.status_code not in ANSWERS[rule]:
            wrong.append((method, path, rule, here.status_code))
    assert wrong == []


def test_a_run_sees_its_workspace_and_is_a_viewer_there(doors: Doors) -> None:
    world = doors.world
    token = token_of(running(world))
    me = doors.get(f"{doors.ws}/me", token).json()
    assert (me["workspace"]["id"], me["workspace_role"]) == (str(world.workspace.id), "viewer")
    claims = jwt.decode(token, options={"verify_signature": False})
    assert (claims["sub"], claims["email"]) == (me["user_id"], me["email"])
    assert "exp" not in claims
    [organization] = doors.get("/api/v1/organizations", token).json()["items"]
    mine = doors.get(f"/api/v1/organizations/{organization['id']}/me", token).json()
    assert [item["workspace"]["id"] for item in mine["workspace_memberships"]] == [str(world.workspace.id)]
    members = doors.get(f"{doors.ws}/members", token).json()["items"]
    assert [member["email"] for member in members] == [world.alice.email]


def ends_well(world: World, runner: Runner) -> None:
    runner.exit(0)


def fails(world: World, runner: Runner) -> None:
    runner.exit(1)


def is_cancelled(world: World, runner: Runner) -> None:
    cancel_runs.cancel_run(world.platform, world.alice, world.workspace.id, runner.run_id)
    runner.exit(None, cause="cancelled")


def is_lost(world: World, runner: Runner) -> None:
    world.engine.vanish(runner.attempt_id)
    for _ in range(60):  # a watch that slept for long waits first
        world.advance(seconds=1)
        world.look()
    assert world.run(runner.run_id).is_over


@pytest.mark.parametrize("end", [ends_well, fails, is_cancelled, is_lost])
def test_the_token_ends_with_the_run_and_so_does_what_it_was_given(doors: Doors, end: Any) -> None:
    world = doors.world
    runner = running(world)
    token = token_of(runner)
    dataplane = doors.post(f"{doors.ws}/-issue-dataplane-token", token).json()["token"]
    log = f"/telemetry/v1/workspaces/{world.workspace.id}/watermark"
    assert (doors.get(f"{doors.ws}/jobs", token).status_code, doors.get(log, dataplane).status_code) == (200, 200)
    end(world, runner)
    for path, bearer in ((f"{doors.ws}/jobs", token), (log, dataplane), ("/api/v1/me", token)):
        answer = doors.get(path, bearer)
        assert answer.status_code == 401, path
        assert token not in answer.text
    assert doors.get(f"{doors.ws}/jobs", token).json()["code"] == "run_over"


def test_a_run_that_is_to_stop_may_still_look(doors: Doors) -> None:
    world = doors.world
    runner = running(world)
    cancel_runs.cancel_run(world.platform, world.alice, world.workspace.id, runner.run_id)
    assert doors.get(f"{doors.ws}/job-runs/{runner.run_id}", token_of(runner)).json()["status"] == "cancelling"


def test_an_attempt_does_not_speak_for_the_next_one(doors: Doors) -> None:
    world = doors.world
    world.deploy(definition("a"))
    first = world.claim(world.start("a"), pid=1)
    again = world.claim(world.run(first.run_id), pid=1)
    # the answer to the first claim got lost, as far as the server can know
    assert doors.get(f"{doors.ws}/jobs", token_of(first)).status_code == 401
    assert doors.get(f"{doors.ws}/jobs", token_of(again)).status_code == 200


def test_a_token_that_was_altered_is_none(doors: Doors) -> None:
    world = doors.world
    runner = running(world)
    claims = jwt.decode(token_of(runner), options={"verify_signature": False})
    head, body, signature = token_of(runner).split(".")
    forged = [
        jwt.encode(claims, "k" * 32, algorithm="HS256"),
        jwt.encode(claims, "", algorithm="none"),
        f"{head}.{body}.",
        f"{head}.{body}.{signature[::-1]}",
        *(
            jwt.encode({**claims, "attempt": name}, "k" * 32)
            for name in ("", "hp-\0", "hp-" + "0" * 32 + "-1", "é")
        ),
        *(jwt.encode({**claims, "attempt": other}, "k" * 32) for other in (None, 5, [], {})),
    ]
    for token in forged:
        answer = doors.get(f"{doors.ws}/jobs", token)
        assert (answer.status_code, answer.json()["code"]) == (401, "not_authenticated"), token


def test_a_run_starts_others_only_if_its_job_says_so(doors: Doors) -> None:
    world = doors.world
    runner = running(world, ["execute"])
    body = {"job_id": str(world.current("b").job.id), "trigger": "manual:"}
    refused = doors.post(f"{doors.ws}/job-runs", token_of(runner), json={**body, "profile": "access"})
    assert (refused.status_code, "its own, 'prod'" in refused.json()["detail"]) == (403, True)
    started = doors.post(f"{doors.ws}/job-runs", token_of(runner), json=body)
    assert started.status_code == 201
    with world.database.read() as tx:
        account = run_accounts.of_workspace(tx, world.workspace.id)
    assert account is not None
    assert started.json()["triggered_by"] == str(account.id)
    entries = doors.get(f"{doors.org}/audit-log", world.api_key).json()["items"]
    assert (entries[0]["via"], entries[0]["detail"]["by_run"]) == ("run_token", str(runner.run_id))
    runner.exit(0)
    looking = running(world)
    refused = doors.post(f"{doors.ws}/job-runs", token_of(looking), json=body)
    assert (refused.status_code, "'execute' in access.context" in refused.json()["detail"]) == (403, True)


def test_an_agent_sees_the_variables_of_its_profile_and_no_secret(doors: Doors) -> None:
    world = doors.world
    for profile, name in ((None, "EVERYWHERE"), ("access", "HERE"), ("prod", "ELSEWHERE")):
        upserts = [
            {"type": "plain", "name": name, "value": "seen"},
            {"type": "secret", "name": f"{name}_SECRET", "value": "hunter2"},
        ]
        change = UpdateWorkspaceVariablesRequest.model_validate({"profile": profile, "upserts": upserts})
        variables.change(world.platform, world.alice, world.workspace.id, change)
    runner = running(world, agent={"engine_version": 1, "name": "inspector"})
    token = doors.post(f"{doors.ws}/-issue-dataplane-token", token_of(runner)).json()["token"]
    answer = doors.get(f"{doors.ws}/variables", token)
    found = {item["name"]: item.get("value") for s in answer.json()["scopes"] for item in s["variables"]}
    assert found == {"EVERYWHERE": "seen", "EVERYWHERE_SECRET": None, "HERE": "seen", "HERE_SECRET": None}
    assert doors.get(f"{doors.ws}/variables?scope_profile=prod", token).status_code == 403
    assert (
        doors.ask("PATCH", f"{doors.ws}/variables", token, json={"profile": None, "deletes": ["HERE"]}).status_code
        == 403
    )


def test_no_variable_takes_its_place_and_it_is_kept_nowhere(
    doors: Doors, capsys: pytest.CaptureFixture[str]
) -> None:
    world = doors.world
    upserts = [{"type": "plain", "name": "RUNTIME__AUTH_TOKEN", "value": "mine"}]
    token = doors.post(f"{doors.ws}/-issue-dataplane-token", world.api_key).json()["token"]
    answer = doors.ask("PATCH", f"{doors.ws}/variables", token, json={"profile": None, "upserts": upserts})
    assert (answer.status_code, answer.json()["code"]) == (400, "reserved_name")
    runner = running(world)
    value = token_of(runner)
    doors.get(f"{doors.ws}/jobs", value)
    assert runner.launch.variables["RUNTIME__API_BASE_URL"] == world.platform.runner_url
    assert runner.launch.variables["RUNTIME__DATAPLANE_BASE_URL"] == world.platform.runner_url
    assert runner.launch.variables["RUNTIME__WORKSPACE_ID"] == str(world.workspace.id)
    assert runner.launch.variables["RUNTIME__ORGANIZATION_ID"] == str(world.alice.organization_id)
    with world.database.read() as tx:
        kept = [str(row) for table in metadata.sorted_tables for row in tx.execute(sa.select(table))]
    assert not [row for row in kept if value.rpartition(".")[2] in row]
    assert value not in json.dumps([str(placement) for placement in world.engine.placements])
    said = capsys.readouterr()
    assert value not in said.out + said.err
