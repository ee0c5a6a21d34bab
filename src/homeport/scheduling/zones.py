"""Time zones by their IANA names, and the instants of wall-clock readings in them.

A reading that does not exist stands for the first valid moment after, one that occurs twice for two moments.
"""

from datetime import UTC, datetime, timedelta
from functools import lru_cache
from zoneinfo import ZoneInfo

from homeport.errors import BadRequest

_SECOND = timedelta(seconds=1)


@lru_cache(maxsize=1_024)
def parse_zone(name: str) -> ZoneInfo:
    """The zone of this name; `BadRequest` when there is none."""
    try:
        return ZoneInfo(name)
    except (KeyError, ValueError, OSError, TypeError):
        # A directory of the zone database ("America") is an OSError, a path out of it ("../x") a ValueError.
        raise BadRequest(
            f"There is no time zone '{name}': write an IANA name such as 'Europe/Berlin' or 'UTC' "
            "in the job's require.timezone.",
            code="unknown_timezone",
        ) from None


def moments_of(reading: datetime, zone: ZoneInfo) -> tuple[datetime, ...]:
    """The one or two moments, in UTC and ascending, that a naive `reading` of clocks in `zone` stands for."""
    early, late = _offset(reading, zone, fold=0), _offset(reading, zone, fold=1)
    first = (reading - early).replace(tzinfo=UTC)
    if early == late:
        return (first,)
    second = (reading - late).replace(tzinfo=UTC)
    if early > late:
        return (first, second)
    return (_change_between(second, first, zone),)


def repeated_span(moment: datetime, zone: ZoneInfo) -> tuple[datetime, datetime] | None:
    """The readings `[start, end)` that clocks show twice, if `moment` lies in one of the two showings."""
    reading = moment.astimezone(zone).replace(tzinfo=None)
    early, late = _offset(reading, zone, fold=0), _offset(reading, zone, fold=1)
    if early <= late:
        return None
    shown_first, shown_again = (reading - early).replace(tzinfo=UTC), (reading - late).replace(tzinfo=UTC)
    change = _change_between(shown_first, shown_again, zone).replace(tzinfo=None)
    return change + late, change + early


def _offset(reading: datetime, zone: ZoneInfo, fold: int) -> timedelta:
    offset = zone.utcoffset(reading.replace(fold=fold))
    assert offset is not None  # a ZoneInfo always knows it for a datetime; its stubs do not say so
    return offset


def _change_between(before: datetime, after: datetime, zone: ZoneInfo) -> datetime:
    """The moment in `(before, after]` from which clocks in `zone` have another offset than at `before`.

    zoneinfo does not tell its transitions; twelve halvings find one to the second."""
    offset = before.astimezone(zone).utcoffset()
    before, after = _floor_to_second(before), _floor_to_second(after)
    while after - before > _SECOND:
        middle = before + (after - before) // _SECOND // 2 * _SECOND
        if middle.astimezone(zone).utcoffset() == offset:
            before = middle
        else:
            after = middle
    return after


def _floor_to_second(moment: datetime) -> datetime:
    return moment.replace(microsecond=0)
