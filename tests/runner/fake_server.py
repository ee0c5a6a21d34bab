"""A server with one attempt in memory that speaks the runner's protocol, and can go away and come back.

It keeps what a test wants to see: the lines by number, how often each arrived, every request.
"""

from __future__ import annotations

import hashlib
import json
import socket
import threading
import time
from collections.abc import Callable
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any
from urllib.parse import parse_qs, unquote, urlsplit

ATTEMPT = "hp-01test-1"
TICKET = "the-ticket"
SESSION = "the-session-token"

Line = tuple[str, str, str, str, str]


class FakeServer:
    def __init__(self, launch: dict[str, Any], code: bytes, configuration: bytes | None = None) -> None:
        self.packages = {"code": code, "configuration": configuration}
        self.launch = {
            "session": SESSION,
            "packages": {
                "code": {"sha256": hashlib.sha256(code).hexdigest()},
                "configuration": None
                if configuration is None
                else {"sha256": hashlib.sha256(configuration).hexdigest()},
            },
            **launch,
        }
        self.changed = threading.Condition()
        self.is_claimed = False
        self.cancel = False
        self.is_fenced = False
        self.broken: set[str] = set()
        """Names of requests that are answered with 503."""
        self.cuts_downloads = 0
        """How many more downloads to break off in the middle."""
        self.lines: dict[int, Line] = {}
        self.received = 0
        self.pid: int | None = None
        self.exit: dict[str, Any] | None = None
        self.requests: list[str] = []
        self.brought: list[tuple[str, bytes, float]] = []
        """Artifacts of pipelines: the name, the archive, its age."""
        self.artifacts: dict[str, bytes] = {}
        """What the runner may have, by the names of pipelines."""
        self.refuses_artifacts: int | None = None
        """The status that they are answered with."""
        self.refuses_line: Callable[[str], bool] = lambda content: False
        self._http: _Http | None = None
        self._port = 0
        self.come_back()

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self._port}"

    def come_back(self) -> None:
        """Listen, on the same port as before."""
        self._http = _Http(("127.0.0.1", self._port), _Handler, self)
        self._port = self._http.server_address[1]
        threading.Thread(target=self._http.serve_forever, args=(0.01,), daemon=True).start()

    def go_away(self) -> None:
        """Like kill -9: stop listening and drop every connection."""
        if self._http is not None:
            http, self._http = self._http, None
            http.shutdown()
            http.server_close()
            http.drop_connections()
        with self.changed:
            self.changed.notify_all()

    def wait(self, condition: Callable[[FakeServer], object], seconds: float = 20) -> None:
        with self.changed:
            if not self.changed.wait_for(lambda: condition(self), seconds):
                raise AssertionError(f"in vain; exit={self.exit}, last lines={self.contents()[-10:]}")

    def ask_for_cancel(self) -> None:
        with self.changed:
            self.cancel = True
            self.changed.notify_all()

    def contents(self, source: str | None = "user", io_stream: str | None = None) -> list[str]:
        """What the lines say, in the order of their numbers."""
        ordered = [self.lines[number] for number in sorted(self.lines)]
        return [line[4] for line in ordered if source in (None, line[2]) and io_stream in (None, line[1])]


class _Http(ThreadingHTTPServer):
    daemon_threads = True
    request_queue_size = 64

    def __init__(self, address: tuple[str, int], handler: type[_Handler], fake: FakeServer) -> None:
        self.fake = fake
        self._connections: set[socket.socket] = set()
        super().__init__(address, handler)

    def get_request(self) -> tuple[socket.socket, Any]:
        connection, address = super().get_request()
        connection.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        self._connections.add(connection)
        return connection, address

    def shutdown_request(self, request: Any) -> None:
        self._connections.discard(request)
        super().shutdown_request(request)

    def drop_connections(self) -> None:
        for connection in list(self._connections):
            try:
                connection.shutdown(socket.SHUT_RDWR)
            except OSError:
                continue

    def handle_error(self, request: Any, client_address: Any) -> None:
        """A connection that broke is what some tests are about."""


class _Answered(Exception):
    def __init__(self, status: int) -> None:
        self.status = status


class _Handler(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    server: _Http

    def log_message(self, format: str, *args: Any) -> None:
        pass

    def do_GET(self) -> None:
        self._handle()

    def do_POST(self) -> None:
        self._handle()

    def do_PUT(self) -> None:
        self._handle()

    def _handle(self) -> None:
        fake = self.server.fake
        content = self.rfile.read(int(self.headers.get("Content-Length", 0)))
        body = {} if self.command == "PUT" else json.loads(content or "{}")
        parts = urlsplit(self.path)
        prefix, _, name = parts.path.partition(f"/runner/v1/attempts/{ATTEMPT}/")
        assert prefix == "", self.path
        if fake._http is not self.server:
            return
        with fake.changed:
            fake.requests.append(name)
            try:
                self._check(fake, name, body)
                if name.startswith("packages/"):
                    data = fake.packages[name.removeprefix("packages/")]
                    assert data is not None
                    answer = data
                elif name.startswith("artifacts"):
                    answer = self._artifacts(
                        fake, unquote(name[len("artifacts/") :]), parse_qs(parts.query), content
                    )
                elif name == "control":
                    answer = self._control(fake, float(parse_qs(parts.query)["wait"][0]))
                else:
                    answer = json.dumps(getattr(self, "_" + name)(fake, body)).encode()
                status = 200
            except _Answered as answered:
                status, answer = answered.status, b'{"detail": "no"}'
            fake.changed.notify_all()
        if fake._http is not self.server:
            self.close_connection = True
            return
        length = len(answer)
        if name.startswith("packages/") and fake.cuts_downloads > 0:
            fake.cuts_downloads -= 1
            answer = answer[: length // 2]
            self.close_connection = True
        self.send_response(status)
        self.send_header("Content-Length", str(length))
        self.end_headers()
        self.wfile.write(answer)

    def _check(self, fake: FakeServer, name: str, body: dict[str, Any]) -> None:
        if name in fake.broken:
            raise _Answered(503)
        if name == "claim":
            if fake.is_claimed or body["ticket"] != TICKET:
                raise _Answered(409)
        elif self.headers["Authorization"] != f"Bearer {SESSION}" or fake.is_fenced:
            raise _Answered(401)

    def _claim(self, fake: FakeServer, body: dict[str, Any]) -> dict[str, Any]:
        fake.is_claimed = True
        return fake.launch

    def _control(self, fake: FakeServer, wait: float) -> bytes:
        until = time.monotonic() + wait
        while not (fake.cancel or fake.is_fenced or fake._http is not self.server):
            if not fake.changed.wait(until - time.monotonic()) and time.monotonic() >= until:
                break
        self._check(fake, "control", {})
        return json.dumps({"cancel": fake.cancel}).encode()

    def _artifacts(self, fake: FakeServer, pipeline: str, query: dict[str, list[str]], content: bytes) -> bytes:
        if self.command == "PUT":
            if fake.refuses_artifacts is not None:
                raise _Answered(fake.refuses_artifacts)
            fake.brought.append((pipeline, content, float(query["age"][0])))
            return b"{}"
        if pipeline:
            return fake.artifacts[pipeline]
        kept = [
            {"pipeline": name, "sha256": hashlib.sha256(archive).hexdigest(), "size_bytes": len(archive)}
            for name, archive in fake.artifacts.items()
        ]
        etag = hashlib.sha256(repr(kept).encode()).hexdigest()
        return json.dumps({"etag": etag, "pipelines": None if query.get("known") == [etag] else kept}).encode()

    def _lines(self, fake: FakeServer, body: dict[str, Any]) -> dict[str, Any]:
        if any(fake.refuses_line(line[4]) for line in body["lines"]):
            raise _Answered(422)
        fake.received += len(body["lines"])
        for number, line in enumerate(body["lines"], body["first"]):
            if number <= len(fake.lines):
                fake.lines.setdefault(number, tuple(line))
        return {"next": len(fake.lines), "cancel": fake.cancel}

    def _started(self, fake: FakeServer, body: dict[str, Any]) -> dict[str, Any]:
        fake.pid = body["pid"]
        return {}

    def _exit(self, fake: FakeServer, body: dict[str, Any]) -> dict[str, Any]:
        if fake.exit is not None:
            raise _Answered(409)
        fake.exit = body
        return {}
