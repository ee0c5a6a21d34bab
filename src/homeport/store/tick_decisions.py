"""What becomes of scheduled moments: decided and written to the ledger in the caller's transaction.

1. A moment is due: `decide_due` takes its trigger on, decides the latest moment that has come, and lets the ones
   before it, and a tick that still waits, share its fate: its window reaches back over them.
2. An upstream completed: `decide_waiting` has what waits for it decided again, upstream before downstream.
3. Something else changed (resumed, deployed): rows are marked with `ticks.look_again`, and the scheduler calls
   `decide_again`.

Deferring and completing take the workspace's lock: a tick that was found waiting for an upstream, in the moment in
which that upstream completed, would wait for nothing. SQLite's writers are one after the other anyway.
"""

from collections.abc import Collection, Sequence
from dataclasses import dataclass, replace
from datetime import datetime
from typing import Any
from uuid import UUID

from homeport.scheduling.dependency_order import dependency_order
from homeport.scheduling.freshness import parse_freshness, stale_reasons
from homeport.scheduling.intervals import next_tick_within
from homeport.scheduling.missed import Missed, latest_due, missed_before
from homeport.scheduling.start_decision import TriggerStatus
from homeport.scheduling.tick_inputs import inputs_of
from homeport.scheduling.tick_outcomes import (
    COVERED,
    DEFERRED,
    TRIGGER_REMOVED,
    TRIGGERED,
    DecidedBy,
    outcome_of_earlier,
    outcome_when_due,
    outcome_when_waiting,
)
from homeport.scheduling.triggers import Trigger, TriggerKind, parse_trigger
from homeport.store import job_triggers, jobs, run_starts, runs, ticks, workspaces
from homeport.store.schema import Tx
from homeport.store.ticks import Tick


@dataclass(frozen=True)
class DecidedTick:
    """A row of the ledger as it was just written, and the run that it started."""

    job_ref: str
    tick: Tick
    run: runs.Run | None


def hold(tx: Tx, job_ids: Collection[UUID]) -> set[UUID]:
    """Lock these jobs to decide several in one transaction; the answer are those that nobody else holds.

    Workspaces first, in one order for all, and no waiting for a job: who completes a run holds the workspace and
    then wants jobs, and two who wait for each other would both stand still.
    """
    gated = [found for found in jobs.by_ids(tx, job_ids) if found.version.definition.get("freshness")]
    for workspace_id in sorted({found.job.workspace_id for found in gated}):
        workspaces.lock(tx, workspace_id)
    return jobs.lock_free(tx, job_ids)


def decide_due(tx: Tx, due: job_triggers.TimedTrigger, now: datetime) -> DecidedTick | None:
    """Decide what is due; none when somebody did, or the ledger has the moment."""
    _hold_upstreams(tx, due.job_id)
    current = jobs.lock(tx, due.job_id)
    trigger, zone = parse_trigger(due.trigger), current.version.zone
    if not job_triggers.advance(tx, due, _next_moment(current, trigger, due, now)):
        return None
    declared = run_starts.declared_interval(current.version.definition, zone)
    moment = latest_due(trigger, due.next_at, now, zone, declared)
    known = ticks.newest(tx, due.job_id, due.trigger, until=moment)
    if known is not None and known.last_moment >= moment:
        return None  # the clock was set back: this moment had its turn
    missed = missed_before(trigger, due.next_at, moment, zone, None if known is None else known.last_moment)
    decided = _decided(tx, current, trigger, moment, now)
    waiting = ticks.open_of(tx, current.job.workspace_id, due.job_id, due.trigger)
    if waiting is not None:
        _take_over(tx, waiting, decided.tick, now)
    if missed is not None:
        ticks.record(tx, _missed_row(missed, decided.tick, due.next_at))
    ticks.record(tx, decided.tick)
    return decided


def decide_waiting(tx: Tx, run: runs.Run, job_ref: str, now: datetime) -> list[DecidedTick]:
    """Decide again what waits for a job of which `run` has completed, each job after those that it waits for.

    The caller holds the workspace's lock since before it moved the job's window.
    """
    open_rows = ticks.open_in(tx, run.workspace_id)
    if not open_rows:
        return []
    waiting = {current.job.job_ref: current for current in jobs.by_ids(tx, {row.job_id for row in open_rows})}
    upstreams = {ref: _upstream_refs(current) for ref, current in waiting.items()}
    ref_of = {current.job.id: ref for ref, current in waiting.items()}
    decided: list[DecidedTick] = []
    for ref in dependency_order(waiting, upstreams):
        if job_ref not in upstreams[ref]:
            continue
        # what was just started will complete, and has its turn to wake what waits for it
        started = frozenset(found.job_ref for found in decided if found.run is not None)
        for row in open_rows:
            if ref_of[row.job_id] == ref:
                again = decide_again(tx, row, now, DecidedBy.UPSTREAM, after=run, started=started)
                decided += [again] if again is not None else []
    return decided


def decide_again(
    tx: Tx,
    waiting: Tick,
    now: datetime,
    decided_by: DecidedBy,
    after: runs.Run | None = None,
    started: frozenset[str] = frozenset(),
) -> DecidedTick | None:
    """Decide a waiting tick once more; none when it waits no longer."""
    if after is None:
        _hold_upstreams(tx, waiting.job_id)
    current = jobs.lock(tx, waiting.job_id)
    row = ticks.open_of(tx, waiting.workspace_id, waiting.job_id, waiting.trigger)
    if row is None or row.moment != waiting.moment:
        return None
    if row.trigger not in current.version.definition["triggers"]:
        reason = f"a deploy took the trigger {row.trigger} away while this tick waited"
        ticks.end_open(tx, row.job_id, TRIGGER_REMOVED, reason, decided_by, now)
        return DecidedTick(current.job.job_ref, replace(row, outcome=TRIGGER_REMOVED, reasons=[reason]), None)
    decided = run_starts.decide(
        tx, run_starts.Asked(row.job_id, row.trigger, now, is_scheduled=True, started_in_batch=started)
    )
    outcome, reasons, run_id = _meaning(decided)
    if outcome == TriggerStatus.SKIPPED_CONCURRENCY_LIMIT and (
        stale := stale_reasons(decided.facts.upstreams, now)
    ):
        # not its turn yet: whether a slot is free matters when its upstreams are fresh
        outcome, reasons = DEFERRED, list(stale)
    outcome = outcome_when_waiting(outcome)
    inputs = {
        **_inputs(current, decided, row.moment),
        "waited": row.inputs.get("waited") or _why_it_waits(row),
        "after_run": None if after is None else str(after.id),
    }
    values = {
        "outcome": outcome,
        "reasons": reasons,
        "inputs": inputs,
        "run_id": run_id,
        "decided_by": str(decided_by),
    }
    ticks.decide_open(tx, row, now, **values)
    tick = replace(row, decided_at=now, **values)  # type: ignore[arg-type]
    return DecidedTick(current.job.job_ref, tick, _run_of(decided))


def _decided(tx: Tx, current: jobs.CurrentJob, trigger: Trigger, moment: datetime, now: datetime) -> DecidedTick:
    job_id = current.job.id
    decided = run_starts.decide(tx, run_starts.Asked(job_id, str(trigger), now, is_scheduled=True))
    outcome, reasons, run_id = _meaning(decided)
    if outcome == TriggerStatus.SKIPPED_CONCURRENCY_LIMIT:
        covering = _run_over(tx, job_id, trigger, moment)
        if covering is not None:
            outcome, run_id = COVERED, covering.id
            reasons = [f"run #{covering.number}, active at this moment, has a window that reaches over it"]
    tick = Tick(
        job_id=job_id,
        workspace_id=current.job.workspace_id,
        trigger=str(trigger),
        moment=moment,
        last_moment=moment,
        moments=1,
        outcome=outcome_when_due(outcome),
        reasons=reasons,
        inputs=_inputs(current, decided, moment),
        run_id=run_id,
        decided_by=DecidedBy.CLOCK,
        first_decided_at=now,
        decided_at=now,
    )
    return DecidedTick(current.job.job_ref, tick, _run_of(decided))


def _take_over(tx: Tx, waiting: Tick, later: Tick, now: datetime) -> None:
    """The next tick has come while one waited: its window reaches back over both."""
    ticks.decide_open(
        tx,
        waiting,
        now,
        outcome=outcome_of_earlier(later.outcome),
        reasons=[_taken_over(later), *waiting.reasons],
        inputs={**waiting.inputs, "waited": waiting.inputs.get("waited") or _why_it_waits(waiting), **_of(later)},
        run_id=later.run_id,
        decided_by=str(DecidedBy.LATER_TICK),
    )


def _missed_row(missed: Missed, later: Tick, due_at: datetime) -> Tick:
    """What passed while no server looked, in one row however much it was."""
    return replace(
        later,
        moment=missed.first,
        last_moment=missed.last,
        moments=missed.count,
        outcome=outcome_of_earlier(later.outcome),
        reasons=["no server was there to decide it in time", _taken_over(later)],
        inputs={"now": later.inputs["now"], "due_at": due_at.isoformat(), **_of(later)},
        decided_by=DecidedBy.LATER_TICK,
    )


def _taken_over(later: Tick) -> str:
    share = {
        TRIGGERED: "whose run reaches back over it",
        COVERED: "which is covered by a run",
        DEFERRED: "which waits, and whose run will reach back over it",
    }
    return f"taken over by the tick of {later.moment.isoformat()}, " + share.get(
        later.outcome, "which was not started either: " + "; ".join(later.reasons)
    )


def _of(later: Tick) -> dict[str, Any]:
    return {"later_tick": later.moment.isoformat(), "later_outcome": later.outcome}


def _why_it_waits(row: Tick) -> dict[str, Any]:
    return {
        "since": row.first_decided_at.isoformat(),
        "reasons": row.reasons,
        "upstreams": row.inputs.get("upstreams", []),
    }


def _meaning(decided: run_starts.Decided) -> tuple[str, list[str], UUID | None]:
    outcome = decided.outcome
    if isinstance(outcome, runs.Run):
        return TRIGGERED, [], outcome.id
    assert isinstance(outcome, run_starts.Declined)
    return outcome.status, outcome.reasons, None


def _run_of(decided: run_starts.Decided) -> runs.Run | None:
    return decided.outcome if isinstance(decided.outcome, runs.Run) else None


def _inputs(current: jobs.CurrentJob, decided: run_starts.Decided, moment: datetime) -> dict[str, Any]:
    paused_at, version = current.job.paused_at, current.version
    return {
        **inputs_of(decided.facts, decided.request),
        "paused_since": None if paused_at is None else paused_at.isoformat(),
        "profile": version.profile,
        "job_version": version.version,
        "job_version_id": str(version.id),
        "lateness_seconds": round((decided.request.now - moment).total_seconds(), 3),
    }


def _run_over(tx: Tx, job_id: UUID, trigger: Trigger, moment: datetime) -> runs.Run | None:
    """A run that was started a moment before this tick came, by the same schedule, and has it in its window."""
    if trigger.kind is not TriggerKind.SCHEDULE:
        return None
    active: Sequence[runs.Run] = runs.active_of(tx, job_id)
    return next((run for run in active if run.trigger == str(trigger) and run.interval_end >= moment), None)


def _hold_upstreams(tx: Tx, job_id: UUID) -> None:
    """Before the job is locked: while it is decided, none of its upstreams completes."""
    for current in jobs.by_ids(tx, [job_id]):
        if current.version.definition.get("freshness"):
            workspaces.lock(tx, current.job.workspace_id)


def _upstream_refs(current: jobs.CurrentJob) -> list[str]:
    return [parse_freshness(text).job_ref for text in current.version.definition.get("freshness") or []]


def _next_moment(
    current: jobs.CurrentJob, trigger: Trigger, due: job_triggers.TimedTrigger, now: datetime
) -> datetime | None:
    if trigger.kind is TriggerKind.ONCE:
        return None
    zone = current.version.zone
    declared = run_starts.declared_interval(current.version.definition, zone)
    return next_tick_within(trigger, max(now, due.next_at), zone=zone, previous=due.next_at, declared=declared)
