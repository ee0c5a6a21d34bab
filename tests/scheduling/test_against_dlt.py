"""dlt's own functions answer the same, wherever they are right: outside the nights when clocks change."""

from datetime import UTC, datetime, timedelta
from typing import Any
from zoneinfo import ZoneInfo

import pytest
from dlt._workspace.deployment import freshness as dlt_freshness
from dlt._workspace.deployment import interval as dlt_interval
from dlt._workspace.deployment._run_helpers import resolve_interval as dlt_resolve_interval
from dlt._workspace.deployment._run_helpers import resolve_refresh as dlt_resolve_refresh
from hypothesis import assume, given
from hypothesis import strategies as st

from homeport.scheduling.freshness import (
    Upstream,
    by_upstream,
    direct_downstream,
    parse_freshness,
    stale_reasons,
    transitive_downstream,
)
from homeport.scheduling.intervals import natural_interval, parse_declared_interval, run_interval
from homeport.scheduling.refresh import Cascade, RefreshPropagation, resolve_refresh
from homeport.scheduling.ticks import next_tick
from homeport.scheduling.triggers import parse_trigger

ZONES = ["UTC", "America/New_York", "Europe/Berlin", "Asia/Kathmandu", "Australia/Lord_Howe"]
CRONS = [
    "* * * * *",
    "*/7 * * * *",
    "0 8 * * *",
    "30 2 * * 1-5",
    "0 0 1 * *",
    "0 0 * * 5#2",
    "15 12 l * *",
    "@hourly",
]
TEXTS = [f"schedule:{cron}" for cron in CRONS] + ["every:5m", "every:1.5h", "once:2026-05-05T12:00:00Z", "manual:"]
REFS = [f"jobs.{name}" for name in "abcde"]

texts = st.sampled_from(TEXTS)
zones = st.sampled_from(ZONES)
moments = st.integers(1_735_689_600, 1_830_297_600).map(lambda seconds: datetime.fromtimestamp(seconds, UTC))
ages = st.none() | st.integers(0, 200_000).map(lambda seconds: timedelta(seconds=seconds))


def is_calm(start: datetime, end: datetime, zone: str) -> bool:
    """No clock change in sight, a day of margin on both sides."""
    day, info = timedelta(days=1), ZoneInfo(zone)
    days = (end - start) // day + 4
    return len({info.utcoffset((start + (n - 1) * day).astimezone(info)) for n in range(days)}) == 1


@given(texts.filter(lambda text: text != "manual:"), moments, zones, ages)
def test_the_next_tick(text: str, now: datetime, zone: str, age: timedelta | None) -> None:
    previous = None if age is None else now - age
    trigger = parse_trigger(text)
    if text.startswith("once:"):
        previous = None
    if text.startswith("every:") and age is not None:
        assume(age < trigger.period)  # later than that, dlt gives the phase up
        assume(age > timedelta())
    theirs = dlt_interval.next_scheduled_run(text, now, zone, previous)
    assume(is_calm(now, max(now, theirs), zone))
    assert next_tick(trigger, now, zone, previous) == theirs


@given(texts, moments, zones, ages)
def test_the_window_of_a_run(text: str, now: datetime, zone: str, age: timedelta | None) -> None:
    previous_end = None if age is None else now - age
    theirs = dlt_interval.compute_run_interval(text, now, previous_end, zone)
    assume(theirs[0] <= theirs[1])  # dlt's is upside down when the last window ended after the latest tick
    assume(is_calm(min(theirs), now, zone))
    ours = natural_interval(parse_trigger(text), now, previous_end, zone)
    assert (ours.start, ours.end) == theirs


@given(texts.filter(lambda text: text[:5] in ("sched", "every")), moments, zones, ages, ages, st.booleans())
def test_the_window_within_a_declared_interval(
    text: str, now: datetime, zone: str, since: timedelta | None, until: timedelta | None, is_refresh: bool
) -> None:
    spec = {"start": (now - (since or timedelta(days=9))).isoformat()}
    if until is not None:
        spec["end"] = (now - until).isoformat()
    assume(is_calm(now - timedelta(days=45), now, zone))
    job: Any = {"triggers": [text], "default_trigger": text, "interval": spec, "require": {"timezone": zone}}
    # Without a completed run ours begins at the declared start, as theirs does with a refresh.
    start, end, _ = dlt_resolve_interval(None, None, job, text, now, True)  # type: ignore[arg-type]
    assume(start < end)
    declared = parse_declared_interval(spec, parse_trigger(text), zone)
    ours = run_interval(parse_trigger(text), now, zone=zone, declared=declared, is_refresh=is_refresh)
    assert ours is not None
    assert (ours.start, ours.end) == (start, end)


@given(st.sampled_from([None, *TEXTS]), moments, zones, ages, st.sampled_from(["batch", "interactive"]))
def test_freshness_and_its_words(
    text: str | None, now: datetime, zone: str, age: timedelta | None, job_type: str
) -> None:
    assume(is_calm(now - timedelta(days=40), now, zone))
    completed_until = None if age is None else now - age
    job: Any = {"job_ref": "jobs.up", "entry_point": {"job_type": job_type}, "require": {"timezone": zone}}
    job |= {"triggers": [text] if text else [], "default_trigger": text}
    constraints: Any = ["job.is_fresh:jobs.up", "job.is_matching_interval_fresh:jobs.up"]
    is_fresh, reasons = dlt_interval.check_all_upstream_run_fresh(
        constraints, {"jobs.up": job}, {"jobs.up": completed_until}, now
    )
    ours = [Upstream(parse_freshness(c), job_type, text, zone, completed_until) for c in constraints]
    assert list(stale_reasons(ours, now)) == reasons
    assert is_fresh is (not reasons)


graphs = st.dictionaries(st.sampled_from(REFS), st.lists(st.sampled_from(REFS), max_size=3), min_size=1)
policies = st.fixed_dictionaries({ref: st.sampled_from(list(RefreshPropagation)) for ref in REFS})


@given(graphs, policies, st.sampled_from(REFS))
def test_who_is_downstream_and_whom_a_refresh_reaches(
    graph: dict[str, list[str]], policy: dict[str, RefreshPropagation], root: str
) -> None:
    freshness = {ref: [f"job.is_fresh:{up}" for up in upstreams] for ref, upstreams in graph.items()}
    jobs: Any = {
        ref: {"job_ref": ref, "freshness": freshness[ref], "refresh_propagation": str(policy[ref])}
        for ref in graph
    }
    assert direct_downstream(root, freshness) == dlt_freshness.get_direct_freshness_downstream(root, jobs)
    expected = dlt_freshness.get_transitive_freshness_downstream(root, jobs)
    assert transitive_downstream(root, by_upstream(freshness)) == expected
    assert Cascade(freshness, policy).targets(root) == dlt_freshness.get_refresh_cascade_targets(root, jobs)


@pytest.mark.parametrize("policy", RefreshPropagation)
@pytest.mark.parametrize("is_asked", [True, False])
def test_whether_a_run_is_a_refresh(policy: RefreshPropagation, is_asked: bool) -> None:
    job: Any = {"job_ref": "jobs.shop.load", "refresh_propagation": str(policy)}
    ours = resolve_refresh("jobs.shop.load", policy, is_asked=is_asked)
    is_refresh, warning = dlt_resolve_refresh(is_asked, job)
    assert ours.is_refresh is is_refresh
    assert (ours.warning is None) is (warning is None)
