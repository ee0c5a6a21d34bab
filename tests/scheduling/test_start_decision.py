"""A start is decided by the first obstacle in a fixed order, with a reason that people understand."""

from dataclasses import replace
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from homeport.scheduling.freshness import Upstream, parse_freshness
from homeport.scheduling.intervals import DeclaredInterval, Interval
from homeport.scheduling.refresh import RefreshCause, RefreshPropagation
from homeport.scheduling.start_decision import (
    Decline,
    Start,
    StartFacts,
    StartRequest,
    TriggerStatus,
    decide_start,
)
from homeport.scheduling.triggers import parse_trigger

NOW = datetime(2026, 11, 22, 8, 30, tzinfo=UTC)
EIGHT, HOUR = datetime(2026, 11, 22, 8, tzinfo=UTC), timedelta(hours=1)
FACTS = StartFacts("jobs.a", default_trigger="schedule:0 * * * *", completed_until=EIGHT - HOUR)
TICK = StartRequest(parse_trigger("schedule:0 * * * *"), NOW, is_scheduled=True)
BY_HAND = replace(TICK, is_scheduled=False)
STALE = Upstream(parse_freshness("job.is_fresh:jobs.up"))

# From the first obstacle to the last, each with the reason's distinctive words.
OBSTACLES: list[tuple[dict[str, Any], str, str]] = [
    ({"workspace_archived": True}, "skipped_workspace_archived", "workspace is archived"),
    ({"job_archived": True}, "skipped_job_archived", "jobs.a is archived"),
    ({"is_paused": True}, "skipped_paused", "jobs.a is paused"),
    (
        {"declared_interval": DeclaredInterval(EIGHT - 9 * HOUR, EIGHT - HOUR)},
        "skipped_out_of_interval",
        "from 2026-11-21T23:00:00+00:00 to 2026-11-22T07:00:00+00:00",
    ),
    ({"completed_until": EIGHT}, "skipped_already_covered", "everything up to 2026-11-22T08:00:00+00:00"),
    ({"active_runs": 1}, "skipped_concurrency_limit", "1 of 1 allowed runs of jobs.a are active"),
    ({"upstreams": (STALE,)}, "skipped_fresh", "upstream jobs.up didn't process any intervals yet"),
]


@pytest.mark.parametrize(("facts", "status", "words"), OBSTACLES)
def test_an_obstacle_declines_the_start_and_says_why(facts: dict[str, Any], status: str, words: str) -> None:
    decision = decide_start(replace(FACTS, **facts), TICK)
    assert isinstance(decision, Decline)
    assert decision.status == status
    assert words in decision.reasons[0]


@pytest.mark.parametrize("first", range(len(OBSTACLES)))
def test_the_first_obstacle_in_the_order_is_the_answer(first: int) -> None:
    facts: dict[str, Any] = {}
    for obstacle, _, _ in reversed(OBSTACLES[first:]):
        facts |= obstacle
    assert decide_start(replace(FACTS, **facts), TICK).status == OBSTACLES[first][1]


def test_without_obstacle_the_run_starts_for_the_window_since_the_last() -> None:
    decision = decide_start(FACTS, TICK)
    assert isinstance(decision, Start)
    assert decision.interval == Interval(EIGHT - HOUR, EIGHT)
    assert (decision.status, decision.refresh.cause) == (TriggerStatus.TRIGGERED, None)


@pytest.mark.parametrize("trigger", ["manual:jobs.a", "job.success:jobs.b", "tag:x", "schedule:0 * * * *"])
def test_a_pause_holds_back_the_schedule_only(trigger: str) -> None:
    request = StartRequest(parse_trigger(trigger), NOW)
    assert isinstance(decide_start(replace(FACTS, is_paused=True), request), Start)


def test_who_starts_a_job_with_nothing_to_do_by_hand_gets_an_empty_window() -> None:
    decision = decide_start(replace(FACTS, completed_until=EIGHT), BY_HAND)
    assert isinstance(decision, Start)
    assert decision.interval.is_empty


@pytest.mark.parametrize(
    ("active", "allowed", "starts"), [(0, 1, True), (1, 1, False), (1, 2, True), (99, None, True), (3, 2, False)]
)
def test_concurrency_counts_active_runs(active: int, allowed: int | None, starts: bool) -> None:
    decision = decide_start(replace(FACTS, active_runs=active, concurrency=allowed), TICK)
    assert isinstance(decision, Start) is starts


def test_an_upstream_started_by_the_same_request_is_waited_for() -> None:
    request = replace(BY_HAND, started_in_batch=frozenset({"jobs.up", "jobs.other"}))
    decision = decide_start(replace(FACTS, upstreams=(STALE,)), request)
    assert decision == Decline(
        TriggerStatus.SKIPPED_UPSTREAM_PENDING, ("upstream jobs.up was started with this request",)
    )


def test_skip_freshness_asks_no_upstream() -> None:
    request = replace(BY_HAND, skip_freshness=True, started_in_batch=frozenset({"jobs.up"}))
    assert isinstance(decide_start(replace(FACTS, upstreams=(STALE,)), request), Start)


@pytest.mark.parametrize(
    ("facts", "asked", "cause", "start"),
    [
        ({}, True, RefreshCause.ASKED, EIGHT - 5 * HOUR),
        ({"refresh_pending": True}, False, RefreshCause.CASCADE, EIGHT - 5 * HOUR),
        ({"has_completed": False, "completed_until": None}, False, RefreshCause.FIRST_RUN, EIGHT - 5 * HOUR),
        ({"refresh_propagation": RefreshPropagation.ALWAYS}, False, RefreshCause.ALWAYS, EIGHT - 5 * HOUR),
        ({"refresh_propagation": RefreshPropagation.BLOCK}, True, None, EIGHT - HOUR),
    ],
)
def test_a_refresh_starts_over_from_the_declared_start(
    facts: dict[str, Any], asked: bool, cause: RefreshCause | None, start: datetime
) -> None:
    declared = DeclaredInterval(EIGHT - 5 * HOUR)
    decision = decide_start(replace(FACTS, declared_interval=declared, **facts), replace(BY_HAND, refresh=asked))
    assert isinstance(decision, Start)
    assert (decision.refresh.cause, decision.interval) == (cause, Interval(start, EIGHT))


def test_after_a_pause_one_run_covers_all_of_it() -> None:
    paused_since = replace(FACTS, completed_until=EIGHT - 100 * HOUR)
    decision = decide_start(paused_since, TICK)
    assert isinstance(decision, Start)
    assert decision.interval == Interval(EIGHT - 100 * HOUR, EIGHT)
