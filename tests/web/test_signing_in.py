"""How a browser is let in, stays in and is let out."""

from datetime import timedelta

import httpx
import pytest

from homeport.auth.principals import SESSION_LIFETIME
from homeport.operations import sign_in
from homeport.server import build_app
from homeport.web.visiting import COOKIE, safe_next

from ..world import World
from .conftest import Browsers, Door


def _code(world: World) -> str:
    with world.database.write() as tx:
        return sign_in.issue_sign_in_code(tx, world.alice.member_id, world.clock.now())


def test_every_page_sends_a_stranger_to_sign_in_and_back(nobody: httpx.Client, home: str) -> None:
    for page in ("/", home, f"{home}/jobs/jobs.a?page=2", f"{home}/runs/none", "/w/nothing/here"):
        answer = nobody.get(page)
        assert answer.status_code == 303
        location = httpx.URL(answer.headers["location"])
        assert (location.path, location.params["next"]) == ("/sign-in", page)


def test_an_api_key_signs_in(nobody: httpx.Client, home: str, world: World) -> None:
    answer = nobody.post("/sign-in", data={"api_key": f" {world.api_key}\n", "next": home})
    assert (answer.status_code, answer.headers["location"]) == (303, home)
    assert nobody.get(home).status_code == 200


def test_the_cookie_is_kept_from_scripts_and_other_sites(nobody: httpx.Client, world: World) -> None:
    header = nobody.post("/sign-in", data={"api_key": world.api_key}).headers["set-cookie"]
    name, *flags = [part.strip().lower() for part in header.split(";")]
    assert name.startswith(f"{COOKIE}=")
    assert world.api_key not in header
    assert set(flags) == {"httponly", "samesite=lax", "path=/", f"max-age={int(SESSION_LIFETIME.total_seconds())}"}


def test_over_https_the_cookie_stays_there(browsers: Browsers, door: Door, world: World) -> None:
    door.app = build_app(world.platform_with(public_url="https://homeport.example"), {})
    answer = browsers.of(None).post(
        "/sign-in", data={"api_key": world.api_key}, headers={"Origin": "https://homeport.example"}
    )
    assert answer.status_code == 303
    assert "secure" in answer.headers["set-cookie"].lower()


def test_over_https_no_other_name_of_the_domain_can_sign_a_browser_in(
    browsers: Browsers, door: Door, world: World
) -> None:
    """An app at x.example could set a cookie for all of example, but not one with this prefix."""
    door.app = build_app(world.platform_with(public_url="https://homeport.example"), {})
    session = sign_in.open_session_with_key(world.platform, world.api_key)
    for name, is_in in ((COOKIE, False), (f"__Host-{COOKIE}", True)):
        answer = browsers.of(None).get("/", headers={"Cookie": f"{name}={session}"}, follow_redirects=False)
        assert answer.headers.get("location", "").startswith("/sign-in") != is_in


def test_a_proxy_may_speak_https_for_us(nobody: httpx.Client, world: World) -> None:
    origin = str(nobody.base_url).rstrip("/").replace("http:", "https:")
    answer = nobody.post("/sign-in", data={"api_key": world.api_key}, headers={"Origin": origin})
    assert answer.status_code == 303


@pytest.mark.parametrize("key", ["", "dlt_u_unknown", "<script>"])
def test_an_unknown_key_is_refused(nobody: httpx.Client, key: str) -> None:
    answer = nobody.post("/sign-in", data={"api_key": key, "next": "/w/1"})
    assert answer.status_code == 401
    assert "set-cookie" not in answer.headers
    assert "does not know that key" in answer.text
    assert 'value="/w/1"' in answer.text


def test_a_form_that_is_too_long_is_refused(nobody: httpx.Client) -> None:
    assert nobody.post("/sign-in", data={"api_key": "x" * 100_000}).status_code == 413
    assert nobody.post("/sign-in", content=iter([b"api_key=x"])).status_code == 413


def test_a_sign_in_link_works_once(browsers: Browsers, home: str, world: World) -> None:
    code, first, second = _code(world), browsers.of(None), browsers.of(None)
    answer = first.get("/sign-in", params={"code": code, "next": home})
    assert (answer.status_code, answer.headers["location"]) == (303, home)
    assert first.get(home).status_code == 200
    assert "used before" in second.get("/sign-in", params={"code": code}).text
    # who is signed in already does not mind
    assert first.get("/sign-in", params={"code": code}).headers["location"] == "/"


def test_a_swap_code_signs_in_and_leaves_the_address(nobody: httpx.Client, home: str, world: World) -> None:
    answer = nobody.get(f"{home}/jobs/jobs.a", params={"page": "2", "swap": _code(world)})
    assert (answer.status_code, answer.headers["location"]) == (303, f"{home}/jobs/jobs.a?page=2")
    assert nobody.get(home).status_code == 200


def test_a_bad_swap_code_is_ignored(nobody: httpx.Client, alice: httpx.Client, home: str) -> None:
    for browser in (nobody, alice):
        answer = browser.get(home, params={"swap": "bad"})
        assert (answer.status_code, answer.headers["location"]) == (303, home)
        assert "set-cookie" not in answer.headers
    assert alice.get(home).status_code == 200


def test_a_swap_code_makes_nobody_somebody_else(browsers: Browsers, home: str, world: World) -> None:
    charlie = browsers.of(world.stranger()[0])
    charlie.get(home, params={"swap": _code(world)})
    assert charlie.get(home).status_code == 404


def test_signing_out_ends_the_session(alice: httpx.Client, home: str) -> None:
    value = alice.cookies[COOKIE]
    assert alice.post("/sign-out").headers["location"] == "/sign-in"
    alice.cookies.set(COOKIE, value)
    assert alice.get(home).status_code == 303


def test_a_session_ends_by_itself(alice: httpx.Client, home: str, world: World) -> None:
    world.clock.advance(SESSION_LIFETIME - timedelta(seconds=1))
    assert alice.get(home).status_code == 200
    world.clock.advance(timedelta(seconds=1))
    assert alice.get(home).status_code == 303


def test_an_api_key_in_the_cookie_is_no_session(nobody: httpx.Client, home: str, world: World) -> None:
    nobody.cookies.set(COOKIE, world.api_key)
    assert nobody.get(home).status_code == 303


@pytest.mark.parametrize(
    "address",
    [
        "",
        "w/1",
        "//evil.example",
        "///evil.example",
        "/\\evil.example",
        "\\\\evil.example",
        "/\t/evil.example",
        "/\n/evil.example",
        "https://evil.example",
        "javascript:alert(1)",
        "/sign-in?next=/",
        "/sign-out",
    ],
)
def test_an_address_elsewhere_is_not_gone_to(nobody: httpx.Client, world: World, address: str) -> None:
    assert safe_next(address) == "/"
    answer = nobody.post("/sign-in", data={"api_key": world.api_key, "next": address})
    assert answer.headers["location"] == "/"


def test_an_address_here_is_gone_to() -> None:
    assert safe_next("/w/1/jobs/jobs.a?page=2#log") == "/w/1/jobs/jobs.a?page=2#log"


@pytest.mark.parametrize("text", ["a%00b", "%00"])
def test_what_is_no_text_is_refused_before_anything_looks_at_it(
    nobody: httpx.Client, home: str, text: str
) -> None:
    form = {"Content-Type": "application/x-www-form-urlencoded"}
    for answer in (
        nobody.post("/sign-in", content=f"email={text}@homeport&password={text}", headers=form),
        nobody.get(f"/sign-in?next={text}"),
        nobody.get(f"/w/x/jobs/{text}"),
    ):
        assert answer.status_code == 400
        assert "no text" in answer.text
