"""How a login goes on and ends: refresh with rotation, theft, revocation, swap codes (wire contract §4.3)."""

from datetime import timedelta

import pytest

from homeport.errors import HomeportError
from homeport.operations import login_sessions
from homeport.operations.login import LOGIN_LIFETIME
from homeport.operations.login_sessions import GRACE, SWAP_CODE_LIFETIME

from ..builders import at_once
from .conftest import Doors, Login

A_MOMENT = timedelta(microseconds=1)


def _refresh(doors: Doors, login: Login) -> Login:
    answer = doors.auth("refresh", refresh_token=login.refresh_token)
    assert answer.status_code == 200, answer.text
    return Login(answer.json()["jwt"], answer.json()["refresh_token"])


def test_a_refresh_gives_a_new_pair(doors: Doors, alice_login: Login) -> None:
    fresh = _refresh(doors, alice_login)
    assert fresh.refresh_token != alice_login.refresh_token
    assert doors.get("/api/v1/me", fresh.jwt).status_code == 200
    assert _refresh(doors, fresh)


def test_two_processes_may_refresh_at_once(doors: Doors, alice_login: Login) -> None:
    platform = doors.world.platform
    both = at_once(2, lambda _: login_sessions.refresh(platform, alice_login.refresh_token))
    assert both[0].refresh_token != both[1].refresh_token
    doors.world.clock.advance(GRACE)
    third = _refresh(doors, alice_login)
    for token in (both[0].refresh_token, both[1].refresh_token, third.refresh_token):
        assert _refresh(doors, Login("", token))


def test_a_used_token_after_the_grace_ends_the_login(doors: Doors, alice_login: Login) -> None:
    fresh = _refresh(doors, alice_login)
    doors.world.clock.advance(GRACE + A_MOMENT)
    assert doors.auth("refresh", refresh_token=alice_login.refresh_token).status_code == 401
    assert doors.auth("refresh", refresh_token=fresh.refresh_token).status_code == 401
    assert doors.get("/api/v1/me", fresh.jwt).status_code == 401


def test_theft_of_one_login_leaves_the_others(doors: Doors, alice_login: Login) -> None:
    other = doors.log_in(doors.world.alice)
    _refresh(doors, alice_login)
    doors.world.clock.advance(GRACE + A_MOMENT)
    doors.auth("refresh", refresh_token=alice_login.refresh_token)
    assert doors.get("/api/v1/me", _refresh(doors, other).jwt).status_code == 200


def test_a_login_lives_as_long_as_it_is_refreshed(doors: Doors, alice_login: Login) -> None:
    doors.world.clock.advance(LOGIN_LIFETIME - A_MOMENT)
    fresh = _refresh(doors, alice_login)
    doors.world.clock.advance(LOGIN_LIFETIME)
    assert doors.auth("refresh", refresh_token=fresh.refresh_token).status_code == 401


@pytest.mark.parametrize("token", ["unknown", "\x00", "x" * 501, ""])
def test_an_unknown_refresh_token_is_refused(doors: Doors, token: str) -> None:
    assert doors.auth("refresh", refresh_token=token).status_code in (400, 401)
    assert doors.auth("issue-swap-code", refresh_token=token).status_code in (400, 401)


def test_a_fault_of_ours_keeps_the_client_logged_in(
    doors: Doors, alice_login: Login, monkeypatch: pytest.MonkeyPatch
) -> None:
    def broken(*_: object) -> None:
        raise OSError("the database went away in the middle")

    monkeypatch.setattr(login_sessions, "_renew", broken)
    assert doors.auth("refresh", refresh_token=alice_login.refresh_token).status_code == 503
    monkeypatch.undo()
    assert _refresh(doors, alice_login)


def test_revoking_ends_everything_of_a_login_at_once(doors: Doors, alice_login: Login) -> None:
    token = doors.post(f"{doors.ws}/-issue-dataplane-token", alice_login.jwt).json()["token"]
    assert doors.auth("revoke", refresh_token=alice_login.refresh_token).status_code == 204
    assert doors.get("/api/v1/me", alice_login.jwt).status_code == 401
    assert doors.get(f"{doors.ws}/variables", token).status_code == 401
    assert doors.auth("refresh", refresh_token=alice_login.refresh_token).status_code == 401
    assert doors.auth("revoke", refresh_token=alice_login.refresh_token).status_code == 204


def _swap_code(doors: Doors, login: Login) -> str:
    answer = doors.auth("issue-swap-code", refresh_token=login.refresh_token)
    assert answer.json()["expires_in"] == 60
    return str(answer.json()["swap_code"])


def test_a_swap_code_signs_a_browser_in_once(doors: Doors, alice_login: Login) -> None:
    code, home = _swap_code(doors, alice_login), f"/w/{doors.world.workspace.id}"
    first, second = doors.browser(), doors.browser()
    for browser in (first, second):
        assert browser.get(home, params={"swap": code}).headers["location"] == home
    assert first.get(home).status_code == 200
    assert second.get(home).status_code == 303


def test_a_swap_code_ends_soon(doors: Doors, alice_login: Login) -> None:
    code, browser = _swap_code(doors, alice_login), doors.browser()
    doors.world.clock.advance(SWAP_CODE_LIFETIME)
    browser.get("/keys", params={"swap": code})
    assert browser.get("/keys").status_code == 303


def test_a_replaced_refresh_token_gives_no_swap_code(doors: Doors, alice_login: Login) -> None:
    _refresh(doors, alice_login)
    doors.world.clock.advance(GRACE + A_MOMENT)
    assert doors.auth("issue-swap-code", refresh_token=alice_login.refresh_token).status_code == 401
    with pytest.raises(HomeportError):
        login_sessions.issue_swap_code(doors.world.platform, "unknown")
