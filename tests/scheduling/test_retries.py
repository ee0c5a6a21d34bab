"""Which retry policy a job has, and when its next attempt begins."""

import tomllib
from datetime import timedelta
from typing import Any
from uuid import UUID

import pytest
from hypothesis import given
from hypothesis import strategies as st

from homeport.errors import BadRequest
from homeport.scheduling.retries import (
    LOST_PIPELINE,
    ONCE,
    JobSettings,
    RetryPolicy,
    load_lock_of,
    policy_of,
    read_settings,
    wait_before_next,
)
from homeport.scheduling.run_lifecycle import EndCause

from ..builders import definition, interactive

RUN = UUID(int=7)
LOAD = definition("shop.load", deliver={"pipeline_name": "orders"})
REPORT = definition("shop.report")


def settings(base: str = "", **profiles: str) -> JobSettings:
    return read_settings(
        {"": tomllib.loads(base), **{name: tomllib.loads(text) for name, text in profiles.items()}}
    )


# which


def test_a_lost_run_of_a_pipeline_is_retried_once_and_nothing_else_is() -> None:
    assert policy_of(LOAD, "prod", None) == LOST_PIPELINE
    assert policy_of(definition("a", expose={"category": "pipeline"}), "prod", None) == LOST_PIPELINE
    assert policy_of(REPORT, "prod", None) == ONCE
    assert wait_before_next(LOST_PIPELINE, EndCause.LOST, 1, RUN) is not None
    assert wait_before_next(LOST_PIPELINE, EndCause.LOST, 2, RUN) is None
    assert all(wait_before_next(LOST_PIPELINE, cause, 1, RUN) is None for cause in EndCause if cause != "lost")
    assert all(wait_before_next(ONCE, cause, 1, RUN) is None for cause in EndCause)


def test_the_nearest_table_wins_key_by_key_and_the_profile_goes_over_the_base() -> None:
    found = settings(
        """
        [jobs.retry]
        attempts = 2
        backoff = "1m"
        [jobs.shop.retry]
        attempts = 3
        [jobs.shop.load.retry]
        on = ["timeout"]
        """,
        prod="[jobs.shop.retry]\nattempts = 5\n",
        staging="[jobs.retry]\nbackoff = 7\n",
    )
    minute = timedelta(minutes=1)
    assert policy_of(LOAD, "prod", found) == RetryPolicy(5, minute, on=frozenset({"timeout"}))
    assert policy_of(REPORT, "access", found) == RetryPolicy(3, minute)
    assert policy_of(REPORT, "staging", found) == RetryPolicy(3, timedelta(seconds=7))
    assert policy_of(definition("other.a"), "prod", found) == RetryPolicy(2, minute)


def test_a_backoff_alone_does_not_make_a_pipeline_retry_its_own_failures() -> None:
    found = settings("[jobs.retry]\nbackoff = 5\n")
    assert policy_of(LOAD, "prod", found) == RetryPolicy(2, timedelta(seconds=5), on=frozenset({"lost"}))
    assert not policy_of(REPORT, "prod", found).may_retry


def test_an_app_is_not_tried_again() -> None:
    assert policy_of(interactive("nb"), "access", settings("[jobs.retry]\nattempts = 5\n")) == ONCE


@pytest.mark.parametrize(
    ("cause", "reason"),
    [
        ("exited", "failed"),
        ("setup_failed", "failed"),
        ("launch_failed", "failed"),
        ("lost", "lost"),
        ("timed_out", "timeout"),
    ],
)
def test_every_cause_but_a_cancel_can_be_retried(cause: str, reason: str) -> None:
    wanted, others = RetryPolicy(2, on=frozenset({reason})), {"failed", "lost", "timeout"} - {reason}
    assert wait_before_next(wanted, EndCause(cause), 1, RUN) is not None
    assert wait_before_next(RetryPolicy(2, on=frozenset(others)), EndCause(cause), 1, RUN) is None
    assert wait_before_next(RetryPolicy(9), EndCause.CANCELLED, 1, RUN) is None


# when


@given(st.uuids(), st.integers(1, 99), st.integers(0, 7 * 86_400), st.integers(0, 7 * 86_400))
def test_a_backoff_doubles_up_to_its_limit_less_a_quarter_at_most(
    run: UUID, made: int, backoff: int, limit: int
) -> None:
    policy = RetryPolicy(100, timedelta(seconds=backoff), timedelta(seconds=limit))
    wait = wait_before_next(policy, EndCause.LOST, made, run)
    full = min(backoff * 2.0 ** (made - 1), limit)
    assert wait is not None
    assert full * 0.75 - 1e-5 <= wait.total_seconds() <= full + 1e-5
    assert wait == wait_before_next(policy, EndCause.LOST, made, run)


def test_runs_that_fail_together_do_not_come_back_together() -> None:
    waits = {wait_before_next(RetryPolicy(2), EndCause.LOST, 1, UUID(int=number)) for number in range(50)}
    assert len(waits) == 50


# turns


def test_only_jobs_that_deliver_a_pipeline_take_turns_unless_they_are_told_not_to() -> None:
    assert load_lock_of(LOAD, "prod", None) == "orders"
    assert load_lock_of(REPORT, "prod", None) is None
    assert load_lock_of(interactive("nb", deliver={"pipeline_name": "orders"}), "prod", None) is None
    off = settings("[jobs.shop.load]\npipeline_lock = false\n", test="[jobs.shop.load]\npipeline_lock = true\n")
    assert load_lock_of(LOAD, "prod", off) is None
    assert load_lock_of(LOAD, "test", off) == "orders"
    assert load_lock_of(LOAD, "prod", settings("[jobs]\npipeline_lock = false\n")) is None


# reading


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("[jobs.retry]\nattempts = 0", "[jobs.retry]: attempts = '0' cannot be used: write a whole number"),
        ("[jobs.retry]\nattempts = true", "attempts"),
        ("[jobs.a.b.retry]\nattempts = '3'", "[jobs.a.b.retry]"),
        ("[jobs.a.retry]\nbackoff = 'soon'", "seconds or a text such as"),
        ("[jobs.a.retry]\nmax_backoff = -1", "max_backoff"),
        ("[jobs.a.retry]\nbackoff = '30 days'", "backoff"),
        ("[jobs.a.retry]\nbackoff = nan", "backoff"),
        ("[jobs.a.retry]\non = 'lost'", "a list of"),
        ("[jobs.a.retry]\non = ['cancelled']", "a list of"),
        ("[jobs.a.retry]\nattemps = 3", "has the keys attempts, backoff, max_backoff, on"),
        ("[jobs.a]\npipeline_lock = 'no'", "[jobs.a]: pipeline_lock = 'no' cannot be used: write true or false"),
    ],
)
def test_what_cannot_be_used_is_refused_with_file_key_and_way_out(text: str, words: str) -> None:
    with pytest.raises(BadRequest) as refused:
        settings(prod=text)
    assert ".dlt/prod.config.toml" in refused.value.message
    assert words in refused.value.message


@pytest.mark.parametrize(
    ("text", "seconds"),
    [("30", 30.0), ("0", 0.0), ("1.5", 1.5), ("'45'", 45.0), ("'30s'", 30.0), ("'5m'", 300.0), ("'1.5h'", 5400.0)],
)
def test_a_backoff_is_seconds_or_a_number_with_a_unit(text: str, seconds: float) -> None:
    found = settings(f"[jobs.retry]\nattempts = 2\nbackoff = {text}")
    assert policy_of(REPORT, "prod", found).backoff.total_seconds() == seconds


def test_arguments_of_jobs_and_everything_else_are_left_alone() -> None:
    plain: dict[str, Any] = {"jobs": {"shop": {"load": {"retry": 3, "limit": 5}}}, "runtime": {"x": 1}}
    assert read_settings({"": plain}) == {}
    assert read_settings({"": {"jobs": "no table"}}) == {}
    assert settings('[jobs."a\\u0000b".retry]\nattempts = 3') == {}
