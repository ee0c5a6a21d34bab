"""What becomes of scheduled moments: decided and written to the ledger in the caller's transaction.

1. A moment is due: its trigger is taken on, the latest moment that has come is decided, and the ones before it,
   and a tick that still waits, share its fate: its window reaches back over them.
2. An upstream completed: `decide_waiting` has what waits for it decided again, upstream before downstream.
3. Something else changed (resumed, deployed): rows are marked with `ticks.look_again`, and the scheduler has them
   decided again.

However many there are, what they are decided from is read with a statement for each kind of fact, and what came of
them is written likewise; in between, each decision knows of the ones before it. `decide_free` is for many moments
and waits for nobody, `decide_one` for one, and waits for whoever holds its job.

Deferring and completing take the workspace's lock: a tick that was found waiting for an upstream, in the moment in
which that upstream completed, would wait for nothing. SQLite's writers are one after the other anyway.
"""

from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass, field, replace
from datetime import datetime
from typing import Any
from uuid import UUID

import sqlalchemy as sa

from homeport.scheduling.dependency_order import dependency_order
from homeport.scheduling.freshness import parse_freshness, stale_reasons
from homeport.scheduling.intervals import DeclaredInterval, next_tick_within
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
from homeport.store.job_triggers import TimedTrigger
from homeport.store.run_starts import Asked, Starts
from homeport.store.schema import Tx
from homeport.store.ticks import Tick

Undecided = TimedTrigger | Tick
"""A trigger that is due, or a tick that waits and is to be decided again."""


@dataclass(frozen=True)
class DecidedTick:
    """A row of the ledger as it was just written, and the run that it started."""

    job_ref: str
    tick: Tick
    run: runs.Run | None


@dataclass(frozen=True)
class DecidedBatch:
    """What became of several moments."""

    decided: list[DecidedTick] = field(default_factory=list)
    failed: list[tuple[UUID, Exception]] = field(default_factory=list)
    """Jobs of which a moment could not be decided, and why; nothing is written of it."""
    held_back: list[Undecided] = field(default_factory=list)
    """Moments of jobs that somebody is at work on."""


def decide_free(tx: Tx, moments: Sequence[Undecided], now: datetime) -> DecidedBatch:
    """Decide those of these moments whose jobs nobody holds, in their order."""
    held = _hold_free(tx, {one.job_id for one in moments})
    batch = DecidedBatch(held_back=[one for one in moments if one.job_id not in held])
    deciding = _Deciding(tx, held, now)
    for one in moments:
        if one.job_id not in held:
            continue
        try:
            decided = deciding.decide(one)
        except sa.exc.SQLAlchemyError:
            raise  # PostgreSQL answers nothing more in this transaction
        except Exception as error:
            batch.failed.append((one.job_id, error))
        else:
            batch.decided.extend([decided] if decided is not None else [])
    deciding.write()
    return batch


def decide_one(tx: Tx, moment: Undecided, now: datetime) -> DecidedTick | None:
    """Decide a moment that is due, or once more a tick that waits; none when nothing is to be decided any more."""
    for workspace_id in jobs.gated_workspaces(tx, [moment.job_id]):
        # before the job: while it is decided, none of its upstreams completes
        workspaces.lock(tx, workspace_id)
    deciding = _Deciding(tx, jobs.lock_all(tx, [moment.job_id]), now)
    decided = deciding.decide(moment)
    deciding.write()
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
    order = [ref for ref in dependency_order(waiting, upstreams) if job_ref in upstreams[ref]]
    if not order:
        return []
    deciding = _Deciding(tx, jobs.lock_all(tx, {waiting[ref].job.id for ref in order}), now)
    rows_of: dict[UUID, list[Tick]] = {}
    for row in open_rows:
        rows_of.setdefault(row.job_id, []).append(row)
    decided: list[DecidedTick] = []
    for ref in order:
        # what was just started will complete, and has its turn to wake what waits for it
        started = frozenset(found.job_ref for found in decided if found.run is not None)
        again = (deciding.decide_again(row, run, started) for row in rows_of[waiting[ref].job.id])
        decided += [found for found in again if found is not None]
    deciding.write()
    return decided


def _hold_free(tx: Tx, job_ids: Collection[UUID]) -> dict[UUID, jobs.CurrentJob]:
    """Lock these jobs to decide several in one transaction; the answer are those that nobody else holds.

    Workspaces first, in one order for all, and no waiting for a job: who completes a run holds the workspace and
    then wants jobs, and two who wait for each other would both stand still.
    """
    gated = jobs.gated_workspaces(tx, job_ids)
    for workspace_id in sorted(gated):
        workspaces.lock(tx, workspace_id)
    free = jobs.lock_free(tx, job_ids)
    # one that a deploy has just had wait for others is left to `decide_one`
    return {
        id_: found for id_, found in free.items() if not _upstream_refs(found) or found.job.workspace_id in gated
    }


class _Deciding:
    """Some moments, decided one after the other; what came of them is written together."""

    def __init__(self, tx: Tx, held: Mapping[UUID, jobs.CurrentJob], now: datetime) -> None:
        self._tx = tx
        self._now = now
        self._held = held
        self._starts = Starts(tx, held)
        self._standings = ticks.standings(tx, held, until=now)
        self._open = {(row.job_id, row.trigger): row for row in ticks.open_of_each(tx, held)}
        self._moves: list[tuple[TimedTrigger, datetime | None]] = []
        self._further: list[Tick] = []
        self._new: list[Tick] = []

    def decide(self, moment: Undecided) -> DecidedTick | None:
        return self.decide_due(moment) if isinstance(moment, TimedTrigger) else self.decide_again(moment)

    def decide_due(self, due: TimedTrigger) -> DecidedTick | None:
        """Decide what is due; none when somebody did, or the ledger has the moment."""
        current, key = self._held[due.job_id], (due.job_id, due.trigger)
        standing = self._standings.get(key)
        if standing is None or standing.next_at != due.next_at:
            return None
        trigger, zone = parse_trigger(due.trigger), current.version.zone
        declared = run_starts.declared_interval(current.version.definition, zone)
        move = (due, _next_moment(trigger, due, self._now, zone, declared))
        moment = latest_due(trigger, due.next_at, self._now, zone, declared)
        known_until = self._known_until(standing, moment)
        if known_until is not None and known_until >= moment:
            self._moves.append(move)
            return None  # the clock was set back: this moment had its turn
        missed = missed_before(trigger, due.next_at, moment, zone, known_until)
        decided, start = self._decided(current, trigger, moment)
        self._starts.take(start)
        # from here on nothing fails: a moment is decided as a whole or not at all
        self._moves.append(move)
        if (waiting := self._open.pop(key, None)) is not None:
            self._further.append(_taken_over_by(decided.tick, waiting, self._now))
        if missed is not None:
            self._new.append(_missed_row(missed, decided.tick, due.next_at))
        self._new.append(decided.tick)
        return decided

    def decide_again(
        self, waiting: Tick, after: runs.Run | None = None, started: frozenset[str] = frozenset()
    ) -> DecidedTick | None:
        """Decide a waiting tick once more, because a run has completed or something else has changed; none when it
        waits no longer."""
        current = self._held[waiting.job_id]
        row = self._open.get((waiting.job_id, waiting.trigger))
        if row is None or row.moment != waiting.moment:
            return None
        decided_by = DecidedBy.CHANGE if after is None else DecidedBy.UPSTREAM
        if row.trigger not in current.version.definition["triggers"]:
            reasons = [f"a deploy took the trigger {row.trigger} away while this tick waited"]
            tick = replace(
                row, outcome=TRIGGER_REMOVED, reasons=reasons, decided_by=decided_by, decided_at=self._now
            )
            return self._decided_further(current, tick, None)
        start = self._starts.decide(
            Asked(row.job_id, row.trigger, self._now, is_scheduled=True, started_in_batch=started)
        )
        outcome, reasons, run_id = _meaning(start)
        if outcome == TriggerStatus.SKIPPED_CONCURRENCY_LIMIT and (
            stale := stale_reasons(start.facts.upstreams, self._now)
        ):
            # not its turn yet: whether a slot is free matters when its upstreams are fresh
            outcome, reasons = DEFERRED, list(stale)
        inputs = {
            **_inputs(current, start, row.moment),
            "waited": row.inputs.get("waited") or _why_it_waits(row),
            "after_run": None if after is None else str(after.id),
        }
        tick = replace(
            row,
            outcome=outcome_when_waiting(outcome),
            reasons=reasons,
            inputs=inputs,
            run_id=run_id,
            decided_by=decided_by,
            decided_at=self._now,
        )
        return self._decided_further(current, tick, start)

    def write(self) -> None:
        """Make true what was decided: runs before the rows that name them, what ends before what opens."""
        if not job_triggers.advance(self._tx, self._moves):
            raise RuntimeError("a trigger was moved on by somebody else although this transaction holds its job")
        self._starts.write()
        if not ticks.decide_open(self._tx, *self._further):
            raise RuntimeError(
                "a tick that waits was ended by somebody else although this transaction holds its job"
            )
        if not ticks.record(self._tx, *self._new):
            raise RuntimeError("the ledger has a moment already that was decided as a new one")

    def _decided_further(
        self, current: jobs.CurrentJob, tick: Tick, start: run_starts.Decided | None
    ) -> DecidedTick:
        if start is not None:
            self._starts.take(start)
        self._further.append(tick)
        self._open[tick.job_id, tick.trigger] = tick
        if tick.outcome != DEFERRED:
            del self._open[tick.job_id, tick.trigger]
        return DecidedTick(current.job.job_ref, tick, None if start is None else _run_of(start))

    def _decided(
        self, current: jobs.CurrentJob, trigger: Trigger, moment: datetime
    ) -> tuple[DecidedTick, run_starts.Decided]:
        job_id = current.job.id
        start = self._starts.decide(Asked(job_id, str(trigger), self._now, is_scheduled=True))
        outcome, reasons, run_id = _meaning(start)
        if outcome == TriggerStatus.SKIPPED_CONCURRENCY_LIMIT:
            covering = _run_over(self._starts.inputs.active(job_id), trigger, moment)
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
            outcome=outcome_when_due(outcome, comes_again=trigger.is_recurring),
            reasons=reasons,
            inputs=_inputs(current, start, moment),
            run_id=run_id,
            decided_by=DecidedBy.CLOCK,
            first_decided_at=self._now,
            decided_at=self._now,
        )
        return DecidedTick(current.job.job_ref, tick, _run_of(start)), start

    def _known_until(self, standing: ticks.Standing, moment: datetime) -> datetime | None:
        """Up to where the ledger has this trigger, in the last row that begins not after `moment`."""
        if standing.moment is None or standing.moment <= moment:
            return standing.last_moment
        found = ticks.newest(self._tx, standing.job_id, standing.trigger, until=moment)
        return None if found is None else found.last_moment


def _taken_over_by(later: Tick, waiting: Tick, now: datetime) -> Tick:
    """The next tick has come while one waited: its window reaches back over both."""
    return replace(
        waiting,
        outcome=outcome_of_earlier(later.outcome),
        reasons=[_taken_over(later), *waiting.reasons],
        inputs={**waiting.inputs, "waited": waiting.inputs.get("waited") or _why_it_waits(waiting), **_of(later)},
        run_id=later.run_id,
        decided_by=DecidedBy.LATER_TICK,
        decided_at=now,
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


def _run_over(active: Sequence[runs.Run], trigger: Trigger, moment: datetime) -> runs.Run | None:
    """A run that was started a moment before this tick came, by the same schedule, and has it in its window."""
    if trigger.kind is not TriggerKind.SCHEDULE:
        return None
    return next((run for run in active if run.trigger == str(trigger) and run.interval_end >= moment), None)


def _upstream_refs(current: jobs.CurrentJob) -> list[str]:
    return [parse_freshness(text).job_ref for text in current.version.definition.get("freshness") or []]


def _next_moment(
    trigger: Trigger, due: TimedTrigger, now: datetime, zone: str, declared: DeclaredInterval | None
) -> datetime | None:
    if trigger.kind is TriggerKind.ONCE:
        return None
    return next_tick_within(trigger, max(now, due.next_at), zone=zone, previous=due.next_at, declared=declared)
