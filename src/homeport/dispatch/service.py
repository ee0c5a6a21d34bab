"""How every background service starts, works and stops: one thread, one unit of work at a time.

`work(now)` does one unit and says how long to wait for the next; a ring of the service's bell cuts the wait
short. An exception is told and tried again: one bad job never stops the loop for the others.
"""

import threading
from collections.abc import Hashable
from contextlib import ExitStack
from datetime import datetime
from typing import Protocol

from homeport.bells import Bells
from homeport.clock import Clock
from homeport.telemetry import events, faults

AT_ONCE = 0.0
_AFTER_FAILURE_SECONDS = 1.0


class Duty(Protocol):
    """One thing the server does by itself."""

    @property
    def name(self) -> str: ...

    @property
    def topic(self) -> Hashable | None:
        """The bell that calls for it."""
        ...

    def work(self, now: datetime) -> float:
        """One unit of work; the answer is how many seconds may pass until the next look."""
        ...


class Service:
    """Runs a duty in a thread. Starting and stopping twice is harmless."""

    def __init__(self, duty: Duty, clock: Clock, bells: Bells) -> None:
        self.duty = duty
        self._clock = clock
        self._bells = bells
        self._wake = threading.Event()
        self._stopping = False
        self._thread: threading.Thread | None = None

    def start(self) -> None:
        if self._thread is None:
            self._thread = threading.Thread(target=self._run, name=f"homeport-{self.duty.name}", daemon=True)
            self._thread.start()

    def stop(self) -> None:
        """Ask to stop, and wait for the unit of work at hand."""
        self._stopping = True
        self._wake.set()
        if self._thread is not None:
            self._thread.join()

    @property
    def is_alive(self) -> bool:
        return self._thread is not None and self._thread.is_alive()

    def _run(self) -> None:
        with ExitStack() as listening:
            if self.duty.topic is not None:
                listening.enter_context(self._bells.wakes(self.duty.topic, self._wake.set))
            while not self._stopping:
                # cleared before the look, so that a ring during it leads to another look
                self._wake.clear()
                seconds = self._work()
                if seconds > AT_ONCE and not self._stopping:
                    self._clock.wait(self._wake, seconds)

    def _work(self) -> float:
        try:
            return self.duty.work(self._clock.now())
        except Exception as error:
            events.emit(events.SERVICE_FAILED, service=self.duty.name, **faults.shown(error))
            return _AFTER_FAILURE_SECONDS
