"""Cron expressions as a calendar of wall-clock readings: no zone, no daylight saving; `ticks` adds those.

croniter reads the text, so that names, lists, steps, `L`, `#` and `W` mean here what they mean to dlt. The
search is ours: it answers in a few microseconds, and croniter is never asked about nights when clocks change.
"""

import re
from bisect import bisect_left, bisect_right
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from datetime import date, datetime, time, timedelta
from functools import lru_cache
from typing import Any

from croniter import croniter

from homeport.scheduling.month_days import LAST, DayRule, days_of_month

_MINUTE, _HOUR, _DAY, _MONTH, _WEEKDAY, _SECOND, _YEAR = range(7)

# `R` draws a new number at each reading, `H` a number from a key that a trigger does not have.
_DRAWN_FIELD = re.compile(r"(?:^|\s)[hr](?:[(/]|\s|$)", re.IGNORECASE)

# No combination of day, month and weekday pauses longer: 29 February on one weekday, across the year 2100.
_LONGEST_PAUSE_YEARS = 40


class BadCron(ValueError):
    """The text is no cron expression, or one that never fires; the message is the reason."""


@dataclass(frozen=True, slots=True, eq=False)
class Cron:
    """The wall-clock readings that an expression names, to the second. All fields ascend."""

    seconds: tuple[int, ...]
    minutes: tuple[int, ...]
    hours: tuple[int, ...]
    day_rule: DayRule
    months: tuple[int, ...]
    years: tuple[int, ...] | None
    """None means any."""
    is_repeating: bool
    """Hours or minutes say `*` or a step: the schedule follows elapsed time, and an hour that the clocks
    repeat is run twice. Otherwise it names fixed times of the day, and a repeated one is run once."""

    def first_at_or_after(self, reading: datetime) -> datetime | None:
        """The earliest reading not before this naive one; none when the years have run out."""
        start = _ceil_to_second(reading)
        for day in self._days_from(start.date()):
            clock = self._first_time(start.time()) if day == start.date() else self._first_time(time.min)
            if clock is not None:
                return datetime.combine(day, clock)
        return None

    def last_at_or_before(self, reading: datetime) -> datetime | None:
        """The latest reading not after this naive one; none before the first year."""
        for day in self._days_back_from(reading.date()):
            clock = self._last_time(reading.time()) if day == reading.date() else self._last_time(time.max)
            if clock is not None:
                return datetime.combine(day, clock)
        return None

    def _days_from(self, start: date) -> Iterator[date]:
        for year in self._years_of(range(start.year, min(start.year + _LONGEST_PAUSE_YEARS, date.max.year) + 1)):
            for month in self.months:
                if (year, month) == (start.year, start.month):
                    days = days_of_month(self.day_rule, year, month)
                    yield from (date(year, month, day) for day in days[bisect_left(days, start.day) :])
                elif (year, month) > (start.year, start.month):
                    yield from (date(year, month, day) for day in days_of_month(self.day_rule, year, month))

    def _days_back_from(self, start: date) -> Iterator[date]:
        for year in self._years_of(
            range(start.year, max(start.year - _LONGEST_PAUSE_YEARS, date.min.year) - 1, -1)
        ):
            for month in reversed(self.months):
                if (year, month) == (start.year, start.month):
                    days = days_of_month(self.day_rule, year, month)
                    yield from (date(year, month, day) for day in reversed(days[: bisect_right(days, start.day)]))
                elif (year, month) < (start.year, start.month):
                    yield from (
                        date(year, month, day) for day in reversed(days_of_month(self.day_rule, year, month))
                    )

    def _years_of(self, candidates: range) -> Iterable[int]:
        if self.years is None:
            return candidates
        is_forward = candidates.step > 0
        return [
            year
            for year in (self.years if is_forward else reversed(self.years))
            if (year >= candidates.start) == is_forward or year == candidates.start
        ]

    def _first_time(self, at: time) -> time | None:
        """The earliest time of a day not before `at`."""
        hour, minute, second = at.hour, at.minute, _at_or_above(self.seconds, at.second)
        if second is None:
            minute, second = minute + 1, self.seconds[0]
        if (found := _at_or_above(self.minutes, minute)) != minute:
            second = self.seconds[0]
        if found is None:
            hour, found = hour + 1, self.minutes[0]
        minute = found
        if (found := _at_or_above(self.hours, hour)) != hour:
            minute, second = self.minutes[0], self.seconds[0]
        return None if found is None else time(found, minute, second)

    def _last_time(self, at: time) -> time | None:
        """The latest time of a day not after `at`."""
        hour, minute, second = at.hour, at.minute, _at_or_below(self.seconds, at.second)
        if second is None:
            minute, second = minute - 1, self.seconds[-1]
        if (found := _at_or_below(self.minutes, minute)) != minute:
            second = self.seconds[-1]
        if found is None:
            hour, found = hour - 1, self.minutes[-1]
        minute = found
        if (found := _at_or_below(self.hours, hour)) != hour:
            minute, second = self.minutes[-1], self.seconds[-1]
        return None if found is None else time(found, minute, second)


@lru_cache(maxsize=16_384)
def parse_cron(text: str) -> Cron:
    """Read an expression of 5 fields, of 6 (seconds last), of 7 (then years) or an alias such as `@daily`."""
    if _DRAWN_FIELD.search(text):
        raise BadCron("an H or R field draws its time by lot, and nobody could say when the job runs")
    try:
        # The start is given so that croniter does not look at the clock.
        fields = croniter(text, 0.0)
    except (ValueError, KeyError, IndexError, TypeError) as error:
        raise BadCron(f"'{text.strip()}' is no cron expression ({_first_line(error)})") from None
    expanded: Sequence[Sequence[int | str]] = fields.expanded
    cron = Cron(
        seconds=_values(expanded[_SECOND], 0, 59) if len(expanded) > _SECOND else (0,),
        minutes=_values(expanded[_MINUTE], 0, 59),
        hours=_values(expanded[_HOUR], 0, 23),
        day_rule=DayRule(
            days=_restriction(expanded[_DAY]),
            weekdays=_restriction(expanded[_WEEKDAY]),
            nth_weekdays=_nth_weekdays(fields.nth_weekday_of_month),
            nearest_weekday_to=next(iter(fields.nearest_weekday), None),
        ),
        months=_values(expanded[_MONTH], 1, 12),
        years=_values(expanded[_YEAR], 1970, 2099) if len(expanded) > _YEAR else None,
        is_repeating=any(
            expanded[field] == ["*"] or "/" in fields.expressions[field] or "*" in fields.expressions[field]
            for field in (_MINUTE, _HOUR)
        ),
    )
    _refuse_if_it_never_fires(cron, text)
    return cron


def _refuse_if_it_never_fires(cron: Cron, text: str) -> None:
    # 2000 is a leap year, and no century comes in the 40 years after it: what is not found there is nowhere.
    start = datetime(2000, 1, 1) if cron.years is None else datetime(1970, 1, 1)  # noqa: DTZ001
    if cron.first_at_or_after(start) is None:
        raise BadCron(f"'{text.strip()}' never fires: no month has such a day")


def _values(field: Sequence[int | str], lowest: int, highest: int) -> tuple[int, ...]:
    if "*" in field:
        return tuple(range(lowest, highest + 1))
    return tuple(sorted(int(value) for value in field))


def _restriction(field: Sequence[int | str]) -> frozenset[int] | None:
    if "*" in field:
        return None
    return frozenset(LAST if value == "l" else int(value) for value in field)


def _nth_weekdays(nths: Any) -> frozenset[tuple[int, int]] | None:
    # {5: {2}} for `5#2`, {5: {"l"}} for `L5`; the stubs of croniter say otherwise.
    return frozenset((int(day), LAST if n == "l" else int(n)) for day, ns in nths.items() for n in ns) or None


def _at_or_above(values: tuple[int, ...], value: int) -> int | None:
    index = bisect_left(values, value)
    return values[index] if index < len(values) else None


def _at_or_below(values: tuple[int, ...], value: int) -> int | None:
    index = bisect_right(values, value)
    return values[index - 1] if index else None


def _ceil_to_second(reading: datetime) -> datetime:
    floor = reading.replace(microsecond=0)
    return floor if floor == reading else floor + timedelta(seconds=1)


def _first_line(error: Exception) -> str:
    return str(error).strip().splitlines()[-1] if str(error).strip() else type(error).__name__
