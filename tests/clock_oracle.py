"""A slow calendar that cannot be wrong in a clever way: it looks at every reading of a zone's clocks in turn."""

from datetime import UTC, datetime, timedelta
from functools import cache
from zoneinfo import ZoneInfo

from croniter import croniter

MINUTE, HOUR, DAY = timedelta(minutes=1), timedelta(hours=1), timedelta(days=1)


@cache
def fields_of(cron: str) -> tuple[frozenset[int] | None, ...]:
    """Minutes, hours, days, months, weekdays (0 is Sunday) and, if there are six, seconds; none means any."""
    fields = croniter.expand(cron)[0]
    return tuple(None if field == ["*"] else frozenset(field) for field in fields)


def names(cron: str, reading: datetime) -> bool:
    """Whether the expression names this reading of the clocks."""
    minutes, hours, days, months, weekdays, *seconds = fields_of(cron)
    of_day = days is None or reading.day in days
    of_week = weekdays is None or reading.isoweekday() % 7 in weekdays
    is_day = (of_day or of_week) if days is not None and weekdays is not None else (of_day and of_week)
    return (
        is_day
        and (minutes is None or reading.minute in minutes)
        and (hours is None or reading.hour in hours)
        and (months is None or reading.month in months)
        and (reading.second == 0 if not seconds else seconds[0] is None or reading.second in seconds[0])
    )


def ticks(
    cron: str,
    is_repeating: bool,
    start: datetime,
    end: datetime,
    zone: ZoneInfo,
    step: timedelta = MINUTE,
) -> list[datetime]:
    """The ticks in `[start, end)`. `start` is a whole step; `is_repeating`: hours or minutes say `*` or a step."""
    found, moment = [], start
    while moment < end:
        local = moment.astimezone(zone)
        reading = (moment - step).astimezone(zone).replace(tzinfo=None) + step
        left_out = False
        while reading < local.replace(tzinfo=None):  # the clocks have just gone forward over this reading
            left_out = left_out or names(cron, reading)
            reading += step
        if left_out or (names(cron, local) and (local.fold == 0 or is_repeating)):
            found.append(moment)
        moment += step
    return found


@cache
def _ticks_of_day(cron: str, is_repeating: bool, day: datetime, zone: str) -> tuple[datetime, ...]:
    return tuple(ticks(cron, is_repeating, day, day + DAY, ZoneInfo(zone)))


def ticks_in(cron: str, after: datetime, until: datetime, zone: str) -> list[datetime]:
    """The ticks in `(after, until]`; days that were walked before are remembered."""
    is_repeating = any("*" in field or "/" in field for field in cron.split()[:2])
    day, found = after.astimezone(UTC).replace(hour=0, minute=0, second=0, microsecond=0), []
    while day <= until:
        found += [tick for tick in _ticks_of_day(cron, is_repeating, day, zone) if after < tick <= until]
        day += DAY
    return found
