"""The wall-clock calendar of cron expressions: the same readings as croniter's, found faster."""

# ruff: noqa: DTZ001 - readings have no zone

from datetime import datetime, timedelta

import pytest
from croniter import croniter
from hypothesis import given
from hypothesis import strategies as st

from homeport.scheduling.cron import BadCron, Cron, parse_cron

MICROSECOND = timedelta(microseconds=1)


def field(low: int, high: int) -> st.SearchStrategy[str]:
    value = st.integers(low, high)
    ranges = st.tuples(value, value).map(sorted).map(lambda pair: f"{pair[0]}-{pair[1]}")
    steps = st.tuples(st.just("*") | ranges, st.integers(1, high)).map(lambda pair: f"{pair[0]}/{pair[1]}")
    lists = st.lists(value, min_size=1, max_size=4).map(lambda values: ",".join(map(str, values)))
    return st.just("*") | ranges | steps | lists


DAYS = field(1, 31) | st.sampled_from(["l", "3,l", "?"])
WEEKDAYS = field(0, 7) | st.sampled_from(["mon-fri", "sun", "?"])
# croniter gives up on some mixtures of these with the other day field; alone they are well defined.
ONLY_DAY = st.sampled_from(
    [("15w", "*"), ("31w", "*"), ("*", "5#2"), ("*", "1#5,3#5"), ("*", "l5"), ("*", "l1,l3")]
)
EXPRESSIONS = st.builds(
    lambda minute, hour, days, month, second: " ".join([minute, hour, days[0], month, days[1], *second]),
    field(0, 59),
    field(0, 23),
    st.tuples(DAYS, WEEKDAYS) | ONLY_DAY,
    field(1, 12),
    st.just([]) | field(0, 59).map(lambda second: [second]),
)
READINGS = st.datetimes(datetime(1975, 1, 1), datetime(2095, 1, 1))


def cron_or_none(text: str) -> Cron | None:
    try:
        return parse_cron(text)
    except BadCron as bad:
        if "never fires" in str(bad):  # such as 31 February; anything else is a fault
            return None
        raise


@given(EXPRESSIONS, READINGS)
def test_readings_are_those_of_croniter(text: str, reading: datetime) -> None:
    cron = cron_or_none(text)
    if cron is not None:
        later, earlier = croniter(text, reading), croniter(text, reading + MICROSECOND)
        assert cron.first_at_or_after(reading + MICROSECOND) == later.get_next(datetime)
        assert cron.last_at_or_before(reading) == earlier.get_prev(datetime)


@given(EXPRESSIONS, READINGS)
def test_a_reading_is_its_own_first_and_last(text: str, reading: datetime) -> None:
    cron = cron_or_none(text)
    found = cron.first_at_or_after(reading) if cron is not None else None
    if cron is not None and found is not None:
        assert cron.first_at_or_after(found) == cron.last_at_or_before(found) == found
        assert cron.last_at_or_before(found - MICROSECOND) != found


@pytest.mark.parametrize("text", ["0 0 31 2 *", "0 0 30 2 *", "0 0 31 4,6,9,11 *", "0 0 29 2 * 0 2025-2027"])
def test_an_expression_that_never_fires_is_refused(text: str) -> None:
    with pytest.raises(BadCron, match="never fires"):
        parse_cron(text)


def test_the_rarest_day_is_found_across_a_century_without_leap_year() -> None:
    leap_mondays = parse_cron("0 0 29 2 * 0").first_at_or_after(datetime(2097, 1, 1))
    assert leap_mondays == datetime(2104, 2, 29)


def test_years_that_have_run_out_have_no_next_reading_and_keep_the_last() -> None:
    cron = parse_cron("0 12 1 1 * 0 2020,2024")
    assert cron.first_at_or_after(datetime(2025, 1, 1)) is None
    assert cron.last_at_or_before(datetime(2025, 1, 1)) == datetime(2024, 1, 1, 12)
    assert cron.last_at_or_before(datetime(2019, 1, 1)) is None
    assert cron.first_at_or_after(datetime(1950, 1, 1)) == datetime(2020, 1, 1, 12)


@pytest.mark.parametrize(
    ("text", "is_repeating"),
    [
        ("* * * * *", True),
        ("30 * * * *", True),
        ("*/15 1 * * *", True),
        ("0 */2 * * *", True),
        ("0 1-23/2 * * *", True),
        ("0 0-23 * * *", True),
        ("@hourly", True),
        ("30 1 * * *", False),
        ("0,30 1,2 * * *", False),
        ("0 9-17 * * *", False),
        ("30 1 */2 */3 *", False),
        ("30 1 * * * */10", False),
        ("@daily", False),
    ],
)
def test_an_expression_repeats_if_its_hours_or_minutes_are_a_star_or_a_step(text: str, is_repeating: bool) -> None:
    assert parse_cron(text).is_repeating is is_repeating


def test_a_day_and_a_weekday_together_mean_either() -> None:
    cron = parse_cron("0 0 13 * 5")
    found = cron.first_at_or_after(datetime(2026, 11, 7))
    assert found == datetime(2026, 11, 13)
    assert cron.first_at_or_after(found + MICROSECOND) == datetime(2026, 11, 20)
