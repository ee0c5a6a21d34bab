"""How an app is reached: a run goes in, a stream of bytes to its port comes out. The proxy knows no more of it."""

from typing import Protocol
from uuid import UUID

from homeport.proxy.streams import Stream


class NoRoute(Exception):
    """The app cannot be reached from this server now."""


class Routes(Protocol):
    async def open(self, run_id: UUID, *, kept: bool) -> Stream:
        """A connection to the app; raises `NoRoute`. `kept`: one that has served a request before will do."""
        ...

    def keep(self, run_id: UUID, stream: Stream) -> None:
        """The app's connection is at the beginning of a request again, for whoever comes next."""
        ...
