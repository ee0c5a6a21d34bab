"""Nobody gets in without a credential, and a workspace that is not yours is one that does not exist."""

import re
from datetime import timedelta
from uuid import UUID, uuid4

import jwt
import pytest

from homeport.api import runner
from homeport.api.access import RULES, Let
from homeport.api.routes import ROUTES
from homeport.auth import secrets
from homeport.auth.principals import DATAPLANE_TOKEN_LIFETIME
from homeport.store import workspaces

from ..builders import definition
from ..world import MASTER_KEY, World
from .conftest import Door

OPEN = {route for route, rule in RULES.items() if rule in (Let.ANYBODY, Let.RUN)}
"""What brings its proof in the body or in the address, or tells nothing."""

GUARDED = [
    (method, path)
    for method, path, endpoint, _ in ROUTES
    if (method, path) not in OPEN and endpoint is not runner.claim
]
CONTROL_OF_WORKSPACE = [
    (method, path)
    for method, path in GUARDED
    if path.startswith("/api/v1/workspaces/") and not path.endswith(("/files", "/-upload", "/variables"))
]
BODIES = {
    "-deploy": {"job_definition_engine_version": 2, "job_definition_hash": "h", "jobs": []},
    "-trigger": {"selectors": ["*"]},
    "job-runs": {"job_id": str(UUID(int=0xDEAD))},
    "job-runs/-cancel": {"job_run_ids": []},
    "members/-set": {"organization_membership_id": str(UUID(int=0xDEAD)), "role": "viewer"},
    "-set-default-access": {"default_access": "viewer"},
    "keys": {"name": "key"},
    "lines": {"first": 0, "lines": []},
    "started": {"pid": 1},
    "exit": {"cause": "exited", "exit_code": 0, "lines": 0},
}


def filled(path: str, **known: object) -> str:
    """The route's path with ids of nothing, except those given."""
    names = {"which": "code", **{name: str(value) for name, value in known.items()}}
    return re.sub(r"{(\w+)(?::\w+)?}", lambda found: names.get(found[1]) or str(uuid4()), path)


def body_of(path: str) -> object:
    return next((body for end, body in sorted(BODIES.items(), reverse=True) if path.endswith(f"/{end}")), {})


@pytest.mark.parametrize(("method", "path"), GUARDED)
@pytest.mark.parametrize("bearer", [None, "made up"])
def test_no_route_is_open_without_a_credential(
    door: Door, world: World, method: str, path: str, bearer: str | None
) -> None:
    known = {"workspace_id": world.workspace.id, "organization_id": world.alice.organization_id}
    body = {"json": body_of(path)} if method in ("POST", "PATCH") else {}
    response = door.ask(method, filled(path, **known), bearer, **body)
    # who calls a webhook signs, and shows no credential of the API
    code = "webhook_not_signed" if path.startswith("/hooks/") else "not_authenticated"
    assert (response.status_code, response.json()["code"]) == (401, code)


@pytest.mark.parametrize(("method", "path"), CONTROL_OF_WORKSPACE)
def test_a_strangers_workspace_answers_like_one_that_does_not_exist(
    door: Door, world: World, method: str, path: str
) -> None:
    charlie, _ = world.stranger()
    key, unknown = world.key_of(charlie), uuid4()
    answers = []
    for workspace_id in (world.workspace.id, unknown):
        body = {"json": body_of(path)} if method in ("POST", "PATCH") else {}
        response = door.ask(method, filled(path, workspace_id=workspace_id), key, **body)
        answers.append((response.status_code, response.text.replace(str(workspace_id), "<id>")))
    assert answers[0] == answers[1]
    assert answers[0][0] == 404


@pytest.mark.parametrize("path", ["", "/me", "/workspaces"])
def test_a_strangers_organization_answers_like_one_that_does_not_exist(
    door: Door, world: World, path: str
) -> None:
    key = world.key_of(world.stranger()[0])
    statuses = [
        door.get(f"/api/v1/organizations/{organization}{path}", key).status_code
        for organization in (world.alice.organization_id, uuid4())
    ]
    assert statuses == [404, 404]


def test_everybody_sees_their_own_and_nothing_else(door: Door, world: World) -> None:
    charlie, elsewhere = world.stranger()
    for key, workspace in ((world.api_key, world.workspace), (world.key_of(charlie), elsewhere)):
        [organization] = door.get("/api/v1/organizations", key).json()["items"]
        me = door.get(f"/api/v1/organizations/{organization['id']}/me", key).json()
        assert [row["workspace"]["id"] for row in me["workspace_memberships"]] == [str(workspace.id)]


@pytest.mark.parametrize(
    ("role", "reads", "starts"),
    [("owner", 200, 409), ("developer", 200, 409), ("viewer", 200, 403), (None, 404, 404)],
)
def test_a_role_allows_what_it_allows(door: Door, world: World, role: str | None, reads: int, starts: int) -> None:
    world.deploy(definition("a"))
    world.start("a")
    bob = world.key_of(world.invite("bob@here", role))
    assert door.get("ws:/jobs", bob).status_code == reads
    body = {"job_id": str(world.current("a").job.id)}
    assert door.post("ws:/job-runs", bob, json=body).status_code == starts


def test_a_collaborator_creates_no_workspaces_and_a_member_owns_what_they_create(door: Door, world: World) -> None:
    path = f"/api/v1/organizations/{world.alice.organization_id}/workspaces"
    carl = world.key_of(world.invite("carl@here", None, "collaborator"))
    mary = world.key_of(world.invite("mary@here", None, "member"))
    assert door.post(path, carl, json={"name": "mine"}).status_code == 403
    created = door.post(path, mary, json={"name": "mine"})
    assert created.status_code == 201
    me = door.get(f"/api/v1/workspaces/{created.json()['id']}/me", mary).json()
    assert me["workspace_role"] == "owner"


# data-plane tokens


def forged(world: World, key: bytes, **claims: object) -> str:
    exp = int((world.clock.now() + timedelta(minutes=5)).timestamp())
    whole = {
        "aud": "homeport-dataplane",
        "sub": str(world.alice.member_id),
        "ws": str(world.workspace.id),
        "exp": exp,
        **claims,
    }
    return jwt.encode({name: value for name, value in whole.items() if value is not None}, key, algorithm="HS256")


def status_with(door: Door, world: World, token: str) -> int:
    package = door.get("ws:/deployments/latest").json()["id"]
    return door.get(f"ws:/deployments/{package}/files", token).status_code


def test_a_dataplane_token_opens_files_and_logs_of_its_workspace(door: Door, world: World) -> None:
    assert status_with(door, world, door.dataplane_token()) == 200


def test_it_lives_long_enough_that_the_client_keeps_it(door: Door, world: World) -> None:
    expires_at = door.post("ws:/-issue-dataplane-token").json()["expires_at"]
    assert expires_at > world.clock.now().timestamp() + 60


def test_it_opens_no_other_workspace(door: Door, world: World) -> None:
    token = door.dataplane_token()
    path = f"/api/v1/workspaces/{uuid4()}/deployments/{uuid4()}/files"
    assert door.get(path, token).status_code == 401


def test_it_is_no_key_of_the_control_api_and_a_key_is_no_such_token(door: Door, world: World) -> None:
    assert door.get("ws:/jobs", door.dataplane_token()).status_code == 401
    assert status_with(door, world, world.api_key) == 401


def test_it_ends(door: Door, world: World) -> None:
    token = door.dataplane_token()
    world.clock.advance(DATAPLANE_TOKEN_LIFETIME + timedelta(seconds=1))
    assert status_with(door, world, token) == 401


def test_forged_tokens_open_nothing(door: Door, world: World) -> None:
    right = secrets.derive(MASTER_KEY, "dataplane tokens")
    assert status_with(door, world, forged(world, right)) == 200
    wrong_key = forged(world, secrets.derive(MASTER_KEY, "configurations"))
    without_end = forged(world, right, exp=None)
    for_another_purpose = forged(world, right, aud="homeport-else")
    unsigned = jwt.encode(
        jwt.decode(forged(world, right), options={"verify_signature": False}), "", algorithm="none"
    )
    of_nobody = forged(world, right, sub=str(uuid4()))
    tokens = [wrong_key, without_end, for_another_purpose, unsigned, of_nobody]
    assert [status_with(door, world, token) for token in tokens] == [401] * 5


def test_somebody_whose_access_was_taken_away_is_out_at_once(door: Door, world: World) -> None:
    bob = world.key_of(world.invite("bob@here", "viewer"))
    token = door.post("ws:/-issue-dataplane-token", bob).json()["token"]
    with world.database.write() as tx:
        tx.execute(workspaces.members.delete().where(workspaces.members.c.role == "viewer"))
    assert status_with(door, world, token) == 404
