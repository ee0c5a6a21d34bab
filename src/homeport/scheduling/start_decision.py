"""Whether a run starts, decided from plain facts in one fixed order (run contract §14.7).

The first obstacle in the order is the answer: from the ones that only a person removes to the ones that time
removes. The caller reads the facts in the transaction that inserts the run, so they are still true.
"""

from dataclasses import dataclass
from datetime import datetime
from enum import StrEnum

from homeport.scheduling.freshness import Upstream, stale_reasons
from homeport.scheduling.intervals import DeclaredInterval, Interval, run_interval
from homeport.scheduling.refresh import Refresh, RefreshPropagation, resolve_refresh
from homeport.scheduling.triggers import Trigger


class TriggerStatus(StrEnum):
    """What became of a request to start, in the words of the wire (open there; the last one is ours)."""

    TRIGGERED = "triggered"
    """A run was started."""
    SKIPPED_WORKSPACE_ARCHIVED = "skipped_workspace_archived"
    """The whole workspace is put away."""
    SKIPPED_PAUSED = "skipped_paused"
    """The job's schedule is paused; only scheduled starts are held back."""
    SKIPPED_OUT_OF_INTERVAL = "skipped_out_of_interval"
    """The window lies outside `interval` of the definition."""
    SKIPPED_ALREADY_COVERED = "skipped_already_covered"
    """A completed run has covered the tick."""
    SKIPPED_CONCURRENCY_LIMIT = "skipped_concurrency_limit"
    """As many runs as `execute.concurrency` allows are active."""
    SKIPPED_UPSTREAM_PENDING = "skipped_upstream_pending"
    """An upstream was started in the same batch; this one starts when it completes."""
    SKIPPED_FRESH = "skipped_fresh"
    """An upstream is not fresh. A scheduled tick is deferred until it is."""
    SKIPPED_JOB_ARCHIVED = "skipped_job_archived"
    """The job is put away."""


@dataclass(frozen=True, slots=True)
class StartFacts:
    """All that the decision needs to know of a job, as it is now."""

    job_ref: str
    job_type: str = "batch"
    default_trigger: str | None = None
    zone: str = "UTC"
    """IANA name, from `require.timezone`."""

    workspace_archived: bool = False
    job_archived: bool = False
    is_paused: bool = False
    active_runs: int = 0
    """Runs in a status of `run_lifecycle.ACTIVE`."""
    concurrency: int | None = 1
    """`execute.concurrency`; none means without limit."""

    declared_interval: DeclaredInterval | None = None
    completed_until: datetime | None = None
    """End of the window of the last completed timed run; none when there is none, or a refresh cleared it."""
    has_completed: bool = True
    """False before the first completed run ever. A cleared pointer does not make it false again."""
    refresh_propagation: RefreshPropagation = RefreshPropagation.AUTO
    refresh_pending: bool = False
    """A refresh upstream has reached this job, and it has not completed since."""

    upstreams: tuple[Upstream, ...] = ()
    """One for each of the job's freshness constraints, in their order."""


@dataclass(frozen=True, slots=True)
class StartRequest:
    """What is asked for."""

    trigger: Trigger
    now: datetime
    is_scheduled: bool = False
    """By the clock or by the freshness cascade: what a pause holds back. A person who starts a job by its
    schedule's trigger is not the schedule."""
    refresh: bool = False
    skip_freshness: bool = False
    started_in_batch: frozenset[str] = frozenset()
    """Jobs that were started before this one by the same request."""


@dataclass(frozen=True, slots=True)
class Start:
    """Start a run, for this window."""

    interval: Interval
    refresh: Refresh
    status: TriggerStatus = TriggerStatus.TRIGGERED


@dataclass(frozen=True, slots=True)
class Decline:
    """Do not. `reasons` are sentences for people, never empty."""

    status: TriggerStatus
    reasons: tuple[str, ...]


def decide_start(facts: StartFacts, request: StartRequest) -> Start | Decline:
    """Start, or the first obstacle in the order of this function."""
    barred = _archived(facts) or _paused(facts, request)
    if barred is not None:
        return barred
    interval, refresh = window_of(facts, request)
    if interval is None:
        return _out_of_interval(facts)
    held_back = (
        _already_covered(facts, request, interval) or _at_limit(facts) or _waiting(facts, request)
    ) or _stale(facts, request)
    return held_back or Start(interval, refresh)


def window_of(facts: StartFacts, request: StartRequest) -> tuple[Interval | None, Refresh]:
    """The window that a run would have, none outside of the declared interval, and whether it is a refresh."""
    refresh = resolve_refresh(
        facts.job_ref,
        facts.refresh_propagation,
        is_asked=request.refresh,
        is_pending=facts.refresh_pending,
        is_first_run=not facts.has_completed,
    )
    return run_interval(
        request.trigger,
        request.now,
        previous_end=facts.completed_until,
        zone=facts.zone,
        declared=facts.declared_interval,
        is_refresh=refresh.is_refresh,
    ), refresh


def _archived(facts: StartFacts) -> Decline | None:
    if facts.workspace_archived:
        return _decline(
            TriggerStatus.SKIPPED_WORKSPACE_ARCHIVED, "the workspace is archived; restore it to run its jobs"
        )
    if facts.job_archived:
        return _decline(
            TriggerStatus.SKIPPED_JOB_ARCHIVED,
            f"{facts.job_ref} is archived; restore it or deploy it again to run it",
        )
    return None


def _paused(facts: StartFacts, request: StartRequest) -> Decline | None:
    if not (facts.is_paused and request.is_scheduled):
        return None
    return _decline(
        TriggerStatus.SKIPPED_PAUSED,
        f"{facts.job_ref} is paused; after it is resumed, one run covers the whole pause",
    )


def _out_of_interval(facts: StartFacts) -> Decline:
    return _decline(
        TriggerStatus.SKIPPED_OUT_OF_INTERVAL,
        f"the window of this run lies outside the interval that {facts.job_ref} declares, "
        f"{facts.declared_interval}; change interval in its definition, or refresh it to load the interval again",
    )


def _already_covered(facts: StartFacts, request: StartRequest, interval: Interval) -> Decline | None:
    # Only for the schedule: a person who starts a job that has nothing to do gets a run of an empty window.
    if not (request.is_scheduled and request.trigger.is_recurring and interval.is_empty):
        return None
    return _decline(
        TriggerStatus.SKIPPED_ALREADY_COVERED,
        f"a completed run of {facts.job_ref} has covered everything up to {interval.end.isoformat()}",
    )


def _at_limit(facts: StartFacts) -> Decline | None:
    if facts.concurrency is None or facts.active_runs < facts.concurrency:
        return None
    return _decline(
        TriggerStatus.SKIPPED_CONCURRENCY_LIMIT,
        f"{facts.active_runs} of {facts.concurrency} allowed runs of {facts.job_ref} are active; "
        "wait for one to end, cancel it, or raise execute.concurrency",
    )


def _waiting(facts: StartFacts, request: StartRequest) -> Decline | None:
    if request.skip_freshness:
        return None
    refs = [upstream.constraint.job_ref for upstream in facts.upstreams]
    reasons = [f"upstream {ref} was started with this request" for ref in refs if ref in request.started_in_batch]
    return Decline(TriggerStatus.SKIPPED_UPSTREAM_PENDING, tuple(reasons)) if reasons else None


def _stale(facts: StartFacts, request: StartRequest) -> Decline | None:
    reasons = () if request.skip_freshness else stale_reasons(facts.upstreams, request.now)
    return Decline(TriggerStatus.SKIPPED_FRESH, reasons) if reasons else None


def _decline(status: TriggerStatus, reason: str) -> Decline:
    return Decline(status, (reason,))
