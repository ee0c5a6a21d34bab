"""Stands by a process from its start to its end: passes on orders to stop, minds the time."""

from __future__ import annotations

import signal
from dataclasses import dataclass, replace

from homeport_runner import clocks
from homeport_runner.memory import Limit, Watch, exceeded, killed_by_kernel, kills_by_kernel
from homeport_runner.orders import LOST, NOT_SERVING, TIMED_OUT, Orders
from homeport_runner.orphans import Orphans
from homeport_runner.process import Ended, TetheredProcess
from homeport_runner.spool import Spool
from homeport_runner.usage import Usage

EXITED = "exited"
SETUP_FAILED = "setup_failed"
OUT_OF_MEMORY = "out_of_memory"

# Waiting does not count suspended time, timeouts do.
_LONGEST_NAP = 5.0
_NEVER = float("inf")
_KILLED = (-signal.SIGKILL, 128 + signal.SIGKILL)
"""As the process itself ends, and as a shell tells it of its child."""


@dataclass(frozen=True)
class Ending:
    cause: str
    exit_code: int | None = None
    detail: str | None = None
    usage: Usage | None = None


def supervise(
    process: TetheredProcess,
    orders: Orders,
    spool: Spool,
    timeout: float | None,
    grace: float,
    stage: str,
    limit: Limit | None = None,
    orphans: Orphans | None = None,
) -> Ending:
    """Wait for the end. To stop: SIGTERM to the group, `grace` seconds, SIGKILL; for too much memory, at once.

    The grace matters: dlt takes the first SIGTERM as a request to finish at its next safe point, and a
    second one as "die now", so there is never a second one.
    """
    started_at = clocks.now()
    time_is_up_at = _NEVER if timeout is None else started_at + timeout
    kill_at = _NEVER
    cause: str | None = None
    memory = Watch(process.holder, limit)
    kills_before = kills_by_kernel()
    while process.ended is None:
        now = clocks.now()
        if now >= memory.next_at and memory.look():
            process.kill()
            memory.next_at = kill_at = _NEVER
            cause = cause or OUT_OF_MEMORY
            spool.remark(exceeded(memory.peak, limit), stage, "setup")
        if cause is None:
            cause = orders.cause or (TIMED_OUT if now >= time_is_up_at else None)
            if cause is not None:
                process.terminate()
                kill_at = now + grace
                # what the app's author has to change is for everybody who reads the log
                source = "setup" if cause == NOT_SERVING else "runner"
                spool.remark(_why(cause, orders, timeout), stage, source)
        elif now >= kill_at or (orders.is_urgent and kill_at != _NEVER):
            process.kill()
            kill_at = _NEVER
            spool.remark(f"It did not end within {grace:g} s of grace and was killed.", stage)
        next_at = min(kill_at if cause is not None else time_is_up_at, memory.next_at)
        if orphans is not None:
            if now >= orphans.next_at:
                for name in orphans.look():
                    spool.remark(f"The build had left a process behind ({name}); it was ended.", stage, "setup")
            next_at = min(next_at, orphans.next_at)
        orders.wait(min(next_at - clocks.now(), _LONGEST_NAP), process.descriptor)
        process.hear()
    ended = process.ended
    if not ended.is_clean:
        spool.remark("Something the run had started cannot be ended.", stage)
    usage = _usage(ended, memory.peak)
    if cause == OUT_OF_MEMORY and ended.was_signalled:
        return Ending(cause, ended.exit_code, exceeded(memory.peak, limit), usage)
    if cause is not None and ended.was_signalled:
        return Ending(cause, ended.exit_code, _detail(cause, orders, timeout), usage)
    # It had ended by itself when the order reached it: what it did counts.
    if ended.exit_code in _KILLED and kills_by_kernel() > kills_before:
        words = killed_by_kernel(memory.peak if usage is None else usage.peak_memory_bytes or 0, limit)
        spool.remark(words, stage, "setup")
        return Ending(OUT_OF_MEMORY, ended.exit_code, words, usage)
    return Ending(EXITED, ended.exit_code, None, usage)


def _usage(ended: Ended, peak: int) -> Usage | None:
    """What the kernel has counted, with what was seen of all processes together."""
    if ended.usage is None:
        return None
    return replace(ended.usage, peak_memory_bytes=max(peak, ended.usage.peak_memory_bytes or 0))


def _detail(cause: str, orders: Orders, timeout: float | None) -> str | None:
    if cause == TIMED_OUT:
        return "ran longer than its timeout of %g s" % (timeout or 0)
    return orders.detail if cause in (LOST, NOT_SERVING) else None


def _why(cause: str, orders: Orders, timeout: float | None) -> str:
    if cause == TIMED_OUT:
        return "The timeout of %g s is over: SIGTERM sent." % (timeout or 0)
    if cause in (LOST, NOT_SERVING):
        return f"Stopping: {orders.detail}."
    return "Cancelled: SIGTERM sent."
