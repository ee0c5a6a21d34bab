"""The window of a run: what closed since the last completed one, cut to what the job declares."""

from datetime import UTC, datetime, timedelta

import pytest

from homeport.errors import BadRequest
from homeport.scheduling.intervals import (
    DeclaredInterval,
    Interval,
    natural_interval,
    next_tick_within,
    parse_declared_interval,
    run_interval,
)
from homeport.scheduling.triggers import Trigger, parse_trigger

HOUR = timedelta(hours=1)
HOURLY, EVERY = parse_trigger("schedule:0 * * * *"), parse_trigger("every:1h")


def at(text: str) -> datetime:
    """`8:30` on the day of the examples, or a full moment."""
    full = text if "T" in text else f"2026-11-22T{text:0>5}"
    return datetime.fromisoformat(full).replace(tzinfo=UTC)


NOW = at("8:30")

NATURAL = [
    ("schedule:0 * * * *", "UTC", None, "7:00", "8:00"),
    ("schedule:0 * * * *", "UTC", "3:00", "3:00", "8:00"),
    ("schedule:0 * * * *", "UTC", "8:00", "8:00", "8:00"),
    ("schedule:30 * * * *", "UTC", None, "7:30", "8:30"),  # a `now` on a tick has that tick behind it
    ("schedule:0 8 * * *", "America/New_York", None, "2026-11-20T13:00", "2026-11-21T13:00"),
    ("schedule:0 * * * *", "UTC", "8:10", "8:10", "8:10"),  # another schedule got further: nothing is loaded twice
    ("schedule:0 0 1 1 * 0 2030", "UTC", None, "8:30", "8:30"),
    ("every:1h", "UTC", None, "7:30", "8:30"),
    ("every:1h", "UTC", "5:17", "5:17", "8:30"),
    ("every:1h", "UTC", "9:00", "9:00", "9:00"),  # the clock was set back
    ("once:2026-11-22T06:00", "UTC", "3:00", "6:00", "6:00"),
    ("manual:", "UTC", "3:00", "8:30", "8:30"),
    ("job.success:jobs.a", "UTC", None, "8:30", "8:30"),
]


@pytest.mark.parametrize(("text", "zone", "previous_end", "start", "end"), NATURAL)
def test_the_window_of_a_run(text: str, zone: str, previous_end: str | None, start: str, end: str) -> None:
    previous = at(previous_end) if previous_end else None
    assert natural_interval(parse_trigger(text), NOW, previous, zone) == Interval(at(start), at(end))


def test_in_the_repeated_hour_windows_neither_repeat_nor_jump() -> None:
    trigger, first = parse_trigger("schedule:*/30 * * * *"), at("2026-11-01T05:00")
    end, windows = first, []
    for now in (first + n * HOUR / 2 for n in range(1, 6)):
        windows.append(natural_interval(trigger, now, end, "America/New_York"))
        end = windows[-1].end
    assert windows == [Interval(first + n * HOUR / 2, first + (n + 1) * HOUR / 2) for n in range(5)]


DECLARED = DeclaredInterval(at("4:00"), at("8:00"))
OPEN = DeclaredInterval(at("4:00"))

CLAMPED = [
    ("first run: from the declared start", HOURLY, OPEN, None, "8:30", ("4:00", "8:00")),
    ("later runs: from where the last one ended", HOURLY, OPEN, "6:00", "8:30", ("6:00", "8:00")),
    ("never before the start", HOURLY, OPEN, "2:00", "8:30", ("4:00", "8:00")),
    ("never past the end", HOURLY, DECLARED, "6:00", "11:30", ("6:00", "8:00")),
    ("nothing new yet", HOURLY, OPEN, "8:00", "8:30", ("8:00", "8:00")),
    ("all of it is loaded", HOURLY, DECLARED, "8:00", "11:30", None),
    ("not begun", HOURLY, OPEN, None, "3:30", None),
    ("the tick at the start closes a window before it", HOURLY, OPEN, None, "4:00", None),
    ("every: bounds as they are", EVERY, DECLARED, "7:45", "8:15", ("7:45", "8:00")),
    ("a point inside", parse_trigger("manual:"), DECLARED, None, "5:30", ("5:30", "5:30")),
    ("a point before", parse_trigger("manual:"), DECLARED, None, "3:59", None),
    ("a point at the end, which is exclusive", parse_trigger("manual:"), DECLARED, None, "8:00", None),
    ("once, inside", parse_trigger("once:2026-11-22T05:00"), DECLARED, None, "11:00", ("5:00", "5:00")),
]


@pytest.mark.parametrize(("why", "trigger", "declared", "previous_end", "now", "window"), CLAMPED)
def test_a_declared_interval_cuts_the_window(
    why: str,
    trigger: Trigger,
    declared: DeclaredInterval,
    previous_end: str | None,
    now: str,
    window: tuple[str, str],
) -> None:
    previous = at(previous_end) if previous_end else None
    found = run_interval(trigger, at(now), previous_end=previous, declared=declared)
    assert found == (Interval(at(window[0]), at(window[1])) if window else None), why


def test_a_refresh_forgets_where_the_last_run_ended() -> None:
    refreshed = run_interval(HOURLY, NOW, previous_end=at("6:00"), is_refresh=True)
    assert refreshed == Interval(at("7:00"), at("8:00"))
    refreshed = run_interval(HOURLY, NOW, previous_end=at("6:00"), declared=DECLARED, is_refresh=True)
    assert refreshed == Interval(at("4:00"), at("8:00"))


@pytest.mark.parametrize(
    ("trigger", "zone", "spec", "start", "end"),
    [
        (
            HOURLY,
            "Europe/Berlin",
            {"start": "2026-01-01T00:30:00", "end": "2026-01-02T00:10:00"},
            "2025-12-31T23:00",
            "2026-01-01T23:00",
        ),
        (HOURLY, "UTC", {"start": "2026-01-01T00:30:00+05:00"}, "2025-12-31T19:00", None),
        (HOURLY, "UTC", {"start": datetime(2026, 1, 1, tzinfo=UTC), "end": None}, "2026-01-01T00:00", None),
        (EVERY, "Europe/Berlin", {"start": "2026-01-01T00:30:00"}, "2026-01-01T00:30", None),
        # 02:30 does not exist on that day; 03:00 is the first moment after, and a tick
        (HOURLY, "Europe/Berlin", {"start": "2026-03-29T02:30:00"}, "2026-03-29T01:00", None),
    ],
)
def test_declared_bounds_are_read_in_the_zone_and_moved_back_to_a_tick(
    trigger: Trigger, zone: str, spec: dict[str, object], start: str, end: str | None
) -> None:
    found = parse_declared_interval(spec, trigger, zone)
    assert found == DeclaredInterval(at(start), at(end) if end else None)


@pytest.mark.parametrize(
    ("spec", "reason"),
    [
        ({}, "has no start"),
        ({"end": "2026-01-01"}, "has no start"),
        ({"start": "soon"}, "no ISO 8601"),
        ({"start": "2026-01-02", "end": "2026-01-01"}, "not after its start"),
        ({"start": "2026-01-01T00:10", "end": "2026-01-01T00:50"}, "not after its start"),
    ],
)
def test_an_interval_that_holds_no_time_is_refused(spec: dict[str, object], reason: str) -> None:
    with pytest.raises(BadRequest, match=reason):
        parse_declared_interval(spec, HOURLY)


@pytest.mark.parametrize(
    ("declared", "after", "expected"),
    [
        (None, "6:30", "7:00"),
        (DECLARED, "6:30", "7:00"),
        (DECLARED, "7:30", "8:00"),  # closes the last window
        (DECLARED, "8:00", None),
        (DECLARED, "1:30", "5:00"),  # the tick at 4:00 would close a window before the interval
        (OPEN, "8:30", "9:00"),
    ],
)
def test_a_schedule_ticks_for_the_windows_of_its_interval_only(
    declared: DeclaredInterval | None, after: str, expected: str | None
) -> None:
    assert next_tick_within(HOURLY, at(after), declared=declared) == (at(expected) if expected else None)


def test_every_counts_from_its_deploy_also_when_its_interval_begins_later() -> None:
    assert next_tick_within(EVERY, at("1:10"), declared=DECLARED) == at("4:10")
    assert next_tick_within(EVERY, at("7:15"), previous=at("7:10"), declared=DECLARED) is None


def test_a_declared_interval_says_its_bounds() -> None:
    assert str(DECLARED) == "from 2026-11-22T04:00:00+00:00 to 2026-11-22T08:00:00+00:00"
    assert str(OPEN) == "from 2026-11-22T04:00:00+00:00 on"
