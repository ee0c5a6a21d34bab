"""Fires what is due by the clock: `schedule`, `every` and `once` triggers.

A moment is taken, decided, recorded in the ledger and its trigger moved on in one transaction. Moments that were
missed while no server ran become one run: its window reaches back over them.
"""

from datetime import datetime
from uuid import UUID

from homeport import bells
from homeport.bells import Bells
from homeport.dispatch.service import AT_ONCE
from homeport.scheduling.intervals import next_tick_within
from homeport.scheduling.triggers import TriggerKind, parse_trigger
from homeport.store import job_triggers, jobs, run_starts, runs, ticks
from homeport.store.database import Database
from homeport.store.schema import Tx
from homeport.telemetry import events, faults

_LONGEST_SLEEP_SECONDS = 5.0
"""Another server may have deployed, or the clock may have been set: look again after this at the latest."""


_AT_MOST = 100
"""Moments of one look; the others come in the next."""
_AFTER_FAILURE_SECONDS = 1.0


class FireSchedules:
    name = "schedules"
    topic = bells.SCHEDULES_CHANGED

    def __init__(self, database: Database, bells: Bells) -> None:
        self._database = database
        self._bells = bells

    def work(self, now: datetime) -> float:
        """Fire what is due, the longest overdue first, or say how long nothing is due."""
        with self._database.read() as tx:
            due = job_triggers.due(tx, now, limit=_AT_MOST)
            earliest = job_triggers.earliest(tx)
        if due:
            were_decided = [self._decide(moment, now) for moment in due]
            return AT_ONCE if any(were_decided) else _AFTER_FAILURE_SECONDS
        if earliest is None:
            return _LONGEST_SLEEP_SECONDS
        return min((earliest - now).total_seconds(), _LONGEST_SLEEP_SECONDS)

    def _decide(self, due: job_triggers.TimedTrigger, now: datetime) -> bool:
        """Take one moment; false when that failed. It is tried again, and does not stop the others."""
        try:
            with self._database.write() as tx:
                run = _fire(tx, due, now)
        except Exception as error:
            events.emit(events.SERVICE_FAILED, service=self.name, job=str(due.job_id), **faults.shown(error))
            return False
        if run is not None:
            events.emit(events.RUN_CREATED, run=str(run.id), trigger=run.trigger, number=run.number)
            self._bells.ring(bells.RUNS_PENDING)
        return True


def _fire(tx: Tx, due: job_triggers.TimedTrigger, now: datetime) -> runs.Run | None:
    """The run of one due moment, if the decision is to have one."""
    current = jobs.lock(tx, due.job_id)
    if not job_triggers.advance(tx, due, _next_moment(current, due, now)):
        return None  # another scheduler was here
    if ticks.exists(tx, due.job_id, due.trigger, due.next_at):
        return None  # the clock was set back: this moment had its turn
    outcome = run_starts.start(tx, run_starts.Asked(due.job_id, due.trigger, now, is_scheduled=True))
    run_id: UUID | None = None
    status, reasons = "triggered", list[str]()
    if isinstance(outcome, runs.Run):
        run_id = outcome.id
    elif isinstance(outcome, run_starts.Declined):
        status, reasons = outcome.status, outcome.reasons
        events.emit(
            events.TICK_NOT_STARTED, job=current.job.job_ref, moment=due.next_at.isoformat(), reasons=reasons
        )
    ticks.record(tx, due.job_id, due.trigger, due.next_at, status, reasons, run_id, now)
    return outcome if isinstance(outcome, runs.Run) else None


def _next_moment(current: jobs.CurrentJob, due: job_triggers.TimedTrigger, now: datetime) -> datetime | None:
    trigger = parse_trigger(due.trigger)
    if trigger.kind is TriggerKind.ONCE:
        return None
    declared = run_starts.declared_interval(current.version.definition, current.version.zone)
    return next_tick_within(
        trigger, max(now, due.next_at), zone=current.version.zone, previous=due.next_at, declared=declared
    )
