"""The real application behind a real socket, and browsers that people are signed in with."""

import socket
import threading
from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import Any

import httpx
import pytest
import uvicorn
from starlette.types import ASGIApp, Receive, Scope, Send

from homeport.auth.principals import Principal
from homeport.operations import sign_in
from homeport.server import build_app
from homeport.web.visiting import COOKIE

from ..builders import definition
from ..world import World


class Door:
    """One socket for all tests of a process; each test puts its own application behind it."""

    def __init__(self) -> None:
        self.app: ASGIApp | None = None
        listening = socket.socket()
        listening.bind(("127.0.0.1", 0))
        self.url = f"http://127.0.0.1:{listening.getsockname()[1]}"
        config = uvicorn.Config(self, log_config=None, access_log=False, lifespan="off", ws="none")
        self._server = uvicorn.Server(config)
        self._thread = threading.Thread(target=self._server.run, kwargs={"sockets": [listening]}, daemon=True)
        listening.listen()  # connections wait here until the server takes them
        self._thread.start()

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        assert self.app is not None
        await self.app(scope, receive, send)

    def close(self) -> None:
        self._server.should_exit = True
        self._thread.join(20)


@pytest.fixture(scope="session")
def door() -> Iterator[Door]:
    door = Door()
    yield door
    door.close()


@pytest.fixture
def backend() -> str:
    """Pages do not care which database it is."""
    return "sqlite"


@dataclass
class Browsers:
    """Opens browsers on the pages of a world."""

    world: World
    url: str
    opened: list[httpx.Client] = field(default_factory=list)

    def of(self, person: Principal | None) -> httpx.Client:
        """A browser that somebody is signed in with, or nobody."""
        browser = httpx.Client(base_url=self.url, headers={"Origin": self.url}, timeout=20)
        self.opened.append(browser)
        if person is not None:
            key = self.world.key_of(person)
            browser.cookies.set(COOKIE, sign_in.open_session_with_key(self.world.platform, key))
        return browser


@pytest.fixture
def browsers(world: World, door: Door) -> Iterator[Browsers]:
    door.app = build_app(world.platform, {})
    browsers = Browsers(world, door.url)
    yield browsers
    for browser in browsers.opened:
        browser.close()


@pytest.fixture
def alice(browsers: Browsers) -> httpx.Client:
    """The owner's browser."""
    return browsers.of(browsers.world.alice)


@pytest.fixture
def nobody(browsers: Browsers) -> httpx.Client:
    """A browser that nobody is signed in with."""
    return browsers.of(None)


@pytest.fixture
def home(world: World) -> str:
    """The address of Alice's workspace."""
    return f"/w/{world.workspace.id}"


@pytest.fixture
def shop(world: World) -> World:
    """The world with a load, a report that follows it, and a check that waits until the load is fresh."""
    expose: dict[str, Any] = {"display_name": "Load the shop", "tags": ["ingest"], "manual": True}
    world.deploy(
        definition("shop.load", "every:5m", expose=expose, deliver={"pipeline_name": "fruitshop"}),
        definition("shop.report", "job.success:jobs.shop.load", description="The revenue per fruit"),
        definition("shop.check", "schedule:30 8 * * 1-5", freshness=["job.is_fresh:jobs.shop.load"]),
    )
    return world
