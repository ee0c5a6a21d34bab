"""Sign-in through identity providers: who is let in, who becomes whom, and what is refused."""

import re
import subprocess
import sys
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Any
from urllib.parse import urlencode

import httpx
import pytest
import sqlalchemy as sa

from homeport.auth.principals import Principal
from homeport.auth.providers import oidc
from homeport.auth.providers.configured import providers_of
from homeport.clock import FakeClock
from homeport.config import Settings
from homeport.errors import SetupError
from homeport.operations import accounts, sign_in
from homeport.operations.provider_sign_in import LIFETIME
from homeport.server import build_app
from homeport.store import audit_log, people
from homeport.web.provider_sign_in import COOKIE as KEPT
from homeport.web.visiting import COOKIE

from ..builders import at_once
from ..databases import on_both
from ..world import World
from .conftest import PASSWORD, Doors
from .foreign_servers import CLIENT_ID, CLIENT_SECRET, GitHubServer, OidcServer

Change = Callable[[dict[str, Any]], dict[str, Any]]


@pytest.fixture
def backend() -> str:
    return "sqlite"


@pytest.fixture
def clock() -> FakeClock:
    """Close to what the providers' clocks say."""
    return FakeClock(datetime.now(UTC).replace(microsecond=0))


@pytest.fixture
def issuer(clock: FakeClock) -> Iterator[OidcServer]:
    server = OidcServer()
    server.now = lambda: int(clock.now().timestamp())
    yield server
    server.close()


@pytest.fixture
def github() -> Iterator[GitHubServer]:
    server = GitHubServer()
    yield server
    server.close()


@dataclass
class House:
    """An installation that trusts both."""

    world: World
    settings: dict[str, Any]

    def doors(self, **settings: Any) -> Doors:
        self.world.platform = self.world.platform_with(**{**self.settings, **settings})
        return Doors(build_app(self.world.platform, {}), self.world)


@pytest.fixture
def house(world: World, issuer: OidcServer, github: GitHubServer) -> House:
    settings = {
        "oidc_issuer": issuer.url,
        "oidc_client_id": CLIENT_ID,
        "oidc_client_secret": CLIENT_SECRET,
        "oidc_name": "Fruit SSO",
        "github_client_id": CLIENT_ID,
        "github_client_secret": CLIENT_SECRET,
        "github_url": github.url,
        "github_api_url": github.url,
    }
    return House(world, settings)


@pytest.fixture
def doors(house: House) -> Doors:
    return house.doors(sign_up="anyone")


def go_there(browser: httpx.Client, provider: str = "oidc", next_: str = "/") -> str:
    """To the provider, which agrees at once; the answer is the address it sends the browser back to."""
    left = browser.get(f"/sign-in/{provider}", params={"next": next_})
    assert left.status_code == 303, left.text
    back = httpx.get(left.headers["location"], follow_redirects=False)
    assert back.status_code == 302, back.text
    return str(back.headers["location"])


def come_back(browser: httpx.Client, provider: str = "oidc", next_: str = "/") -> httpx.Response:
    return browser.get(go_there(browser, provider, next_))


def email_of(world: World, browser: httpx.Client) -> str | None:
    value = browser.cookies.get(COOKIE)
    return None if value is None else sign_in.by_browser_session(world.platform, value).email


def refused(answer: httpx.Response, status: int, text: str) -> None:
    assert answer.status_code == status, answer.text
    assert text in answer.text
    assert 'name="password"' in answer.text  # the other ways in are offered
    assert COOKIE not in answer.cookies


def invite(doors: Doors, email: str) -> str:
    answer = doors.post(f"{doors.org}/invitations", doors.world.api_key, json={"email": email, "role": "member"})
    assert answer.status_code == 201, answer.text
    return str(answer.json()["url"])


def issuer_name(doors: Doors) -> str:
    return doors.world.platform.providers["oidc"].name


# getting in


@on_both
@pytest.mark.parametrize(("provider", "by"), [("oidc", "oidc:{}"), ("github", "github")])
def test_a_new_person_comes_in_and_is_the_same_one_next_time(
    doors: Doors, issuer: OidcServer, provider: str, by: str, github: GitHubServer
) -> None:
    first, second = doors.browser(), doors.browser()
    answer = come_back(first, provider, "/keys")
    assert (answer.status_code, answer.headers["location"]) == (303, "/keys")
    assert first.get("/keys").status_code == 200
    # another address now, there: the account stays the account
    issuer.person["email"] = github.emails[1]["email"] = "renamed@homeport"
    assert come_back(second, provider).status_code == 303
    assert email_of(doors.world, first) == email_of(doors.world, second) == "dora@homeport"
    organization = sign_in.by_browser_session(doors.world.platform, first.cookies[COOKIE]).organization_id
    with doors.world.database.read() as tx:
        entries, _ = audit_log.page(tx, organization, limit=9, offset=0, cap=9)
    expected = by.format(issuer.url)
    assert [(e.action, e.detail) for e in reversed(entries)] == [
        ("identity.connect", {"by": expected}),
        ("sign_in", {"by": expected}),
        ("sign_in", {"by": expected}),
    ]


def test_the_sign_in_page_offers_what_is_set_up(doors: Doors, house: House) -> None:
    page = doors.browser().get("/sign-in", params={"next": "/w/1"}).text
    assert "Sign in with Fruit SSO" in page
    assert 'href="/sign-in/github?next=%2Fw%2F1"' in page
    plain = Doors(build_app(doors.world.platform_with(), {}), doors.world).browser()
    assert "/sign-in/" not in plain.get("/sign-in").text
    assert plain.get("/sign-in/oidc").status_code == 404


def test_a_terminal_is_let_in_through_the_provider(doors: Doors) -> None:
    asked = {"redirect_uri": "http://127.0.0.1:4012/callback", "code_challenge": "c" * 43, "state": "s"}
    browser = doors.browser()
    to_sign_in = browser.get("/authorize", params=asked)
    link = re.search(r'href="(/sign-in/oidc[^"]*)"', browser.get(to_sign_in.headers["location"]).text)
    assert link is not None
    left = browser.get(link[1].replace("&amp;", "&"))
    answer = browser.get(httpx.get(left.headers["location"]).headers["location"])
    assert answer.headers["location"] == f"/authorize?{urlencode(asked)}"
    page = browser.get(answer.headers["location"])
    assert (page.status_code, "Let a terminal in" in page.text) == (200, True)


@pytest.mark.parametrize("address", ["https://evil.example", "//evil.example", "/\\evil.example", "/sign-out"])
def test_it_leads_nowhere_else(doors: Doors, address: str) -> None:
    assert come_back(doors.browser(), next_=address).headers["location"] == "/"


def test_the_browser_goes_there_with_all_that_protects_it(doors: Doors, issuer: OidcServer) -> None:
    answer = doors.browser().get("/sign-in/oidc")
    asked = httpx.URL(answer.headers["location"]).params
    assert asked["redirect_uri"] == "http://homeport.test/sign-in/oidc/callback"
    assert (asked["response_type"], asked["code_challenge_method"]) == ("code", "S256")
    assert asked["scope"] == "openid email profile"
    cookie = answer.headers["set-cookie"].lower()
    assert all(flag in cookie for flag in ("httponly", "samesite=lax", "path=/sign-in/", "max-age=600"))
    # what it keeps tells nobody anything
    assert asked["state"] not in cookie
    assert asked["nonce"] not in cookie


def test_behind_a_proxy_the_public_address_is_used(house: House) -> None:
    answer = house.doors(public_url="https://homeport.example").browser().get("/sign-in/oidc")
    asked = httpx.URL(answer.headers["location"]).params
    assert asked["redirect_uri"] == "https://homeport.example/sign-in/oidc/callback"
    assert "secure" in answer.headers["set-cookie"].lower()


@pytest.mark.parametrize("methods", [["client_secret_post"], ["client_secret_basic"], ["private_key_jwt"]])
def test_the_client_proves_itself_as_the_provider_likes_it(
    doors: Doors, issuer: OidcServer, methods: list[str]
) -> None:
    issuer.auth_methods = methods
    assert come_back(doors.browser()).status_code == 303


def test_an_address_that_is_only_in_userinfo_is_found(doors: Doors, issuer: OidcServer) -> None:
    issuer.userinfo, issuer.person = issuer.person, {"sub": "s-1"}
    browser = doors.browser()
    assert come_back(browser).status_code == 303
    assert email_of(doors.world, browser) == "dora@homeport"
    issuer.userinfo = {**issuer.userinfo, "sub": "s-2"}
    refused(come_back(doors.browser()), 401, "could not be verified")


def test_a_new_key_of_the_provider_is_fetched(doors: Doors, issuer: OidcServer) -> None:
    assert come_back(doors.browser()).status_code == 303
    issuer.rotate()
    assert come_back(doors.browser()).status_code == 303
    assert issuer.asked.count("/keys") == 2


# who becomes whom


@on_both
def test_an_invited_address_joins_and_others_stay_out(house: House, issuer: OidcServer) -> None:
    doors = house.doors()
    refused(come_back(doors.browser()), 403, "nobody has invited")
    address = invite(doors, "Dora@Homeport").removeprefix("http://homeport.test")
    browser = doors.browser()
    assert f"Join with {issuer_name(doors)}" in browser.get(address).text
    # the invitation is taken up by signing in, so that its page has nothing more to say
    assert come_back(browser, next_=address).headers["location"] == "/"
    members = doors.get(f"{doors.org}/members", doors.world.api_key).json()["items"]
    assert ("dora@homeport", "member") in [(item["email"], item["role"]) for item in members]
    assert doors.get(f"{doors.org}/invitations", doors.world.api_key).json() == []
    issuer.person = {**issuer.person, "sub": "s-2", "email": "eve@homeport"}
    refused(come_back(doors.browser()), 403, "nobody has invited")


def test_an_invitation_for_whoever_has_the_link_offers_no_provider(house: House) -> None:
    doors = house.doors()
    url = doors.post(f"{doors.org}/invitations", doors.world.api_key, json={"role": "member"}).json()["url"]
    assert "Join with" not in doors.browser().get(url).text


@pytest.mark.parametrize(("sign_up", "status"), [("anyone", 303), ("example.org, homeport", 303), ("org", 403)])
def test_who_may_sign_up_is_set(house: House, sign_up: str, status: int) -> None:
    assert come_back(house.doors(sign_up=sign_up).browser()).status_code == status


def test_a_provider_may_be_kept_to_some_addresses(house: House, issuer: OidcServer) -> None:
    doors = house.doors(sign_up="anyone", oidc_email_domains="example.org")
    refused(come_back(doors.browser()), 403, "example.org")
    issuer.person["email"] = "dora@example.org.evil"
    refused(come_back(doors.browser()), 403, "example.org")
    issuer.person["email"] = "dora@example.org"
    assert come_back(doors.browser()).status_code == 303


@on_both
def test_an_account_is_found_by_its_verified_address(house: House, issuer: OidcServer) -> None:
    doors = house.doors()
    issuer.person["email"] = doors.world.alice.email.upper()
    browser = doors.browser()
    assert come_back(browser).status_code == 303
    assert email_of(doors.world, browser) == doors.world.alice.email
    assert doors.get(doors.ws, doors.world.api_key).status_code == 200  # her keys go on


@pytest.mark.parametrize("verified", [{}, {"email_verified": False}, {"email_verified": "false"}])
def test_an_address_that_is_not_verified_opens_nothing(
    doors: Doors, issuer: OidcServer, verified: dict[str, Any]
) -> None:
    issuer.person = {"sub": "s-9", "email": doors.world.alice.email, **verified}
    refused(come_back(doors.browser()), 403, "verified")


@pytest.mark.parametrize(
    "emails",
    [
        [{"email": "owner@localhost", "primary": True, "verified": False}],
        [{"email": "owner@localhost", "primary": False, "verified": True}],
        [],
    ],
)
def test_at_github_only_the_verified_primary_address_counts(
    doors: Doors, github: GitHubServer, emails: list[dict[str, Any]]
) -> None:
    github.emails = emails
    refused(come_back(doors.browser(), "github"), 403, "verified")


def _squat(doors: Doors, email: str) -> None:
    """Somebody makes an account with the address of somebody else."""
    url = doors.post(f"{doors.org}/invitations", doors.world.api_key, json={"role": "member"}).json()["url"]
    form = {"code": url.partition("code=")[2], "email": email, "password": PASSWORD}
    assert doors.browser().post("/invitation", data=form).status_code == 303


@on_both
def test_nobody_lies_in_wait_in_an_account_with_the_address_of_another(doors: Doors) -> None:
    _squat(doors, "dora@homeport")
    refused(come_back(doors.browser()), 403, "did not prove")
    # whoever can sign in to it may connect it
    browser = doors.browser()
    assert browser.post("/sign-in", data={"email": "dora@homeport", "password": PASSWORD}).status_code == 303
    assert "Connect Fruit SSO" in browser.get("/keys").text
    assert come_back(browser, next_="/keys").headers["location"] == "/keys"
    assert "Connect Fruit SSO" not in browser.get("/keys").text
    assert come_back(doors.browser()).status_code == 303


def test_being_signed_in_connects_no_account_of_somebody_else(doors: Doors, bob: Principal) -> None:
    _squat(doors, "dora@homeport")
    refused(come_back(doors.browser(bob)), 403, "did not prove")


def test_an_address_that_was_given_to_somebody_new_opens_nothing(doors: Doors, issuer: OidcServer) -> None:
    issuer.person["email"] = doors.world.alice.email
    assert come_back(doors.browser()).status_code == 303
    issuer.person["sub"] = "the next one to have it"
    refused(come_back(doors.browser()), 403, "Another account")


def test_the_same_subject_elsewhere_is_somebody_else(
    doors: Doors, issuer: OidcServer, github: GitHubServer
) -> None:
    issuer.person["sub"] = "42"
    assert come_back(doors.browser()).status_code == 303
    github.emails = [{"email": "else@homeport", "primary": True, "verified": True}]
    browser = doors.browser()
    assert come_back(browser, "github").status_code == 303
    assert email_of(doors.world, browser) == "else@homeport"


def test_a_service_account_is_nobody(doors: Doors, issuer: OidcServer) -> None:
    doors.post(f"{doors.ws}/keys", doors.world.api_key, json={"name": "ci", "role": "viewer"})
    with doors.world.database.read() as tx:
        is_it = people.users.c.kind == "service_account"
        email = tx.execute(sa.select(people.users.c.email).where(is_it)).scalar_one()
    issuer.person["email"] = email
    assert come_back(doors.browser()).status_code == 403


@on_both
def test_two_first_sign_ins_at_once_make_one_person(doors: Doors) -> None:
    browsers = [doors.browser() for _ in range(4)]
    addresses = [go_there(browser) for browser in browsers]
    answers = at_once(4, lambda number: browsers[number].get(addresses[number]))
    assert [answer.status_code for answer in answers] == [303] * 4
    assert len([1 for user, _ in accounts.list_users(doors.world.platform) if user.email == "dora@homeport"]) == 1


# what is refused


def test_a_sign_in_comes_back_to_the_browser_that_began_it(doors: Doors) -> None:
    """Else a link could sign people in as somebody else, and see what they do."""
    attacker, victim = doors.browser(), doors.browser()
    address = go_there(attacker)
    refused(victim.get(address), 401, "not begun in this browser")
    victim.get("/sign-in/oidc")  # one of its own is not that one
    refused(victim.get(address), 401, "not begun in this browser")


def test_a_sign_in_is_good_once(doors: Doors) -> None:
    browser = doors.browser()
    address = go_there(browser)
    kept = browser.cookies[KEPT]
    assert browser.get(address).status_code == 303
    refused(browser.get(address), 401, "was used before")
    browser.cookies.set(KEPT, kept, domain="homeport.test", path="/sign-in/")
    refused(browser.get(address), 401, "does not know this sign-in")


def test_a_sign_in_takes_ten_minutes_at_most(doors: Doors) -> None:
    browser = doors.browser()
    address = go_there(browser)
    doors.world.clock.advance(LIFETIME)
    refused(browser.get(address), 401, "took longer")


@pytest.mark.parametrize("kept", ["", "x", "aGVsbG8=", "ü", "a" * 3000])
def test_what_a_browser_kept_is_not_made_up(doors: Doors, kept: str) -> None:
    browser = doors.browser()
    headers = {"Cookie": f"{KEPT}={kept}".encode()}
    refused(browser.get("/sign-in/oidc/callback?state=s&code=c", headers=headers), 401, "not begun")


def test_the_answer_of_one_provider_is_not_taken_for_another(doors: Doors, github: GitHubServer) -> None:
    browser = doors.browser()
    address = go_there(browser).replace("/oidc/", "/github/")
    refused(browser.get(address), 401, "not begun in this browser")
    assert "/login/oauth/access_token" not in github.asked


def test_another_issuer_in_the_answer_is_a_mix_up(doors: Doors, issuer: OidcServer) -> None:
    browser = doors.browser()
    address = str(httpx.URL(go_there(browser)).copy_set_param("iss", "https://evil.example"))
    refused(browser.get(address), 401, "Somebody else")
    assert "/token" not in issuer.asked


@pytest.mark.parametrize(
    ("answer", "text"),
    [
        ({"error": "access_denied", "error_description": "<b>call 555"}, "turned down"),
        ({"error": "server_error", "error_description": "<b>call 555"}, "could not sign you in"),
        ({}, "could not sign you in"),
    ],
)
def test_a_no_of_the_provider_is_told_in_our_words(doors: Doors, answer: dict[str, str], text: str) -> None:
    browser = doors.browser()
    state = httpx.URL(go_there(browser, next_="/keys")).params["state"]
    page = browser.get("/sign-in/oidc/callback", params={"state": state, **answer})
    refused(page, 401, text)
    assert "call 555" not in page.text
    assert 'value="/keys"' in page.text  # where the person was going is not forgotten


def _without(*names: str) -> Change:
    return lambda claims: {name: value for name, value in claims.items() if name not in names}


def _with(**others: Any) -> Change:
    return lambda claims: claims | others


BAD_TOKENS: dict[str, Change] = {
    "another issuer": _with(iss="https://evil.example"),
    "no issuer": _without("iss"),
    "another audience": _with(aud="somebody-else"),
    "for others too, no party": _with(aud=[CLIENT_ID, "somebody-else"]),
    "another party": _with(azp="somebody-else"),
    "another nonce": _with(nonce="of another sign-in"),
    "no nonce": _without("nonce"),
    "no end": _without("exp"),
    "no subject": _without("sub"),
    "ended": lambda claims: claims | {"exp": claims["iat"] - oidc.LEEWAY_SECONDS},
    "of the future": lambda claims: claims | {"iat": claims["iat"] + oidc.LEEWAY_SECONDS + 1},
}


@pytest.mark.parametrize("fault", BAD_TOKENS)
def test_a_token_that_is_not_for_this_sign_in_is_refused(doors: Doors, issuer: OidcServer, fault: str) -> None:
    issuer.change = BAD_TOKENS[fault]
    refused(come_back(doors.browser()), 401, "could not be verified")


def test_clocks_may_differ_by_a_minute(doors: Doors, issuer: OidcServer) -> None:
    issuer.change = lambda claims: claims | {"exp": claims["iat"] - 50}
    assert come_back(doors.browser()).status_code == 303
    issuer.change = lambda claims: claims | {"iat": claims["iat"] + 50}
    assert come_back(doors.browser()).status_code == 303


@pytest.mark.parametrize("fault", ["none", "hmac", "other key", "garbage", "missing"])
def test_a_token_that_the_provider_did_not_sign_is_refused(doors: Doors, issuer: OidcServer, fault: str) -> None:
    published = issuer.published
    if fault == "none":
        issuer.sign_not_at_all()
    elif fault == "hmac":
        issuer.sign_with_published_key_as_secret()
    elif fault == "other key":
        issuer.rotate()
        issuer.published = [{**published[0], "kid": "second"}]
    else:
        issuer.sign = lambda claims: "" if fault == "missing" else "a.b.c"
    refused(come_back(doors.browser()), 401, "could not be verified")


# a provider that is not well


@pytest.mark.parametrize(
    "path", ["/.well-known/openid-configuration", "/token", "/keys", "/user", "/login/oauth/access_token"]
)
@pytest.mark.parametrize("broken", [(500, b"{}"), (200, b"<html>"), (200, b"[]"), (200, b"1")])
def test_a_broken_provider_leaves_the_other_ways_in(
    doors: Doors, issuer: OidcServer, github: GitHubServer, path: str, broken: tuple[int, bytes]
) -> None:
    provider, server = ("oidc", issuer) if path in ("/token", "/keys") or "well" in path else ("github", github)
    server.broken[path] = broken
    browser = doors.browser()
    answer = browser.get(f"/sign-in/{provider}")
    if answer.status_code == 303:
        answer = browser.get(httpx.get(answer.headers["location"]).headers["location"])
    assert answer.status_code == 503, answer.text
    assert "Try again shortly" in answer.text
    server.broken.clear()
    assert come_back(browser, provider).status_code == 303


def test_a_provider_that_is_down_does_not_count_as_guessing(doors: Doors, issuer: OidcServer) -> None:
    come_back(doors.browser())
    issuer.broken["/token"] = (503, b"")
    statuses = {come_back(doors.browser()).status_code for _ in range(60)}
    assert statuses == {503}
    issuer.broken.clear()
    assert come_back(doors.browser()).status_code == 303


def test_refusals_without_end_are_stopped(house: House) -> None:
    browser = house.doors().browser()
    statuses = [come_back(browser).status_code for _ in range(51)]
    assert statuses == [403] * 50 + [429]


def test_a_provider_that_hangs_does_not_hold_the_server(
    doors: Doors, issuer: OidcServer, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("homeport.auth.providers.asking._TIMEOUT", httpx.Timeout(0.2))
    issuer.hanging.add("/.well-known/openid-configuration")
    refused(doors.browser().get("/sign-in/oidc"), 503, "cannot be reached")


def test_a_secret_that_the_provider_does_not_know_is_the_administrators_to_mend(
    doors: Doors, issuer: OidcServer
) -> None:
    issuer.secret = "changed"
    refused(come_back(doors.browser()), 503, "does not accept this server")


def test_a_provider_that_is_somebody_else_is_not_used(doors: Doors, issuer: OidcServer) -> None:
    document = b'{"issuer": "https://evil.example", "authorization_endpoint": "https://evil.example/a"}'
    issuer.broken["/.well-known/openid-configuration"] = (200, document)
    refused(doors.browser().get("/sign-in/oidc"), 503, "evil.example")


# nothing secret is told


def test_nothing_secret_is_logged(doors: Doors, issuer: OidcServer, capsys: pytest.CaptureFixture[str]) -> None:
    browser = doors.browser()
    address = httpx.URL(go_there(browser))
    assert browser.get(str(address)).status_code == 303
    issuer.change = _with(nonce="bad")
    come_back(doors.browser())
    issuer.broken["/token"] = (500, b"")
    come_back(doors.browser())
    told = "".join(capsys.readouterr())
    assert "provider_sign_in_refused" in told
    assert "provider_failed" in told
    for secret in (address.params["code"], address.params["state"], "the-access-token", CLIENT_SECRET, "eyJ"):
        assert secret not in told
    assert CLIENT_SECRET not in repr(doors.world.platform.settings)


@pytest.mark.parametrize(
    "settings",
    [
        {"oidc_issuer": "https://login.example"},
        {"oidc_client_id": "x"},
        {"github_client_id": "x"},
        {"oidc_issuer": "login.example", "oidc_client_id": "x"},
    ],
)
def test_half_a_provider_stops_the_start(settings: dict[str, str]) -> None:
    with pytest.raises(SetupError, match="HOMEPORT_"):
        providers_of(Settings(**settings))


# a provider that others made


@pytest.fixture
def foreign_issuer() -> Iterator[str]:
    command = [sys.executable, "-W", "ignore", "-m", "oidc_provider_mock", "--port", "0"]
    command += ["--user-claims", '{"sub": "ada", "email": "ada@example.org", "email_verified": true}']
    with subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True) as process:
        assert process.stdout is not None
        told = []
        for line in process.stdout:
            told.append(line)
            if found := re.search(r"http://[0-9.]+:[1-9][0-9]*", line):
                yield found[0]
                break
        else:
            pytest.fail("".join(told))
        process.terminate()


def test_a_provider_that_others_made_signs_in(world: World, clock: FakeClock, foreign_issuer: str) -> None:
    settings = {"oidc_issuer": foreign_issuer, "oidc_client_id": "any", "oidc_client_secret": "any"}
    world.platform = world.platform_with(**settings, sign_up="example.org")
    clock.advance(datetime.now(UTC) - clock.now() + timedelta(seconds=1))
    doors = Doors(build_app(world.platform, {}), world)
    browser = doors.browser()
    form = browser.get("/sign-in/oidc", params={"next": "/keys"}).headers["location"]
    answer = httpx.post(form, data={"sub": "ada"}, follow_redirects=False)
    assert answer.status_code == 302, answer.text
    assert browser.get(answer.headers["location"]).headers["location"] == "/keys"
    assert email_of(world, browser) == "ada@example.org"
