"""How the command line is let in: device codes, authorization codes, access tokens (wire contract §4)."""

import base64
import hashlib
from datetime import timedelta
from urllib.parse import parse_qs, urlsplit

import jwt
import pytest

from homeport.auth import access_tokens
from homeport.auth.encryption import Vault
from homeport.auth.master_keys import MasterKey, MasterKeys
from homeport.auth.principals import Principal
from homeport.operations import accounts
from homeport.operations.login import AUTHORIZATION_CODE_LIFETIME, DEVICE_CODE_LIFETIME

from .conftest import Doors, Login

VERIFIER = "v" * 64
CHALLENGE = base64.urlsafe_b64encode(hashlib.sha256(VERIFIER.encode()).digest()).rstrip(b"=").decode()
CALLBACK = "http://127.0.0.1:40123/callback"
ASKED = {"redirect_uri": CALLBACK, "code_challenge": CHALLENGE, "state": "st&te"}


# device codes


def test_a_login_by_device_code_waits_for_a_yes(doors: Doors) -> None:
    started = doors.auth("issue-device-code").json()
    assert started["verification_uri_complete"].endswith(f"/device?user_code={started['user_code']}")
    pending = doors.auth("redeem-device-code", device_code=started["device_code"])
    assert (pending.status_code, pending.json()["code"]) == (403, "authorization_pending")
    assert b"slow_down" not in pending.content
    browser = doors.browser(doors.world.alice)
    page = browser.get("/device", params={"user_code": started["user_code"]})
    assert started["user_code"] in page.text
    doors.world.clock.advance(timedelta(seconds=5))
    assert doors.auth("redeem-device-code", device_code=started["device_code"]).status_code == 403
    browser.post("/device", data={"user_code": started["user_code"].lower(), "answer": "yes"})
    done = doors.auth("redeem-device-code", device_code=started["device_code"])
    assert done.status_code == 200
    assert (done.json()["email"], done.json()["id"]) == (doors.world.alice.email, str(doors.world.alice.user_id))


def test_a_device_code_is_good_once(doors: Doors) -> None:
    started = doors.auth("issue-device-code").json()
    browser = doors.browser(doors.world.alice)
    form = {"user_code": started["user_code"], "answer": "yes"}
    assert browser.post("/device", data=form).status_code == 200
    assert browser.post("/device", data=form).status_code == 400
    answers = [doors.auth("redeem-device-code", device_code=started["device_code"]) for _ in range(2)]
    assert [answer.status_code for answer in answers] == [200, 400]


def test_asking_too_often_is_slowed_down(doors: Doors) -> None:
    code = doors.auth("issue-device-code").json()["device_code"]
    assert b"slow_down" not in doors.auth("redeem-device-code", device_code=code).content
    doors.world.clock.advance(timedelta(seconds=2))
    answer = doors.auth("redeem-device-code", device_code=code)
    assert (answer.status_code, answer.json()["code"]) == (403, "slow_down")


def test_a_no_ends_the_login(doors: Doors) -> None:
    started = doors.auth("issue-device-code").json()
    form = {"user_code": started["user_code"], "answer": "no"}
    assert doors.browser(doors.world.alice).post("/device", data=form).status_code == 200
    answer = doors.auth("redeem-device-code", device_code=started["device_code"])
    assert (answer.status_code, answer.json()["code"]) == (400, "access_denied")


def test_a_device_code_ends(doors: Doors) -> None:
    started = doors.auth("issue-device-code").json()
    doors.world.clock.advance(DEVICE_CODE_LIFETIME)
    form = {"user_code": started["user_code"], "answer": "yes"}
    assert doors.browser(doors.world.alice).post("/device", data=form).status_code == 400
    answer = doors.auth("redeem-device-code", device_code=started["device_code"])
    assert (answer.status_code, answer.json()["code"]) == (400, "expired_token")


def test_guessing_user_codes_is_stopped(doors: Doors) -> None:
    browser = doors.browser(doors.world.alice)
    statuses = [browser.get("/device", params={"user_code": f"BCDF-GHJ{c}"}).status_code for c in "BCDFGHJKLMN"]
    assert statuses == [400] * 10 + [429]


def test_nobody_starts_logins_without_end(doors: Doors) -> None:
    answers = [doors.auth("issue-device-code") for _ in range(61)]
    assert [answer.status_code for answer in answers] == [200] * 60 + [429]
    assert answers[-1].headers["retry-after"] == "900"


def test_only_people_who_are_signed_in_confirm(doors: Doors) -> None:
    started = doors.auth("issue-device-code").json()
    answer = doors.browser().get("/device", params={"user_code": started["user_code"]})
    assert answer.status_code == 303
    assert "user_code" in answer.headers["location"]


@pytest.mark.parametrize("code", ["", "nonsense", "x" * 501, "\x00", "ü"])
def test_an_unknown_device_code_is_a_bad_request(doors: Doors, code: str) -> None:
    assert doors.auth("redeem-device-code", device_code=code).status_code == 400


# authorization codes


def _authorized(doors: Doors) -> str:
    answer = doors.browser(doors.world.alice).post("/authorize", data={**ASKED, "answer": "yes"})
    assert answer.status_code == 303
    address = urlsplit(answer.headers["location"])
    assert answer.headers["location"].startswith(CALLBACK + "?")
    given = parse_qs(address.query)
    assert given["state"] == ["st&te"]
    return given["code"][0]


def test_a_login_with_a_browser(doors: Doors) -> None:
    url = doors.auth("issue-authorization-url", **ASKED).json()["authorization_url"]
    page = doors.browser(doors.world.alice).get(url)
    assert page.status_code == 200
    assert "form-action 'self' http://127.0.0.1:40123;" in page.headers["content-security-policy"]
    done = doors.auth("redeem-authorization-code", code=_authorized(doors), code_verifier=VERIFIER)
    assert done.status_code == 200
    assert doors.get("/api/v1/me", done.json()["jwt"]).status_code == 200


def test_looking_at_the_page_authorizes_nothing(doors: Doors) -> None:
    url = doors.auth("issue-authorization-url", **ASKED).json()["authorization_url"]
    assert "code=" not in doors.browser(doors.world.alice).get(url).text.replace("code_challenge", "")


def test_a_no_goes_back_to_the_terminal(doors: Doors) -> None:
    answer = doors.browser(doors.world.alice).post("/authorize", data={**ASKED, "answer": "no"})
    assert answer.headers["location"] == f"{CALLBACK}?error=access_denied&state=st%26te"


def test_an_authorization_code_needs_its_verifier_and_is_burnt_without(doors: Doors) -> None:
    code = _authorized(doors)
    statuses = [
        doors.auth("redeem-authorization-code", code=code, code_verifier=verifier).status_code
        for verifier in ("w" * 64, VERIFIER)
    ]
    assert statuses == [400, 400]


def test_an_authorization_code_is_good_once_and_soon(doors: Doors) -> None:
    code, late = _authorized(doors), _authorized(doors)
    answers = [doors.auth("redeem-authorization-code", code=code, code_verifier=VERIFIER) for _ in range(2)]
    assert [answer.status_code for answer in answers] == [200, 400]
    doors.world.clock.advance(AUTHORIZATION_CODE_LIFETIME)
    assert doors.auth("redeem-authorization-code", code=late, code_verifier=VERIFIER).status_code == 400


@pytest.mark.parametrize(
    "change",
    [
        {"redirect_uri": "https://evil.example/callback"},
        {"redirect_uri": "http://127.0.0.1:1@evil.example/callback"},
        {"redirect_uri": "http://127.0.0.1:80/other"},
        {"redirect_uri": CALLBACK + "\n"},
        {"redirect_uri": "javascript:alert(1)"},
        {"code_challenge": "plain"},
        {"state": ""},
        {"state": "a\r\nSet-Cookie: a=b"},
    ],
)
def test_codes_go_to_the_own_machine_only(doors: Doors, change: dict[str, str]) -> None:
    asked = ASKED | change
    assert doors.auth("issue-authorization-url", **asked).status_code == 400
    browser = doors.browser(doors.world.alice)
    assert browser.get("/authorize", params=asked).status_code == 400
    for answer in ("yes", "no"):
        assert browser.post("/authorize", data={**asked, "answer": answer}).status_code == 400


def test_another_site_cannot_confirm_a_login(doors: Doors) -> None:
    browser = doors.browser(doors.world.alice)
    browser.headers["Origin"] = "https://evil.example"
    assert browser.post("/authorize", data={**ASKED, "answer": "yes"}).status_code == 403
    assert browser.post("/device", data={"user_code": "BCDF-GHJK", "answer": "yes"}).status_code == 403


# access tokens


def test_an_access_token_says_what_the_client_reads(doors: Doors, alice_login: Login) -> None:
    claims = jwt.decode(alice_login.jwt, options={"verify_signature": False})
    assert (claims["sub"], claims["email"]) == (str(doors.world.alice.user_id), doors.world.alice.email)
    assert jwt.get_unverified_header(alice_login.jwt)["alg"] == "EdDSA"
    assert claims["exp"] == int((doors.world.clock.now() + access_tokens.LIFETIME).timestamp())


def test_an_access_token_opens_the_control_api(doors: Doors, alice_login: Login) -> None:
    me = doors.get("/api/v1/me", alice_login.jwt).json()
    assert me["email"] == doors.world.alice.email
    assert me["latest_workspace"]["id"] == str(doors.world.workspace.id)
    assert doors.get(doors.ws, alice_login.jwt).status_code == 200
    token = doors.post(f"{doors.ws}/-issue-dataplane-token", alice_login.jwt).json()["token"]
    assert doors.get(f"{doors.ws}/variables", token).status_code == 200


def test_me_is_not_for_keys(doors: Doors) -> None:
    assert doors.get("/api/v1/me", doors.world.api_key).status_code == 403
    assert doors.get("/api/v1/me", "dlt_u_unknown").status_code == 401
    assert doors.get("/api/v1/me").status_code == 401


def test_an_access_token_ends(doors: Doors, alice_login: Login) -> None:
    doors.world.clock.advance(access_tokens.LIFETIME)
    answer = doors.get(doors.ws, alice_login.jwt)
    assert (answer.status_code, answer.json()["code"]) == (401, "token_expired")


def test_a_new_signing_key_logs_nobody_out(doors: Doors, alice_login: Login, bob: Principal) -> None:
    accounts.rotate_signing_key(doors.world.platform)
    later = doors.log_in(bob)
    assert jwt.get_unverified_header(alice_login.jwt)["kid"] != jwt.get_unverified_header(later.jwt)["kid"]
    for token in (alice_login.jwt, later.jwt):
        assert doors.get("/api/v1/me", token).status_code == 200


def test_a_signing_key_is_replaced_by_itself(doors: Doors, alice_login: Login) -> None:
    doors.world.clock.advance(access_tokens.KEY_LIFETIME)
    later = doors.log_in(doors.world.alice)
    assert jwt.get_unverified_header(alice_login.jwt)["kid"] != jwt.get_unverified_header(later.jwt)["kid"]


def test_another_master_key_logs_nobody_out(doors: Doors, alice_login: Login) -> None:
    platform = doors.world.platform
    object.__setattr__(platform, "vault", Vault(MasterKeys(MasterKey(b"n" * 32))))
    assert doors.get("/api/v1/me", alice_login.jwt).status_code == 200
    assert doors.get("/api/v1/me", doors.log_in(doors.world.alice).jwt).status_code == 200


def test_forged_and_foreign_tokens_are_refused(doors: Doors, alice_login: Login) -> None:
    header, claims, signature = alice_login.jwt.split(".")
    kid = jwt.get_unverified_header(alice_login.jwt)["kid"]
    body = jwt.decode(alice_login.jwt, options={"verify_signature": False})
    dataplane = doors.post(f"{doors.ws}/-issue-dataplane-token", alice_login.jwt).json()["token"]
    forged = [
        jwt.encode(body, "", algorithm="none", headers={"kid": kid}),
        jwt.encode(body, b"k" * 32, algorithm="HS256", headers={"kid": kid}),
        f"{header}.{claims}.{'A' * len(signature)}",
        f"{header}.{claims}.",
        "a.b.c",
        "..",
        dataplane,
    ]
    for token in forged:
        assert doors.get(doors.ws, token).status_code == 401, token
    # nor is an access token good where a data-plane token is wanted
    assert doors.get(f"{doors.ws}/variables", alice_login.jwt).status_code == 401


def test_who_is_in_no_organization_gets_their_own(doors: Doors, bob: Principal) -> None:
    login = doors.log_in(bob)
    doors.post(f"{doors.org}/members/{bob.member_id}/-remove", doors.world.api_key)
    assert doors.get(doors.ws, login.jwt).status_code == 403
    me = doors.get("/api/v1/me", login.jwt).json()
    assert me["latest_organization"]["id"] != str(doors.world.alice.organization_id)
    assert me["latest_workspace"]["is_playground"]
    assert doors.get("/api/v1/me", login.jwt).json() == me
    assert doors.get(doors.ws, login.jwt).status_code == 404
