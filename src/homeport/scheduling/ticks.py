"""The moments at which a timed trigger fires, right around daylight saving.

A cron expression names readings of the clocks in a zone. On most days a reading is one moment. When the
clocks go forward, a reading that they leave out runs once, at the first valid moment after. When they go
back, a reading that they show twice runs the first time only if the expression names fixed times, and both
times if its hours or minutes say `*` or a step: such a schedule follows elapsed time.

All moments are aware and in UTC. Several readings can share a moment (all that one spring night leaves out):
it is one tick.
"""

from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from zoneinfo import ZoneInfo

from homeport.scheduling.cron import Cron, parse_cron
from homeport.scheduling.triggers import Trigger, TriggerKind
from homeport.scheduling.zones import moments_of, parse_zone, repeated_span

_MICROSECOND = timedelta(microseconds=1)


def next_tick(
    trigger: Trigger, after: datetime, zone: str = "UTC", previous: datetime | None = None
) -> datetime | None:
    """The first tick strictly after `after`; none when there is never one again.

    `previous` is the tick before, and says where an `every` trigger stands: it fires at `previous` plus a
    whole number of periods. Without one, `after` is the deploy, and the first tick comes a period later. A
    `once` fires at its moment; when that has passed unfired it is due at once, and the answer is `after`
    itself: the only tick that is not strictly later.
    """
    after = _in_utc(after)
    match trigger.kind:
        case TriggerKind.SCHEDULE:
            return _next_cron_tick(parse_cron(trigger.expr), after, parse_zone(zone))
        case TriggerKind.EVERY:
            return _next_period(trigger.period, after, after if previous is None else _in_utc(previous))
        case TriggerKind.ONCE:
            was_fired = previous is not None and previous >= trigger.moment
            return None if was_fired else max(trigger.moment, after)
    return None


def latest_tick(
    trigger: Trigger, at: datetime, zone: str = "UTC", previous: datetime | None = None
) -> datetime | None:
    """The last tick not after `at`; none when there was none yet.

    An `every` trigger has ticks from `previous` on; without one its phase is not known and there is none.
    """
    at = _in_utc(at)
    match trigger.kind:
        case TriggerKind.SCHEDULE:
            return _latest_cron_tick(parse_cron(trigger.expr), at, parse_zone(zone))
        case TriggerKind.EVERY:
            if previous is None or previous > at:
                return None
            return _next_period(trigger.period, at, _in_utc(previous)) - trigger.period
        case TriggerKind.ONCE:
            return trigger.moment if trigger.moment <= at else None
    return None


def ticks_between(
    trigger: Trigger, start: datetime, end: datetime, zone: str = "UTC", previous: datetime | None = None
) -> Iterator[datetime]:
    """The ticks in `[start, end)`. `previous` as in `next_tick`; without one, `every` was deployed at `start`."""
    start, end = _in_utc(start), _in_utc(end)
    if trigger.kind is TriggerKind.ONCE:
        yield from [trigger.moment] if start <= trigger.moment < end else []
        return
    if trigger.kind is TriggerKind.EVERY and previous is None:
        tick, previous = next_tick(trigger, start, zone), start
    else:
        tick = next_tick(trigger, start - _MICROSECOND, zone, previous)
    while tick is not None and tick < end:
        yield tick
        tick = next_tick(trigger, tick, zone, previous)


def _next_period(period: timedelta, after: datetime, previous: datetime) -> datetime:
    # A whole number of periods, not "previous + period, or else after + period": the phase outlives every
    # pause. Also when the clock was set back and `previous` lies ahead; the ledger knows the ticks that it
    # had already.
    return previous + ((after - previous) // period + 1) * period


def _next_cron_tick(cron: Cron, after: datetime, zone: ZoneInfo) -> datetime | None:
    local = after.astimezone(zone)
    repeated = repeated_span(after, zone)
    is_second_showing = repeated is not None and local.fold == 1
    if repeated is not None and is_second_showing and not cron.is_repeating:
        # Fixed times had their turn in the first showing: go on where the clocks show something new.
        reading = cron.first_at_or_after(repeated[1])
    else:
        reading = cron.first_at_or_after(local.replace(tzinfo=None) + _MICROSECOND)
    candidates = [] if reading is None else [m for m in moments_of(reading, zone) if m > after][:1]
    if repeated is not None and not is_second_showing and cron.is_repeating:
        # Seen from inside the first showing, readings that lie behind come once more before any that lie ahead.
        shown_again = cron.first_at_or_after(repeated[0])
        if shown_again is not None and shown_again < repeated[1]:
            candidates.append(moments_of(shown_again, zone)[-1])
    return min(candidates, default=None)


def _latest_cron_tick(cron: Cron, at: datetime, zone: ZoneInfo) -> datetime | None:
    local = at.astimezone(zone)
    reading = cron.last_at_or_before(local.replace(tzinfo=None))
    repeated = repeated_span(at, zone)
    if repeated is not None and local.fold == 1:
        if cron.is_repeating and reading is not None and reading >= repeated[0]:
            return moments_of(reading, zone)[-1]
        # Nothing in this showing so far: the whole first showing lies behind, also the readings still ahead.
        reading = cron.last_at_or_before(repeated[1] - _MICROSECOND)
        return None if reading is None else moments_of(reading, zone)[0]
    if reading is None:
        return None
    moments = moments_of(reading, zone)
    return [m for m in moments if m <= at][-1] if cron.is_repeating else moments[0]


def _in_utc(moment: datetime) -> datetime:
    if moment.tzinfo is None:
        raise ValueError(f"{moment} has no time zone; moments here are aware and in UTC")
    return moment.astimezone(UTC)
