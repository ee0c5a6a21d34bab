"""Whatever is sent to whichever address: refused in the one shape, with nothing changed and nothing told.

Addresses, parameters and bodies come from the OpenAPI document, so a new route or field is asked here too; for a
field that `good_bodies` does not know, a test fails.
"""

import re
from collections.abc import Iterator
from typing import Any
from uuid import uuid4

import httpx
import pytest
import sqlalchemy as sa

from homeport.api.access import RULES, Let
from homeport.api.routes import ROUTES
from homeport.store import workspaces
from homeport.store.tables import metadata
from homeport.store.workspaces import Workspace

from ..bad_values import MARKER, ODD_TEXTS, UNSTORABLE, as_json, odd, places_of, with_other, wrong
from ..builders import definition
from ..databases import on_both
from ..furnished import Furnished, takes_bytes
from ..world import World

JSON = {"Content-Type": "application/json"}
MOMENT = "2026-03-02T12:00:00+00:00"
SECRET_FIELDS = {"value", "password", "ticket", "device_code", "code", "code_verifier", "refresh_token"}
SIGNS_OF_LIFE = {"attempts": {"contact_at"}, "credentials": {"used_at"}, "device_codes": {"asked_at"}}
COUNTS_TRIES = "failed_tries"
NAMES = {"which", "kind", "pipeline"}
"""Parts of addresses that are no ids: the same in every workspace."""


def good_bodies(furnished: Furnished) -> dict[tuple[str, str], dict[str, Any]]:
    """A body for every route that takes one, with every field that it can have."""
    world = furnished.world
    member = str(furnished.member.member_id)
    key = {"name": "key", "expires_in_days": 30}
    session = {"refresh_token": "unknown"}
    deploy = {
        "job_definition_engine_version": 2,
        "job_definition_hash": "hash",
        "jobs": [definition("a", "every:1h")],
        "deployment_module": "shop",
        "description": "of the shop",
        "dry_run": True,
    }
    trigger = {
        "job_ids": [str(world.current("a").job.id)],
        "selectors": ["schedule:*"],
        "profile": "prod",
        "refresh": False,
        "dry_run": True,
    }
    run = {
        "job_id": str(world.current("b").job.id),
        "trigger": "manual:",
        "mode": "when_not_running",
        "profile": "prod",
        "refresh": False,
        "skip_freshness": True,
    }
    invitation = {
        "email": "dora@example.org",
        "role": "member",
        "workspace_id": str(world.workspace.id),
        "workspace_role": "viewer",
    }
    variables = {
        "profile": "prod",
        "upserts": [
            {"type": "plain", "name": "COLOR", "value": "red"},
            {"type": "secret", "name": "PASSWORD", "value": "hidden"},
        ],
        "deletes": ["NOT_THERE"],
    }
    ends_with: dict[tuple[str, str], dict[str, Any]] = {
        ("POST", "/-set-region"): {"dataplane_id": "local"},
        ("POST", "organization_id}/workspaces"): {"name": "new", "description": "of others"},
        ("PATCH", "{workspace_id}"): {"name": "renamed", "description": "anew"},
        ("POST", "/-deploy"): deploy,
        ("POST", "/-trigger"): trigger,
        ("POST", "/job-runs"): run,
        ("POST", "/job-runs/-cancel"): {"job_run_ids": [str(furnished.running.run_id)], "dry_run": True},
        ("POST", "/v1/keys"): key,
        ("POST", "workspace_id}/keys"): {**key, "role": "viewer"},
        ("POST", "/members/-set"): {"organization_membership_id": member, "role": "viewer"},
        ("POST", "/-set-default-access"): {"default_access": "viewer"},
        ("PATCH", "/members/{member_id}"): {"role": "member"},
        ("POST", "/invitations"): invitation,
        ("PATCH", "/variables"): variables,
        ("POST", "/-redeem-device-code"): {"device_code": "unknown"},
        ("POST", "/-issue-authorization-url"): {
            "redirect_uri": "http://127.0.0.1:5000/callback",
            "code_challenge": "c" * 43,
            "state": "state",
        },
        ("POST", "/-redeem-authorization-code"): {"code": "unknown", "code_verifier": "v" * 43},
        ("POST", "/-refresh"): session,
        ("POST", "/-issue-swap-code"): session,
        ("POST", "sessions/-revoke"): session,
        ("POST", "/-issue-secret"): {"replace": False},
        ("PATCH", "/public-link"): {"expires_at": "2026-03-09T12:00:00Z", "password": "open sesame"},
        ("POST", "/claim"): {"ticket": "unknown", "host": "node", "pid": 7},
        ("POST", "/lines"): {"first": 0, "lines": [[MOMENT, "stdout", "user", "run", "hello"]]},
        ("POST", "/started"): {"pid": 7},
        ("POST", "/exit"): {
            "cause": "exited",
            "exit_code": 0,
            "detail": "fine",
            "lines": 0,
            "usage": {"peak_memory_bytes": 1, "cpu_seconds": 0.5, "read_bytes": 1, "written_bytes": 1},
        },
    }
    found = {}
    for method, path, _, _ in ROUTES:
        bodies = [body for (verb, ending), body in ends_with.items() if verb == method and path.endswith(ending)]
        if bodies:
            (found[method, path],) = bodies
    return found


class Asked:
    """Asks, and holds what every refusal must be."""

    def __init__(self, furnished: Furnished, capsys: pytest.CaptureFixture[str]) -> None:
        self.furnished, self._capsys = furnished, capsys
        self.faults: list[tuple[Any, ...]] = []

    def ask(self, method: str, path: str, address: str, what: Any, **parts: Any) -> httpx.Response:
        """An answer that is no fault of ours; `what` names the case."""
        bearer = parts.pop("bearer", self.furnished.bearer_of(method, path))
        is_secret = parts.pop("is_secret", False)
        self._capsys.readouterr()
        answer = self.furnished.ask(method, address, bearer, **parts)
        said = self._capsys.readouterr()
        case = (method, path, *what, answer.status_code, answer.text[:200])
        if answer.status_code >= 500:
            self.faults.append(case)
        if answer.status_code >= 400:
            if not _has_shape(answer):
                self.faults.append(("shape", *case))
            if MARKER in said.out + said.err:
                self.faults.append(("logged", *case))
        if is_secret and MARKER in answer.text + str(answer.headers):
            self.faults.append(("told", *case))
        if (
            any("\r" in value or "\n" in value for value in answer.headers.values())
            or "set-cookie" in answer.headers
        ):
            self.faults.append(("header", *case))
        return answer

    def expect(self, is_so: bool, *case: Any) -> None:
        if not is_so:
            self.faults.append(case)


def _has_shape(answer: httpx.Response) -> bool:
    try:
        body = answer.json()
    except ValueError:
        return False
    return body.keys() == {"status_code", "code", "detail", "extra"} and body["status_code"] == answer.status_code


def everything(world: World) -> dict[str, list[Any]]:
    """All that is in the database, but for who was heard when and for counted tries."""
    found = {}
    with world.database.read() as tx:
        for table in metadata.sorted_tables:
            shown = [column for column in table.c if column.name not in SIGNS_OF_LIFE.get(table.name, ())]
            if table.name != COUNTS_TRIES:
                found[table.name] = sorted(map(repr, tx.execute(sa.select(*shown))))
    return found


@pytest.fixture
def furnished(world: World) -> Furnished:
    return Furnished(world)


@pytest.fixture
def asked(furnished: Furnished, capsys: pytest.CaptureFixture[str]) -> Asked:
    return Asked(furnished, capsys)


def _document(furnished: Furnished) -> Iterator[tuple[str, str, dict[str, Any]]]:
    document = furnished.app.openapi()
    for method, path, _, _ in ROUTES:
        operations = document["paths"].get(path)
        if operations is not None:  # `{path:path}` is written otherwise there; its twin without it is asked
            yield method, path, operations[method.lower()]


def _properties(furnished: Furnished, operation: dict[str, Any]) -> set[str]:
    (content,) = operation["requestBody"]["content"].values()
    schema = content["schema"]
    if "$ref" in schema:
        schema = furnished.app.openapi()["components"]["schemas"][schema["$ref"].rpartition("/")[2]]
    return set(schema["properties"])


def test_every_field_has_a_good_value_to_spoil(furnished: Furnished) -> None:
    bodies = good_bodies(furnished)
    for method, path, operation in _document(furnished):
        takes = "requestBody" in operation and not takes_bytes(path)
        assert takes is ((method, path) in bodies), (method, path)
        if takes:
            assert _properties(furnished, operation) == bodies[method, path].keys(), (method, path)


@on_both
def test_a_bad_body_is_refused_and_changes_nothing(asked: Asked) -> None:
    furnished = asked.furnished
    for (method, path), good in good_bodies(furnished).items():
        address = furnished.filled(method, path)
        is_repaired = path.startswith("/runner/")
        before = everything(furnished.world)
        for body in (b"", b"null", b"[]", b"5", b'"text"', b"{", b"\xff", b'{"a":' * 200, b"{}{}"):
            answer = asked.ask(method, path, address, (body[:9],), content=body, headers=JSON)
            asked.expect(answer.status_code == 400, "taken", method, path, body)
        for place, value in places_of(good):
            if place[0] == "jobs" and len(place) > 1:
                continue  # dlt's own form, held below
            is_secret = bool(SECRET_FIELDS & set(place))
            # a number is a moment, too
            taken = (5, 1.5) if value == MOMENT else ()
            bad = [
                *(other for other in wrong(value) if other not in taken),
                *(UNSTORABLE if isinstance(value, str) and not is_repaired else ()),
            ]
            for other in bad:
                body = as_json(with_other(good, place, other))
                parts = {"content": body, "headers": JSON, "is_secret": is_secret}
                answer = asked.ask(method, path, address, (place, repr(other)[:40]), **parts)
                asked.expect(answer.status_code in (400, 413), "taken", method, path, place, repr(other)[:40])
        asked.expect(before == everything(furnished.world), "changed", method, path)
    assert asked.faults == []


@on_both
def test_an_odd_body_is_no_fault_of_ours(asked: Asked) -> None:
    """Taken or refused; if refused, nothing is changed."""
    furnished = asked.furnished
    for (method, path), good in good_bodies(furnished).items():
        address = furnished.filled(method, path)
        for place, value in places_of(good):
            if place[0] == "jobs" and len(place) > 1:
                continue
            is_secret = bool(SECRET_FIELDS & set(place))
            before = everything(furnished.world)
            others = [*odd(value), *(UNSTORABLE if isinstance(value, str) else ())]
            answers = []
            for other in others:
                parts = {
                    "content": as_json(with_other(good, place, other)),
                    "headers": JSON,
                    "is_secret": is_secret,
                }
                answers.append(asked.ask(method, path, address, (place, repr(other)[:40]), **parts))
            if all(answer.status_code >= 400 for answer in answers):
                asked.expect(before == everything(furnished.world), "changed", method, path, place)
        # and what nobody knows is passed over
        answer = asked.ask(method, path, address, ("unknown key",), json={**good, MARKER: {"a": [1]}})
        asked.expect(
            answer.json().get("code") != "malformed_request" if answer.content else True, path, answer.text
        )
    assert asked.faults == []


@on_both
def test_parameters_of_addresses_are_looked_at(asked: Asked) -> None:
    furnished = asked.furnished
    before = everything(furnished.world)
    for method, path, operation in _document(furnished):
        good = good_bodies(furnished).get((method, path))
        for parameter in operation.get("parameters", ()):
            if parameter["in"] not in ("path", "query"):
                continue
            name, schema = parameter["name"], parameter["schema"]
            for value in _FREE if _type_of(schema) == "string" else _TYPED:
                address = furnished.filled(method, path)
                parts: dict[str, Any] = {} if good is None else {"json": good}
                if parameter["in"] == "path":
                    ids = {**furnished.ids_of(method, path), name: value}
                    address = re.sub(r"{(\w+)}", lambda found, ids=ids: _quoted(ids[found[1]]), path)  # type: ignore[misc]
                else:
                    parts["params"] = {name: value}
                # a token in an address is a secret
                answer = asked.ask(method, path, address, (name, value[:40]), **parts, is_secret=name == "token")
                is_free = _type_of(schema) == "string" and parameter["in"] == "query"
                asked.expect(is_free or answer.status_code >= 400, "taken", method, path, name, value[:40])
    asked.expect(before == everything(furnished.world), "changed")
    assert asked.faults == []


_FREE = (ODD_TEXTS[3], ODD_TEXTS[5], "y" * 5000, "a\x00b", "%ff")
_TYPED = (MARKER, "-1", str(10**30), "1e400", "a\x00b")


def _type_of(schema: dict[str, Any]) -> str:
    """string, if any text may do."""
    parts = schema.get("anyOf", [schema])
    kinds = [part.get("items", part) for part in parts]
    is_free = any(kind.get("type") == "string" and not {"enum", "const", "format"} & kind.keys() for kind in kinds)
    return "string" if is_free else "other"


def _quoted(text: str) -> str:
    return httpx.URL("http://x/").copy_with(params={"q": text}).query.decode()[2:].replace("+", "%20")


@on_both
def test_ids_of_another_workspace_are_as_unknown_as_any(asked: Asked, world: World) -> None:
    """Also of one of the same owner's: a workspace's address reaches nothing but what is in it."""
    furnished, here = asked.furnished, world.workspace
    there = _second(world)
    world.workspace = there
    abroad = Furnished(world, "eve@homeport")
    foreign_ids = {route: abroad.ids_of(*route) for route in RULES if "{workspace_id}" in route[1]}
    world.workspace = here
    before = everything(world)
    for (method, path), ids in foreign_ids.items():
        good = good_bodies(furnished).get((method, path))
        for name in ids.keys() - {"workspace_id", *NAMES}:
            answers = []
            for value in (ids[name], str(uuid4())):
                address = furnished.filled(method, path, **{name: value})
                answer = asked.ask(method, path, address, (name, "foreign"), json=good)
                answers.append((answer.status_code, answer.text.replace(value, "")))
            asked.expect(answers[0] == answers[1] and answers[0][0] in (401, 403, 404), path, name, answers)
    asked.expect(before == everything(world), "changed")
    assert asked.faults == []


def _second(world: World) -> Workspace:
    """Another workspace of Alice's, with code in it."""
    here, owner = world.workspace, world.alice
    with world.database.write() as tx:
        now = world.clock.now()
        world.workspace = workspaces.create(tx, owner.organization_id, "second", None, owner.member_id, now)
    world.upload("deployments", {"job.py": "print('second')"})
    world.upload("configurations", {"config.toml": ""})
    made, world.workspace = world.workspace, here
    return made


def test_ids_of_another_organization_are_as_unknown_as_any(asked: Asked, world: World) -> None:
    """In addresses and in bodies; everywhere but in workspaces, whose ids the test above asks for."""
    furnished = asked.furnished
    here, alice, alices_key = world.workspace, world.alice, world.api_key
    charlie, world.workspace = world.stranger()
    world.alice, world.api_key = charlie, world.key_of(charlie)
    world.upload("deployments", {"job.py": "print('elsewhere')"})
    world.upload("configurations", {"config.toml": ""})
    abroad = Furnished(world, "eve@elsewhere")
    foreign_ids = {route: abroad.ids_of(*route) for route in RULES}
    foreign_bodies = _ids_in(good_bodies(abroad))
    world.workspace, world.alice, world.api_key = here, alice, alices_key
    before = everything(world)
    for (method, path), ids in foreign_ids.items():
        if RULES[method, path] in (Let.ANYBODY, Let.RUN, Let.WEBHOOK):
            continue  # what is in the address is the proof
        good = good_bodies(furnished).get((method, path))
        for name in ids.keys() - NAMES:
            spots = [
                (furnished.filled(method, path, **{name: value}), good) for value in (ids[name], str(uuid4()))
            ]
            _ask_alike(asked, (method, path, name), spots)
        for place, foreign in foreign_bodies.get((method, path), ()):
            bodies = [with_other(good, place, value) for value in (foreign, str(uuid4()))]
            _ask_alike(asked, (method, path, place), [(furnished.filled(method, path), body) for body in bodies])
    asked.expect(before == everything(world), "changed")
    assert asked.faults == []


def _ids_in(bodies: dict[tuple[str, str], dict[str, Any]]) -> dict[tuple[str, str], list[tuple[Any, str]]]:
    """Every place of a body that holds an id, and the id."""
    is_id = re.compile(r"[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}").fullmatch
    return {
        route: [(place, value) for place, value in places_of(body) if isinstance(value, str) and is_id(value)]
        for route, body in bodies.items()
    }


def _ask_alike(asked: Asked, what: tuple[Any, ...], spots: list[tuple[str, Any]]) -> None:
    """The foreign id and the unknown one get the same answer, which is a refusal or says `no such` of it."""
    answers = []
    for address, body in spots:
        answer = asked.ask(what[0], what[1], address, what[2:], json=body)
        text = re.sub(r"[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}", "<id>", answer.text)
        answers.append((answer.status_code, text))
    is_refused = answers[0][0] in (400, 401, 403, 404, 409) or '"failed":[{' in answers[0][1]
    asked.expect(answers[0] == answers[1] and is_refused, *what, answers)
