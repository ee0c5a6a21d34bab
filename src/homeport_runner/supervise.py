"""Stands by a process from its start to its end: passes on orders to stop, minds the time."""

from __future__ import annotations

from dataclasses import dataclass

from homeport_runner import clocks
from homeport_runner.orders import LOST, NOT_SERVING, TIMED_OUT, Orders
from homeport_runner.process import TetheredProcess
from homeport_runner.spool import Spool

EXITED = "exited"
SETUP_FAILED = "setup_failed"

# Waiting does not count suspended time, timeouts do.
_LONGEST_NAP = 5.0
_NEVER = float("inf")


@dataclass(frozen=True)
class Ending:
    cause: str
    exit_code: int | None = None
    detail: str | None = None


def supervise(
    process: TetheredProcess,
    orders: Orders,
    spool: Spool,
    timeout: float | None,
    grace: float,
    stage: str,
) -> Ending:
    """Wait for the end. To stop: SIGTERM to the group, `grace` seconds, SIGKILL.

    The grace matters: dlt takes the first SIGTERM as a request to finish at its next safe point, and a
    second one as "die now", so there is never a second one.
    """
    started_at = clocks.now()
    time_is_up_at = _NEVER if timeout is None else started_at + timeout
    kill_at = _NEVER
    cause: str | None = None
    while process.ended is None:
        now = clocks.now()
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
        next_at = kill_at if cause is not None else time_is_up_at
        orders.wait(min(next_at - clocks.now(), _LONGEST_NAP), process.descriptor)
        process.hear()
    ended = process.ended
    if not ended.is_clean:
        spool.remark("Something the run had started cannot be ended.", stage)
    if cause is None or not ended.was_signalled:
        # It had ended by itself when the order reached it: what it did counts.
        return Ending(EXITED, ended.exit_code)
    return Ending(cause, ended.exit_code, _detail(cause, orders, timeout))


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
