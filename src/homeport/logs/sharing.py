"""Readers who follow the same run get the same lines: what one was given is kept for the others, for a while.

What is shared is text that is ready to be sent, so that a second reader costs next to nothing but the sending.
"""

import threading
from collections import OrderedDict
from collections.abc import Callable, Hashable
from concurrent.futures import Future
from dataclasses import dataclass

_MOST_CHARS = 8 * 1024 * 1024
"""Some ten batches of a run that prints as fast as it can: readers who follow are no further apart."""


@dataclass(frozen=True)
class Ready:
    """Some lines as they are sent."""

    text: str
    next_line: int
    is_last: bool


class SharedPieces:
    def __init__(self, most_chars: int = _MOST_CHARS) -> None:
        self._lock = threading.Lock()
        self._most_chars = most_chars
        self._chars = 0
        self._kept: OrderedDict[Hashable, Ready] = OrderedDict()
        self._under_way: dict[Hashable, Future[Ready]] = {}

    def get(self, key: Hashable, make: Callable[[], Ready]) -> Ready:
        """What was made for this key, or is just being made, or is made now."""
        with self._lock:
            if key in self._kept:
                return self._kept[key]
            other = self._under_way.get(key)
            if other is None:
                ours = self._under_way[key] = Future()
        if other is not None:
            found = other.result()
            # nothing may have been there when the other looked; who asks now may have been told of more
            return found if found.text else make()
        return self._make(key, make, ours)

    def _make(self, key: Hashable, make: Callable[[], Ready], ours: Future[Ready]) -> Ready:
        try:
            found = make()
        except BaseException as error:
            with self._lock:
                del self._under_way[key]
            ours.set_exception(error)
            raise
        with self._lock:
            del self._under_way[key]
            if found.text:  # lines stay as they are; that there are none yet does not
                self._keep(key, found)
        ours.set_result(found)
        return found

    def _keep(self, key: Hashable, found: Ready) -> None:
        self._kept[key] = found
        self._chars += len(found.text)
        while self._chars > self._most_chars:
            _, dropped = self._kept.popitem(last=False)
            self._chars -= len(dropped.text)
