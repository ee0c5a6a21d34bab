"""Freshness: whether upstreams have done their part, in dlt's words."""

from datetime import UTC, datetime

import pytest

from homeport.errors import BadRequest
from homeport.scheduling.freshness import (
    Upstream,
    by_upstream,
    direct_downstream,
    parse_freshness,
    stale_reasons,
    transitive_downstream,
)

NOW = datetime(2026, 11, 22, 8, 30, tzinfo=UTC)


def upstream(trigger: str | None = None, completed: str | None = "08:00", **facts: object) -> Upstream:
    until = None if completed is None else datetime.fromisoformat(f"2026-11-22T{completed}:00+00:00")
    constraint = parse_freshness(str(facts.pop("constraint", "job.is_fresh:jobs.up")))
    return Upstream(constraint, default_trigger=trigger, completed_until=until, **facts)  # type: ignore[arg-type]


FRESH = [
    upstream("schedule:0 * * * *", "08:00"),
    upstream("schedule:0 * * * *", "08:29"),
    upstream("schedule:0 8 * * *", "07:00", zone="Europe/Berlin"),
    upstream("schedule:0 0 1 1 * 0 2030", "00:00"),
    upstream("every:1h", "07:31"),
    upstream(None, "00:00"),
    upstream("tag:x", "00:00"),
    upstream("once:2030-01-01", "00:00"),
]

STALE = [
    (upstream("schedule:0 * * * *", "07:59"), "upstream jobs.up missing run for 2026-11-22 08:00:00+00:00"),
    (
        upstream("schedule:0 8 * * *", "06:59", zone="Europe/Berlin"),
        "upstream jobs.up missing run for 2026-11-22 07:00:00+00:00",
    ),
    (upstream("every:1h", "07:30"), "upstream jobs.up has a missing run (last 3600s ago, period 3600s)"),
    (upstream("tag:x", None), "upstream jobs.up didn't process any intervals yet (refresh pending)"),
    (upstream(job_type="interactive"), "upstream jobs.up is an interactive job (cannot be fresh)"),
    (upstream(is_known=False), "upstream jobs.up is not deployed in this workspace"),
    (upstream(is_archived=True), "upstream jobs.up is archived"),
    (
        upstream(constraint="job.is_matching_interval_fresh:jobs.up"),
        "upstream jobs.up — job.is_matching_interval_fresh requires interval-based downstream",
    ),
]


@pytest.mark.parametrize("fresh", FRESH)
def test_an_upstream_that_covered_its_latest_tick_is_fresh(fresh: Upstream) -> None:
    assert stale_reasons([fresh], NOW) == ()


@pytest.mark.parametrize(("stale", "reason"), STALE)
def test_an_upstream_that_did_not_is_stale_for_a_reason(stale: Upstream, reason: str) -> None:
    assert stale_reasons([stale], NOW) == (reason,)


def test_every_stale_upstream_has_its_reason_in_order() -> None:
    stale = [upstream for upstream, _ in STALE]
    assert stale_reasons([stale[0], FRESH[0], stale[4]], NOW) == (STALE[0][1], STALE[4][1])


def test_in_the_repeated_hour_each_showing_has_to_be_covered() -> None:
    now = datetime(2026, 11, 1, 6, 10, tzinfo=UTC)
    hourly = "schedule:0 * * * *"
    covered = datetime(2026, 11, 1, 5, tzinfo=UTC)
    constraint = parse_freshness("job.is_fresh:jobs.up")
    stale = Upstream(constraint, default_trigger=hourly, zone="America/New_York", completed_until=covered)
    assert stale_reasons([stale], now) == ("upstream jobs.up missing run for 2026-11-01 06:00:00+00:00",)


@pytest.mark.parametrize("text", ["", "jobs.a", "job.is_fresh:", "job.is_fresh:load", "job.is_new:jobs.a"])
def test_a_constraint_that_names_no_job_is_refused(text: str) -> None:
    with pytest.raises(BadRequest, match=f"'{text}' cannot be used"):
        parse_freshness(text)


def test_a_constraint_keeps_its_text() -> None:
    assert str(parse_freshness("job.is_fresh:jobs.a.load")) == "job.is_fresh:jobs.a.load"


GRAPH = {
    "jobs.a": ["job.is_fresh:jobs.a"],
    "jobs.c": ["job.is_fresh:jobs.b", "job.is_fresh:jobs.a"],
    "jobs.b": ["job.is_fresh:jobs.a"],
    "jobs.d": ["job.is_fresh:jobs.c"],
    "jobs.e": [],
}


def test_downstream_is_who_names_the_job_and_never_the_job_itself() -> None:
    assert direct_downstream("jobs.a", GRAPH) == ["jobs.c", "jobs.b"]
    assert transitive_downstream("jobs.a", by_upstream(GRAPH)) == ["jobs.c", "jobs.b", "jobs.d"]
    assert transitive_downstream("jobs.e", by_upstream(GRAPH)) == []


def test_a_severed_job_is_not_passed_through() -> None:
    assert transitive_downstream("jobs.a", by_upstream(GRAPH), severed={"jobs.c"}) == ["jobs.b"]


def test_a_circle_ends_where_it_began() -> None:
    circle = {"jobs.a": ["job.is_fresh:jobs.b"], "jobs.b": ["job.is_fresh:jobs.a"]}
    assert transitive_downstream("jobs.a", by_upstream(circle)) == ["jobs.b"]
