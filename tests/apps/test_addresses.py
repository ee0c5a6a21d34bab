"""Where apps are, by setting; and that they are nowhere where the pages are."""

from collections.abc import Iterator
from itertools import islice
from typing import Any

import pytest

from homeport.config import Settings
from homeport.errors import SetupError
from homeport.operations.app_addresses import addresses_of, check, names_for, path_hint

from ..builders import LAUNCHERS, interactive
from ..world import World
from .conftest import Stage
from .test_letting_in import go
from .test_passing_through import ECHO, headers_seen

MAIN = "https://homeport.example.org"


@pytest.mark.parametrize(
    ("settings", "main", "url", "foreign"),
    [
        ({}, "http://localhost:4040", "http://book.localhost:4040/", "localhost:4040"),
        ({"apps_domain": "apps.example.org"}, MAIN, "https://book.apps.example.org/", "homeport.example.org"),
        ({"apps_domain": "example.org"}, MAIN, "https://book.example.org/", "homeport.example.org"),
        (
            {"apps_url": "https://apps.example.org"},
            MAIN,
            "https://apps.example.org/book/",
            "book.apps.example.org",
        ),
        (
            {"apps_url": "https://example.org/apps/"},
            MAIN,
            "https://example.org/apps/book/",
            "homeport.example.org",
        ),
    ],
)
def test_an_apps_address_is_read_as_it_is_written(
    settings: dict[str, str], main: str, url: str, foreign: str
) -> None:
    addresses = addresses_of(Settings(**settings), main)  # type: ignore[arg-type]
    assert addresses.url_of("book") == url
    _, _, host, path = url.split("/", 3)
    assert addresses.is_of_apps(host)
    assert addresses.name_in(host, f"/{path}") == "book"
    assert not addresses.is_of_apps(foreign)


def test_where_wildcard_names_lead_nowhere_apps_have_no_address() -> None:
    addresses = addresses_of(Settings(), MAIN)
    assert not addresses.is_of_apps("book.example.org")
    assert addresses.url_of("book") == f"{MAIN}/apps/book/"


def test_apps_cannot_be_where_the_server_is() -> None:
    taken = addresses_of(Settings(apps_url="http://127.0.0.1:4040"), "http://localhost:4040")
    with pytest.raises(SetupError, match="HOMEPORT_APPS_URL"):
        check(taken, "http://localhost:4040", "http://127.0.0.1:4040")


@pytest.mark.parametrize(
    ("launcher", "changes", "hint"),
    [
        ("marimo", {}, ""),
        ("mcp", {}, "mcp"),
        ("job", {"expose": {"interface": "mcp"}}, "mcp"),
        ("job", {"expose": {"interface": "rest_api"}}, ""),
        ("mcp", {"triggers": ["http:8080/tools/mcp"]}, "tools/mcp"),
    ],
)
def test_an_address_leads_to_where_the_app_has_something(
    launcher: str, changes: dict[str, Any], hint: str
) -> None:
    definition = interactive("tools") | changes
    definition["entry_point"]["launcher"] = f"{LAUNCHERS}.{launcher}"
    assert path_hint(definition) == hint


def test_names_are_short_and_never_run_out() -> None:
    found = list(islice(names_for("jobs.shop.My_Notebook", "Fruit Shop"), 4))
    assert found == [
        "my-notebook",
        "my-notebook-fruit-shop",
        "my-notebook-fruit-shop-2",
        "my-notebook-fruit-shop-3",
    ]
    assert next(names_for("jobs.www", "Fruit Shop")) == "www-fruit-shop"


def test_a_name_stays_a_jobs_and_nobody_elses(world: World) -> None:
    world.deploy(interactive("book"), interactive("shop.book"))
    names = {ref: world.current(ref).job.app_name for ref in ("book", "shop.book")}
    assert names == {"book": "book", "shop.book": "book-default"}
    world.deploy(interactive("book", description="changed"), interactive("shop.book"))
    assert world.current("book").job.app_name == "book"


@pytest.fixture
def shared(world: World) -> Iterator[Stage]:
    stage = Stage(world, apps_url="http://apps.localhost:{port}")
    yield stage
    stage.close()


@pytest.mark.parametrize(("launcher", "path"), [("marimo", "/notebook/a/b"), ("mcp", "/a/b")])
def test_below_a_path_apps_that_know_of_it_keep_it(shared: Stage, launcher: str, path: str) -> None:
    definition = interactive("notebook")
    definition["entry_point"]["launcher"] = f"{LAUNCHERS}.{launcher}"
    shared.world.deploy(definition)
    runner = shared.serve(ECHO)
    assert ("base_path" in str(runner.launch.command)) == (launcher == "marimo")
    answer = shared.program(f"apps.localhost:{shared.port}").get("/notebook/a/b")
    assert answer.json()["path"] == path
    assert headers_seen(answer).get("x-forwarded-prefix") == (None if launcher == "marimo" else "/notebook")


def test_below_a_path_an_app_that_cannot_know_of_it_says_so_in_its_log(shared: Stage) -> None:
    notes = {}
    for launcher in ("marimo", "streamlit", "mcp", "job", "dashboard"):
        definition = interactive(launcher)
        definition["entry_point"]["launcher"] = f"{LAUNCHERS}.{launcher}"
        shared.world.deploy(definition)
        notes[launcher] = shared.world.claim(shared.world.start(launcher)).launch.notes
    assert [launcher for launcher, said in notes.items() if said] == ["job", "dashboard"]
    assert "served below /job/" in notes["job"][0]
    assert "HOMEPORT_APPS_DOMAIN" in notes["job"][0]


def test_below_a_path_members_are_let_in_too(shared: Stage) -> None:
    shared.deploy()
    shared.serve(ECHO)
    browser = shared.browser(shared.world.alice)
    answer = go(browser, f"http://apps.localhost:{shared.port}/notebook/x?y=1")
    assert (answer.json()["path"], answer.json()["query"]) == ("/notebook/x", "y=1")
    [cookie] = [cookie for cookie in browser.cookies.jar if cookie.name == "homeport_app"]
    assert cookie.path == "/notebook/"
    assert shared.browser().get(f"http://apps.localhost:{shared.port}/nobody/").status_code == 404
