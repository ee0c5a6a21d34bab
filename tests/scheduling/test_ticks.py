"""Ticks on the nights when the clocks change, and the phases of `every` and `once`."""

from datetime import UTC, datetime, timedelta

import pytest

from homeport.errors import BadRequest
from homeport.scheduling.ticks import latest_tick, next_tick, ticks_between
from homeport.scheduling.triggers import parse_trigger

HOUR = timedelta(hours=1)


def utc(text: str) -> datetime:
    return datetime.fromisoformat(text).replace(tzinfo=UTC)


NEW_YORK_SPRING = ("America/New_York", "2026-03-08T05:00", "2026-03-08T09:00")  # 02:00 EST is 03:00 EDT at 07:00Z
NEW_YORK_AUTUMN = ("America/New_York", "2026-11-01T04:00", "2026-11-01T08:00")  # 02:00 EDT is 01:00 EST at 06:00Z
BERLIN_SPRING = ("Europe/Berlin", "2026-03-29T00:00", "2026-03-29T03:00")  # 02:00 is 03:00 at 01:00Z
BERLIN_AUTUMN = ("Europe/Berlin", "2026-10-24T23:00", "2026-10-25T03:00")  # 03:00 is 02:00 at 01:00Z
LORD_HOWE_SPRING = ("Australia/Lord_Howe", "2026-10-03T14:00", "2026-10-03T17:00")  # 02:00 is 02:30 at 15:30Z
LORD_HOWE_AUTUMN = ("Australia/Lord_Howe", "2026-04-04T14:00", "2026-04-04T17:00")  # 02:00 is 01:30 at 15:00Z
TROLL_SPRING = ("Antarctica/Troll", "2026-03-29T00:00", "2026-03-29T03:00")  # 01:00 is 03:00 at 01:00Z
SAMOA_SKIPS_A_DAY = ("Pacific/Apia", "2011-12-29T00:00", "2012-01-01T00:00")  # no 30 December; 31st at 30T10:00Z

NIGHTS = [
    # A time that does not exist runs once, at the first valid moment after.
    (NEW_YORK_SPRING, "30 2 * * *", "07:00"),
    (NEW_YORK_SPRING, "15,45 2 * * *", "07:00"),
    (NEW_YORK_SPRING, "0 3 * * *", "07:00"),
    (NEW_YORK_SPRING, "0 2,3 * * *", "07:00"),
    (NEW_YORK_SPRING, "0 * * * *", "05:00 06:00 07:00 08:00"),
    (NEW_YORK_SPRING, "*/30 1-3 * * *", "06:00 06:30 07:00 07:30"),
    (NEW_YORK_SPRING, "30 * * * *", "05:30 06:30 07:00 07:30 08:30"),
    (BERLIN_SPRING, "30 2 * * *", "01:00"),
    (LORD_HOWE_SPRING, "15 2 * * *", "15:30"),
    (LORD_HOWE_SPRING, "0 * * * *", "14:30 15:30 16:00"),
    (TROLL_SPRING, "30 1,2 * * *", "01:00"),
    (SAMOA_SKIPS_A_DAY, "0 8 * * *", "29T18:00 30T10:00 30T18:00 31T18:00"),
    # One that occurs twice runs once if it is fixed, and every time if hours or minutes say `*` or a step.
    (NEW_YORK_AUTUMN, "30 1 * * *", "05:30"),
    (NEW_YORK_AUTUMN, "0,30 1,2 * * *", "05:00 05:30 07:00 07:30"),
    (NEW_YORK_AUTUMN, "0 * * * *", "04:00 05:00 06:00 07:00"),
    (NEW_YORK_AUTUMN, "*/30 1 * * *", "05:00 05:30 06:00 06:30"),
    (NEW_YORK_AUTUMN, "30 */1 * * *", "04:30 05:30 06:30 07:30"),
    (NEW_YORK_AUTUMN, "59 1 * * * 30,45", "05:59:30 05:59:45"),
    (BERLIN_AUTUMN, "30 2 * * *", "00:30"),
    (BERLIN_AUTUMN, "*/20 2 * * *", "00:00 00:20 00:40 01:00 01:20 01:40"),
    (LORD_HOWE_AUTUMN, "45 1 * * *", "14:45"),
    (LORD_HOWE_AUTUMN, "*/15 1,2 * * *", "14:00 14:15 14:30 14:45 15:00 15:15 15:30 15:45 16:00 16:15"),
    # Elsewhere nothing happens.
    (("Asia/Kolkata", "2026-03-08T00:00", "2026-03-08T04:00"), "30 8 * * *", "03:00"),
    (("UTC", "2026-03-29T00:00", "2026-03-29T03:00"), "30 * * * *", "00:30 01:30 02:30"),
]


@pytest.mark.parametrize(("night", "cron", "expected"), NIGHTS)
def test_a_night_when_the_clocks_change(night: tuple[str, str, str], cron: str, expected: str) -> None:
    zone, start, end = night
    found = list(ticks_between(parse_trigger(f"schedule:{cron}"), utc(start), utc(end), zone))
    month = start[:8]
    day = start[8:10] if "23:00" not in start else "25"
    full = [text if "T" in text else f"{day}T{text}" for text in expected.split()]
    assert found == [utc(month + text) for text in full]


@pytest.mark.parametrize(("night", "cron", "_expected"), NIGHTS)
def test_looking_back_finds_the_same_ticks_as_looking_ahead(
    night: tuple[str, str, str], cron: str, _expected: str
) -> None:
    zone, start, end = night[0], utc(night[1]), utc(night[2])
    trigger = parse_trigger(f"schedule:{cron}")
    moment = start
    while moment < end:
        later = next_tick(trigger, moment, zone)
        assert later is not None
        assert latest_tick(trigger, later, zone) == later
        earlier = latest_tick(trigger, moment, zone)
        assert earlier is not None
        assert next_tick(trigger, earlier, zone) == later
        moment += timedelta(minutes=5)


def test_a_tick_stays_at_its_time_of_day_through_the_year() -> None:
    year = ticks_between(
        parse_trigger("schedule:0 8 * * *"), utc("2026-01-01"), utc("2027-01-01"), "Europe/Berlin"
    )
    assert {(tick.month in range(4, 11), tick.hour) for tick in year if tick.month not in (3, 10)} == {
        (False, 7),
        (True, 6),
    }


def test_a_schedule_whose_years_are_over_has_no_next_tick() -> None:
    trigger = parse_trigger("schedule:0 0 1 1 * 0 2020")
    assert next_tick(trigger, utc("2026-01-01")) is None
    assert latest_tick(trigger, utc("2026-01-01")) == utc("2020-01-01")
    assert latest_tick(trigger, utc("2019-01-01")) is None


EVERY = [
    ("deploy: a period later", None, "10:00", "10:05"),
    ("in phase", "10:00", "10:01", "10:05"),
    ("strictly after", "10:00", "10:05", "10:10"),
    ("after a long pause, still in phase", "10:00", "13:37:12", "13:40"),
    ("the clock was set back", "10:00", "09:02", "09:05"),
]


@pytest.mark.parametrize(("why", "previous", "after", "expected"), EVERY)
def test_every_keeps_its_phase(why: str, previous: str | None, after: str, expected: str) -> None:
    day = "2026-11-22T"
    before = utc(day + previous) if previous else None
    assert next_tick(parse_trigger("every:5m"), utc(day + after), "UTC", before) == utc(day + expected), why


def test_every_looks_back_in_phase_and_not_before_it_began() -> None:
    trigger, began = parse_trigger("every:5m"), utc("2026-11-22T10:00")
    assert latest_tick(trigger, utc("2026-11-22T10:12"), "UTC", began) == utc("2026-11-22T10:10")
    assert latest_tick(trigger, utc("2026-11-22T10:10"), "UTC", began) == utc("2026-11-22T10:10")
    assert latest_tick(trigger, utc("2026-11-22T09:59"), "UTC", began) is None
    assert latest_tick(trigger, utc("2026-11-22T10:12")) is None


def test_every_lists_ticks_from_its_deploy_and_from_its_phase() -> None:
    trigger, start = parse_trigger("every:20m"), utc("2026-11-22T10:00")
    assert list(ticks_between(trigger, start, start + HOUR)) == [utc("2026-11-22T10:20"), utc("2026-11-22T10:40")]
    in_phase = ticks_between(trigger, start, start + HOUR, previous=utc("2026-11-22T09:50"))
    assert [tick.minute for tick in in_phase] == [10, 30, 50]


ONCE = utc("2026-11-22T10:00")


@pytest.mark.parametrize(
    ("previous", "after", "expected"),
    [
        (None, ONCE - HOUR, ONCE),
        (None, ONCE + HOUR, ONCE + HOUR),  # passed and not fired: at once
        (ONCE, ONCE, None),
        (ONCE + HOUR, ONCE + 2 * HOUR, None),
        (ONCE - HOUR, ONCE + HOUR, ONCE + HOUR),  # what fired then was another moment
    ],
)
def test_once_fires_one_time(previous: datetime | None, after: datetime, expected: datetime | None) -> None:
    assert next_tick(parse_trigger("once:2026-11-22T10:00"), after, "UTC", previous) == expected


def test_once_is_a_tick_from_its_moment_on() -> None:
    trigger = parse_trigger("once:2026-11-22T10:00")
    assert latest_tick(trigger, ONCE) == ONCE
    assert latest_tick(trigger, ONCE - HOUR) is None
    assert list(ticks_between(trigger, ONCE, ONCE + HOUR)) == [ONCE]
    assert list(ticks_between(trigger, ONCE - HOUR, ONCE)) == []


@pytest.mark.parametrize("text", ["manual:", "tag:x", "job.success:jobs.a", "http:", "deployment:", "webhook:"])
def test_what_does_not_go_by_the_clock_has_no_ticks(text: str) -> None:
    trigger = parse_trigger(text)
    assert next_tick(trigger, ONCE) is None
    assert latest_tick(trigger, ONCE) is None
    assert list(ticks_between(trigger, ONCE, ONCE + HOUR)) == []


@pytest.mark.parametrize("zone", ["Mars/Olympus", "", "America", "../etc/passwd", "/etc/localtime", "utc\0"])
def test_a_zone_that_does_not_exist_is_refused_by_name(zone: str) -> None:
    with pytest.raises(BadRequest, match="no time zone") as refused:
        next_tick(parse_trigger("schedule:0 8 * * *"), ONCE, zone)
    assert "Europe/Berlin" in refused.value.message


def test_a_moment_without_a_zone_is_a_mistake_of_the_caller() -> None:
    with pytest.raises(ValueError, match="aware"):
        next_tick(parse_trigger("schedule:0 8 * * *"), datetime(2026, 11, 22))  # noqa: DTZ001


def test_moments_in_other_zones_are_understood_and_answered_in_utc() -> None:
    after = datetime.fromisoformat("2026-11-22T08:00:00+05:00")
    tick = next_tick(parse_trigger("schedule:0 8 * * *"), after)
    assert tick == utc("2026-11-22T08:00")
    assert tick.tzinfo is UTC
