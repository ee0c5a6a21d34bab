"""Publish and unpublish: a link to an app that needs no sign-in."""

import pytest

from ..builders import definition, interactive
from ..world import World
from .conftest import Ask

NOBODYS = "00000000-0000-0000-0000-000000000007"


@pytest.fixture
def path(world: World) -> str:
    """Of a notebook."""
    world.deploy(interactive("notebook"), definition("load"))
    return f"/jobs/{world.current('notebook').job.id}"


def page(ask: Ask, url: str) -> tuple[int, str]:
    answer = ask("GET", url.removeprefix("http://homeport.test"))
    return answer.status_code, answer.text


def test_each_publish_makes_a_new_link_and_the_one_before_leads_nowhere(ask: Ask, path: str) -> None:
    assert ask("GET", path).json()["public_url"] is None
    first = ask("POST", f"{path}/-publish").json()
    second = ask("POST", f"{path}/-publish").json()
    assert first["public_secret"] != second["public_secret"]
    assert second["public_url"] == f"http://homeport.test/p/{second['public_secret']}"
    assert ask("GET", path).json()["public_url"] == second["public_url"]
    assert page(ask, first["public_url"])[0] == 404
    status, text = page(ask, second["public_url"])
    assert status == 503  # an address of its own is what it needs to be shown
    assert "no address to be shown at" in text


def test_what_is_not_published_any_more_leads_nowhere(ask: Ask, path: str) -> None:
    url = ask("POST", f"{path}/-publish").json()["public_url"]
    for _ in range(2):
        answer = ask("POST", f"{path}/-unpublish")
        assert (answer.status_code, answer.json()["public_url"], answer.json()["public_secret"]) == (
            200,
            None,
            None,
        )
    assert page(ask, url)[0] == 404
    assert page(ask, f"/p/{NOBODYS}")[0] == 404
    assert page(ask, "/p/guessed")[0] == 404


def test_an_archived_app_is_not_reached_by_its_link(ask: Ask, path: str) -> None:
    url = ask("POST", f"{path}/-publish").json()["public_url"]
    ask("POST", f"{path}/-archive")
    assert page(ask, url)[0] == 404
    answer = ask("POST", f"{path}/-publish")
    assert (answer.status_code, answer.json()["code"]) == (409, "job_archived")
    ask("POST", f"{path}/-unarchive")
    assert page(ask, url)[0] == 503


def test_a_batch_job_has_nothing_to_show(world: World, ask: Ask, path: str) -> None:
    answer = ask("POST", f"/jobs/{world.current('load').job.id}/-publish")
    assert (answer.status_code, answer.json()["code"]) == (409, "job_not_interactive")


def test_a_deploy_keeps_the_link(world: World, ask: Ask, path: str) -> None:
    url = ask("POST", f"{path}/-publish").json()["public_url"]
    world.deploy(interactive("notebook", description="changed"), definition("load"))
    assert ask("GET", path).json()["public_url"] == url


def test_secrets_of_links_are_not_those_of_keys(ask: Ask, path: str) -> None:
    """A link's secret is shown by the API by contract; nothing else is opened with it."""
    secret = ask("POST", f"{path}/-publish").json()["public_secret"]
    assert ask("GET", path, key=secret).status_code == 401
