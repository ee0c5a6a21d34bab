"""Remembers what must not be seen of the latest runs; working it out takes a look into a run's configuration."""

import threading
from collections import OrderedDict
from collections.abc import Callable
from typing import Any
from uuid import UUID

from homeport_runner.masking import Masking

__all__ = ["Masking", "Maskings", "masked"]

_REMEMBERED = 64
"""Runs; what each takes is small, but holds its secrets."""


class Maskings:
    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._by_run: OrderedDict[UUID, Masking] = OrderedDict()

    def of(self, run_id: UUID, work_out: Callable[[], Masking]) -> Masking:
        with self._lock:
            found = self._by_run.get(run_id)
        # outside of the lock: two that come at once work out the same
        masking = found or work_out()
        self.remember(run_id, masking)
        return masking

    def remember(self, run_id: UUID, masking: Masking) -> None:
        with self._lock:
            self._by_run[run_id] = masking
            self._by_run.move_to_end(run_id)
            while len(self._by_run) > _REMEMBERED:
                self._by_run.popitem(last=False)


def masked(value: Any, masking: Masking) -> Any:
    """A JSON document without secrets: in texts, in keys, and in numbers that are one."""
    if isinstance(value, str):
        return masking.text(value)
    if isinstance(value, list):
        return [masked(inner, masking) for inner in value]
    if isinstance(value, dict):
        return {masking.text(key): masked(inner, masking) for key, inner in value.items()}
    if isinstance(value, int | float):
        text = str(value)
        hidden = masking.text(text)
        return value if hidden == text else hidden
    return value
