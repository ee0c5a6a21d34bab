"""Moments that came while nobody looked: the latest has its turn, the ones before it are told in one piece."""

from dataclasses import dataclass
from datetime import datetime, timedelta
from itertools import islice

from homeport.scheduling.intervals import DeclaredInterval
from homeport.scheduling.ticks import latest_tick, next_tick, ticks_between
from homeport.scheduling.triggers import Trigger, TriggerKind

MOST_COUNTED = 1_000
"""Moments of a cron that are counted one by one. A minute schedule after a week without a server has ten times as
many, and nobody needs the number."""

_MICROSECOND = timedelta(microseconds=1)


@dataclass(frozen=True, slots=True)
class Missed:
    """The moments of a trigger from `first` to `last`, both included."""

    first: datetime
    last: datetime
    count: int | None
    """None: more than `MOST_COUNTED`."""


def latest_due(
    trigger: Trigger, first_due: datetime, now: datetime, zone: str, declared: DeclaredInterval | None = None
) -> datetime:
    """The last moment not after `now` of a trigger that is due since `first_due`."""
    if not trigger.is_recurring:
        return first_due
    end = now if declared is None or declared.end is None else min(now, declared.end)
    return max(first_due, latest_tick(trigger, end, zone, previous=first_due) or first_due)


def missed_before(
    trigger: Trigger, first_due: datetime, latest: datetime, zone: str, known_until: datetime | None = None
) -> Missed | None:
    """The moments in `[first_due, latest)`, without those up to `known_until`, which the ledger has."""
    first: datetime | None = first_due
    if known_until is not None and known_until >= first_due:
        first = next_tick(trigger, known_until, zone, first_due)
    if first is None or first >= latest:
        return None
    last = max(first, latest_tick(trigger, latest - _MICROSECOND, zone, first) or first)
    return Missed(first, last, _count(trigger, first, latest, zone))


def _count(trigger: Trigger, first: datetime, end: datetime, zone: str) -> int | None:
    if trigger.kind is TriggerKind.EVERY:
        return (end - first - _MICROSECOND) // trigger.period + 1
    counted = sum(1 for _ in islice(ticks_between(trigger, first, end, zone), MOST_COUNTED + 1))
    return counted if counted <= MOST_COUNTED else None
