"""Which days of a month a cron expression names: its day, `L`, `W`, weekday and `#` fields taken together."""

import calendar
from dataclasses import dataclass
from functools import lru_cache

LAST = -1
"""Stands for the last day of a month, or the last one of its kind."""


@dataclass(frozen=True, slots=True)
class DayRule:
    """The day fields of an expression. None means any day."""

    days: frozenset[int] | None
    """Days of the month, `LAST` among them for `L`."""
    weekdays: frozenset[int] | None
    """0 is Sunday."""
    nth_weekdays: frozenset[tuple[int, int]] | None
    """(weekday, n) for `5#2`, (weekday, `LAST`) for `L5`."""
    nearest_weekday_to: int | None
    """`15W`: the day from Monday to Friday nearest to the 15th, never leaving the month."""


@lru_cache(maxsize=8_192)
def days_of_month(rule: DayRule, year: int, month: int) -> tuple[int, ...]:
    """The days that `rule` names in this month, ascending; often none (the 31st in February)."""
    if rule.days is not None and rule.weekdays is not None:
        # A day and a weekday together mean either of the two, as in every cron since the first. With `W` or
        # `#` the plain field beside it has no effect: that is how croniter, and hence dlt, reads it.
        found = _matching(rule, rule.days, None, year, month)
        found |= _matching(rule, None, rule.weekdays, year, month)
    else:
        found = _matching(rule, rule.days, rule.weekdays, year, month)
    return tuple(sorted(found))


def _matching(
    rule: DayRule, days: frozenset[int] | None, weekdays: frozenset[int] | None, year: int, month: int
) -> set[int]:
    first_weekday, length = (calendar.weekday(year, month, 1) + 1) % 7, calendar.monthrange(year, month)[1]
    found = set(range(1, length + 1))
    if rule.nearest_weekday_to is not None:
        found &= {_nearest_weekday(rule.nearest_weekday_to, first_weekday, length)}
    elif days is not None:
        found &= {length if day == LAST else day for day in days}
    if rule.nth_weekdays is not None:
        found &= {_nth_weekday(*pair, first_weekday, length) for pair in rule.nth_weekdays}
    elif weekdays is not None:
        found = {day for day in found if (first_weekday + day - 1) % 7 in weekdays}
    return found


def _nth_weekday(weekday: int, nth: int, first_weekday: int, length: int) -> int:
    """The day of the nth such weekday; past the end of the month when there are fewer."""
    first = 1 + (weekday - first_weekday) % 7
    return first + 7 * ((length - first) // 7 if nth == LAST else nth - 1)


def _nearest_weekday(day: int, first_weekday: int, length: int) -> int:
    day = min(day, length)
    weekday = (first_weekday + day - 1) % 7
    if weekday == 6:  # Saturday: Friday, or Monday when Friday is in the month before
        return day - 1 if day > 1 else day + 2
    if weekday == 0:  # Sunday: Monday, or Friday when Monday is in the month after
        return day + 1 if day < length else day - 2
    return day
