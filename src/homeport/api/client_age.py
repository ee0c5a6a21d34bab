"""The client's age: every answer names the oldest client we speak to, and an older one is refused."""

import re

from packaging.version import InvalidVersion, Version
from starlette.datastructures import Headers, MutableHeaders
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from homeport.api import errors
from homeport.errors import ClientTooOld

MIN_CLIENT_VERSION = Version("0.28.4")
HEADER = "x-dlthub-min-client-version"

_AGENT = re.compile(r"dlthub-(?:cli|python-sdk|mcp)/(\S+)")


class ClientAge:
    """ASGI middleware around the whole application (wire contract §1.2)."""

    def __init__(self, app: ASGIApp) -> None:
        self._app = app

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] != "http":
            await self._app(scope, receive, send)
            return

        async def send_with_header(message: Message) -> None:
            if message["type"] == "http.response.start":
                MutableHeaders(scope=message)[HEADER] = str(MIN_CLIENT_VERSION)
            await send(message)

        version = _client_version(Headers(scope=scope).get("user-agent", ""))
        if version is not None and version < MIN_CLIENT_VERSION:
            refusal = errors.answer(
                ClientTooOld(
                    f"dlthub-client {version} is too old for this server, which needs {MIN_CLIENT_VERSION} or "
                    "newer: upgrade it with `pip install -U dlthub-client`."
                )
            )
            await refusal(scope, receive, send_with_header)
            return
        await self._app(scope, receive, send_with_header)


def _client_version(agent: str) -> Version | None:
    found = _AGENT.match(agent)
    try:
        return None if found is None else Version(found.group(1))
    except InvalidVersion:
        return None
