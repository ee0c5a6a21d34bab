"""Apps behind the real front door: real sockets, the runner's tunnel, real programs as apps; runs are rows."""

import socket
import threading
from collections import defaultdict
from collections.abc import Callable, Iterator
from dataclasses import replace
from typing import Any

import httpx
import pytest
import uvicorn
from starlette.types import ASGIApp

from homeport.auth.principals import Principal
from homeport.operations import sign_in
from homeport.operations.app_addresses import addresses_of
from homeport.proxy.front import Proxy, protocol_of
from homeport.server import Doors, build_app
from homeport.web.visiting import COOKIE
from homeport_runner import network
from homeport_runner.tunnel import Tunnel

from ..builders import interactive
from ..this_machine import to_this_machine
from ..world import Runner, World


def listening() -> socket.socket:
    """A socket on a port of its own. asyncio turns Nagle's algorithm off only where the protocol is named."""
    found = socket.socket(socket.AF_INET, socket.SOCK_STREAM, socket.IPPROTO_TCP)
    found.bind(("127.0.0.1", 0))
    found.listen(2048)
    return found


class Serving:
    """A uvicorn server in a thread of its own."""

    def __init__(self, server: uvicorn.Server, sock: socket.socket) -> None:
        self.port = int(sock.getsockname()[1])
        self._server = server
        self._thread = threading.Thread(target=server.run, kwargs={"sockets": [sock]}, daemon=True)
        self._thread.start()

    def close(self) -> None:
        self._server.should_exit = True
        # whoever is forced leaves connections to the garbage collector, which complains in some other test
        self._thread.join(2)
        self._server.force_exit = True
        self._thread.join(20)


def quiet(app: ASGIApp, **options: Any) -> uvicorn.Config:
    return uvicorn.Config(app, loop="asyncio", log_config=None, access_log=False, lifespan="off", **options)


class _ToThisMachine(httpx.BaseTransport):
    """As in browsers, each host has its own connections."""

    def __init__(self) -> None:
        self._hosts: dict[str, httpx.HTTPTransport] = defaultdict(httpx.HTTPTransport)

    def handle_request(self, request: httpx.Request) -> httpx.Response:
        connections = self._hosts[request.url.host]
        return connections.handle_request(to_this_machine(request))

    def close(self) -> None:
        for connections in self._hosts.values():
            connections.close()


class Stage:
    """A world whose door is open, and apps that are reached through it."""

    def __init__(self, world: World, *, is_near: bool = True, **settings: Any) -> None:
        """`is_near`: runners know that they are in the server's network."""
        self.world = world
        self._network = network.name() if is_near else None
        self._closing: list[Callable[[], object]] = []
        sock = listening()
        self.port = int(sock.getsockname()[1])
        self.url = f"http://localhost:{self.port}"
        settings = {
            name: value.format(port=self.port) if isinstance(value, str) else value
            for name, value in settings.items()
        }
        given = world.platform_with(**settings)
        apps = addresses_of(given.settings, self.url)
        world.platform = platform = replace(given, url=self.url, apps=apps)
        self.proxy = Proxy(platform)
        config = quiet(build_app(platform, {}), http=protocol_of(self.proxy))
        self._door = Serving(Doors(config, platform.bells, self.proxy), sock)

    def close(self) -> None:
        for close in reversed(self._closing):
            close()
        self._door.close()

    def deploy(self, name: str = "notebook", **parts: Any) -> str:
        """An interactive job; the answer is its app's host."""
        self.world.deploy(interactive(name, **parts))
        app_name = self.world.current(name).job.app_name
        assert app_name is not None
        return f"{app_name}.localhost:{self.port}"

    def serve(self, app: ASGIApp, name: str = "notebook", **options: Any) -> Runner:
        """A run of the job whose app is this one."""
        serving = Serving(uvicorn.Server(quiet(app, **options)), listening())
        self._closing.append(serving.close)
        return self.tunnel(self.world.claim(self.start(name)), serving.port)

    def start(self, name: str) -> Any:
        active = [run for run in self.world.runs_of(name) if not run.is_over]
        return active[-1] if active else self.world.start(name)

    def tunnel(self, runner: Runner, port: int) -> Runner:
        """What a runner does once its app answers at a port."""
        url = f"http://127.0.0.1:{self.port}"
        tunnel = Tunnel(url, runner.attempt_id, runner.launch.session, port, self._network)
        self._closing.append(tunnel.finish)
        tunnel.start()
        runner.begin()
        return runner

    def client(self, host: str) -> httpx.Client:
        """Speaks to an app, wherever its name leads."""
        client = httpx.Client(base_url=f"http://{host}", transport=_ToThisMachine(), timeout=20)
        self._closing.append(client.close)
        return client

    def program(self, host: str, person: Principal | None = None) -> httpx.Client:
        """With an API key."""
        client = self.client(host)
        client.headers["Authorization"] = f"Bearer {self.world.key_of(person or self.world.alice)}"
        return client

    def ask(self, host: str, header: str = "") -> socket.socket:
        """A request under way, of Alice unless a header says who; its answer is read by nobody yet."""
        visitor = socket.create_connection(("127.0.0.1", self.port), 20)
        header = header or f"Authorization: Bearer {self.world.key_of(self.world.alice)}"
        visitor.sendall(f"GET / HTTP/1.1\r\nHost: {host}\r\n{header}\r\n\r\n".encode())
        return visitor

    def browser(self, person: Principal | None = None) -> httpx.Client:
        """Goes to pages, keeps cookies, follows redirects."""
        client = self.client(f"localhost:{self.port}")
        client.headers.update({"Accept": "text/html", "Sec-Fetch-Mode": "navigate"})
        client.follow_redirects = True
        if person is not None:
            session = sign_in.open_session_with_key(self.world.platform, self.world.key_of(person))
            client.cookies.set(COOKIE, session, domain="localhost.local")
        return client


@pytest.fixture
def backend() -> str:
    """Visits do not care which database it is."""
    return "sqlite"


near_and_far = pytest.mark.parametrize("stage", ["near", "far"], indirect=True)
"""For tests of what goes to and fro: with the app in the server's network, and at the end of a tunnel."""


@pytest.fixture
def stage(world: World, request: pytest.FixtureRequest) -> Iterator[Stage]:
    stage = Stage(world, is_near=getattr(request, "param", "near") == "near")
    yield stage
    stage.close()
