"""Fires what is due by the clock: `schedule`, `every` and `once` triggers.

A moment is taken, decided, recorded in the ledger and its trigger moved on in one transaction
(`store/tick_decisions.py`). Many moments share it: one that cannot be decided is left out, and when they cannot be
written together, each is tried alone. Moments that were missed while no server ran become one run: its window
reaches back over them. What waits for an upstream is decided again when that completes, by whoever ends its run;
here, when something else has changed.
"""

from collections.abc import Sequence
from datetime import datetime

from homeport import bells
from homeport.bells import Bells
from homeport.dispatch.service import AT_ONCE
from homeport.scheduling.tick_outcomes import TRIGGERED
from homeport.store import job_triggers, tick_decisions, ticks
from homeport.store.database import Database, failed_itself
from homeport.store.tick_decisions import DecidedTick, Undecided
from homeport.telemetry import events, faults

_LONGEST_SLEEP_SECONDS = 5.0
"""Another server may have deployed, or the clock may have been set: look again after this at the latest."""


_TOGETHER = 200
"""Moments of one look, and of one transaction; the others come in the next. A transaction costs as much as several
decisions, but other writers of SQLite wait for it: this many are decided in a tenth of a second."""
_APART_SECONDS = 0.1
"""Between looks: moments that come within this share a transaction, and the disk rests meanwhile."""
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
            due = job_triggers.due(tx, now, limit=_TOGETHER)
            waiting = ticks.to_look_at(tx, limit=_TOGETHER)
            earliest = job_triggers.earliest(tx)
        if due or waiting:
            were_decided = [self._decide(some, now) for some in (due, waiting) if some]
            return AT_ONCE if any(were_decided) else _AFTER_FAILURE_SECONDS
        if earliest is None:
            return _LONGEST_SLEEP_SECONDS
        return min(max((earliest - now).total_seconds(), _APART_SECONDS), _LONGEST_SLEEP_SECONDS)

    def _decide(self, moments: Sequence[Undecided], now: datetime) -> bool:
        """Decide these moments; false when none could be. They are tried again, and do not stop the others."""
        try:
            with self._database.write() as tx:
                batch = tick_decisions.decide_free(tx, moments, now)
        except Exception as error:
            self._report(error)
            if failed_itself(error):
                return False
            # one of them cannot be written; alone, the others can
            return self._decide_alone(moments, now)
        self._tell(batch.decided)
        for job_id, reason in batch.failed:
            self._report(reason, job=str(job_id))
        some_were = len(batch.failed) + len(batch.held_back) < len(moments)
        # somebody is at work on these: waiting for one while others are held could be a circle. When the first is
        # free again, it was often another scheduler that held them all: the next look tells what is left.
        return self._decide_alone(batch.held_back[:1], now) or some_were

    def _decide_alone(self, moments: Sequence[Undecided], now: datetime) -> bool:
        """Decide each in a transaction of its own; false when none could be."""
        some_were = False
        for moment in moments:
            try:
                with self._database.write() as tx:
                    decided = tick_decisions.decide_one(tx, moment, now)
            except Exception as error:
                self._report(error, job=str(moment.job_id))
                if failed_itself(error):
                    break
            else:
                some_were = True
                self._tell([] if decided is None else [decided])
        return some_were

    def _report(self, error: Exception, **what: str) -> None:
        events.emit(events.SERVICE_FAILED, service=self.name, **what, **faults.shown(error))

    def _tell(self, committed: list[DecidedTick]) -> None:
        for decided in committed:
            _tell(decided)
        if any(decided.run is not None for decided in committed):
            self._bells.ring(bells.RUNS_PENDING)


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
