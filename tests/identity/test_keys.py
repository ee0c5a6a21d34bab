"""API keys: shown once, for a while, and of no use from the moment they are revoked."""

from datetime import timedelta
from typing import Any

import pytest

from homeport.auth.principals import Principal
from homeport.store import credentials

from .conftest import Doors, Login

KEYS = "/api/v1/keys"


def _made(doors: Doors, path: str = KEYS, **request: Any) -> dict[str, Any]:
    answer = doors.post(path, doors.world.api_key, json={"name": "laptop", **request})
    assert answer.status_code == 201, answer.text
    return dict(answer.json())


def test_a_key_is_shown_once(doors: Doors) -> None:
    made = _made(doors)
    listed = doors.get(KEYS, doors.world.api_key)
    assert made["api_key"].startswith("dlt_u_")
    assert made["api_key"] not in listed.text
    assert {item["name"] for item in listed.json()["items"]} == {"first key", "laptop"}


def test_a_key_lives_ninety_days_unless_said_otherwise(doors: Doors) -> None:
    long, short = _made(doors), _made(doors, expires_in_days=1)
    doors.world.clock.advance(timedelta(days=1))
    assert doors.get(doors.ws, short["api_key"]).status_code == 401
    doors.world.clock.advance(timedelta(days=89) - timedelta(seconds=1))
    assert doors.get(doors.ws, long["api_key"]).status_code == 200
    doors.world.clock.advance(timedelta(seconds=1))
    assert doors.get(doors.ws, long["api_key"]).status_code == 401
    assert doors.get(doors.ws, doors.world.api_key).status_code == 200  # the first one does not end


@pytest.mark.parametrize(
    "request_",
    [
        {"expires_in_days": 0},
        {"expires_in_days": 366},
        {"name": ""},
        {"name": " \n"},
        {"name": "x" * 201},
        {"name": 7},
    ],
)
def test_a_key_needs_a_name_and_an_end(doors: Doors, request_: dict[str, Any]) -> None:
    body = {"name": "laptop", **request_}
    assert doors.post(KEYS, doors.world.api_key, json=body).status_code == 400


def test_revoking_ends_a_key_and_all_that_it_opened_at_once(doors: Doors) -> None:
    made = _made(doors)
    token = doors.post(f"{doors.ws}/-issue-dataplane-token", made["api_key"]).json()["token"]
    browser = doors.browser()
    browser.post("/sign-in", data={"api_key": made["api_key"]})
    assert doors.get(f"{doors.ws}/variables", token).status_code == 200
    assert browser.get("/keys").status_code == 200
    assert doors.post(f"{KEYS}/{made['id']}/-revoke", doors.world.api_key).status_code == 204
    assert doors.get(doors.ws, made["api_key"]).status_code == 401
    assert doors.get(f"{doors.ws}/variables", token).status_code == 401
    assert browser.get("/keys").status_code == 303
    assert doors.post(f"{KEYS}/{made['id']}/-revoke", doors.world.api_key).status_code == 404


def test_nobody_revokes_the_key_of_another(doors: Doors, bob: Principal) -> None:
    made = _made(doors)
    assert doors.post(f"{KEYS}/{made['id']}/-revoke", doors.world.key_of(bob)).status_code == 404
    assert doors.get(doors.ws, made["api_key"]).status_code == 200


def test_the_last_use_is_noted_once_a_minute(doors: Doors) -> None:
    made, clock = _made(doors), doors.world.clock

    def noted() -> Any:
        doors.get(doors.ws, made["api_key"])
        with doors.world.database.read() as tx:
            [key] = [
                k
                for k in credentials.keys_of(tx, [doors.world.alice.member_id], clock.now())
                if k.name == "laptop"
            ]
        return key.used_at

    first = noted()
    assert first == clock.now()
    clock.advance(timedelta(seconds=59))
    assert noted() == first
    clock.advance(timedelta(seconds=1))
    assert noted() == clock.now()


def test_a_workspace_key_sees_its_workspace_only(doors: Doors) -> None:
    other = doors.post(f"{doors.org}/workspaces", doors.world.api_key, json={"name": "other", "description": None})
    key = _made(doors, f"{doors.ws}/keys", role="developer")["api_key"]
    assert key.startswith("dlt_sa_")
    me = doors.get(f"{doors.org}/me", key).json()
    assert [item["workspace"]["id"] for item in me["workspace_memberships"]] == [str(doors.world.workspace.id)]
    assert [item["id"] for item in doors.get("/api/v1/organizations", key).json()["items"]] == [
        me["organization"]["id"]
    ]
    assert doors.get(f"/api/v1/workspaces/{other.json()['id']}", key).status_code == 404
    assert doors.get("/api/v1/me", key).status_code == 403
    assert doors.get(KEYS, key).status_code == 403
    assert doors.get(f"{doors.ws}/keys", key).status_code == 403


def test_a_workspace_key_has_the_role_that_it_was_given(doors: Doors) -> None:
    developer = _made(doors, f"{doors.ws}/keys", role="developer")["api_key"]
    viewer = _made(doors, f"{doors.ws}/keys", role="viewer")["api_key"]
    upload = f"{doors.ws}/deployments/-issue-upload"
    assert [doors.post(upload, key).status_code for key in (developer, viewer)] == [200, 403]
    owner = {"name": "too much", "role": "owner"}
    assert doors.post(f"{doors.ws}/keys", doors.world.api_key, json=owner).status_code == 400


def test_a_revoked_workspace_key_leaves_no_member_behind(doors: Doors) -> None:
    made = _made(doors, f"{doors.ws}/keys")
    query = {"kind": "service_account"}
    assert len(doors.get(f"{doors.ws}/members", doors.world.api_key, params=query).json()["items"]) == 1
    assert doors.post(f"{doors.ws}/keys/{made['id']}/-revoke", doors.world.api_key).status_code == 204
    assert doors.get(doors.ws, made["api_key"]).status_code == 401
    assert doors.get(f"{doors.ws}/members", doors.world.api_key, params=query).json()["items"] == []
    assert doors.get(f"{doors.ws}/keys", doors.world.api_key).json()["items"] == []


def test_keys_are_made_and_revoked_on_the_page(doors: Doors) -> None:
    browser = doors.browser(doors.world.alice)
    page = browser.post("/keys/-create", data={"name": "<b>laptop</b>", "expires_in_days": "30"})
    key = page.text.partition("dlt_u_")[2].partition("<")[0]
    assert doors.get(doors.ws, f"dlt_u_{key}").status_code == 200
    assert "&lt;b&gt;laptop" in page.text
    assert key not in browser.get("/keys").text
    listed = doors.get(KEYS, doors.world.api_key).json()["items"]
    laptop = next(item for item in listed if "laptop" in item["name"])
    assert browser.post(f"/keys/{laptop['id']}/-revoke").status_code == 303
    assert doors.get(doors.ws, f"dlt_u_{key}").status_code == 401
    made = browser.post(f"/w/{doors.world.workspace.id}/keys/-create", data={"name": "ci", "role": "viewer"})
    assert "dlt_sa_" in made.text
    assert browser.post("/keys/-create", data={"name": "", "expires_in_days": "x"}).status_code == 400


def test_a_person_in_two_organizations_has_one_key_for_both(
    doors: Doors, charlie: Principal, alice_login: Login
) -> None:
    world = doors.world
    link = doors.post(f"{doors.org}/invitations", world.api_key, json={"role": "member"}).json()["url"]
    browser = doors.browser(charlie)
    assert browser.post("/invitation", data={"code": link.partition("code=")[2]}).status_code == 303
    key = world.key_of(charlie)
    found = doors.get("/api/v1/organizations", key).json()["items"]
    assert {item["id"] for item in found} == {str(world.alice.organization_id), str(charlie.organization_id)}
    assert doors.get(f"{doors.org}/me", key).json()["role"] == "member"
    assert doors.get(f"/api/v1/organizations/{charlie.organization_id}/me", key).json()["role"] == "owner"
    assert doors.get(f"/api/v1/organizations/{charlie.organization_id}", alice_login.jwt).status_code == 404
