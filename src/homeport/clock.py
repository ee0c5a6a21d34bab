"""Time is passed in. Services hold a `Clock`, read it once per decision and sleep through it."""

import threading
import time
from datetime import UTC, datetime, timedelta
from typing import Protocol


class Clock(Protocol):
    def now(self) -> datetime:
        """The moment, aware, in UTC."""
        ...

    def wait(self, event: threading.Event, seconds: float) -> bool:
        """Sleep until `event` is set or `seconds` have passed; true when it was set."""
        ...


class SystemClock:
    """The machine's clock."""

    def now(self) -> datetime:
        return datetime.now(UTC)

    def wait(self, event: threading.Event, seconds: float) -> bool:
        return event.wait(seconds)


class FakeClock:
    """A clock that stands still until a test moves it. Waiting takes no time and moves nothing."""

    def __init__(self, now: datetime) -> None:
        self._now = now

    def now(self) -> datetime:
        return self._now

    def wait(self, event: threading.Event, seconds: float) -> bool:
        time.sleep(0)  # let other threads run; the test decides how time passes
        return event.is_set()

    def advance(self, by: timedelta) -> datetime:
        self._now += by
        return self._now
