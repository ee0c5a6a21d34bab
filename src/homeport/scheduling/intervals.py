"""The window of data that a run is for: half-open `[start, end)`, in UTC (run contract §14.1, §14.2).

A run takes the time since the last completed one up to the tick that has just passed, so ticks that were
missed become one longer window. A declared interval cuts it off at both ends.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta

from homeport.errors import BadRequest
from homeport.scheduling.ticks import latest_tick, next_tick
from homeport.scheduling.triggers import Trigger, TriggerKind
from homeport.scheduling.zones import moments_of, parse_zone

_MICROSECOND = timedelta(microseconds=1)


@dataclass(frozen=True, slots=True)
class Interval:
    """`[start, end)`, aware and in UTC. An empty one, start = end, is a point: there is nothing to load."""

    start: datetime
    end: datetime

    @property
    def is_empty(self) -> bool:
        return self.start >= self.end


@dataclass(frozen=True, slots=True)
class DeclaredInterval:
    """`interval` of a definition, in UTC, on ticks if the job has a cron. Without an end it is open."""

    start: datetime
    end: datetime | None = None

    def __contains__(self, moment: datetime) -> bool:
        return self.start <= moment and (self.end is None or moment < self.end)

    def __str__(self) -> str:
        return f"from {self.start.isoformat()} " + (f"to {self.end.isoformat()}" if self.end else "on")


def parse_declared_interval(spec: Mapping[str, object], trigger: Trigger, zone: str = "UTC") -> DeclaredInterval:
    """Read `interval` of a definition whose recurring trigger is `trigger`; `BadRequest` when it is empty.

    For a cron, values without an offset are readings in `zone` and bounds move back to a tick; for `every`
    they are UTC and stay as they are. Both as dlt does it for local runs.
    """
    start, end = (_bound(spec, name, trigger, zone) for name in ("start", "end"))
    if start is None:
        raise BadRequest("interval has no start: add one, or leave interval out.", code="invalid_interval")
    if end is not None and end <= start:
        raise BadRequest(
            f"interval ends at {end.isoformat()}, not after its start at {start.isoformat()} "
            "(both moved back to a tick of the schedule): make the end later, or leave it out.",
            code="invalid_interval",
        )
    return DeclaredInterval(start, end)


def _bound(spec: Mapping[str, object], name: str, trigger: Trigger, zone: str) -> datetime | None:
    value = spec.get(name)
    if value is None:
        return None
    try:
        moment = value if isinstance(value, datetime) else datetime.fromisoformat(str(value).strip())
    except ValueError:
        raise BadRequest(
            f"interval.{name} '{value}' is no ISO 8601 date and time: write one such as '2026-01-01T00:00:00Z'.",
            code="invalid_interval",
        ) from None
    try:
        if trigger.kind is not TriggerKind.SCHEDULE:
            return moment.replace(tzinfo=UTC) if moment.tzinfo is None else moment.astimezone(UTC)
        if moment.tzinfo is None:
            moment = moments_of(moment, parse_zone(zone))[0]
        return latest_tick(trigger, moment, zone) or moment.astimezone(UTC)
    except OverflowError:  # the first and last days of the calendar are not there in every zone
        raise BadRequest(
            f"interval.{name} '{value}' lies outside the calendar: write a later or an earlier moment.",
            code="invalid_interval",
        ) from None


def natural_interval(
    trigger: Trigger, now: datetime, previous_end: datetime | None, zone: str = "UTC"
) -> Interval:
    """The window of a run that starts `now`, with no declared interval in the way.

    `previous_end` is the end of the window of the last completed timed run; none when there is none, or a
    refresh forgot it. When it lies ahead of what the trigger names (another schedule ran before, the clock
    was set back) the window is the empty one there: nothing is loaded twice and the pointer does not go back.
    """
    match trigger.kind:
        case TriggerKind.SCHEDULE:
            end = latest_tick(trigger, now, zone)
            if end is None:
                return Interval(now, now)
            start = previous_end or latest_tick(trigger, end - _MICROSECOND, zone) or end
        case TriggerKind.EVERY:
            end = now
            start = previous_end or now - trigger.period
        case TriggerKind.ONCE:
            start = end = trigger.moment
        case _:
            start = end = now
    return Interval(start, max(start, end))


def run_interval(
    trigger: Trigger,
    now: datetime,
    *,
    previous_end: datetime | None = None,
    zone: str = "UTC",
    declared: DeclaredInterval | None = None,
    is_refresh: bool = False,
) -> Interval | None:
    """The window of a run that starts `now`, or none when it lies outside the declared interval.

    A refresh forgets `previous_end`; a run without one begins at the declared start, if there is any.
    """
    if is_refresh:
        previous_end = None
    natural = natural_interval(trigger, now, previous_end, zone)
    if declared is None:
        return natural
    if not trigger.is_recurring:
        return natural if natural.start in declared else None
    start = declared.start if previous_end is None else max(natural.start, declared.start)
    end = natural.end if declared.end is None else min(natural.end, declared.end)
    if start < end:
        return Interval(start, end)
    # Empty by itself (nothing new yet) is a window; emptied by the declared bounds is outside of them.
    return natural if natural.is_empty and (start, end) == (natural.start, natural.end) else None


def next_tick_within(
    trigger: Trigger,
    after: datetime,
    *,
    zone: str = "UTC",
    previous: datetime | None = None,
    declared: DeclaredInterval | None = None,
) -> datetime | None:
    """`next_tick`, for a job with a declared interval: none once the next tick would pass its end.

    The tick at or before its start is left out too, for the window that ends there lies before the interval.
    """
    if declared is None or not trigger.is_recurring:
        return next_tick(trigger, after, zone, previous)
    # An `every` that has no tick yet counts from its deploy, also when its interval begins later.
    anchor = after if previous is None else previous
    tick = next_tick(trigger, max(after, declared.start), zone, anchor)
    return None if tick is None or (declared.end is not None and tick > declared.end) else tick
