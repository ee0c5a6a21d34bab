"""The latest moment has its turn; what passed before it is told in one piece."""

from datetime import UTC, datetime, timedelta

import pytest

from homeport.scheduling.freshness import FreshnessConstraint, FreshnessKind, Upstream, wanted_until
from homeport.scheduling.intervals import DeclaredInterval
from homeport.scheduling.missed import MOST_COUNTED, Missed, latest_due, missed_before
from homeport.scheduling.tick_outcomes import outcome_of_earlier, outcome_when_due, outcome_when_waiting
from homeport.scheduling.triggers import parse_trigger

HOURLY = parse_trigger("schedule:0 * * * *")


def at(hour: int, minute: int = 0, day: int = 2) -> datetime:
    return datetime(2026, 3, day, hour, minute, tzinfo=UTC)


@pytest.mark.parametrize(
    ("trigger", "first", "now", "latest", "missed"),
    [
        ("schedule:0 * * * *", at(1), at(1, 30), at(1), None),
        ("schedule:0 * * * *", at(1), at(5), at(5), Missed(at(1), at(4), 4)),
        ("schedule:0 * * * *", at(1), at(2, 59), at(2), Missed(at(1), at(1), 1)),
        ("every:90m", at(1), at(5), at(4), Missed(at(1), at(2, 30), 2)),
        ("every:1h", at(1, 10), at(3, 10), at(3, 10), Missed(at(1, 10), at(2, 10), 2)),
        ("once:2026-03-02T01:00:00+00:00", at(1), at(9), at(1), None),
    ],
)
def test_the_latest_moment_and_those_before_it(
    trigger: str, first: datetime, now: datetime, latest: datetime, missed: Missed | None
) -> None:
    parsed = parse_trigger(trigger)
    assert latest_due(parsed, first, now, "UTC") == latest
    assert missed_before(parsed, first, latest, "UTC") == missed


def test_nothing_is_due_after_the_declared_end() -> None:
    declared = DeclaredInterval(at(0), at(3))
    assert latest_due(HOURLY, at(1), at(9), "UTC", declared) == at(3)


def test_what_the_ledger_has_is_not_missed_again() -> None:
    assert missed_before(HOURLY, at(1), at(5), "UTC", known_until=at(2)) == Missed(at(3), at(4), 2)
    assert missed_before(HOURLY, at(1), at(5), "UTC", known_until=at(4)) is None
    assert missed_before(HOURLY, at(4), at(5), "UTC", known_until=at(2)) == Missed(at(4), at(4), 1)


def test_more_than_a_thousand_of_a_cron_are_not_counted() -> None:
    minutely = parse_trigger("schedule:* * * * *")
    some = missed_before(minutely, at(0), at(0) + timedelta(minutes=MOST_COUNTED), "UTC")
    more = missed_before(minutely, at(0), at(0) + timedelta(minutes=MOST_COUNTED + 1), "UTC")
    assert (some and some.count, more and more.count) == (MOST_COUNTED, None)


def test_both_showings_of_a_repeated_hour_are_counted() -> None:
    half_hourly = parse_trigger("schedule:*/30 * * * *")
    start, end = (datetime(2026, 11, 1, hour, tzinfo=UTC) for hour in (5, 8))
    missed = missed_before(half_hourly, start, end, "America/New_York")
    assert missed == Missed(start, end - timedelta(minutes=30), 6)


@pytest.mark.parametrize(
    ("trigger", "wanted"),
    [("schedule:0 * * * *", at(4)), ("every:1h", at(3, 20)), ("manual:", None), (None, None)],
)
def test_how_far_an_upstream_must_be(trigger: str | None, wanted: datetime | None) -> None:
    constraint = FreshnessConstraint(FreshnessKind.IS_FRESH, "jobs.up")
    assert wanted_until(Upstream(constraint, default_trigger=trigger), at(4, 20)) == wanted


def test_outcomes_of_ticks_that_are_due_that_wait_and_that_are_taken_over() -> None:
    assert outcome_when_due("skipped_fresh") == outcome_when_waiting("skipped_fresh") == "deferred"
    assert (outcome_when_due("skipped_paused"), outcome_when_waiting("skipped_paused")) == (
        "skipped_paused",
        "deferred",
    )
    assert outcome_when_waiting("skipped_concurrency_limit") == "skipped_concurrency_limit"
    assert [outcome_of_earlier(name) for name in ("triggered", "deferred", "covered", "skipped_paused")] == [
        "covered",
        "covered",
        "covered",
        "skipped_paused",
    ]
