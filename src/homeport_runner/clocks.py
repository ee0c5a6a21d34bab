"""The two clocks of a runner: one for durations, one for the time written beside a log line."""

from __future__ import annotations

import time

_BOOTTIME = getattr(time, "CLOCK_BOOTTIME", None)


def now() -> float:
    """Seconds that also pass while the machine is suspended, and that nobody can set back.

    A lease or a timeout that stands still with a closed lid would let a run live on after the server
    has given it up. Where there is no such clock (macOS), the monotonic one is the next best.
    """
    return time.monotonic() if _BOOTTIME is None else time.clock_gettime(_BOOTTIME)


def timestamp(nanoseconds_since_1970: int | None = None) -> str:
    """The wall clock, or a moment by it, as ISO 8601 UTC with microseconds."""
    now = time.time_ns() if nanoseconds_since_1970 is None else nanoseconds_since_1970
    seconds, nanoseconds = divmod(now, 1_000_000_000)
    return f"{time.strftime('%Y-%m-%dT%H:%M:%S', time.gmtime(seconds))}.{nanoseconds // 1000:06d}Z"
