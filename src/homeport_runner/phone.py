"""Speaks HTTP with the server: one request, one answer or one of three ways not to get one.

A `Phone` holds one kept-alive connection and belongs to one thread. It never retries by itself (but for
a connection the server closed while it was idle); who calls decides how long to go on, with `Backoff`.

    PhoneError
    ├── Unreachable   no answer, or one that says "not now": try again
    ├── Fenced        401, 409: this attempt is over for the server: kill and leave
    └── Refused       any other 4xx: the server understood and does not want it
"""

from __future__ import annotations

import http.client
import json
import os
from collections.abc import Callable
from typing import Any
from urllib.parse import urlsplit

from homeport_runner import clocks

_NOT_NOW = frozenset({408, 425, 429})
_TIMEOUT_SECONDS = 30.0
_CHUNK = 256 * 1024
_JSON = "application/json"


class PhoneError(Exception):
    """A request to the server came to nothing."""


class Unreachable(PhoneError):
    """The server did not answer, or asks to be left alone for a moment."""


class Fenced(PhoneError):
    """The attempt is no longer ours."""


class Refused(PhoneError):
    """The server does not accept this request, now or later."""

    def __init__(self, status: int, detail: str) -> None:
        super().__init__(f"HTTP {status}: {detail}")
        self.status = status


class Backoff:
    """How long to wait before the next try: 0.2 s, doubling to 3 s.

    Spread by a quarter, so that a hundred runners do not knock in step on a server that just came back.
    """

    FIRST, LAST = 0.2, 3.0

    def __init__(self) -> None:
        self._next = self.FIRST

    def delay(self) -> float:
        current, self._next = self._next, min(self._next * 2, self.LAST)
        return current * (0.75 + os.urandom(1)[0] / 1024)

    def reset(self) -> None:
        self._next = self.FIRST


class Phone:
    """The line to one attempt's endpoints."""

    def __init__(
        self,
        server_url: str,
        attempt: str,
        session: str | None = None,
        on_contact: Callable[[float], None] | None = None,
        timeout: float = _TIMEOUT_SECONDS,
    ) -> None:
        self._url = urlsplit(server_url)
        self._base = "{}/runner/v1/attempts/{}".format(self._url.path.rstrip("/"), attempt)
        self._session = session
        self._on_contact = on_contact
        self._timeout = timeout
        self._connection: http.client.HTTPConnection | None = None

    def get(self, path: str, timeout: float | None = None) -> dict[str, Any]:
        return self._call("GET", path, None, timeout)

    def post(self, path: str, document: dict[str, Any]) -> dict[str, Any]:
        return self._call("POST", path, json.dumps(document).encode(), None)

    def post_bytes(self, path: str, body: bytes) -> dict[str, Any]:
        """Post JSON that is encoded already."""
        return self._call("POST", path, body, None)

    def put_archive(self, path: str, body: bytes) -> dict[str, Any]:
        """A larger one may take longer: a second for each quarter of a MiB."""
        return self._call("PUT", path, body, self._timeout + len(body) / _CHUNK, "application/gzip")

    def download(self, path: str, take: Callable[[bytes], object]) -> None:
        """Hand the bytes of an answer to `take`, piece by piece."""
        response = self._request("GET", path, None, None)
        try:
            while True:
                piece = response.read(_CHUNK)
                if not piece:
                    break
                take(piece)
            if response.length:  # http.client does not complain when the connection ends too early
                raise Unreachable(f"the download broke off, {response.length} bytes are missing")
        except http.client.HTTPException as error:
            raise Unreachable(f"the download broke off: {error!r}") from error
        except OSError as error:
            raise Unreachable(f"the download broke off: {error}") from error
        finally:
            self.hang_up()

    def hang_up(self) -> None:
        if self._connection is not None:
            self._connection.close()
            self._connection = None

    def _call(
        self, method: str, path: str, body: bytes | None, timeout: float | None, kind: str = _JSON
    ) -> dict[str, Any]:
        response = self._request(method, path, body, timeout, kind)
        try:
            answer = json.loads(response.read() or b"{}")
        except (OSError, http.client.HTTPException, ValueError) as error:
            self.hang_up()
            raise Unreachable(f"unreadable answer: {error!r}") from error
        if not isinstance(answer, dict):
            raise Unreachable("unreadable answer: not an object")
        return answer

    def _request(
        self, method: str, path: str, body: bytes | None, timeout: float | None, kind: str = _JSON
    ) -> http.client.HTTPResponse:
        """Send, and sort the answer by its status."""
        sent_at = clocks.now()
        response = self._exchange(method, path, body, timeout or self._timeout, kind)
        if response.status < 300:
            if self._on_contact is not None:
                # The moment of sending, not of the answer: the server counts from when it heard us,
                # and the runner must never believe in its lease longer than the server does.
                self._on_contact(sent_at)
            return response
        detail = _beginning(response)
        self.hang_up()
        if response.status in (401, 409):
            raise Fenced(f"HTTP {response.status}: {detail}")
        if response.status >= 500 or response.status in _NOT_NOW:
            raise Unreachable(f"HTTP {response.status}: {detail}")
        raise Refused(response.status, detail)

    def _exchange(
        self, method: str, path: str, body: bytes | None, timeout: float, kind: str
    ) -> http.client.HTTPResponse:
        """One request on the kept connection; on a fresh one if the kept one turns out to be closed."""
        kept = self._connection is not None
        try:
            return self._send(method, path, body, timeout, kind)
        except (OSError, http.client.HTTPException) as error:
            self.hang_up()
            if not (kept and isinstance(error, ConnectionError)):
                raise Unreachable(_in_words(error)) from error
        try:
            return self._send(method, path, body, timeout, kind)
        except (OSError, http.client.HTTPException) as error:
            self.hang_up()
            raise Unreachable(_in_words(error)) from error

    def _send(
        self, method: str, path: str, body: bytes | None, timeout: float, kind: str
    ) -> http.client.HTTPResponse:
        connection = self._connection
        if connection is None:
            secure = self._url.scheme == "https"
            maker = http.client.HTTPSConnection if secure else http.client.HTTPConnection
            # No proxy on purpose: the control plane is spoken to directly.
            connection = self._connection = maker(self._url.hostname or "", self._url.port, timeout=timeout)
        connection.timeout = timeout
        if connection.sock is not None:
            connection.sock.settimeout(timeout)
        headers = {"Accept": "application/json"}
        if body is not None:
            headers["Content-Type"] = kind
        if self._session is not None:
            headers["Authorization"] = "Bearer " + self._session
        connection.request(method, f"{self._base}/{path}", body, headers)
        return connection.getresponse()


def _beginning(response: http.client.HTTPResponse) -> str:
    """The first words of an error's body, on one line."""
    try:
        return " ".join(response.read(300).decode("utf-8", "replace").split())
    except (OSError, http.client.HTTPException):
        return ""


def _in_words(error: Exception) -> str:
    return str(error) or type(error).__name__
