"""Bodies over the limit, over real connections to a real server: refused in words, soon, and in little memory."""

import json
import re
import socket
from collections.abc import Callable, Iterator
from contextlib import suppress
from itertools import repeat
from pathlib import Path

import pytest

from .servers import DEADLINE, Homeport

pytestmark = pytest.mark.acceptance

MIB = 1024 * 1024
LIMIT = 4 * MIB
SENT_AT_MOST = 200 * MIB
BLOCK = b"GET /healthz HTTP/1.1\r\nHost: x\r\n\r\n".ljust(64 * 1024, b"x")
"""What would be requests of its own if the server lost count of where a body ends."""

Framed = Callable[[int], tuple[str, Iterator[bytes]]]


@pytest.fixture
def small(own_server: Homeport) -> Homeport:
    own_server.settings["HOMEPORT_MAX_UPLOAD_BYTES"] = str(LIMIT)
    return own_server.start()


class Connection:
    def __init__(self, server: Homeport) -> None:
        host, port = server.url.removeprefix("http://").split(":")
        self._socket = socket.create_connection((host, int(port)), timeout=DEADLINE)
        self.sent = 0
        self.said = b""

    def __enter__(self) -> "Connection":
        return self

    def __exit__(self, *_: object) -> None:
        self._socket.close()

    def send(self, pieces: Iterator[bytes]) -> None:
        """Goes on until all is sent or the server hangs up, as a client does that never listens."""
        with suppress(ConnectionError):
            for piece in pieces:
                self._socket.sendall(piece)
                self.sent += len(piece)

    def hear(self) -> list[tuple[int, dict[str, object]]]:
        """All answers until the server hangs up, or until it waits for another request."""
        self._socket.settimeout(2)
        with suppress(ConnectionError, TimeoutError):
            while piece := self._socket.recv(MIB):
                self.said += piece
        bodies = re.split(rb"HTTP/1\.1 (\d{3}) ", self.said)[1:]
        found = []
        for status, rest in zip(bodies[::2], bodies[1::2], strict=True):
            content = rest.partition(b"\r\n\r\n")[2]
            found.append((int(status), json.loads(content) if content.startswith(b"{") else {}))
        return found


def head(server: Homeport, path: str, bearer: str, framing: str, kind: str = "application/json") -> bytes:
    host = server.url.removeprefix("http://")
    lines = [f"POST {path} HTTP/1.1", f"Host: {host}", f"Authorization: Bearer {bearer}", f"Content-Type: {kind}"]
    return "\r\n".join([*lines, framing, "", ""]).encode()


def with_length(size: int) -> tuple[str, Iterator[bytes]]:
    return f"Content-Length: {size}", repeat(BLOCK, size // len(BLOCK))


def in_chunks(size: int) -> tuple[str, Iterator[bytes]]:
    chunk = f"{len(BLOCK):x}\r\n".encode() + BLOCK + b"\r\n"
    return "Transfer-Encoding: chunked", repeat(chunk, size // len(BLOCK))


def peak_bytes(server: Homeport) -> int:
    status = Path(f"/proc/{server.process.pid}/status").read_text()
    found = re.search(r"VmHWM:\s+(\d+) kB", status)
    assert found
    return int(found[1]) * 1024


@pytest.mark.parametrize("framed", [with_length, in_chunks])
@pytest.mark.parametrize("target", ["json", "upload"])
def test_a_body_over_the_limit_is_refused_once_and_in_little_memory(
    small: Homeport, framed: Framed, target: str
) -> None:
    organization = small.organization_id()
    [workspace] = small.get(f"/organizations/{organization}/workspaces")["items"]
    path, bearer, kind, code = "/api/v1/keys", small.api_key, "application/json", "body_too_large"
    if target == "upload":
        issued = small.post(f"/workspaces/{workspace['id']}/deployments/-issue-upload", {})
        path = issued["upload_url"].removeprefix(small.url)
        bearer, kind, code = issued["upload_token"], "multipart/form-data; boundary=b", "upload_too_large"
    before = peak_bytes(small)
    framing, pieces = framed(SENT_AT_MOST)
    part = b'--b\r\nContent-Disposition: form-data; name="file"; filename="w.tar.gz"\r\n\r\n'
    first = part if target == "upload" else b'{"name": "'
    with Connection(small) as connection:
        connection.send(iter([head(small, path, bearer, framing, kind)]))
        if framing.startswith("Transfer"):
            first = f"{len(first):x}\r\n".encode() + first + b"\r\n"
        connection.send(iter([first]))
        connection.send(pieces)
        answers = connection.hear()
    [(status, body)] = answers
    assert (status, body["status_code"], body["code"]) == (413, 413, code)
    assert body.keys() == {"status_code", "code", "detail", "extra"}
    assert peak_bytes(small) - before < 24 * MIB
    assert small.http.get("/healthz").status_code == 200
    assert not list(small.data.glob("upload-*"))
    latest = small.http.get(f"/api/v1/workspaces/{workspace['id']}/deployments/latest")
    assert latest.status_code == 404


@pytest.mark.parametrize("framed", [with_length, in_chunks])
def test_the_next_request_on_the_connection_is_answered(small: Homeport, framed: Framed) -> None:
    """The rest of the body is read and thrown away, and is no request of its own."""
    framing, pieces = framed(2 * MIB)
    end = b"0\r\n\r\n" if framing.startswith("Transfer") else b""
    following = b"GET /readyz HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n"
    with Connection(small) as connection:
        connection.send(iter([head(small, "/api/v1/keys", small.api_key, framing)]))
        connection.send(pieces)
        connection.send(iter([end + following]))
        answers = connection.hear()
    statuses = [status for status, _ in answers]
    assert statuses == [413, 200], answers


def test_a_length_that_is_announced_is_refused_before_anything_is_sent(small: Homeport) -> None:
    with Connection(small) as connection:
        connection.send(iter([head(small, "/api/v1/keys", small.api_key, f"Content-Length: {1 << 40}")]))
        [(status, body)] = connection.hear()
    assert (status, body["code"]) == (413, "body_too_large")
