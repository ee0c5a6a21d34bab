"""What a run starts by ending."""

import pytest

from homeport.scheduling.follow_ups import MAX_CHAIN_DEPTH, FollowUp, FollowUps, event_of, follow_ups
from homeport.scheduling.run_lifecycle import RunStatus

JOBS = {
    "jobs.a": ["schedule:0 8 * * *"],
    "jobs.report": ["job.success:jobs.a"],
    "jobs.alarm": ["job.fail:jobs.a", "job.fail:jobs.b"],
    "jobs.both": ["job.success:jobs.a", "job.fail:jobs.a"],
    "jobs.other": ["job.success:jobs.ab", "job.success:jobs.*", "tag:jobs.a"],
    "jobs.circle": ["job.fail:jobs.circle"],
}


def started_after(job_ref: str, status: RunStatus) -> list[str]:
    return [start.job_ref for start in follow_ups(job_ref, status, JOBS).starts]


def test_a_completed_run_starts_who_waits_for_success_and_a_failed_one_who_waits_for_failure() -> None:
    assert started_after("jobs.a", RunStatus.COMPLETED) == ["jobs.report", "jobs.both"]
    assert started_after("jobs.a", RunStatus.FAILED) == ["jobs.alarm", "jobs.both"]


def test_a_follow_up_runs_with_the_trigger_that_it_declared() -> None:
    found = follow_ups("jobs.b", RunStatus.FAILED, JOBS)
    assert found == FollowUps((FollowUp("jobs.alarm", "job.fail:jobs.b"),))


@pytest.mark.parametrize("status", sorted(set(RunStatus) - {RunStatus.COMPLETED, RunStatus.FAILED}))
def test_a_cancelled_skipped_or_living_run_starts_nothing(status: RunStatus) -> None:
    assert follow_ups("jobs.a", status, JOBS) == FollowUps()
    assert event_of("jobs.a", status) is None


def test_an_interactive_job_fires_no_events() -> None:
    assert event_of("jobs.a", RunStatus.FAILED, "interactive") is None
    assert follow_ups("jobs.a", RunStatus.FAILED, JOBS, job_type="interactive") == FollowUps()


def test_a_job_never_follows_itself() -> None:
    assert started_after("jobs.circle", RunStatus.FAILED) == []


def test_a_chain_that_is_too_long_stops_and_says_so() -> None:
    deepest = follow_ups("jobs.a", RunStatus.FAILED, JOBS, depth=MAX_CHAIN_DEPTH - 1)
    assert deepest.starts
    assert deepest.stopped_because is None
    stopped = follow_ups("jobs.a", RunStatus.FAILED, JOBS, depth=MAX_CHAIN_DEPTH)
    assert stopped.starts == ()
    assert stopped.stopped_because is not None
    assert "jobs.alarm, jobs.both not started after jobs.a" in stopped.stopped_because


def test_a_long_chain_that_ends_by_itself_is_no_storm() -> None:
    assert follow_ups("jobs.report", RunStatus.COMPLETED, JOBS, depth=MAX_CHAIN_DEPTH) == FollowUps()
