"""Fires what is due by the clock: `schedule`, `every` and `once` triggers.

A moment is taken, decided, recorded in the ledger and its trigger moved on in one transaction
(`store/tick_decisions.py`). Several moments share it, and one that fails is rolled back alone. Moments that were
missed while no server ran become one run: its window reaches back over them. What waits for an upstream is decided
again when that completes, by whoever ends its run; here, when something else has changed.
"""

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from datetime import datetime
from uuid import UUID

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
_TOGETHER = 25
"""Moments of one transaction: a commit costs as much as several decisions, but holds up other writers."""
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
            waiting = ticks.to_look_at(tx, limit=_AT_MOST)
            earliest = job_triggers.earliest(tx)
        decisions = [
            *(_Decision(item.job_id, _due(item, now)) for item in due),
            *(_Decision(item.job_id, _again(item, now)) for item in waiting),
        ]
        if decisions:
            were_decided = [self._decide(some) for some in _in_groups(decisions)]
            return AT_ONCE if any(were_decided) else _AFTER_FAILURE_SECONDS
        if earliest is None:
            return _LONGEST_SLEEP_SECONDS
        return min((earliest - now).total_seconds(), _LONGEST_SLEEP_SECONDS)

    def _decide(self, some: list["_Decision"]) -> bool:
        """Decide these moments; false when none could be. They are tried again, and do not stop the others."""
        try:
            with self._database.write() as tx:
                free = tick_decisions.hold(tx, {one.job_id for one in some})
                tried = [self._try(tx, one) for one in some if one.job_id in free]
        except Exception as error:
            events.emit(events.SERVICE_FAILED, service=self.name, **faults.shown(error))
            return False
        # somebody is at work on these: waiting for one while others are held could be a circle
        tried += [self._decide_alone(one) for one in some if one.job_id not in free]
        self._tell([decided for was_decided, decided in tried if was_decided and decided is not None])
        return any(was_decided for was_decided, _ in tried)

    def _try(self, tx: Tx, one: "_Decision") -> tuple[bool, DecidedTick | None]:
        try:
            with tx.begin_nested():
                return True, one.decide(tx)
        except Exception as error:
            events.emit(events.SERVICE_FAILED, service=self.name, job=str(one.job_id), **faults.shown(error))
            return False, None

    def _decide_alone(self, one: "_Decision") -> tuple[bool, DecidedTick | None]:
        try:
            with self._database.write() as tx:
                return True, one.decide(tx)
        except Exception as error:
            events.emit(events.SERVICE_FAILED, service=self.name, job=str(one.job_id), **faults.shown(error))
            return False, None

    def _tell(self, committed: list[DecidedTick]) -> None:
        for decided in committed:
            _tell(decided)
        if any(decided.run is not None for decided in committed):
            self._bells.ring(bells.RUNS_PENDING)


@dataclass(frozen=True)
class _Decision:
    """A moment to decide."""

    job_id: UUID
    decide: Callable[[Tx], DecidedTick | None]


def _in_groups(decisions: list[_Decision]) -> Iterator[list[_Decision]]:
    for start in range(0, len(decisions), _TOGETHER):
        yield decisions[start : start + _TOGETHER]


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
