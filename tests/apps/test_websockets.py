"""WebSockets go through as they are; fifty at once and a gigabyte leave memory flat."""

import asyncio
import resource
from datetime import timedelta
from typing import Any

import pytest
from starlette.types import Receive, Scope, Send
from websockets.asyncio.client import ClientConnection, connect
from websockets.exceptions import ConnectionClosed

from homeport.contract.public_links import UpdatePublicLinkRequest
from homeport.operations import app_visits, change_jobs, public_links
from homeport.proxy import heads, visits
from homeport.proxy.frames import Frames
from homeport.store import apps

from ..builders import until
from .conftest import Stage, near_and_far

MIB = 1024 * 1024
SIZE = 1024 * MIB
GROWTH = 64 * MIB


async def echo(scope: Scope, receive: Receive, send: Send) -> None:
    """Sends back what it gets; over HTTP, as many bytes as it is asked for, or the count of what it got."""
    if scope["type"] == "websocket":
        await receive()
        await send({"type": "websocket.accept"})
        while (message := await receive())["type"] == "websocket.receive":
            await send({"type": "websocket.send", "text": message["text"]})
        return
    await send({"type": "http.response.start", "status": 200, "headers": []})
    if scope["method"] == "GET":
        for _ in range(SIZE // MIB):
            await send({"type": "http.response.body", "body": b"x" * MIB, "more_body": True})
        await send({"type": "http.response.body", "body": b""})
        return
    got, more = 0, True
    while more:
        message = await receive()
        got += len(message.get("body", b""))
        more = message.get("more_body", False)
    await send({"type": "http.response.body", "body": b"%d" % got})


@pytest.fixture
def host(stage: Stage) -> str:
    host = stage.deploy()
    stage.serve(echo, ws_ping_interval=0.2)
    return host


def dial(stage: Stage, host: str, **headers: str) -> Any:
    """By Alice, with a key, where the headers do not say who it is."""
    headers = headers or {"Authorization": f"Bearer {stage.world.key_of(stage.world.alice)}"}
    return connect(
        f"ws://{host}/",
        host="127.0.0.1",
        port=stage.port,
        additional_headers=headers,
        proxy=None,
        open_timeout=120,
    )


@near_and_far
def test_fifty_people_at_once_each_hear_their_own(stage: Stage, host: str) -> None:
    async def person(number: int) -> None:
        async with dial(stage, host) as socket:
            for turn in range(20):
                await socket.send(f"{number} {turn} " + "x" * 10_000)
                assert str(await socket.recv()).startswith(f"{number} {turn} ")

    async def everybody() -> None:
        await asyncio.gather(*(person(number) for number in range(50)))

    asyncio.run(everybody())


def peak() -> int:
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * 1024


@near_and_far
def test_a_gigabyte_in_each_direction_leaves_memory_flat(stage: Stage, host: str) -> None:
    """Visitor, proxy, tunnel and app are all in this process."""
    program = stage.program(host)
    assert program.post("/", content=(b"x" * MIB for _ in range(16))).text == str(16 * MIB)
    before = peak()
    with program.stream("GET", "/") as answer:
        assert sum(len(piece) for piece in answer.iter_raw()) == SIZE
    assert program.post("/", content=(b"x" * MIB for _ in range(SIZE // MIB))).text == str(SIZE)
    assert peak() - before < GROWTH


def used_at(stage: Stage) -> Any:
    with stage.world.database.read() as tx:
        return tx.execute(apps.uses.select()).all()


def test_an_open_socket_counts_as_use_only_while_data_flows(stage: Stage, host: str) -> None:
    """Pings go to and fro all the time."""
    stage.proxy.uses.every_seconds = 0.05
    world = stage.world

    async def linger() -> None:
        async with dial(stage, host) as socket:
            await _say(socket)
            await _until(lambda: used_at(stage))
            noted = used_at(stage)
            world.advance(minutes=1)
            for _ in range(3):
                await (await socket.ping())
                await _until(lambda: not stage.proxy.uses._touched)
            assert used_at(stage) == noted
            await _say(socket)
            await _until(lambda: used_at(stage) != noted)

    asyncio.run(linger())


async def _say(socket: ClientConnection) -> None:
    await socket.send("hello")
    assert await socket.recv() == "hello"


async def _until(condition: Any) -> None:
    await asyncio.to_thread(until, condition)


@pytest.mark.parametrize("by", ["its end", "another password", "unpublish"])
def test_a_guests_open_socket_is_cut_soon_after_the_link_is_no_more_what_it_was(
    stage: Stage, host: str, by: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(visits, "_CHECK_AGAIN_SECONDS", 0.1)
    world, job_id = stage.world, stage.world.current("notebook").job.id
    of_link = (world.platform, world.alice, world.workspace.id, job_id)
    secret = str(change_jobs.publish(*of_link).public_secret)
    tomorrow = world.clock.now() + timedelta(days=1)
    public_links.change(*of_link, UpdatePublicLinkRequest(expires_at=tomorrow))
    cookie = f"{heads.LINK_COOKIE}={app_visits.follow_link(world.platform, 'notebook', secret)}"

    async def linger() -> None:
        async with dial(stage, host, Cookie=cookie) as socket:
            await _say(socket)
            if by == "its end":
                world.advance(days=1)
            elif by == "unpublish":
                change_jobs.unpublish(*of_link)
            else:
                public_links.change(*of_link, UpdatePublicLinkRequest(password="open sesame"))
            with pytest.raises(ConnectionClosed):
                await socket.recv()

    asyncio.run(linger())


PING, TEXT = b"\x89\x84mask" + b"\x00" * 4, b"\x81\x85mask" + b"hello"
LONG = b"\x82\x7e\x01\x00" + b"x" * 256
VERY_LONG = b"\x82\x7f" + (70_000).to_bytes(8, "big") + b"x" * 70_000


@pytest.mark.parametrize(
    ("said", "is_data"),
    [(PING, False), (TEXT, True), (PING * 3, False), (PING + TEXT, True), (LONG, True), (VERY_LONG, True)],
)
def test_frames_are_told_apart_however_they_are_cut(said: bytes, is_data: bool) -> None:
    assert Frames().feed(said) is is_data
    in_bytes = Frames()
    each = [in_bytes.feed(said[place : place + 1]) for place in range(len(said))]  # all of them are fed
    assert any(each) is is_data
    after = Frames()
    after.feed(said)
    assert after.feed(PING) is False
