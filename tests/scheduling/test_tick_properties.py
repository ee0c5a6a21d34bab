"""What holds for every trigger, zone and moment; and an oracle that looks at every minute."""

from datetime import UTC, datetime, timedelta
from functools import cache
from itertools import pairwise
from zoneinfo import ZoneInfo, available_timezones

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from homeport.scheduling.cron import parse_cron
from homeport.scheduling.intervals import natural_interval
from homeport.scheduling.ticks import latest_tick, next_tick, ticks_between
from homeport.scheduling.triggers import Trigger, parse_trigger

from .. import clock_oracle

MINUTE, HOUR, DAY = timedelta(minutes=1), timedelta(hours=1), timedelta(days=1)

ZONES = [
    "UTC",
    "America/New_York",
    "Europe/Berlin",
    "Europe/Dublin",
    "Australia/Lord_Howe",
    "Africa/Casablanca",
    "Antarctica/Troll",
    "America/St_Johns",
    "Asia/Kathmandu",
    "Pacific/Apia",
]
CRONS = [
    "* * * * *",
    "*/7 * * * *",
    "0 * * * *",
    "30 * * * *",
    "30 1,2 * * *",
    "*/20 1-3 * * *",
    "0 */3 * * *",
    "15 0-23 * * *",
    "5,35 0 * * *",
    "0 8 * * mon-fri",
    "0 0 29 2 *",
    "59 23 l * *",
    "0 2 * * sun#2",
    "30 2 * 3,10,11 * */20",
]
PERIODS = ["60", "5m", "1.5h", "1d", "61.5s"]

triggers = st.sampled_from([f"schedule:{cron}" for cron in CRONS] + [f"every:{p}" for p in PERIODS]).map(
    parse_trigger
)
zones = st.sampled_from(ZONES)
# Half of the moments lie in the weeks in which most clocks change.
moments = st.integers(631_152_000, 3_786_912_000).map(lambda s: datetime.fromtimestamp(s, UTC)) | st.builds(
    lambda year, week, minutes: datetime(year, week[0], week[1], tzinfo=UTC) + minutes * MINUTE,
    st.integers(2000, 2037),
    st.sampled_from([(3, 5), (3, 25), (4, 1), (10, 1), (10, 24), (11, 1)]),
    st.integers(0, 8 * 24 * 60),
)


@given(triggers, zones, moments, moments)
def test_the_next_tick_is_never_in_the_past_and_is_a_tick(
    trigger: Trigger, zone: str, after: datetime, previous: datetime
) -> None:
    tick = next_tick(trigger, after, zone, previous)
    assert tick is not None
    assert tick > after
    assert tick.tzinfo is UTC
    if previous <= tick:
        assert latest_tick(trigger, tick, zone, previous) == tick


@given(triggers, zones, moments)
def test_ticks_ascend_and_none_lies_between_two_neighbours(trigger: Trigger, zone: str, start: datetime) -> None:
    earlier = next_tick(trigger, start, zone, start)
    assert earlier is not None
    for _ in range(20):
        later = next_tick(trigger, earlier, zone, start)
        assert later is not None
        assert later > earlier
        middle = earlier + (later - earlier) / 2
        assert next_tick(trigger, middle, zone, start) == later
        assert latest_tick(trigger, middle, zone, start) == earlier
        earlier = later


@given(triggers, zones, moments)
def test_windows_of_completed_runs_follow_each_other_without_gap_overlap_or_emptiness(
    trigger: Trigger, zone: str, start: datetime
) -> None:
    previous_end, tick = None, next_tick(trigger, start, zone, start)
    for _ in range(20):
        assert tick is not None
        window = natural_interval(trigger, tick, previous_end, zone)
        assert window.start < window.end == tick
        assert previous_end in (None, window.start)
        previous_end, tick = window.end, next_tick(trigger, tick, zone, start)


@given(st.sampled_from(PERIODS), moments, moments)
def test_every_stays_a_whole_number_of_periods_away_from_where_it_began(
    period: str, began: datetime, after: datetime
) -> None:
    trigger = parse_trigger(f"every:{period}")
    tick = next_tick(trigger, after, "UTC", began)
    assert tick is not None
    assert (tick - began) % trigger.period == timedelta()
    assert tick - after <= trigger.period


# ── the oracle: looks at every minute ─────────────────────────────────────────────────────────────────────────

# Only crons without seconds and day fields; true where repeated readings run every time.
ORACLE_CRONS = {
    "* * * * *": True,
    "0 * * * *": True,
    "30 * * * *": True,
    "*/25 * * * *": True,
    "*/20 0-3 * * *": True,
    "10 */2 * * *": True,
    "30 0,1,2,3,23 * * *": False,
    "0,59 0-4 * * *": False,
    "15,45 2 * * *": False,
    "0 0 * * *": False,
}


def offset_at(moment: datetime, zone: ZoneInfo) -> timedelta:
    offset = zone.utcoffset(moment.astimezone(zone))
    assert offset is not None
    return offset


@cache
def distinct_changes(year: int) -> list[tuple[str, datetime]]:
    """One zone for each different change of the clocks in the world, and the last look before it.

    Looks twice a day: enough to know around which hours to look at every minute."""
    looks = [datetime(year, 1, 1, tzinfo=UTC) + n * 12 * HOUR for n in range(2 * 366)]
    found = {}
    for name in sorted(available_timezones()):
        offsets = [offset_at(look, ZoneInfo(name)) for look in looks]
        for look, before, after in zip(looks, offsets, offsets[1:], strict=False):
            if before != after:
                found[look, before, after] = (name, look)
    return list(found.values())


@pytest.mark.parametrize(("cron", "is_repeating"), ORACLE_CRONS.items())
def test_around_every_clock_change_of_the_world_the_ticks_are_the_oracles(cron: str, is_repeating: bool) -> None:
    trigger = parse_trigger(f"schedule:{cron}")
    for zone, look in distinct_changes(2026):
        start, end = look - 3 * HOUR, look + 15 * HOUR
        found = list(ticks_between(trigger, start, end, zone))
        assert found == clock_oracle.ticks(cron, is_repeating, start, end, ZoneInfo(zone)), (zone, look)


# what zones have done: half an hour, two hours, midnight, a whole day, a winter that counts as the saving
HISTORY = [
    ("Australia/Lord_Howe", 2019),
    ("Antarctica/Casey", 2009),
    ("Antarctica/Casey", 2020),
    ("Antarctica/Troll", 2021),
    ("Pacific/Apia", 2011),
    ("Africa/Casablanca", 2024),
    ("America/Havana", 2024),
    ("Europe/Dublin", 2025),
    ("Asia/Pyongyang", 2018),
    ("America/Caracas", 2007),
    ("Asia/Gaza", 2023),
]


@cache
def changes_of(zone: str, year: int) -> list[datetime]:
    """The last look, every two hours, before each change of the clocks."""
    looks = [datetime(year, 1, 1, tzinfo=UTC) + n * 2 * HOUR for n in range(12 * 366)]
    offsets = [offset_at(look, ZoneInfo(zone)) for look in looks]
    return [look for look, old, new in zip(looks, offsets, offsets[1:], strict=False) if old != new]


def field(low: int, high: int) -> st.SearchStrategy[str]:
    value = st.integers(low, high)
    steps = st.sampled_from([2, 3, 5, 7, 20]).map(lambda step: f"*/{step}")
    return (
        st.just("*") | steps | st.lists(value, min_size=1, max_size=4).map(lambda some: ",".join(map(str, some)))
    )


# hours around the changes; days so that most of them are meant
NIGHTLY = st.builds(
    lambda minute, hour, day, weekday: f"{minute} {hour} {day} * {weekday}",
    field(0, 59),
    field(0, 4) | st.just("23"),
    st.sampled_from(["*", "*", "*/2", "1,5,8,25-31"]),
    st.sampled_from(["*", "*", "0", "sat,sun"]),
)


@settings(max_examples=60)
@given(st.sampled_from(HISTORY), NIGHTLY, st.integers(-150, 150))
def test_around_strange_changes_of_history_any_cron_has_the_oracles_ticks(
    history: tuple[str, int], cron: str, shift: int
) -> None:
    zone = history[0]
    trigger, is_repeating = parse_trigger(f"schedule:{cron}"), parse_cron(cron).is_repeating
    assert is_repeating == any(mark in part for part in cron.split()[:2] for mark in "*/")
    for look in changes_of(*history):
        start = look + shift * MINUTE - 3 * HOUR
        end = start + 9 * HOUR
        found = list(ticks_between(trigger, start, end, zone))
        assert found == clock_oracle.ticks(cron, is_repeating, start, end, ZoneInfo(zone)), (zone, look)
        assert all(earlier < later for earlier, later in pairwise(found))


@pytest.mark.parametrize("cron", ["59 1 * * * 30,45", "* 2 * * * */20", "0 0 * * * 0,1", "*/30 * * * * 59"])
def test_seconds_around_a_change_are_the_oracles(cron: str) -> None:
    is_repeating = parse_cron(cron).is_repeating
    for zone, year in [("America/New_York", 2026), ("Australia/Lord_Howe", 2026), ("America/Havana", 2026)]:
        for look in changes_of(zone, year):
            start, end = look - HOUR / 2, look + 3.5 * HOUR
            expected = clock_oracle.ticks(cron, is_repeating, start, end, ZoneInfo(zone), timedelta(seconds=1))
            assert list(ticks_between(parse_trigger(f"schedule:{cron}"), start, end, zone)) == expected
