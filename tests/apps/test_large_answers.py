"""Large answers of a known length go from socket to socket: whole, at their ends, and when somebody leaves."""

import random
import socket
import threading
from collections.abc import Callable
from contextlib import suppress

import httpx
import pytest
from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Route

from homeport.operations import app_visits, change_jobs
from homeport.proxy import heads, visits

from .conftest import Stage, near_and_far
from .test_odd_apps import raw_app

CONTENT = random.Random(8).randbytes(5_000_003)
HEAD = b"HTTP/1.1 200 OK\r\nContent-Length: %d\r\n\r\n"
FOR_EVER = 1 << 40


def deployed(stage: Stage, port: int) -> str:
    host = stage.deploy()
    stage.tunnel(stage.world.claim(stage.start("notebook")), port)
    return host


@near_and_far
def test_they_arrive_as_they_are_one_after_another_on_the_same_connections(stage: Stage) -> None:
    peers = set()

    async def app(request: Request) -> Response:
        peers.add(request.client)
        return Response(CONTENT[: int(request.path_params["size"])])

    host = stage.deploy()
    stage.serve(Starlette(routes=[Route("/{size}", app)]))
    program = stage.program(host)
    for size in (len(CONTENT), 0, 1 << 20, 300_000, len(CONTENT), 7):
        answer = program.get(f"/{size}")
        assert answer.content == CONTENT[:size]
    assert program.head(f"/{len(CONTENT)}").headers["content-length"] == str(len(CONTENT))
    assert program.get("/3").content == CONTENT[:3]
    assert len(peers) == 1


@near_and_far
@pytest.mark.parametrize("sent", [0, 1000, 3_000_000])
def test_one_that_is_broken_off_is_not_taken_for_the_whole(stage: Stage, sent: int) -> None:
    with raw_app(lambda app: app.sendall(HEAD % len(CONTENT) + CONTENT[:sent])) as port:
        program = stage.program(deployed(stage, port))
        with pytest.raises((httpx.RemoteProtocolError, httpx.ReadError)):
            program.get("/")


@near_and_far
def test_what_an_app_says_behind_its_answer_is_nobodys_answer(stage: Stage) -> None:
    said = HEAD % len(CONTENT) + CONTENT + b"HTTP/1.1 200 OK\r\nContent-Length: 4\r\n\r\nevil"

    def answer(app: socket.socket) -> None:
        app.sendall(said)
        app.recv(65536)

    with raw_app(answer) as port:
        program = stage.program(deployed(stage, port))
        for _ in range(3):
            assert program.get("/").content == CONTENT


def without_end(ended: threading.Event) -> Callable[[socket.socket], None]:
    def answer(app: socket.socket) -> None:
        try:
            app.sendall(HEAD % FOR_EVER)
            while True:
                app.sendall(bytes(100_000))
        except OSError:
            ended.set()

    return answer


@near_and_far
def test_who_leaves_in_the_middle_is_missed_by_the_app(stage: Stage) -> None:
    ended = threading.Event()
    with raw_app(without_end(ended)) as port:
        host = deployed(stage, port)
        with stage.ask(host) as visitor:
            assert visitor.recv(1_000_000)
        assert ended.wait(20)


def test_a_guest_who_reads_nothing_is_put_out_all_the_same(stage: Stage, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(visits, "_CHECK_AGAIN_SECONDS", 0.1)
    world, ended = stage.world, threading.Event()
    with raw_app(without_end(ended)) as port:
        host = deployed(stage, port)
        of_link = (world.platform, world.alice, world.workspace.id, world.current("notebook").job.id)
        secret = str(change_jobs.publish(*of_link).public_secret)
        value = app_visits.follow_link(world.platform, "notebook", secret)
        with stage.ask(host, f"Cookie: {heads.LINK_COOKIE}={value}") as guest:
            assert guest.recv(1000)
            change_jobs.unpublish(*of_link)
            assert ended.wait(20)
            # what is under way may come yet, and then it ends: else this waits in vain
            with suppress(ConnectionResetError):
                while guest.recv(1_000_000):
                    pass
