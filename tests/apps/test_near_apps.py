"""An app in the server's own network is reached at its port, if its runner can be believed."""

import socket
from collections.abc import Iterator
from contextlib import contextmanager

import pytest

from homeport_runner import network
from homeport_runner.tunnel import NETWORK_HEADER, PORT_HEADER

from ..builders import until
from .conftest import Stage, listening

ANSWER = b"HTTP/1.1 200 OK\r\nContent-Length: 3\r\n%s\r\n%s"


@contextmanager
def link(stage: Stage, port: int, name: str | None, calling_from: str = "127.0.0.1") -> Iterator[socket.socket]:
    """What a runner dials; its run is the app's."""
    runner = stage.world.claim(stage.start("notebook"))
    runner.begin()
    whereabouts = "" if name is None else f"{NETWORK_HEADER}: {name}\r\n{PORT_HEADER}: {port}\r\n"
    with socket.create_connection(("127.0.0.1", stage.port), 20, (calling_from, 0)) as dialled:
        dialled.sendall(
            f"GET /runner/v1/attempts/{runner.attempt_id}/tunnel HTTP/1.1\r\nHost: localhost\r\n"
            "Connection: Upgrade\r\nUpgrade: homeport-tunnel\r\n"
            f"Authorization: Bearer {runner.launch.session}\r\n{whereabouts}\r\n".encode()
        )
        assert dialled.recv(65536).startswith(b"HTTP/1.1 101")
        yield dialled


def answered(sock: socket.socket, words: bytes, header: bytes = b"Connection: close\r\n") -> None:
    assert sock.recv(65536).startswith(b"GET / HTTP/1.1\r\n")
    sock.sendall(ANSWER % (header, words))


def heard(visitor: socket.socket) -> bytes:
    """The answer, which may come in pieces."""
    answer = b""
    while b"\r\n\r\n" not in answer or len(answer.partition(b"\r\n\r\n")[2]) < 3:
        answer += visitor.recv(65536) or pytest.fail(f"broken off: {answer!r}")
    return answer.partition(b"\r\n\r\n")[2]


def test_it_is_reached_at_its_port_and_the_link_stays_where_it_is(stage: Stage) -> None:
    host = stage.deploy()
    with listening() as app, link(stage, app.getsockname()[1], network.name()) as unused:
        for _ in range(3):
            with stage.ask(host) as visitor:
                app.settimeout(20)
                connection, _ = app.accept()
                with connection:
                    answered(connection, b"app")
                assert heard(visitor) == b"app"
        unused.setblocking(False)
        with pytest.raises(BlockingIOError):
            unused.recv(1)


@pytest.mark.parametrize(
    ("name", "calling_from"),
    [(None, "127.0.0.1"), ("another-boot.4026531840", "127.0.0.1"), (network.name(), "127.0.0.2")],
    ids=["says nothing", "another network", "another address"],
)
def test_an_app_elsewhere_is_reached_by_its_link(stage: Stage, name: str | None, calling_from: str) -> None:
    """The port that it names is one of this machine: it must not be touched."""
    host = stage.deploy()
    with listening() as other, link(stage, other.getsockname()[1], name, calling_from) as used:
        with stage.ask(host) as visitor:
            answered(used, b"far")
            assert heard(visitor) == b"far"
        other.setblocking(False)
        with pytest.raises(BlockingIOError):
            other.accept()


def test_a_port_that_does_not_answer_is_left_to_the_runner(stage: Stage) -> None:
    host = stage.deploy()
    with listening() as closed:
        port = int(closed.getsockname()[1])
    with link(stage, port, network.name()) as used, stage.ask(host) as visitor:
        answered(used, b"far")
        assert heard(visitor) == b"far"


def test_a_port_is_touched_no_more_once_its_runner_is_gone(stage: Stage, monkeypatch: pytest.MonkeyPatch) -> None:
    """It may be anybody's by now."""
    monkeypatch.setattr("homeport.proxy.tunnels._PATIENCE_SECONDS", 0.2)
    host = stage.deploy()
    with listening() as app:
        with link(stage, app.getsockname()[1], network.name()):
            pass
        until(lambda: _status(stage, host) == b"503")
        app.setblocking(False)
        with pytest.raises(BlockingIOError):
            app.accept()


def _status(stage: Stage, host: str) -> bytes:
    with stage.ask(host) as visitor:
        return visitor.recv(65536).split()[1]


def test_a_server_that_goes_takes_leave_of_who_has_said_nothing_yet(stage: Stage) -> None:
    with socket.create_connection(("127.0.0.1", stage.port), 20) as silent:
        until(lambda: stage.proxy.fronts)
        stage.close()
        assert silent.recv(1) == b""


def test_a_connection_that_an_app_ends_is_let_go_by_the_server_too(
    stage: Stage, monkeypatch: pytest.MonkeyPatch
) -> None:
    """It was kept for the next request; apps close what lies idle."""
    monkeypatch.setattr("homeport.proxy.front._SWEEP_SECONDS", 0.0)
    stage.proxy.uses.every_seconds = 0.05
    host = stage.deploy()
    with listening() as app, link(stage, app.getsockname()[1], network.name()), stage.ask(host) as visitor:
        app.settimeout(20)
        connection, _ = app.accept()
        with connection:
            answered(connection, b"app", b"")
            assert heard(visitor) == b"app"
            connection.shutdown(socket.SHUT_WR)
            connection.settimeout(20)
            assert connection.recv(1) == b""
