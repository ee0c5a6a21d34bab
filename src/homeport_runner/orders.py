"""What a running attempt is told from outside, and the bell that wakes the main thread to hear it.

Orders are only ever added, from any thread or from a signal handler; the main thread looks at them when
the bell rings. The bell is a pipe, because a pipe is what a signal handler may use at any moment (a lock
could be held by the very thread it interrupts) and what `select` can wait for beside other things.
"""

from __future__ import annotations

import contextlib
import os
import select
import signal
from types import FrameType

CANCELLED = "cancelled"
TIMED_OUT = "timed_out"
LOST = "lost"
NOT_SERVING = "not_serving"


class Stopped(Exception):
    """The attempt is to be stopped while it is still being prepared."""

    def __init__(self, cause: str) -> None:
        super().__init__(cause)
        self.cause = cause


class Orders:
    def __init__(self) -> None:
        self._bell, self._rope = os.pipe()
        os.set_blocking(self._bell, False)
        os.set_blocking(self._rope, False)
        self.cause: str | None = None
        """Why to stop; the first order counts."""
        self.detail: str | None = None
        self.is_urgent = False
        """No more patience: kill at once."""

    def cancel(self) -> None:
        """The server wants the attempt stopped."""
        self._stop(CANCELLED, None)

    def give_up(self, detail: str) -> None:
        """The app is of no use to anybody: it cannot be reached."""
        self._stop(NOT_SERVING, detail)

    def obey_signals(self) -> None:
        """Take SIGTERM and SIGINT for an order to stop: somebody is shutting the machine down."""
        for number in (signal.SIGTERM, signal.SIGINT):
            signal.signal(number, self._on_signal)

    def _on_signal(self, number: int, _frame: FrameType | None) -> None:
        if self.cause == LOST:
            self.is_urgent = True  # told twice: whoever asks has run out of patience
        self._stop(LOST, f"the runner was told to stop by signal {number} (machine shutting down?)")

    def _stop(self, cause: str, detail: str | None) -> None:
        if self.cause is None:
            self.detail = detail
            self.cause = cause
        self.ring()

    def check(self) -> None:
        """Raise `Stopped` if the attempt is not to go on; called between the steps of its preparation."""
        if self.cause is not None:
            raise Stopped(self.cause)

    def ring(self) -> None:
        with contextlib.suppress(BlockingIOError):  # full: it is ringing already
            os.write(self._rope, b"!")

    def wait(self, seconds: float, *others: int) -> None:
        """Until the bell rings, one of the other descriptors can be read, or time is up."""
        ready, _, _ = select.select([self._bell, *others], [], [], max(0.0, seconds))
        if self._bell in ready:
            with contextlib.suppress(BlockingIOError):
                os.read(self._bell, 4096)
