"""The right to go on: without contact with the server for too long, a run must end.

The server starts the next attempt when it has not heard of this one for a lease and a margin. So the
runner gives up first, by a clock that nothing it waits for can hold up: an own thread that only sleeps.
"""

from __future__ import annotations

import threading
from collections.abc import Callable

from homeport_runner import clocks

# Sleep is not counted while the machine is suspended, the lease is: look at the clock often enough.
_LONGEST_NAP = 5.0


class Lease(threading.Thread):
    def __init__(self, seconds: float, since: float, on_over: Callable[[], object]) -> None:
        super().__init__(name="lease", daemon=True)
        self._seconds = seconds
        self._renewed_at = since
        self._on_over = on_over
        self._disarmed = threading.Event()

    def renew(self, at: float) -> None:
        """The server heard us, not before `at`."""
        self._renewed_at = max(self._renewed_at, at)

    def disarm(self) -> None:
        """The run's process has ended; there is nothing left to be stopped."""
        self._disarmed.set()

    def run(self) -> None:
        while True:
            left = self._renewed_at + self._seconds - clocks.now()
            if left <= 0:
                break
            if self._disarmed.wait(min(left, _LONGEST_NAP)):
                return
        if not self._disarmed.is_set():
            self._on_over()
