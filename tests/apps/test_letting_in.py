"""Who is let in to an app: members by way of the main pages, guests by the public link, nobody else."""

import re
from datetime import timedelta
from typing import Any
from urllib.parse import parse_qs, urlsplit

import httpx
import pytest
from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import JSONResponse, Response
from starlette.routing import Route

from homeport.auth.guessing import PER_ACCOUNT, WINDOW
from homeport.contract.public_links import UpdatePublicLinkRequest
from homeport.operations import change_jobs, login_sessions, public_links, sign_in
from homeport.proxy.gate import REMEMBERED_SECONDS

from ..builders import until
from .conftest import Stage


async def who(request: Request) -> Response:
    """As whom the app sees its visitor."""
    said = {name: value for name, value in request.headers.items() if name.startswith("x-homeport-")}
    return JSONResponse({"who": said.get("x-homeport-user"), "query": request.url.query})


@pytest.fixture
def host(stage: Stage) -> str:
    host = stage.deploy()
    stage.serve(Starlette(routes=[Route("/{rest:path}", who, methods=["GET", "POST"])]))
    return host


def go(browser: httpx.Client, url: str) -> httpx.Response:
    """As a browser goes: on from the page that leads on by itself."""
    answer = browser.get(url)
    if (leads := answer.headers.get("refresh", "")).startswith("0;"):
        answer = browser.get(leads.partition("url=")[2])
    return answer


def publish(stage: Stage, verb: str = "publish") -> str:
    world = stage.world
    job_id = world.current("notebook").job.id
    change = getattr(change_jobs, verb)
    return str(change(world.platform, world.alice, world.workspace.id, job_id).public_url)


def test_a_member_is_let_in_by_way_of_the_main_pages(stage: Stage, host: str) -> None:
    browser = stage.browser(stage.world.invite("bob@here", "viewer"))
    answer = go(browser, f"http://{host}/deep?x=1")
    assert answer.json() == {"who": "bob@here", "query": "x=1"}
    assert str(answer.url) == f"http://{host}/deep?x=1"
    kept = {cookie.name: cookie for cookie in browser.cookies.jar if cookie.domain.startswith("notebook")}
    assert set(kept) == {"homeport_app"}
    assert not kept["homeport_app"].domain_specified


def test_a_stranger_comes_to_the_page_to_sign_in(stage: Stage, host: str) -> None:
    answer = go(stage.browser(), f"http://{host}/")
    assert answer.status_code == 200
    assert urlsplit(str(answer.url)).path == "/sign-in"
    script = stage.client(host).get("/")
    assert (script.status_code, script.headers["www-authenticate"]) == (401, 'Bearer realm="homeport"')


def test_who_is_of_another_organization_or_workspace_sees_no_app(stage: Stage, host: str) -> None:
    charlie, _ = stage.world.stranger()
    for person in (charlie, stage.world.invite("dora@here", None)):
        answer = go(stage.browser(person), f"http://{host}/")
        assert answer.status_code == 404
        assert stage.program(host, person).get("/").status_code in (401, 403)


def test_who_is_removed_or_signs_out_is_out_of_the_app_too(stage: Stage, host: str) -> None:
    browser = stage.browser(stage.world.alice)
    assert go(browser, f"http://{host}/").json()["who"] == stage.world.alice.email
    session = next(cookie.value for cookie in browser.cookies.jar if cookie.name == "homeport_session")
    sign_in.end_session(stage.world.platform, session or "")
    until(lambda: urlsplit(str(go(browser, f"http://{host}/").url)).path == "/sign-in")


def test_a_code_is_good_once_and_for_the_browser_that_set_out(stage: Stage, host: str) -> None:
    browser, other = stage.browser(stage.world.alice), stage.browser()
    browser.follow_redirects = False
    opening = browser.get(browser.get(f"http://{host}/").headers["location"])
    enter = opening.headers["refresh"].partition("url=")[2]
    # planted on somebody else: they would work in Alice's name without knowing
    assert (other.get(enter).status_code, list(other.cookies.jar)) == (403, [])
    first = browser.get(enter)
    assert "homeport_app=" in first.headers["set-cookie"]
    assert browser.get(enter).status_code == 403


def test_a_code_of_one_app_opens_no_other_and_not_the_main_pages(stage: Stage, host: str) -> None:
    browser = stage.browser(stage.world.alice)
    browser.follow_redirects = False
    opening = browser.get(browser.get(f"http://{host}/").headers["location"])
    code = parse_qs(urlsplit(opening.headers["refresh"].partition("url=")[2]).query)["code"][0]
    answer = stage.client(f"localhost:{stage.port}").get("/sign-in", params={"code": code})
    assert "set-cookie" not in answer.headers


def test_a_code_of_the_command_line_signs_in_and_does_not_reach_the_app(stage: Stage, host: str) -> None:
    world = stage.world
    with world.database.write() as tx:
        code = sign_in.issue_sign_in_code(
            tx, world.alice.member_id, world.clock.now(), "swap code", login_sessions.SWAP_CODE_LIFETIME
        )
    browser = stage.browser()
    answer = go(browser, f"http://{host}/page?a=1&swap={code}")
    assert answer.json() == {"who": world.alice.email, "query": "a=1"}
    assert go(browser, f"http://{host}/page?swap=used-up").json()["query"] == ""


@pytest.mark.parametrize("origin", ["http://evil.localhost", "null", "http://other.localhost:4040"])
def test_pages_of_other_sites_cannot_act_with_a_members_session(stage: Stage, host: str, origin: str) -> None:
    browser = stage.browser(stage.world.alice)
    go(browser, f"http://{host}/")
    sent = {"Origin": origin, "Sec-Fetch-Mode": "cors"}
    assert browser.post(f"http://{host}/", headers=sent).status_code == 403
    upgrade = sent | {"Connection": "Upgrade", "Upgrade": "websocket"}
    assert browser.get(f"http://{host}/", headers=upgrade).status_code == 403
    own = {"Origin": f"http://{host}", "Sec-Fetch-Mode": "cors"}
    assert browser.post(f"http://{host}/", headers=own).status_code == 200


# public links


def test_a_public_link_works_without_signing_in_until_it_is_taken_back(stage: Stage, host: str) -> None:
    url = publish(stage)
    guest = stage.browser()
    assert go(guest, url).json() == {"who": None, "query": ""}
    publish(stage, "unpublish")
    until(lambda: urlsplit(str(go(guest, f"http://{host}/").url)).path == "/sign-in", 5 * REMEMBERED_SECONDS)
    assert go(stage.browser(), url).status_code == 404


def test_publishing_again_ends_the_link_before(stage: Stage, host: str) -> None:
    first, second = publish(stage), publish(stage)
    assert go(stage.browser(), first).status_code == 404
    assert go(stage.browser(), second).status_code == 200
    secret = first.rpartition("/")[2]
    assert go(stage.browser(), f"http://{host}/-homeport/p/{secret}").status_code == 404
    assert go(stage.browser(), f"http://{host}/-homeport/p/guessed").status_code == 404


def test_an_archived_jobs_app_is_nobodys(stage: Stage, host: str) -> None:
    url = publish(stage)
    world = stage.world
    change_jobs.archive(world.platform, world.alice, world.workspace.id, world.current("notebook").job.id)
    assert go(stage.browser(), url).status_code == 404
    answer = stage.browser(world.alice).get(f"http://{host}/")
    assert answer.status_code == 404
    assert not re.search("jobs.notebook", answer.text)


# terms of public links


def set_terms(stage: Stage, **wanted: Any) -> None:
    world, request = stage.world, UpdatePublicLinkRequest(**wanted)
    job_id = world.current("notebook").job.id
    public_links.change(world.platform, world.alice, world.workspace.id, job_id, request)


def views(stage: Stage) -> int:
    world = stage.world
    job_id = world.current("notebook").job.id
    return public_links.show(world.platform, world.alice, world.workspace.id, job_id).views


def door_of(guest: httpx.Client, url: str) -> str:
    """Where the link asks for its password."""
    page = guest.get(url)
    assert 'type="password"' in page.text
    return str(page.url)


def is_out(guest: httpx.Client, host: str) -> bool:
    return urlsplit(str(go(guest, f"http://{host}/").url)).path == "/sign-in"


def test_a_guest_who_knows_the_password_is_let_in(stage: Stage, host: str) -> None:
    url = publish(stage)
    set_terms(stage, password="open sesame")
    guest = stage.browser()
    door = door_of(guest, url)
    refused = guest.post(door, data={"password": "open barley"})
    assert (refused.status_code, list(guest.cookies.jar)) == (403, [])
    assert "That is not the password of this link." in refused.text
    assert guest.post(door, data={"password": ""}).status_code == 200
    assert views(stage) == 0
    assert guest.post(door, data={"password": "open sesame"}).json() == {"who": None, "query": ""}
    assert views(stage) == 1


def test_guessing_the_password_is_limited_and_the_page_says_when_to_come_again(stage: Stage, host: str) -> None:
    url = publish(stage)
    set_terms(stage, password="open sesame")
    guest = stage.browser()
    door = door_of(guest, url)
    statuses = [guest.post(door, data={"password": f"guess {n}"}).status_code for n in range(PER_ACCOUNT)]
    assert statuses == [403] * PER_ACCOUNT
    refused = guest.post(door, data={"password": "open sesame"})
    assert (refused.status_code, refused.headers["retry-after"]) == (429, str(WINDOW.seconds))
    assert "Too many failed tries for this link. Try again in 15 min." in refused.text
    stage.world.clock.advance(WINDOW)
    assert guest.post(door, data={"password": "open sesame"}).status_code == 200


@pytest.mark.parametrize("wanted", [{"password": "open sesame"}, {"password": None}])
def test_who_was_let_in_before_the_password_changed_is_out(
    stage: Stage, host: str, wanted: dict[str, Any]
) -> None:
    url, guest = publish(stage), stage.browser()
    if wanted["password"] is None:
        set_terms(stage, password="the one before")
        guest.post(door_of(guest, url), data={"password": "the one before"})
    else:
        go(guest, url)
    assert not is_out(guest, host)
    set_terms(stage, **wanted)
    until(lambda: is_out(guest, host), 5 * REMEMBERED_SECONDS)
    assert go(stage.browser(), url).status_code == 200


def test_a_link_leads_nowhere_after_its_end_and_again_when_that_is_moved(stage: Stage, host: str) -> None:
    url, guest, world = publish(stage), stage.browser(), stage.world
    set_terms(stage, expires_at=world.clock.now() + timedelta(days=1))
    assert go(guest, url).status_code == 200
    world.advance(days=1)
    until(lambda: is_out(guest, host), 5 * REMEMBERED_SECONDS)
    assert go(stage.browser(), url).status_code == 404
    inner = f"http://{host}/-homeport/p/{url.rpartition('/')[2]}"
    assert "has ended" in stage.browser().get(inner).text
    set_terms(stage, expires_at=None)
    assert go(stage.browser(), url).status_code == 200
    assert not is_out(guest, host), "the terms say no more that they are out"
    assert views(stage) == 2
