"""An app's request that came over a connection of the pages: never answered as if it were for them."""

from starlette.datastructures import Headers
from starlette.responses import PlainTextResponse
from starlette.types import ASGIApp, Receive, Scope, Send

from homeport.operations.app_addresses import AppAddresses


class AppsAreElsewhere:
    """ASGI middleware."""

    def __init__(self, app: ASGIApp, addresses: AppAddresses) -> None:
        self._app = app
        self._addresses = addresses

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] == "http" and self._addresses.is_of_apps(Headers(scope=scope).get("host", "")):
            words = "This is the address of an app; open another connection for it.\n"
            await PlainTextResponse(words, 421, {"Connection": "close"})(scope, receive, send)
        else:
            await self._app(scope, receive, send)
