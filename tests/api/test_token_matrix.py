"""Every wrong credential, at every route that wants one: refused in the one shape, with nothing changed or told.

Routes come from the server's own table, so a new one is asked here too.
"""

import base64
import json
from collections.abc import Iterator
from datetime import datetime, timedelta
from typing import Any
from urllib.parse import quote

import jwt
import pytest
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey

from homeport.api import runner
from homeport.api.access import RULES, Let
from homeport.api.routes import ROUTES
from homeport.auth import secrets
from homeport.auth.access_tokens import AccessTokens
from homeport.contract.people import CreateWorkspaceKeyRequest
from homeport.operations import change_workspaces, keys, uploads

from ..bad_values import MARKER
from ..databases import on_both
from ..furnished import Furnished
from ..world import MASTER_KEY, World
from .test_bad_input import Asked, _second, asked, everything, furnished, good_bodies

__all__ = ["asked", "furnished"]

HOUR = timedelta(hours=1)
UPLOAD = "/api/v1/workspaces/{{workspace_id}}/{}/{{package_id}}/-upload"
DATAPLANE = ("/logs/", "/telemetry/", "/files", "/variables")
BY_BEARER = [
    (method, path)
    for method, path, endpoint, _ in ROUTES
    if RULES[method, path] not in (Let.ANYBODY, Let.RUN, Let.WEBHOOK) and endpoint is not runner.claim
]


def kind_of(method: str, path: str) -> str:
    """Which service's credential a route wants."""
    rule = RULES[method, path]
    if rule in (Let.UPLOADER, Let.RUNNER):
        return str(rule.value)
    return "dataplane" if any(part in path for part in DATAPLANE) else "control"


def stamp(moment: datetime) -> int:
    return int(moment.timestamp())


def access_tokens(furnished: Furnished) -> Iterator[tuple[str, str]]:
    """What is almost an access token of Alice's, signed with the right key or with another."""
    world = furnished.world
    good, now = str(furnished.login["jwt"]), world.clock.now()
    claims = jwt.decode(good, options={"verify_signature": False})
    with world.database.write() as tx:
        key, right = AccessTokens(MASTER_KEY)._signing_key(tx, now)
    other, kid = Ed25519PrivateKey.generate(), {"kid": key.id}

    def signed(by: Any = right, alg: str = "EdDSA", headers: dict[str, Any] = kid, **changed: Any) -> str:
        whole = {name: value for name, value in {**claims, **changed}.items() if value is not None}
        return jwt.encode(whole, by, algorithm=alg, headers=headers)

    assert furnished.ask("GET", f"/api/v1/workspaces/{world.workspace.id}", signed()).status_code == 200
    head, body, signature = good.split(".")
    none = base64.urlsafe_b64encode(json.dumps({"alg": "none", **kid}).encode()).decode().rstrip("=")
    yield "alg none", f"{none}.{body}."
    yield "alg none with a signature", f"{none}.{body}.{signature}"
    yield "HMAC with the public key", signed(key.public_key.hex(), "HS256")
    yield "wrong key", signed(other)
    yield "unknown kid", signed(headers={"kid": MARKER})
    yield "unstorable kid", signed(headers={"kid": f"{MARKER}\0"})
    yield "half a character for a kid", f"{_part({'alg': 'EdDSA', 'kid': chr(0xD800)})}.{body}.{signature}"
    yield "no kid", signed(headers={})
    yield "wrong audience", signed(aud="homeport-dataplane")
    yield "no audience", signed(aud=None)
    yield "of another issuer", signed(other, headers={"kid": "key-1"}, iss="https://other.example")
    yield "expired", signed(exp=stamp(now) - 1)
    yield "without an end", signed(exp=None)
    yield "not yet valid", signed(nbf=stamp(now + HOUR))
    yield "of a login that never was", signed(sid=str(world.workspace.id))
    yield "of somebody else's login", signed(sub=str(furnished.member.user_id))
    yield "altered", f"{head}.{_part({**claims, 'sub': str(furnished.member.user_id)})}.{signature}"
    yield "without its signature", f"{head}.{body}."


def dataplane_tokens(furnished: Furnished) -> Iterator[tuple[str, str]]:
    world = furnished.world
    now, key = world.clock.now(), secrets.derive(MASTER_KEY, "dataplane tokens")
    claims = jwt.decode(furnished.dataplane_token, options={"verify_signature": False})

    def signed(by: Any = key, alg: str = "HS256", **changed: Any) -> str:
        whole = {name: value for name, value in {**claims, **changed}.items() if value is not None}
        return jwt.encode(whole, by, algorithm=alg)

    yield "alg none (data plane)", signed("", "none")
    yield "wrong key (data plane)", signed(b"w" * 32)
    yield "another HMAC (data plane)", signed(key + key, "HS512")
    yield "wrong audience (data plane)", signed(aud="homeport")
    yield "expired (data plane)", signed(exp=stamp(now))
    yield "without an end (data plane)", signed(exp=None)
    yield "not yet valid (data plane)", signed(nbf=stamp(now + HOUR))
    yield "of nobody (data plane)", signed(sub=str(world.workspace.id))
    yield "of a key that never was (data plane)", signed(key=str(world.workspace.id))


def of_other_services(furnished: Furnished) -> Iterator[tuple[str, str, str]]:
    """Good credentials, each in a place that is not its own: kind, name, value."""
    login = furnished.login
    yield "control", "an access token", str(login["jwt"])
    yield "control", "an API key", furnished.world.api_key
    yield "dataplane", "a data-plane token", furnished.dataplane_token
    yield "uploader", "an upload token", furnished.uploads["deployments"][1]
    yield "runner", "a runner's session", furnished.running.launch.session
    yield "refresh", "a refresh token", str(login["refresh_token"])
    yield "beacon", "a beacon's token", furnished.beacon_token
    yield "control", "a run's token", furnished.running.launch.variables["RUNTIME__AUTH_TOKEN"]


def of_nobody(furnished: Furnished) -> Iterator[tuple[str, str]]:
    world = furnished.world
    yield "revoked key", revoked_key(world)
    yield "unknown key", f"dlt_u_{MARKER}"
    yield "unknown key of a workspace", f"dlt_sa_{MARKER}"
    yield "garbage", MARKER
    yield "no text", f"{MARKER}é\x80\xff"
    yield "dots", ".."
    yield "many dots", "." * 500
    yield "no JSON", f"{_part(5)}.{_part([])}.{_part(MARKER)}"
    yield "deep JSON", f"{_raw(b'[' * 3000)}.{_raw(b'[' * 3000)}.x"
    yield "very long", MARKER + "x" * 20_000
    yield "empty", ""
    yield "blank", "  "


def revoked_key(world: World) -> str:
    request = CreateWorkspaceKeyRequest(name="ci")
    made = keys.create_workspace_key(world.platform, world.alice, world.workspace.id, request)
    keys.revoke_workspace_key(world.platform, world.alice, world.workspace.id, made.id)
    return made.api_key


def _part(value: Any) -> str:
    return _raw(json.dumps(value).encode())


def _raw(value: bytes) -> str:
    return base64.urlsafe_b64encode(value).decode().rstrip("=")


def test_a_wrong_credential_opens_nothing_at_any_route(asked: Asked, world: World) -> None:
    _ask_with_wrong_ones(asked, world, BY_BEARER)


@on_both
def test_a_wrong_credential_opens_nothing_on_either_database(asked: Asked, world: World) -> None:
    """One route of each service: they share who lets in."""
    routes = {kind_of(method, path): (method, path) for method, path in BY_BEARER if method == "GET"}
    uploading = [(method, path) for method, path in BY_BEARER if RULES[method, path] is Let.UPLOADER]
    _ask_with_wrong_ones(asked, world, [*routes.values(), *uploading])


def _ask_with_wrong_ones(asked: Asked, world: World, routes: list[tuple[str, str]]) -> None:
    furnished = asked.furnished
    bad = [*access_tokens(furnished), *dataplane_tokens(furnished), *of_nobody(furnished)]
    strangers = list(of_other_services(furnished))
    bodies = good_bodies(furnished)
    before = everything(world)
    for method, path in routes:
        kind = kind_of(method, path)
        address, body = furnished.filled(method, path), bodies.get((method, path))
        theirs = [(name, value) for other, name, value in strangers if other != kind]
        for name, bearer in [*bad, *theirs]:
            headers = {"Authorization": b"Bearer " + bearer.encode("latin-1", "replace")}
            answer = asked.ask(method, path, address, (name,), bearer=None, headers=headers, json=body)
            asked.expect(answer.status_code == 401, method, path, name, answer.status_code, answer.text[:200])
            asked.expect(MARKER not in answer.text, "told", method, path, name)
            asked.expect(len(bearer) < 8 or bearer not in answer.text, "told", method, path, name)
    asked.expect(before == everything(world), "changed")
    assert asked.faults == []


def test_a_token_of_one_upload_makes_no_other(asked: Asked, world: World) -> None:
    furnished = asked.furnished
    spare = {
        kind: uploads.issue(world.platform, world.alice, world.workspace.id, kind) for kind in furnished.uploads
    }
    before = everything(world)
    for kind, (_, token) in spare.items():
        for other, (package_id, _) in furnished.uploads.items():
            address = f"/api/v1/workspaces/{world.workspace.id}/{other}/{package_id}/-upload"
            answer = asked.ask(
                "POST", UPLOAD.format(other), address, (kind, other), bearer=token, files={"file": b"x"}
            )
            asked.expect(answer.status_code == 403, kind, other, answer.status_code)
            asked.expect(token not in answer.text, "told", kind, other)
    asked.expect(before == everything(world), "changed")
    assert asked.faults == []


def test_a_dataplane_token_of_another_workspace_is_none_here(asked: Asked, world: World) -> None:
    furnished, there = asked.furnished, _second(world)
    token, _ = world.platform.dataplane_tokens.issue(world.alice, there.id, world.clock.now())
    before = everything(world)
    for method, path in BY_BEARER:
        if kind_of(method, path) == "dataplane":
            body = good_bodies(furnished).get((method, path))
            address = furnished.filled(method, path)
            answer = asked.ask(method, path, address, ("foreign",), bearer=token, json=body)
            asked.expect(answer.status_code == 401, method, path, answer.status_code)
    asked.expect(before == everything(world), "changed")
    assert asked.faults == []


def test_a_wrong_address_takes_no_reports_of_a_run(asked: Asked, world: World) -> None:
    furnished = asked.furnished
    name, _, proof = furnished.beacon_token.partition(".")
    wrong = [
        f"{name}.{proof[::-1]}",
        name,
        f"{name}.",
        f".{proof}",
        f"{'0' * 32}.{proof}",
        MARKER,
        "\0",
        "é",
        "x" * 299,
    ]
    wrong += [value for _, _, value in of_other_services(furnished) if value != furnished.beacon_token]
    before = everything(world)
    for token in wrong:
        address = f"/beacon/v1/{quote(token, safe='')}/trace"
        answer = asked.ask("PUT", "/beacon/v1/{token}/{kind}", address, (token,), bearer=None, json={})
        asked.expect(answer.status_code in (400, 401), token, answer.status_code)
        asked.expect(len(token) < 8 or token not in answer.text, "told", token)
    asked.expect(before == everything(world), "changed")
    assert asked.faults == []


@pytest.mark.parametrize("scheme", ["Basic", "Token", "bearer:", "Bearer\t", ""])
def test_other_schemes_are_no_credential(furnished: Furnished, scheme: str) -> None:
    headers = {"Authorization": f"{scheme} {furnished.world.api_key}"}
    address = f"/api/v1/workspaces/{furnished.world.workspace.id}"
    assert furnished.ask("GET", address, None, headers=headers).status_code == 401


def test_a_key_of_an_archived_workspace_reads_and_changes_nothing(furnished: Furnished, world: World) -> None:
    there = _second(world)
    request = CreateWorkspaceKeyRequest(name="ci", role="developer")
    key = keys.create_workspace_key(world.platform, world.alice, there.id, request).api_key
    change_workspaces.archive(world.platform, world.alice, there.id, "http://homeport.test")
    address = f"/api/v1/workspaces/{there.id}"
    assert furnished.ask("GET", address, key).json()["archived_at"] is not None
    before = everything(world)
    refused = furnished.ask("POST", f"{address}/deployments/-issue-upload", key)
    assert (refused.status_code, refused.json()["code"]) == (409, "workspace_archived")
    here = furnished.ask("GET", f"/api/v1/workspaces/{world.workspace.id}", key)
    assert here.status_code == 404
    assert before == everything(world)
