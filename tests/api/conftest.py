"""The doors over a real platform; requests go straight into the application."""

import asyncio
import queue
import threading
import warnings
from collections.abc import Iterator
from typing import Any
from uuid import UUID

import httpx
import pytest
from fastapi import FastAPI

from homeport.server import build_app

from ..world import World

with warnings.catch_warnings():
    # it wants another package than httpx, which our own command line uses and which does as well
    warnings.simplefilter("ignore")
    from starlette.testclient import TestClient

ORIGIN = "http://homeport.test"


@pytest.fixture
def backend() -> str:
    """One will do: the statements behind the doors are held to their promises on both in other rooms."""
    return "sqlite"


@pytest.fixture
def app(world: World) -> FastAPI:
    platform = world.platform
    checks = {"database": platform.database.ping, "storage": platform.blobs.check, "engine": world.engine.open}
    return build_app(platform, checks)


class Door:
    """Asks as somebody. Paths beginning with `ws:` are below Alice's workspace."""

    def __init__(self, app: FastAPI, world: World) -> None:
        self.world = world
        self.ws = f"/api/v1/workspaces/{world.workspace.id}"
        self._client = TestClient(app, base_url=ORIGIN, raise_server_exceptions=False)

    def ask(self, method: str, path: str, bearer: str | None = "", **parts: Any) -> httpx.Response:
        """With Alice's key unless another credential is given; with none when that is None."""
        credential = self.world.api_key if bearer == "" else bearer
        headers = {"Authorization": f"Bearer {credential}"} if credential is not None else {}
        headers |= parts.pop("headers", {})
        found: httpx.Response = self._client.request(
            method, path.replace("ws:", self.ws), headers=headers, **parts
        )
        return found

    def get(self, path: str, bearer: str | None = "", **parts: Any) -> httpx.Response:
        return self.ask("GET", path, bearer, **parts)

    def post(self, path: str, bearer: str | None = "", **parts: Any) -> httpx.Response:
        return self.ask("POST", path, bearer, **parts)

    def dataplane_token(self) -> str:
        return str(self.post("ws:/-issue-dataplane-token").json()["token"])

    def logs(self, run_id: UUID, which: str, bearer: str | None = None) -> httpx.Response:
        path = f"/logs/v1/workspaces/{self.world.workspace.id}/job-runs/{run_id}/{which}"
        return self.get(path, bearer or self.dataplane_token())


@pytest.fixture
def door(app: FastAPI, world: World) -> Door:
    return Door(app, world)


class Listening:
    """A GET whose answer is taken piece by piece, while it comes."""

    def __init__(self, app: FastAPI, path: str, bearer: str) -> None:
        self._messages: queue.Queue[dict[str, Any]] = queue.Queue()
        self._thread = threading.Thread(target=asyncio.run, args=(self._listen(app, path, bearer),), daemon=True)
        self._thread.start()

    def next(self) -> dict[str, Any]:
        return self._messages.get(timeout=20)

    def text(self) -> str:
        return str(self.next()["body"].decode())

    def wait(self) -> None:
        self._thread.join(20)
        assert not self._thread.is_alive()

    async def _listen(self, app: FastAPI, path: str, bearer: str) -> None:
        for_ever = asyncio.Event()

        async def receive() -> dict[str, Any]:
            await for_ever.wait()
            return {"type": "http.disconnect"}

        async def send(message: Any) -> None:
            self._messages.put(message)

        headers = [(b"host", b"homeport.test"), (b"authorization", f"Bearer {bearer}".encode())]
        scope = {
            "type": "http",
            "asgi": {"version": "3.0", "spec_version": "2.4"},
            "http_version": "1.1",
            "method": "GET",
            "scheme": "http",
            "path": path,
            "raw_path": path.encode(),
            "query_string": b"",
            "root_path": "",
            "headers": headers,
            "server": ("homeport.test", 80),
            "client": ("127.0.0.1", 1),
        }
        await app(scope, receive, send)


@pytest.fixture
def listen(app: FastAPI, world: World, door: Door) -> Iterator[Any]:
    """Open a run's log-stream; it must end by itself."""
    opened: list[Listening] = []

    def open_stream(run_id: UUID) -> Listening:
        path = f"/logs/v1/workspaces/{world.workspace.id}/job-runs/{run_id}/log-stream"
        opened.append(Listening(app, path, door.dataplane_token()))
        return opened[-1]

    yield open_stream
    for stream in opened:
        stream.wait()
