"""Rings that wake a waiting thread or coroutine of this process at once.

A ring is a hint, never the message: what happened stands in the database, and whoever waits looks there, also
without a ring after a while, for another server's rings are not heard here.
"""

import asyncio
import threading
from collections import defaultdict
from collections.abc import Callable, Hashable, Iterator
from contextlib import contextmanager, suppress


class _Silenced(Exception):
    """There is nothing to wait for any more."""


class Bells:
    """Named bells. Listening starts with `heard`; what rings from then on is not missed."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._are_silenced = threading.Event()
        self._listeners: dict[Hashable, set[Callable[[], None]]] = defaultdict(set)

    def ring(self, *topics: Hashable) -> None:
        """Wake everybody who listens to one of the topics."""
        with self._lock:
            listeners = [listener for topic in topics for listener in self._listeners.get(topic, ())]
        for listener in listeners:
            listener()

    def silence(self) -> None:
        """The server is about to stop: whoever waits for a bell is put out of the block in which it is heard."""
        self._are_silenced.set()
        with self._lock:
            topics = list(self._listeners)
        self.ring(*topics)

    @contextmanager
    def heard(self, topic: Hashable) -> Iterator["AsyncBell"]:
        """Listen to a topic from a coroutine, until the block ends or the bells are silenced."""
        bell = AsyncBell(asyncio.get_running_loop(), self._are_silenced)
        with self.wakes(topic, bell.ring), suppress(_Silenced):
            yield bell

    @contextmanager
    def wakes(self, topic: Hashable, listener: Callable[[], None]) -> Iterator[None]:
        """Call `listener`, from the ringing thread, at every ring while the block runs."""
        with self._lock:
            self._listeners[topic].add(listener)
        try:
            yield
        finally:
            with self._lock:
                self._listeners[topic].discard(listener)
                if not self._listeners[topic]:
                    del self._listeners[topic]


class AsyncBell:
    """Remembers a ring until somebody waits for it."""

    def __init__(self, loop: asyncio.AbstractEventLoop, is_silenced: threading.Event) -> None:
        self._loop = loop
        self._is_silenced = is_silenced
        self._event = asyncio.Event()

    def ring(self) -> None:
        # a loop that is closing has nobody left to wake
        if not self._loop.is_closed():
            self._loop.call_soon_threadsafe(self._event.set)

    async def wait(self, seconds: float) -> None:
        """Until the next ring, `seconds` at most; a ring since the last wait counts."""
        if not self._is_silenced.is_set():
            with suppress(TimeoutError):
                await asyncio.wait_for(self._event.wait(), seconds)
            self._event.clear()
        if self._is_silenced.is_set():
            raise _Silenced


def log_of(run_id: Hashable) -> Hashable:
    """Rings when a run has new lines or ended."""
    return ("log", run_id)


def orders_for(run_id: Hashable) -> Hashable:
    """Rings when a run's runner must look for orders."""
    return ("orders", run_id)


RUNS_PENDING = "runs pending"
"""Rings when a run waits to be started."""

SCHEDULES_CHANGED = "schedules changed"

DEPLOYED = "deployed"
"""A workspace was deployed: its environments may be built."""
"""Rings when a scheduled moment may have come nearer."""
