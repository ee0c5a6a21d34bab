"""The first look at every connection: is it for the pages and the API, for an app, or a runner's link?

It stands where uvicorn has its own protocol. As soon as the head of the first request is there, the connection is
handed over for good, to uvicorn's protocol in most cases, which then works as if nobody had been before it.
"""

import asyncio
import re
from collections.abc import Callable
from contextlib import suppress
from dataclasses import dataclass
from typing import Any

import h11
from starlette.concurrency import run_in_threadpool
from uvicorn.protocols.http.auto import AutoHTTPProtocol

from homeport.errors import HomeportError, NotSignedIn
from homeport.operations import app_visits
from homeport.operations.platform import Platform
from homeport.proxy.streams import Gone, Stream
from homeport.proxy.tunnels import Tunnels
from homeport.proxy.uses import Uses
from homeport.proxy.visits import LONGEST_HEAD, ForPages, Visits
from homeport.telemetry import events, faults
from homeport_runner import network
from homeport_runner.tunnel import NETWORK_HEADER, PORT_HEADER, PROTOCOL

_HEAD_SECONDS = 60.0
_SWEEP_SECONDS = 30.0
_HOST = re.compile(rb"\r?\nhost[ \t]*:[ \t]*([^\r\n]*?)[ \t]*\r?\n", re.IGNORECASE)
_FROM_A_PROXY = re.compile(rb"\r?\n(?:x-forwarded-[a-z]+|forwarded|via)[ \t]*:", re.IGNORECASE)
_LINK = re.compile(rb"GET (?:/[^ ?]*)?/runner/v1/attempts/([A-Za-z0-9-]{1,60})/tunnel HTTP/1\.1\r?\n")
_PORT = re.compile(r"[1-9][0-9]{0,4}")
_SWITCHED = (
    b"HTTP/1.1 101 Switching Protocols\r\nConnection: Upgrade\r\nUpgrade: " + PROTOCOL.encode() + b"\r\n\r\n"
)
_END_OF_HEAD = re.compile(rb"\r?\n\r?\n")


class Proxy:
    """Everything that connections of one server have in common. Lives in the server's event loop."""

    def __init__(self, platform: Platform) -> None:
        self.platform = platform
        self.tunnels = Tunnels()
        self._network = network.name()
        self.uses = Uses(platform)
        self.visits = Visits(platform, self.tunnels, self.uses)
        self.fronts: set[_Front] = set()
        """Connections that nobody has yet."""
        self.is_closed = False
        self._tasks: set[asyncio.Task[None]] = set()
        self._housekeeping: asyncio.Task[None] | None = None

    def start(self, work: Any) -> None:
        """Carry out a coroutine that belongs to a connection."""
        if self._housekeeping is None:
            self._housekeeping = asyncio.create_task(self._keep_house())
        task: asyncio.Task[None] = asyncio.create_task(work)
        self._tasks.add(task)
        task.add_done_callback(self._tasks.discard)

    async def close(self) -> None:
        """Cut off every visitor and every link, and whoever comes yet."""
        self.is_closed = True
        for front in list(self.fronts):
            front.leave()
        tasks = [*self._tasks, *([self._housekeeping] if self._housekeeping else [])]
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)
        self.tunnels.close()
        await self.uses.write()

    async def _keep_house(self) -> None:
        swept_at = 0.0
        loop = asyncio.get_running_loop()
        while True:
            await asyncio.sleep(self.uses.every_seconds)
            try:
                await self.uses.write()
                if loop.time() - swept_at > _SWEEP_SECONDS:
                    swept_at = loop.time()
                    self.tunnels.sweep()
            except Exception as error:
                events.emit(events.PROXY_FAILED, **faults.shown(error))

    async def visit(
        self, client: Stream, peer: str, hand_over: Callable[[asyncio.Transport, bytes], None]
    ) -> None:
        try:
            await self.visits.serve(client, peer)
        except ForPages as request:
            hand_over(client.let_go(), request.received)
        except BaseException:
            client.abort()
            raise

    async def link(self, link: Stream, offer: "_Offer") -> None:
        """A runner offers a link for visitors of its app."""
        try:
            run_id = await run_in_threadpool(app_visits.serves, self.platform, offer.attempt_id, offer.session)
            await link.write(_SWITCHED)
        except HomeportError as error:
            status = b"401 Unauthorized" if isinstance(error, NotSignedIn) else b"503 Service Unavailable"
            await link.write(b"HTTP/1.1 " + status + b"\r\nConnection: close\r\nContent-Length: 0\r\n\r\n")
            link.close()
        except Gone:
            link.abort()
        except BaseException:
            link.abort()
            raise
        else:
            self.tunnels.offer(run_id, link, offer.port if self._is_near(link, offer) else None)

    def _is_near(self, link: Stream, offer: "_Offer") -> bool:
        """Whether a runner is in this server's network. Its word alone does not do: it must have called from an
        address of this machine, too.
        """
        return offer.network is not None and offer.network == self._network and link.is_local


def protocol_of(proxy: Proxy) -> type[asyncio.Protocol]:
    """The class that uvicorn makes an instance of for every connection."""
    return type("FrontProtocol", (_Front,), {"proxy": proxy})


class _Front(asyncio.Protocol):
    proxy: Proxy

    def __init__(self, **uvicorns: Any) -> None:
        self._uvicorns = uvicorns
        self._received = b""
        self._transport: asyncio.Transport | None = None
        self._timer: asyncio.TimerHandle | None = None

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        assert isinstance(transport, asyncio.Transport)
        self._transport = transport
        if self.proxy.is_closed:
            transport.close()
            return
        self.proxy.fronts.add(self)
        self._timer = asyncio.get_running_loop().call_later(_HEAD_SECONDS, self.leave)

    def leave(self) -> None:
        if self._transport is not None:
            self._transport.close()

    def connection_lost(self, exc: Exception | None) -> None:
        self._hold_no_longer()

    def data_received(self, data: bytes) -> None:
        self._received += data
        is_whole = _END_OF_HEAD.search(self._received) is not None
        if not is_whole and len(self._received) < LONGEST_HEAD:
            return
        transport = self._transport
        assert transport is not None
        self._hold_no_longer()
        peer = str((transport.get_extra_info("peername") or ("",))[0])
        host = _HOST.search(self._received)
        if host is not None and self.proxy.platform.apps.is_of_apps(host[1].decode("latin-1")):
            self.proxy.start(
                self.proxy.visit(Stream.adopt(transport, self._received), peer, self._hand_to_uvicorn)
            )
        elif is_whole and (offer := _offer_in(self._received)) is not None:
            self.proxy.start(self.proxy.link(Stream.adopt(transport, b""), offer))
        else:
            self._hand_to_uvicorn(transport, self._received)

    def _hand_to_uvicorn(self, transport: asyncio.Transport, head: bytes) -> None:
        inner: Any = AutoHTTPProtocol(**self._uvicorns)
        transport.set_protocol(inner)
        inner.connection_made(transport)
        if _FROM_A_PROXY.search(_END_OF_HEAD.split(head, 1)[0] + b"\n"):
            # a proxy in front of us may send an app's request on the same connection next, where nobody would look
            head = head.replace(b"\n", b"\nConnection: close\r\n", 1)
        inner.data_received(head)

    def _hold_no_longer(self) -> None:
        self.proxy.fronts.discard(self)
        if self._timer is not None:
            self._timer.cancel()
            self._timer = None


@dataclass(frozen=True)
class _Offer:
    """What the head of a link says."""

    attempt_id: str
    session: str
    network: str | None
    port: int | None


def _offer_in(received: bytes) -> _Offer | None:
    """What is offered, if this is a runner with a link."""
    line = _LINK.match(received)
    if line is None:
        return None
    connection = h11.Connection(h11.SERVER, max_incomplete_event_size=LONGEST_HEAD)
    with suppress(h11.RemoteProtocolError):
        connection.receive_data(received)
        request = connection.next_event()
        if isinstance(request, h11.Request):
            headers = {name.decode("ascii"): value.decode("latin-1") for name, value in request.headers}
            scheme, _, session = headers.get("authorization", "").partition(" ")
            if headers.get("upgrade", "").lower() == PROTOCOL and scheme.lower() == "bearer":
                port = headers.get(PORT_HEADER.lower(), "")
                return _Offer(
                    line[1].decode(),
                    session.strip(),
                    headers.get(NETWORK_HEADER.lower()),
                    int(port) if _PORT.fullmatch(port) else None,
                )
    return None
