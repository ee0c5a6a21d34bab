"""Ask a provider over HTTP. It may be down, slow or broken, and the rest of the server must not notice."""

import json
import threading
import time
from dataclasses import dataclass
from typing import Any

import httpx

from homeport.errors import Unavailable
from homeport.telemetry import events

_TIMEOUT = httpx.Timeout(5.0)
_WITHIN_SECONDS = 10.0
"""For a whole answer: one that comes byte by byte would never time out."""
_LARGEST_ANSWER = 1024 * 1024
_AT_ONCE = 8
"""Each request holds a thread of the server's; a provider that hangs may not have them all."""


@dataclass(frozen=True)
class Answer:
    status: int
    body: Any
    """JSON, parsed."""


class Asking:
    """Asks one provider. Whatever goes wrong is `Unavailable`, with a way out; nothing that is sent is told."""

    def __init__(self, name: str) -> None:
        self._name = name
        self._room = threading.BoundedSemaphore(_AT_ONCE)

    def get(self, url: str, **parts: Any) -> dict[str, Any]:
        """The object at an address."""
        answer = self.ask("GET", url, **parts)
        if answer.status != 200 or not isinstance(answer.body, dict):
            raise self.failed(url, f"answered with the status {answer.status}")
        return answer.body

    def ask(self, method: str, url: str, **parts: Any) -> Answer:
        """Any answer that is JSON, whatever its status; redirects are not followed."""
        if not self._room.acquire(blocking=False):
            raise self.failed(url, "is asked by too many at once")
        try:
            status, content = self._exchange(method, url, parts)
        except (httpx.HTTPError, httpx.InvalidURL) as error:
            raise self.failed(url, f"cannot be reached ({type(error).__name__})") from None
        finally:
            self._room.release()
        if status >= 500 or status == 429:
            raise self.failed(url, f"answered with the status {status}")
        try:
            return Answer(status, json.loads(content))
        except ValueError:
            raise self.failed(url, f"answered with something that is not JSON (status {status})") from None

    def _exchange(self, method: str, url: str, parts: dict[str, Any]) -> tuple[int, bytes]:
        until, content = time.monotonic() + _WITHIN_SECONDS, b""
        headers = {"Accept": "application/json", "User-Agent": "homeport", **parts.pop("headers", {})}
        # a client of its own: sign-ins are rare, and a connection that idles for days is seldom a good one
        with httpx.stream(method, url, headers=headers, timeout=_TIMEOUT, **parts) as answer:
            for chunk in answer.iter_bytes():
                content += chunk
                if len(content) > _LARGEST_ANSWER or time.monotonic() > until:
                    raise httpx.ReadTimeout("too long")
        return answer.status_code, content

    def failed(self, url: str, why: str) -> Unavailable:
        """The provider is not well, or not set up as it should be."""
        events.emit(events.PROVIDER_FAILED, provider=self._name, url=url, why=why)
        return Unavailable(
            f"{self._name} {why}. Try again shortly, or sign in with your password, a key or a link; the server's "
            "log has more for its administrator.",
            code="provider_unavailable",
        )
