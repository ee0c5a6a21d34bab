"""The life of a run, as a table. The store applies a transition with one guarded statement; nobody else does.

    pending ──submit──▶ starting ──begin──▶ running ──succeed──▶ completed
       │                   │  │                │ │
       │                   │  │                │ └─fail, lose──▶ failed ◀── fail_launch, fail_setup, lose,
       │                   │  │                │ │                         never_serve
       │                   │  └──ask_cancel──┐ └──time_out──▶ cancelled
       │                   │                 ▼                   ▲
       │                   │             cancelling ─finish_cancel, time_out
       │                   │                 └─ succeed, fail, lose: an exit that crossed the request
       └─cancel_pending──▶ cancelled                             skipped: never left, never entered from here

A run that is tried again goes back from `starting` or `running` to `pending` (`retry`); it was not over meanwhile.
From `cancelling` it does not: somebody wants it to stop.

One cause, one named transition: two causes that lead to the same status stay apart by their `EndCause`.
The sets below the table are derived from it; nothing is listed twice (run contract §10, wire contract §12).
"""

from collections.abc import Mapping
from dataclasses import dataclass
from enum import StrEnum
from types import MappingProxyType


class RunStatus(StrEnum):
    """Where a run is, in the words of the wire."""

    PENDING = "pending"
    """Recorded, not given to an engine: not yet, or not again. Dispatch moves it on; a cancel or a hopeless launch
    ends it."""

    STARTING = "starting"
    """Given to an engine: environment and working folder are made ready. Its runner moves it on by reporting
    the first process; a failed setup or launch, a cancel or silence ends it."""

    RUNNING = "running"
    """Its process lives. The runner moves it on; the exit, a cancel, the time limit or silence ends it."""

    CANCELLING = "cancelling"
    """Asked to stop, process perhaps still alive. The runner moves it on; its exit or silence ends it."""

    COMPLETED = "completed"
    """Exited 0. Final."""

    FAILED = "failed"
    """Ended without success, and not because somebody or the limit stopped it. Final; `EndCause` says why."""

    CANCELLED = "cancelled"
    """Stopped by a person or by its time limit. Final; `EndCause` says which."""

    SKIPPED = "skipped"
    """Recorded as not run. Final from its first moment: a run that was started is never put here, because
    clients that follow a run would wait for ever."""


class EndCause(StrEnum):
    """Why a run is over. Kept beside the status, for there are more causes than final statuses."""

    EXITED = "exited"
    """The process ended by itself, with whatever code or signal; the exit status tells the rest."""

    SETUP_FAILED = "setup_failed"
    """No process was started: packages, environment or working folder could not be made. The runner says so."""

    LAUNCH_FAILED = "launch_failed"
    """No engine would or could place the runner. Dispatch says so."""

    CANCELLED = "cancelled"
    """Somebody asked for it."""

    TIMED_OUT = "timed_out"
    """It ran over `execute.timeout`; the limit is kept by the runner."""

    LOST = "lost"
    """Nothing was heard of its runner for longer than a lease, or the engine reported it gone. Dispatch says
    so, with a text. Not the user's failure: a retry may be right."""


@dataclass(frozen=True, slots=True)
class Transition:
    """A named step: takes a run from one of `sources` to `target`; has a `cause` when it ends the run."""

    name: str
    sources: frozenset[RunStatus]
    target: RunStatus
    cause: EndCause | None = None

    def applies_to(self, status: RunStatus) -> bool:
        return status in self.sources


def _transition(name: str, sources: str, target: str, cause: EndCause | None = None) -> Transition:
    return Transition(name, frozenset(map(RunStatus, sources.split())), RunStatus(target), cause)


SUBMIT = _transition("submit", "pending", "starting")
BEGIN = _transition("begin", "starting", "running")
RETRY = _transition("retry", "starting running", "pending")
ASK_CANCEL = _transition("ask_cancel", "starting running", "cancelling")

# A process that ended before the signal reached it ended by itself: what it did is not called cancelled.
SUCCEED = _transition("succeed", "running cancelling", "completed", EndCause.EXITED)
FAIL = _transition("fail", "running cancelling", "failed", EndCause.EXITED)

# An app is running once it answers: one that ends before has not got that far.
NEVER_SERVE = _transition("never_serve", "starting", "failed", EndCause.EXITED)

FAIL_LAUNCH = _transition("fail_launch", "pending starting", "failed", EndCause.LAUNCH_FAILED)
FAIL_SETUP = _transition("fail_setup", "starting", "failed", EndCause.SETUP_FAILED)
LOSE = _transition("lose", "starting running cancelling", "failed", EndCause.LOST)

CANCEL_PENDING = _transition("cancel_pending", "pending", "cancelled", EndCause.CANCELLED)
FINISH_CANCEL = _transition("finish_cancel", "cancelling", "cancelled", EndCause.CANCELLED)
# From `cancelling` too: when the limit and a person ask at once, what killed the process is what is reported.
TIME_OUT = _transition("time_out", "running cancelling", "cancelled", EndCause.TIMED_OUT)

TRANSITIONS: Mapping[str, Transition] = MappingProxyType(
    {
        transition.name: transition
        for transition in (
            SUBMIT,
            BEGIN,
            RETRY,
            SUCCEED,
            FAIL,
            NEVER_SERVE,
            FAIL_LAUNCH,
            FAIL_SETUP,
            LOSE,
            ASK_CANCEL,
            CANCEL_PENDING,
            FINISH_CANCEL,
            TIME_OUT,
        )
    }
)

ACTIVE: frozenset[RunStatus] = frozenset().union(*(t.sources for t in TRANSITIONS.values()))
"""Statuses that something can still change. A run in one of them holds its slot of the job's concurrency."""

TERMINAL: frozenset[RunStatus] = frozenset(RunStatus) - ACTIVE
"""Statuses that nothing changes any more."""

CANCELLABLE: frozenset[RunStatus] = CANCEL_PENDING.sources | ASK_CANCEL.sources
"""Statuses in which asking for a cancel has an effect."""

PLACED: frozenset[RunStatus] = LOSE.sources
"""Statuses in which a runner exists or may exist, so that somebody must watch over it."""

FAILURES: frozenset[RunStatus] = frozenset(t.target for t in TRANSITIONS.values() if t.target in TERMINAL) - {
    SUCCEED.target
}
"""Ends that are not a success. A skipped run did not fail: no transition leads there."""


def cancel_of(status: RunStatus) -> Transition | None:
    """The step that a request to cancel takes from here; none when the run is over or already stopping."""
    return next((t for t in (CANCEL_PENDING, ASK_CANCEL) if t.applies_to(status)), None)
