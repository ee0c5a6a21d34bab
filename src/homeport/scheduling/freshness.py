"""Whether the upstreams of a job have done their part, and who waits for whom (run contract §14.4).

A freshness constraint lets a job's own trigger through; it never starts anything.
"""

from collections import deque
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from datetime import datetime
from enum import StrEnum

from homeport.errors import BadRequest
from homeport.scheduling.ticks import latest_tick
from homeport.scheduling.triggers import TriggerKind, parse_trigger


class FreshnessKind(StrEnum):
    """The part of a constraint before the colon."""

    IS_FRESH = "job.is_fresh"
    """The upstream has covered its own latest tick or period."""
    IS_MATCHING_INTERVAL_FRESH = "job.is_matching_interval_fresh"
    """The upstream has covered the window of this run. dlt names it and has it switched off; so have we."""


_KINDS = frozenset(map(str, FreshnessKind))


@dataclass(frozen=True, slots=True)
class FreshnessConstraint:
    kind: FreshnessKind
    job_ref: str
    """The upstream."""

    def __str__(self) -> str:
        return f"{self.kind}:{self.job_ref}"


@dataclass(frozen=True, slots=True)
class Upstream:
    """What is known of an upstream job when a downstream asks whether it is fresh."""

    constraint: FreshnessConstraint
    job_type: str = "batch"
    default_trigger: str | None = None
    zone: str = "UTC"
    """Its own, not the downstream's."""
    completed_until: datetime | None = None
    """End of the window of its last completed run; none when there is none, or a refresh cleared it."""
    is_known: bool = True
    is_archived: bool = False


def parse_freshness(text: str) -> FreshnessConstraint:
    """Take `job.is_fresh:jobs.<section>.<name>` apart; `BadRequest` when it is no constraint."""
    kind, _, job_ref = text.partition(":")
    if kind not in set(FreshnessKind) or not job_ref.startswith("jobs."):
        raise BadRequest(
            f"Freshness constraint '{text}' cannot be used: it is not of the form 'job.is_fresh:jobs.<section>."
            "<name>'; name the upstream job by its full reference.",
            code="invalid_freshness",
        )
    return FreshnessConstraint(FreshnessKind(kind), job_ref)


def stale_reasons(upstreams: Iterable[Upstream], now: datetime) -> tuple[str, ...]:
    """Why the upstreams are not fresh, one reason for each that is not, in order; empty when all are."""
    reasons = (_stale_reason(upstream, now) for upstream in upstreams)
    return tuple(reason for reason in reasons if reason is not None)


def _stale_reason(upstream: Upstream, now: datetime) -> str | None:
    # The texts are dlt's, word for word: people search for them, and local runs print the same ones.
    name = f"upstream {upstream.constraint.job_ref}"
    if not upstream.is_known:
        return f"{name} is not deployed in this workspace"
    if upstream.is_archived:
        return f"{name} is archived"
    if upstream.job_type == "interactive":
        return f"{name} is an interactive job (cannot be fresh)"
    if upstream.constraint.kind is FreshnessKind.IS_MATCHING_INTERVAL_FRESH:
        return f"{name} — {upstream.constraint.kind} requires interval-based downstream"
    if upstream.completed_until is None:
        return f"{name} didn't process any intervals yet (refresh pending)"
    return _stale_by_the_clock(name, upstream, upstream.completed_until, now)


def _stale_by_the_clock(name: str, upstream: Upstream, completed_until: datetime, now: datetime) -> str | None:
    trigger = parse_trigger(upstream.default_trigger) if upstream.default_trigger else None
    if trigger is not None and trigger.kind is TriggerKind.SCHEDULE:
        expected = latest_tick(trigger, now, upstream.zone)
        if expected is not None and completed_until < expected:
            return f"{name} missing run for {expected}"
    if trigger is not None and trigger.kind is TriggerKind.EVERY:
        elapsed = now - completed_until
        # Equal is stale: the end is exclusive, so a whole period is unprocessed.
        if elapsed >= trigger.period:
            last, period = elapsed.total_seconds(), trigger.period.total_seconds()
            return f"{name} has a missing run (last {last:.0f}s ago, period {period:.0f}s)"
    return None


def wanted_until(upstream: Upstream, now: datetime) -> datetime | None:
    """How far an upstream must have completed to be fresh: up to this tick, or later than this for a period.

    None when any completion will do, or nothing would.
    """
    trigger = parse_trigger(upstream.default_trigger) if upstream.default_trigger else None
    if trigger is None or not trigger.is_recurring:
        return None
    return (
        latest_tick(trigger, now, upstream.zone) if trigger.kind is TriggerKind.SCHEDULE else now - trigger.period
    )


def direct_downstream(job_ref: str, freshness_by_job: Mapping[str, Iterable[str]]) -> list[str]:
    """The jobs that name `job_ref` in their freshness, in the mapping's order; never `job_ref` itself."""
    constraints = {f"{kind}:{job_ref}" for kind in FreshnessKind}
    return [
        ref
        for ref, freshness in freshness_by_job.items()
        if ref != job_ref and not constraints.isdisjoint(freshness)
    ]


def by_upstream(freshness_by_job: Mapping[str, Iterable[str]]) -> dict[str, list[str]]:
    """The jobs that name each upstream in their freshness, in the mapping's order."""
    downstream: dict[str, list[str]] = {}
    for ref, freshness in freshness_by_job.items():
        for upstream in dict.fromkeys(text.partition(":")[2] for text in freshness if _is_constraint(text)):
            downstream.setdefault(upstream, []).append(ref)
    return downstream


def transitive_downstream(
    job_ref: str, downstream: Mapping[str, Iterable[str]], severed: frozenset[str] | set[str] = frozenset()
) -> list[str]:
    """All jobs that `job_ref` reaches along edges (`by_upstream`), nearest first; never `job_ref` itself.

    `severed` jobs are left out and not passed through, though what is behind them may be reached another way.
    """
    seen = {job_ref, *severed}
    reached: list[str] = []
    waiting = deque([job_ref])
    while waiting:
        for ref in downstream.get(waiting.popleft(), ()):
            if ref not in seen:
                seen.add(ref)
                reached.append(ref)
                waiting.append(ref)
    return reached


def _is_constraint(text: str) -> bool:
    return text.partition(":")[0] in _KINDS
