"""The terms of a public link: when it ends, its password, how often it was opened."""

from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from datetime import timedelta
from typing import Any
from uuid import uuid4

import pytest

from homeport.operations import app_visits
from homeport.store import apps, audit_log

from ..bad_values import MOMENTS
from ..builders import definition, interactive
from ..databases import on_both
from ..world import World
from .conftest import Ask

NONE: dict[str, Any] = {"expires_at": None, "has_password": False, "views": 0}
Terms = Callable[..., tuple[int, dict[str, Any]]]


@pytest.fixture
def backend() -> str:
    """But for what happens at once."""
    return "sqlite"


@pytest.fixture
def path(world: World) -> str:
    """Of a notebook."""
    world.deploy(interactive("notebook"), definition("load"))
    return f"/jobs/{world.current('notebook').job.id}"


@pytest.fixture
def terms(ask: Ask, path: str) -> Terms:
    """Set some and read them, or only read them."""

    def terms(key: str | None = None, **wanted: Any) -> tuple[int, dict[str, Any]]:
        method = "PATCH" if wanted else "GET"
        answer = ask(method, f"{path}/public-link", key, **({"json": wanted} if wanted else {}))
        return answer.status_code, answer.json()

    return terms


def is_told(found: tuple[int, dict[str, Any]], **expected: Any) -> bool:
    return found[0] == 200 and found[1].items() >= {**NONE, **expected}.items()


def test_a_job_that_is_not_published_has_no_terms(world: World, ask: Ask, path: str, terms: Terms) -> None:
    assert is_told(terms(), public_url=None)
    status, refused = terms(password="open sesame")
    assert (status, refused["code"]) == (409, "job_not_published")
    assert "dlthub job publish notebook" in refused["detail"]


def test_terms_are_set_one_by_one_and_the_address_stays(world: World, ask: Ask, path: str, terms: Terms) -> None:
    url = ask("POST", f"{path}/-publish").json()["public_url"]
    assert is_told(terms(), public_url=url)
    end = (world.clock.now() + timedelta(days=7)).isoformat().replace("+00:00", "Z")
    assert is_told(terms(expires_at=end), public_url=url, expires_at=end)
    assert is_told(terms(password="open sesame"), public_url=url, expires_at=end, has_password=True)
    assert is_told(terms(expires_at=None), has_password=True)
    assert is_told(terms(password=None), public_url=url)
    assert is_told(terms(unknown=1), public_url=url)


def test_a_password_is_kept_as_a_hash_and_told_nowhere(world: World, ask: Ask, path: str, terms: Terms) -> None:
    ask("POST", f"{path}/-publish")
    terms(password="open sesame")
    with world.database.read() as tx:
        link = apps.link_of(tx, world.current("notebook").job)
        log = audit_log.page(tx, world.alice.organization_id, limit=50, offset=0, cap=50)
    assert link is not None
    assert str(link.password_hash).startswith("$argon2id$")
    assert "sesame" not in str(link) + str(log) + ask("GET", path).text


def test_a_new_link_has_no_terms(ask: Ask, path: str, terms: Terms) -> None:
    ask("POST", f"{path}/-publish")
    terms(password="open sesame")
    ask("POST", f"{path}/-publish")
    assert is_told(terms())
    ask("POST", f"{path}/-unpublish")
    ask("POST", f"{path}/-publish")
    assert is_told(terms())


BAD: list[dict[str, Any]] = [
    *({"expires_at": moment} for moment in MOMENTS),
    {"expires_at": "2026-03-02T12:00:00Z"},
    {"expires_at": "2036-03-01T12:00:00Z"},
    {"expires_at": "tomorrow"},
    {"password": ""},
    {"password": "too short"},
    {"password": "x" * 201},
    {"password": "open sesame", "expires_at": "2020-01-01T00:00:00Z"},
]


def test_bad_terms_are_refused_and_change_nothing(ask: Ask, path: str, terms: Terms) -> None:
    ask("POST", f"{path}/-publish")
    for wanted in BAD:
        status, refused = terms(**wanted)
        assert status == 400, (wanted, refused)
        assert "sesame" not in str(refused)
    assert is_told(terms())


def test_what_has_no_app_to_show_takes_no_terms(world: World, ask: Ask, path: str, terms: Terms) -> None:
    url = ask("POST", f"{path}/-publish").json()["public_url"]
    load = world.current("load").job.id
    refused = ask("PATCH", f"/jobs/{load}/public-link", json={"password": None})
    assert (refused.status_code, refused.json()["code"]) == (409, "job_not_interactive")
    ask("POST", f"{path}/-archive")
    assert terms(password=None)[1]["code"] == "job_archived"
    assert ask("PATCH", f"/jobs/{uuid4()}/public-link", json={"password": None}).status_code == 404
    ask("POST", f"{path}/-unarchive")
    assert is_told(terms(), public_url=url)


def test_a_viewer_sees_terms_and_changes_none(world: World, ask: Ask, path: str, terms: Terms) -> None:
    ask("POST", f"{path}/-publish")
    key = world.key_of(world.invite("bob@here", "viewer"))
    assert is_told(terms(key))
    assert terms(key, password="open sesame")[0] == 403
    assert terms(world.key_of(world.stranger()[0]), password="open sesame")[0] == 404
    assert is_told(terms())


def test_the_audit_log_tells_who_published_and_with_which_terms(
    world: World, ask: Ask, path: str, terms: Terms
) -> None:
    ask("POST", f"{path}/-publish")
    terms(password="open sesame", expires_at="2026-03-09T12:00:00Z")
    terms(password=None, expires_at=None)
    terms(password=None)  # changes nothing
    log = ask("GET", f"/api/v1/organizations/{world.alice.organization_id}/audit-log").json()["items"]
    told = [
        (entry["action"], entry["target"], entry["detail"]) for entry in log if entry["target"] == "jobs.notebook"
    ]
    assert told == [
        ("public_link.change", "jobs.notebook", {"ends": "never", "password": "removed"}),
        ("public_link.change", "jobs.notebook", {"ends": "2026-03-09T12:00:00+00:00", "password": "set"}),
        ("job.change", "jobs.notebook", {"verb": "publish"}),
    ]


@on_both
def test_all_who_open_a_link_at_once_are_counted(world: World, ask: Ask, path: str, terms: Terms) -> None:
    secret = ask("POST", f"{path}/-publish").json()["public_secret"]
    with ThreadPoolExecutor(8) as pool:
        opened = [pool.submit(app_visits.follow_link, world.platform, "notebook", secret) for _ in range(24)]
    assert len({found.result() for found in opened}) == 1
    assert is_told(terms(), views=24)
