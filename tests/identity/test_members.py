"""People's places: roles, default access of a workspace, invitations, and leaving (platform behaviour A18)."""

from typing import Any

import pytest

from homeport.auth.principals import Principal
from homeport.errors import Conflict
from homeport.operations import invitations, members
from homeport.web.visiting import COOKIE

from ..builders import at_once, definition
from .conftest import PASSWORD, Doors


def _invite(doors: Doors, **request: Any) -> str:
    answer = doors.post(f"{doors.org}/invitations", doors.world.api_key, json=request)
    assert answer.status_code == 201, answer.text
    return str(answer.json()["url"]).partition("code=")[2]


def test_a_role_of_the_organization_is_changed(doors: Doors, bob: Principal) -> None:
    path = f"{doors.org}/members/{bob.member_id}"
    key = doors.world.key_of(bob)
    assert doors.get(f"{doors.org}/audit-log", key).status_code == 403
    assert doors.ask("PATCH", path, doors.world.api_key, json={"role": "owner"}).json()["role"] == "owner"
    assert doors.get(f"{doors.org}/audit-log", key).status_code == 200


def test_the_last_owner_stays(doors: Doors) -> None:
    path = f"{doors.org}/members/{doors.world.alice.member_id}"
    assert doors.ask("PATCH", path, doors.world.api_key, json={"role": "member"}).status_code == 409
    assert doors.post(f"{path}/-remove", doors.world.api_key).status_code == 409


def test_who_is_removed_is_out_at_once(doors: Doors, bob: Principal) -> None:
    key, browser = doors.world.key_of(bob), doors.browser(bob)
    token = doors.post(f"{doors.ws}/-issue-dataplane-token", key).json()["token"]
    log = f"/telemetry/v1/workspaces/{doors.world.workspace.id}/watermark"
    assert doors.get(log, token).status_code == 200
    assert doors.post(f"{doors.org}/members/{bob.member_id}/-remove", doors.world.api_key).status_code == 204
    assert doors.get(doors.ws, key).status_code == 401
    assert doors.get(log, token).status_code == 401
    assert browser.get(f"/w/{doors.world.workspace.id}").status_code == 303


def test_default_access_opens_a_workspace_to_members_only(doors: Doors) -> None:
    world = doors.world
    member = world.key_of(world.invite("member@homeport", None, "member"))
    guest = world.key_of(world.invite("guest@homeport", None, "collaborator"))
    upload = f"{doors.ws}/deployments/-issue-upload"

    def open_to(access: str) -> list[tuple[int, int]]:
        body = {"default_access": access}
        assert doors.post(f"{doors.ws}/-set-default-access", world.api_key, json=body).status_code == 204
        return [
            (doors.get(doors.ws, key).status_code, doors.post(upload, key).status_code) for key in (member, guest)
        ]

    assert open_to("viewer") == [(200, 403), (404, 404)]
    assert open_to("developer") == [(200, 200), (404, 404)]
    assert open_to("restricted") == [(404, 404), (404, 404)]


def test_an_own_role_is_not_lessened_by_default_access(doors: Doors, bob: Principal) -> None:
    body = {"default_access": "viewer"}
    doors.post(f"{doors.ws}/-set-default-access", doors.world.api_key, json=body)
    assert doors.post(f"{doors.ws}/deployments/-issue-upload", doors.world.key_of(bob)).status_code == 200


def test_a_role_in_a_workspace_is_given_and_taken(doors: Doors) -> None:
    person = doors.world.invite("guest@homeport", None)
    key = doors.world.key_of(person)
    body = {"organization_membership_id": str(person.member_id), "role": "viewer"}
    assert doors.post(f"{doors.ws}/members/-set", doors.world.api_key, json=body).status_code == 204
    assert doors.get(f"{doors.ws}/me", key).json()["workspace_role"] == "viewer"
    assert (
        doors.post(f"{doors.ws}/members/-set", doors.world.api_key, json={**body, "role": "owner"}).status_code
        == 204
    )
    assert doors.get(f"{doors.ws}/me", key).json()["workspace_role"] == "owner"
    remove = f"{doors.ws}/members/{person.member_id}/-remove"
    assert [doors.post(remove, doors.world.api_key).status_code for _ in range(2)] == [204, 404]
    assert doors.get(doors.ws, key).status_code == 404


def test_people_of_elsewhere_are_unknown_here(doors: Doors, charlie: Principal) -> None:
    body = {"organization_membership_id": str(charlie.member_id), "role": "viewer"}
    assert doors.post(f"{doors.ws}/members/-set", doors.world.api_key, json=body).status_code == 404
    path = f"{doors.org}/members/{charlie.member_id}"
    assert doors.ask("PATCH", path, doors.world.api_key, json={"role": "member"}).status_code == 404


def test_a_viewer_starts_what_only_reads(doors: Doors) -> None:
    world = doors.world
    world.upload("configurations", {"prod.config.toml": "", "access.config.toml": ""})
    world.deploy(definition("load"), definition("read", require={"profile": "access"}))
    key = world.key_of(world.invite("viewer@homeport", "viewer"))

    def start(name: str, **request: Any) -> int:
        body = {"job_id": str(world.current(name).job.id), "trigger": "manual:", **request}
        return doors.post(f"{doors.ws}/job-runs", key, json=body).status_code

    assert start("load") == 403
    assert start("read") == 201
    assert start("read", profile="prod") == 403
    body = {"job_ids": [str(world.current(name).job.id) for name in ("load", "read")]}
    answer = doors.post(f"{doors.ws}/jobs/-trigger", key, json=body)
    assert answer.status_code == 403
    assert "jobs.load" in answer.json()["detail"]
    assert world.runs_of("load") == []


# invitations


def test_an_invitation_makes_an_account(doors: Doors) -> None:
    code, browser = _invite(doors, email="Dora@Homeport", role="member"), doors.browser()
    assert "dora@homeport" in browser.get("/invitation", params={"code": code}).text
    form = {"code": code, "email": "else@homeport", "name": "Dora", "password": PASSWORD}
    answer = browser.post("/invitation", data=form)
    assert answer.status_code == 303
    assert COOKIE in answer.headers["set-cookie"]
    found = doors.get(f"{doors.org}/members", doors.world.api_key).json()["items"]
    # the invitation says for whom it is, not the form
    assert ("dora@homeport", "Dora", "member") in [(i["email"], i["name"], i["role"]) for i in found]
    assert (
        doors.browser().post("/sign-in", data={"email": "dora@homeport", "password": PASSWORD}).status_code == 303
    )


def test_an_invitation_into_a_workspace(doors: Doors, charlie: Principal) -> None:
    ids = {"workspace_id": str(doors.world.workspace.id), "workspace_role": "viewer"}
    browser = doors.browser(charlie)
    assert browser.post("/invitation", data={"code": _invite(doors, **ids)}).status_code == 303
    assert doors.get(f"{doors.ws}/me", doors.world.key_of(charlie)).json()["workspace_role"] == "viewer"
    assert browser.get(f"/w/{doors.world.workspace.id}").status_code == 200


def test_an_invitation_is_good_once_and_for_a_week(doors: Doors, charlie: Principal) -> None:
    used, late = _invite(doors), _invite(doors)
    first, second = doors.browser(charlie), doors.browser()
    assert first.post("/invitation", data={"code": used}).status_code == 303
    for code in (used, "unknown", ""):
        assert second.get("/invitation", params={"code": code}).status_code == 404
    doors.world.clock.advance(invitations.LIFETIME)
    assert second.get("/invitation", params={"code": late}).status_code == 404


def test_an_invitation_is_taken_back(doors: Doors) -> None:
    code = _invite(doors)
    [item] = doors.get(f"{doors.org}/invitations", doors.world.api_key).json()
    revoke = f"{doors.org}/invitations/{item['id']}/-revoke"
    assert [doors.post(revoke, doors.world.api_key).status_code for _ in range(2)] == [204, 404]
    assert doors.browser().get("/invitation", params={"code": code}).status_code == 404


def test_an_invitation_is_for_whom_it_names(doors: Doors, charlie: Principal) -> None:
    code = _invite(doors, email="dora@homeport")
    assert doors.browser(charlie).post("/invitation", data={"code": code}).status_code == 403
    assert doors.browser().get("/invitation", params={"code": code}).status_code == 200


def test_an_invitation_takes_nobodys_account(doors: Doors, bob: Principal) -> None:
    form = {"code": _invite(doors), "email": bob.email, "password": "a password of somebody else"}
    answer = doors.browser().post("/invitation", data=form)
    assert answer.status_code == 400
    assert "account" in answer.text
    assert doors.browser().post("/sign-in", data={**form}).status_code == 401


@pytest.mark.parametrize("request_", [{"email": "no address"}, {"role": "king"}, {"workspace_role": "viewer"}])
def test_an_invitation_that_says_nothing_sensible_is_refused(doors: Doors, request_: dict[str, Any]) -> None:
    assert doors.post(f"{doors.org}/invitations", doors.world.api_key, json=request_).status_code == 400


# pages


def test_an_owner_manages_people_on_the_page(doors: Doors, bob: Principal) -> None:
    browser, address = doors.browser(doors.world.alice), f"/organizations/{doors.world.alice.organization_id}"
    assert bob.email in browser.get(f"{address}/members").text
    assert "/invitation?code=" in browser.post(f"{address}/invitations/-create", data={"role": "member"}).text
    change = f"{address}/members/{bob.member_id}/-change"
    assert browser.post(change, data={"role": "collaborator"}).status_code == 303
    assert browser.post(change, data={"role": "king"}).status_code == 400
    workspace = f"/w/{doors.world.workspace.id}"
    assert browser.post(f"{workspace}/-default-access", data={"default_access": "viewer"}).status_code == 303
    form = {"member_id": str(bob.member_id), "role": "viewer"}
    assert browser.post(f"{workspace}/members/-set", data=form).status_code == 303
    assert browser.post(f"{address}/members/{bob.member_id}/-remove").status_code == 303
    assert bob.email not in browser.get(f"{address}/members").text.partition("<main")[2].partition("<details")[0]


def test_others_only_look(doors: Doors, bob: Principal, charlie: Principal) -> None:
    address = f"/organizations/{doors.world.alice.organization_id}"
    browser = doors.browser(bob)
    page = browser.get(f"{address}/members")
    assert page.status_code == 200
    assert "Invite" not in page.text
    assert browser.get(f"{address}/audit-log").status_code == 403
    assert browser.post(f"{address}/members/{doors.world.alice.member_id}/-remove").status_code == 403
    assert doors.browser(charlie).get(f"{address}/members").status_code == 404


def test_two_owners_who_demote_each_other_at_once_leave_one(doors: Doors) -> None:
    world, alice = doors.world, doors.world.alice
    dora = world.invite("dora@homeport", None, "owner")
    pairs = [(alice, dora), (dora, alice)]

    def demote(number: int) -> bool:
        who, whom = pairs[number]
        try:
            members.change_member(world.platform, who, alice.organization_id, whom.member_id, "member")
        except Conflict:
            return False
        return True

    assert sorted(at_once(2, demote)) == [False, True]


def test_of_two_who_take_one_address_at_once_one_gets_the_account(doors: Doors) -> None:
    platform = doors.world.platform
    codes = [_invite(doors), _invite(doors)]

    def accept(number: int) -> bool:
        try:
            invitations.accept_as_new(platform, codes[number], "eve@homeport", "Eve", PASSWORD, None)
        except Conflict:
            return False
        return True

    assert sorted(at_once(2, accept)) == [False, True]


@pytest.mark.parametrize("path", ["members", "audit-log"])
def test_a_list_with_one_order_is_sorted_by_nothing(doors: Doors, path: str) -> None:
    for key in ("created_at", "", "null", "__class__"):
        asked = {"sort": key, "order": "asc"}
        answer = doors.get(f"{doors.org}/{path}", doors.world.api_key, params=asked)
        assert (answer.status_code, answer.json()["code"]) == (400, "malformed_request")
    assert doors.get(f"{doors.org}/{path}?limit=1&offset=0", doors.world.api_key).status_code == 200
