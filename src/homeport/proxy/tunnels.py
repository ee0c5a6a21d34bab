"""Links that runners have dialled, by run: idle ones wait for a visitor, used ones can be used once more.

The first byte that is written to an idle link connects it to the app (`homeport_runner/tunnel.py`). An app in this
server's own network is reached at its port, without a detour over its runner, for as long as the runner holds a
link here: then the run lives, and the port is its app's.
"""

import asyncio
from collections import defaultdict, deque
from contextlib import suppress
from uuid import UUID

from homeport.proxy.routes import NoRoute
from homeport.proxy.streams import Stream

_PATIENCE_SECONDS = 10.0
"""A runner dials anew in a millisecond, and within three seconds after this server came back."""
_MOST_IDLE = 64
"""Of one run: more than any runner of ours offers."""
_MOST_KEPT = 16
_NEAR_SECONDS = 1.0
"""A connection within a machine is made at once, or its app is too busy to take it."""


class Tunnels:
    def __init__(self) -> None:
        self._idle: dict[UUID, deque[Stream]] = defaultdict(deque)
        self._kept: dict[UUID, deque[Stream]] = defaultdict(deque)
        self._waiting: dict[UUID, deque[asyncio.Future[Stream]]] = defaultdict(deque)
        self._near: dict[UUID, int] = {}
        """Ports of apps in this server's own network."""

    def offer(self, run_id: UUID, link: Stream, near: int | None = None) -> None:
        """A runner has dialled. `near`: the app's port, if it is in this server's own network."""
        if near is not None:
            self._near[run_id] = near
        waiting = self._waiting.get(run_id, ())
        while waiting:
            visitor = waiting.popleft()
            if not visitor.done():
                visitor.set_result(link)
                return
        idle = self._idle[run_id]
        self._drop_dead(idle)
        if len(idle) >= _MOST_IDLE:
            idle.popleft().close()
        idle.append(link)

    async def open(self, run_id: UUID, *, kept: bool) -> Stream:
        if kept and (found := self._take_kept(run_id)) is not None:
            return found
        near = self._near.get(run_id) if self._living(run_id) else None
        if near is not None and (app := await _connected(near)) is not None:
            return app
        idle = self._living(run_id)
        return idle.popleft() if idle else await self._wait(run_id)

    def keep(self, run_id: UUID, stream: Stream) -> None:
        kept = self._kept[run_id]
        kept.append(stream)
        if len(kept) > _MOST_KEPT:
            kept.popleft().close()

    def close(self) -> None:
        """This server goes; the runners dial again when it is back."""
        for links in [*self._idle.values(), *self._kept.values()]:
            for link in links:
                link.close()
            links.clear()

    def sweep(self) -> None:
        """Forget what is dead; runs end without telling us."""
        for run_id in [*self._idle, *self._kept]:
            for links in (self._idle, self._kept):
                self._drop_dead(links.get(run_id, deque()))
            if not any(found.get(run_id) for found in (self._idle, self._kept, self._waiting)):
                for known in (self._idle, self._kept, self._waiting, self._near):
                    known.pop(run_id, None)

    def _take_kept(self, run_id: UUID) -> Stream | None:
        kept = self._kept.get(run_id, deque())
        while kept:
            # the one that was used last: the app closes those that lie idle
            link = kept.pop()
            # an app that spoke without being asked is not listened to: it would answer somebody else's request
            if not link.has_ended and not link.holds_something:
                return link
            link.close()
        return None

    async def _wait(self, run_id: UUID) -> Stream:
        visitor: asyncio.Future[Stream] = asyncio.get_running_loop().create_future()
        self._waiting[run_id].append(visitor)
        try:
            return await asyncio.wait_for(visitor, _PATIENCE_SECONDS)
        except TimeoutError as error:
            raise NoRoute from error

    def _living(self, run_id: UUID) -> deque[Stream]:
        """The links of a run that wait for visitors."""
        idle = self._idle.get(run_id, deque())
        self._drop_dead(idle)
        return idle

    @staticmethod
    def _drop_dead(links: deque[Stream]) -> None:
        for link in [link for link in links if link.has_ended]:
            links.remove(link)
            link.close()


async def _connected(port: int) -> Stream | None:
    """A connection to an app of this network, if it takes one."""
    with suppress(OSError):  # a TimeoutError is one, too
        async with asyncio.timeout(_NEAR_SECONDS):
            _, stream = await asyncio.get_running_loop().create_connection(Stream, "127.0.0.1", port)
            return stream
    return None
