"""Every route of the API, for every role, in one's own place and in a foreign one.

The routes come from the table that the server itself uses, so a new one without a rule, or without a body to ask
with, fails here.
"""

import re
from collections.abc import Iterator
from typing import Any
from uuid import UUID, uuid4

import pytest

from homeport.api.access import RULES, Let
from homeport.api.routes import ROUTES
from homeport.auth.permissions import OrganizationPermission, Permission, grants, organization_grants
from homeport.auth.principals import Principal
from homeport.contract.people import CreateWorkspaceKeyRequest
from homeport.operations import keys
from homeport.store.workspaces import Workspace

from .conftest import Doors

NOBODYS = UUID(int=7)

BODIES: dict[tuple[str, str], dict[str, Any]] = {
    ("POST", "organizations/-set-region"): {"dataplane_id": "local"},
    ("POST", "organizations/workspaces"): {"name": "new", "description": None},
    ("PATCH", "workspaces"): {"name": "renamed"},
    ("POST", "workspaces/-deploy"): {
        "job_definition_engine_version": 2,
        "job_definition_hash": "hash",
        "jobs": [],
        "deployment_module": None,
        "description": None,
        "dry_run": True,
    },
    ("POST", "workspaces/jobs/-trigger"): {"job_ids": [str(NOBODYS)], "dry_run": True},
    ("POST", "workspaces/job-runs"): {"job_id": str(NOBODYS), "trigger": "manual:"},
    ("POST", "workspaces/job-runs/-cancel"): {"job_run_ids": [str(NOBODYS)], "dry_run": True},
    ("POST", "workspaces/jobs/webhook/-issue-secret"): {},
    ("PATCH", "workspaces/jobs/public-link"): {"password": None},
    ("POST", "keys"): {"name": "key"},
    ("POST", "workspaces/keys"): {"name": "key", "role": "viewer"},
    ("POST", "workspaces/members/-set"): {"organization_membership_id": str(NOBODYS), "role": "viewer"},
    ("POST", "workspaces/-set-default-access"): {"default_access": "restricted"},
    ("PATCH", "organizations/members"): {"role": "member"},
    ("POST", "organizations/invitations"): {"role": "collaborator"},
    ("PATCH", "workspaces/variables"): {"profile": None, "deletes": ["NOT_THERE"]},
}
"""What is asked with; keyed by the method and the words of the path, without ids."""

DATAPLANE = ("/logs/", "/telemetry/", "/files", "/variables")


def _words(path: str) -> str:
    return "/".join(part for part in path.split("/")[3:] if not part.startswith("{"))


def _asked(path: str, principal: Principal, workspace: Workspace) -> str:
    ids = {
        "workspace_id": workspace.id,
        "organization_id": workspace.organization_id,
        "kind": "trace",
        "token": "unknown",
        "which": "code",
    }
    return re.sub(r"{(\w+)}", lambda found: str(ids.get(found[1], NOBODYS)), path)


def _routes(*kinds: type) -> Iterator[tuple[str, str]]:
    for method, path, _, _ in ROUTES:
        if isinstance(RULES.get((method, path)), kinds):
            yield method, path


IN_WORKSPACES = sorted(_routes(Permission))
IN_ORGANIZATIONS = sorted(_routes(OrganizationPermission))


def test_every_route_has_a_rule_and_every_rule_a_route() -> None:
    assert RULES.keys() == {(method, path) for method, path, _, _ in ROUTES}


def _ask(doors: Doors, who: Principal, key: str, method: str, path: str, workspace: Workspace) -> int:
    bearer = key
    if any(part in path for part in DATAPLANE):
        # minted for the place that is asked about, whoever may go there: the doors behind must look themselves
        bearer, _ = doors.world.platform.dataplane_tokens.issue(who, workspace.id, doors.world.clock.now())
    body = BODIES.get((method, _words(path)))
    answer = doors.ask(method, _asked(path, who, workspace), bearer, json=body)
    assert answer.status_code < 500, answer.text
    assert answer.status_code != 400 or answer.json()["code"] != "malformed_request", (method, path, answer.text)
    assert answer.status_code != 405
    return answer.status_code


@pytest.fixture(params=["owner", "developer", "viewer"])
def person_in_workspace(request: pytest.FixtureRequest, doors: Doors) -> tuple[str, Principal]:
    role = str(request.param)
    return role, doors.world.invite(f"{role}@homeport", role)


def test_roles_of_a_workspace_are_held_at_every_route(
    doors: Doors, person_in_workspace: tuple[str, Principal]
) -> None:
    role, person = person_in_workspace
    foreign = doors.world.stranger()[1]
    key = doors.world.key_of(person)
    wrong = []
    for method, path in IN_WORKSPACES:
        rule = RULES[method, path]
        here = _ask(doors, person, key, method, path, doors.world.workspace)
        there = _ask(doors, person, key, method, path, foreign)
        is_allowed = rule in grants(role)
        if (here == 403) is is_allowed or here == 401 or there != 404:
            wrong.append((method, path, rule, here, there))
        if path.endswith("/-archive") and here == 200:
            doors.post(f"{doors.ws}/-unarchive", key)
    assert wrong == []


@pytest.mark.parametrize("role", ["developer", "viewer"])
def test_a_workspace_key_is_held_at_every_route(doors: Doors, role: str) -> None:
    world = doors.world
    foreign = world.stranger()[1]
    request = CreateWorkspaceKeyRequest(name="ci", role=role)  # type: ignore[arg-type]
    key = keys.create_workspace_key(world.platform, world.alice, world.workspace.id, request).api_key
    for method, path in IN_WORKSPACES:
        if any(part in path for part in DATAPLANE):
            continue
        here = doors.ask(
            method, _asked(path, world.alice, world.workspace), key, json=BODIES.get((method, _words(path)))
        )
        there = doors.ask(method, _asked(path, world.alice, foreign), key, json=BODIES.get((method, _words(path))))
        assert (here.status_code == 403) is (RULES[method, path] not in grants(role)), (method, path, here.text)
        assert there.status_code == 404, (method, path)


@pytest.mark.parametrize("role", ["owner", "member", "collaborator"])
def test_roles_of_an_organization_are_held_at_every_route(doors: Doors, role: str) -> None:
    person = doors.world.invite(f"{role}@homeport", None, role)
    foreign = doors.world.stranger()[1]
    key = doors.world.key_of(person)
    for method, path in IN_ORGANIZATIONS:
        here = _ask(doors, person, key, method, path, doors.world.workspace)
        there = _ask(doors, person, key, method, path, foreign)
        assert (here == 403) is (RULES[method, path] not in organization_grants(role)), (method, path, here)
        assert there == 404, (method, path, there)


def test_who_is_nobody_gets_nowhere(doors: Doors) -> None:
    """Neither without a credential, nor with one that is unknown or made for something else."""
    open_to_all = {route for route, rule in RULES.items() if rule is Let.ANYBODY}
    for method, path, _, _ in ROUTES:
        if (method, path) in open_to_all:
            continue
        body = BODIES.get((method, _words(path)))
        for bearer in (
            None,
            "dlt_u_unknown",
            "dlt_sa_unknown",
            "a.b.c",
            "x" * 5000,
        ):
            answer = doors.ask(method, _asked(path, doors.world.alice, doors.world.workspace), bearer, json=body)
            # the beacon and runners name their attempt or run in the address, and it is unknown
            assert answer.status_code in (400, 401, 404), (method, path, answer.status_code, answer.text)
            assert answer.status_code != 404 or RULES[method, path] in (Let.RUN, Let.RUNNER), (method, path)


def test_signed_in_people_reach_what_has_no_roles(doors: Doors) -> None:
    for method, path in _routes(Let):
        if RULES[method, path] in (Let.SIGNED_IN, Let.PERSON):
            asked = _asked(path, doors.world.alice, doors.world.workspace)
            answer = doors.ask(method, asked, doors.world.api_key, json=BODIES.get((method, _words(path))))
            assert answer.status_code in (200, 201, 404), (method, path, answer.text)


def test_unknown_and_foreign_are_told_apart_by_nobody(doors: Doors) -> None:
    foreign, unknown = doors.world.stranger()[1].id, uuid4()
    answers = [doors.get(f"/api/v1/workspaces/{which}", doors.world.api_key) for which in (foreign, unknown)]
    assert answers[0].text.replace(str(foreign), "") == answers[1].text.replace(str(unknown), "")
