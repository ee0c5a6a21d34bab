"""What a schedule will do if nothing goes wrong: the coming moments and the windows that their runs will have."""

from collections.abc import Iterator
from dataclasses import dataclass, replace
from datetime import datetime, timedelta

from homeport.scheduling.intervals import Interval, next_tick_within
from homeport.scheduling.start_decision import StartFacts, StartRequest, window_of
from homeport.scheduling.ticks import latest_tick, next_tick
from homeport.scheduling.triggers import Trigger, TriggerKind

_MICROSECOND = timedelta(microseconds=1)


@dataclass(frozen=True, slots=True)
class Coming:
    """A moment to come, and the window of its run; none when it lies outside of the declared interval."""

    moment: datetime
    interval: Interval | None


def coming(facts: StartFacts, trigger: Trigger, first: datetime, before: datetime) -> Iterator[Coming]:
    """The moments of a trigger from `first`, its next one, on, and earlier than `before`.

    Each run is taken to start on time and to complete before the next moment, so windows follow one another.
    """
    moment: datetime | None = first
    while moment is not None and moment < before:
        interval, _ = window_of(facts, StartRequest(trigger, moment, is_scheduled=True))
        yield Coming(moment, interval)
        if not trigger.is_recurring:
            return
        completed_until = facts.completed_until if interval is None else interval.end
        facts = replace(facts, completed_until=completed_until, has_completed=True, refresh_pending=False)
        moment = next_tick_within(
            trigger, moment, zone=facts.zone, previous=moment, declared=facts.declared_interval
        )


def around(
    trigger: Trigger, moment: datetime, zone: str, anchor: datetime | None
) -> tuple[datetime | None, datetime | None]:
    """The last tick not after a moment, and the first one after it. `anchor` is any tick: it says the phase."""
    if trigger.kind is not TriggerKind.EVERY:
        is_past = trigger.kind is TriggerKind.ONCE and trigger.moment <= moment
        return latest_tick(trigger, moment, zone), None if is_past else next_tick(trigger, moment, zone)
    if anchor is None:
        return None, None
    latest = anchor + (moment - anchor) // trigger.period * trigger.period
    return latest, latest + trigger.period


def first_within(
    trigger: Trigger, start: datetime, span: timedelta, zone: str, anchor: datetime | None
) -> datetime | None:
    """The first tick in `[start, start + span)`."""
    _, tick = around(trigger, start - _MICROSECOND, zone, anchor)
    return tick if tick is not None and tick < start + span else None
