"""What can be done with a page's buttons, and by whom."""

import re

import httpx

from ..builders import interactive
from ..world import World
from .conftest import Browsers


def test_run_now_starts_the_job_and_shows_the_run(alice: httpx.Client, home: str, shop: World) -> None:
    answer = alice.post(f"{home}/jobs/jobs.shop.load/-run")
    (run,) = shop.runs_of("shop.load")
    assert (answer.status_code, answer.headers["location"]) == (303, f"{home}/runs/{run.id}")
    assert run.triggered_by == shop.alice.member_id


def test_a_start_that_is_declined_tells_why(alice: httpx.Client, home: str, shop: World) -> None:
    alice.post(f"{home}/jobs/jobs.shop.load/-run")
    answer = alice.post(f"{home}/jobs/jobs.shop.load/-run")
    assert answer.status_code == 409
    assert "jobs.shop.load was not started" in answer.text
    assert "<li>" in answer.text
    assert f'href="{home}/jobs/jobs.shop.load"' in answer.text


def test_cancel_stops_a_run_and_comes_back_to_it(alice: httpx.Client, home: str, shop: World) -> None:
    run = shop.start("shop.load")
    answer = alice.post(f"{home}/runs/{run.id}/-cancel")
    assert (answer.status_code, answer.headers["location"]) == (303, f"{home}/runs/{run.id}")
    page = alice.get(f"{home}/runs/{run.id}").text
    assert "Cancelled by owner@localhost" in page
    assert "-cancel" not in page
    assert alice.post(f"{home}/runs/{run.id}/-cancel").status_code == 409


def test_a_viewer_sees_everything_and_may_do_nothing(browsers: Browsers, home: str, shop: World) -> None:
    bob, run = browsers.of(shop.invite("bob@example.org", "viewer")), shop.start("shop.load")
    for page, action in (("jobs/jobs.shop.load", "-run"), (f"runs/{run.id}", "-cancel")):
        shown = bob.get(f"{home}/{page}")
        assert shown.status_code == 200
        assert action not in shown.text
        refused = bob.post(f"{home}/{page}/{action}")
        assert refused.status_code == 403
        assert "Your role" in refused.text


def test_a_stranger_finds_nothing(browsers: Browsers, home: str, shop: World) -> None:
    person, own = shop.stranger()
    charlie, run = browsers.of(person), shop.start("shop.load")
    assert charlie.get("/").headers["location"] == f"/w/{own.id}"
    pages = ["", "/jobs/jobs.shop.load", f"/runs/{run.id}", "/pipelines/fruitshop"]
    pages += [f"/runs/{run.id}/events", f"/runs/{run.id}/log.txt"]
    for page in pages:
        assert charlie.get(home + page).status_code == 404, page
        # nor through their own workspace
        assert page == "" or charlie.get(f"/w/{own.id}{page}").status_code == 404, page
    for action in ("/jobs/jobs.shop.load/-run", f"/runs/{run.id}/-cancel"):
        assert charlie.post(home + action).status_code == 404
    assert shop.run(run.id).status == "pending"


def test_a_form_from_another_site_is_refused(alice: httpx.Client, home: str, shop: World) -> None:
    for origin in ("http://evil.example", "null", "", str(alice.base_url).replace("127.0.0.1", "localhost")):
        answer = alice.post(f"{home}/jobs/jobs.shop.load/-run", headers={"Origin": origin})
        assert answer.status_code == 403, origin
        assert "another site" in answer.text
    assert shop.runs_of("shop.load") == []
    del alice.headers["Origin"]
    assert alice.post(f"{home}/jobs/jobs.shop.load/-run").status_code == 403


def test_a_webhook_gets_its_secret_which_is_shown_once(
    alice: httpx.Client, browsers: Browsers, home: str, world: World
) -> None:
    world.deploy_jobs(("a", "webhook:orders"))
    page = f"{home}/jobs/jobs.a"
    assert "It has no secret yet" in alice.get(page).text
    shown = [alice.post(f"{page}/-webhook-secret", data=data).text for data in ({}, {"replace": "yes"})]
    secrets = {found for text in shown for found in re.findall(r"<code>(whsec_[^<]+)</code>", text)}
    assert len(secrets) == 2
    assert alice.post(f"{page}/-webhook-secret").status_code == 409
    later = alice.get(page).text
    assert re.search(r"/hooks/v1/[\w-]+/orders", later)
    assert "whsec_" not in later
    viewer = browsers.of(world.invite("bob@example.org", "viewer"))
    assert "/hooks/v1/" not in viewer.get(page).text
    assert viewer.post(f"{page}/-webhook-secret").status_code == 403


def test_an_app_is_published_gets_terms_and_is_taken_back(
    alice: httpx.Client, browsers: Browsers, home: str, world: World
) -> None:
    world.deploy(interactive("notebook"))
    page = f"{home}/jobs/jobs.notebook"
    viewer = browsers.of(world.invite("bob@example.org", "viewer"))
    assert "There is none yet" in alice.get(page).text
    assert "Public link" not in viewer.get(page).text
    for action, form, shown in (
        ("-publish", {}, "/p/"),
        ("-link-end", {"ends": "7"}, "2026-03-09T12:00:00"),
        ("-link-end", {"ends": "at", "at": "2026-06-01T10:00", "zone_minutes": "120"}, "2026-06-01T08:00:00"),
        ("-link-end", {"ends": "at", "at": "2026-06-01T10:00"}, "2026-06-01T10:00:00"),
        ("-link-end", {"ends": "never"}, "<dd>never</dd>"),
        ("-link-password", {"password": "open sesame"}, "asked for"),
        ("-link-password", {"password": "", "remove": "yes"}, "whoever has the link is let in"),
    ):
        assert viewer.post(f"{page}/{action}", data=form).status_code == 403, action
        answer = alice.post(f"{page}/{action}", data=form)
        assert (answer.status_code, answer.headers["location"]) == (303, page), action
        assert shown in alice.get(page).text, (action, form)
        assert shown in viewer.get(page).text, (action, form)
    assert "<form" not in viewer.get(page).text.partition('<main id="main">')[2]
    alice.post(f"{page}/-unpublish")
    assert "There is none yet" in alice.get(page).text


BAD_TERMS: list[tuple[str, dict[str, str]]] = [
    ("-link-end", {}),
    ("-link-end", {"ends": "at", "at": "soon"}),
    ("-link-end", {"ends": "at", "at": "2026-03-01T10:00"}),
    ("-link-end", {"ends": "at", "at": "9999-12-31T23:59", "zone_minutes": "-1439"}),
    ("-link-end", {"ends": "at", "at": "0001-01-01T00:00", "zone_minutes": "1439"}),
    ("-link-end", {"ends": "at", "at": "2026-06-01T10:00", "zone_minutes": "9" * 30}),
    ("-link-password", {"password": "short"}),
    ("-link-password", {"password": "x" * 5000}),
    ("-link-password", {}),
]


def test_terms_that_cannot_be_are_refused_in_words(alice: httpx.Client, home: str, world: World) -> None:
    world.deploy(interactive("notebook"))
    page = f"{home}/jobs/jobs.notebook"
    alice.post(f"{page}/-publish")
    before = alice.get(page).text
    for action, form in BAD_TERMS:
        refused = alice.post(f"{page}/{action}", data=form)
        assert (refused.status_code, f'href="{page}"' in refused.text) == (400, True), form
    assert alice.get(page).text == before
