"""Fires what is due by the clock: `schedule`, `every` and `once` triggers.

A moment is taken, decided, recorded in the ledger and its trigger moved on in one transaction
(`store/tick_decisions.py`). Moments that were missed while no server ran become one run: its window reaches back
over them. What waits for an upstream is decided again when that completes, by whoever ends its run; here, when
something else has changed.
"""

from collections.abc import Callable
from datetime import datetime

from homeport import bells
from homeport.bells import Bells
from homeport.dispatch.service import AT_ONCE
from homeport.scheduling.tick_outcomes import TRIGGERED, DecidedBy
from homeport.store import job_triggers, tick_decisions, ticks
from homeport.store.database import Database
from homeport.store.schema import Tx
from homeport.store.tick_decisions import DecidedTick
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
            waiting = ticks.to_look_at(tx, now, limit=_AT_MOST)
            earliest = job_triggers.earliest(tx)
        if due or waiting:
            were_decided = [
                *(self._decide(str(item.job_id), _due(item, now)) for item in due),
                *(self._decide(str(item.job_id), _again(item, now)) for item in waiting),
            ]
            return AT_ONCE if any(were_decided) else _AFTER_FAILURE_SECONDS
        if earliest is None:
            return _LONGEST_SLEEP_SECONDS
        return min((earliest - now).total_seconds(), _LONGEST_SLEEP_SECONDS)

    def _decide(self, job: str, decide: Callable[[Tx], DecidedTick | None]) -> bool:
        """Decide one moment; false when that failed. It is tried again, and does not stop the others."""
        try:
            with self._database.write() as tx:
                decided = decide(tx)
        except Exception as error:
            events.emit(events.SERVICE_FAILED, service=self.name, job=job, **faults.shown(error))
            return False
        if decided is not None:
            _tell(decided)
            if decided.run is not None:
                self._bells.ring(bells.RUNS_PENDING)
        return True


def _due(item: job_triggers.TimedTrigger, now: datetime) -> Callable[[Tx], DecidedTick | None]:
    return lambda tx: tick_decisions.decide_due(tx, item, now)


def _again(item: ticks.Tick, now: datetime) -> Callable[[Tx], DecidedTick | None]:
    return lambda tx: tick_decisions.decide_again(tx, item, now, DecidedBy.CHANGE)


def _tell(decided: DecidedTick) -> None:
    run, tick = decided.run, decided.tick
    if run is not None:
        events.emit(events.RUN_CREATED, run=str(run.id), trigger=run.trigger, number=run.number)
    elif tick.outcome != TRIGGERED:
        events.emit(
            events.TICK_NOT_STARTED,
            job=decided.job_ref,
            moment=tick.moment.isoformat(),
            outcome=tick.outcome,
            reasons=tick.reasons,
        )
