"""When a run ends, its window moves and its follow-ups start, together or not at all."""

from collections.abc import Iterator
from contextlib import contextmanager, suppress
from datetime import UTC, datetime, timedelta

import pytest
import sqlalchemy as sa

from homeport.contract.runner_protocol import ExitRequest
from homeport.errors import Conflict, NotSignedIn
from homeport.operations import run_attempts
from homeport.scheduling.follow_ups import MAX_CHAIN_DEPTH
from homeport.store import runs

from ..builders import at_once, definition
from ..conftest import NOW
from ..databases import on_both
from ..world import World

HOURLY = "schedule:0 * * * *"
NOON = datetime(2026, 3, 2, 12, tzinfo=UTC)


def followers(world: World) -> dict[str, int]:
    return {name: len(world.runs_of(name)) for name in ("good", "bad")}


@pytest.fixture
def followed(world: World) -> World:
    world.deploy_jobs(("a",), ("good", "job.success:jobs.a"), ("bad", "job.fail:jobs.a"))
    return world


REFUSE = {
    "sqlite": ["CREATE TRIGGER refuse BEFORE INSERT ON runs BEGIN SELECT RAISE(ABORT, 'full'); END"],
    "postgresql": [
        "CREATE FUNCTION refuse() RETURNS trigger LANGUAGE plpgsql AS $$BEGIN RAISE EXCEPTION 'full'; END$$",
        "CREATE TRIGGER refuse BEFORE INSERT ON runs EXECUTE FUNCTION refuse()",
    ],
}
ACCEPT = {"sqlite": ["DROP TRIGGER refuse"], "postgresql": ["DROP TRIGGER refuse ON runs"]}


def tell(world: World, statements: dict[str, list[str]]) -> None:
    with world.database.write() as tx:
        for statement in statements[tx.dialect.name]:
            tx.execute(sa.text(statement))


@contextmanager
def no_more_runs(world: World) -> Iterator[None]:
    """The database refuses every new run."""
    tell(world, REFUSE)
    yield
    tell(world, ACCEPT)


# how it ended


@pytest.mark.parametrize(
    ("cause", "exit_code", "status", "words"),
    [
        ("exited", 0, "completed", None),
        ("exited", 3, "failed", "exit code 3"),
        ("exited", -9, "failed", "signal 9"),
        ("exited", None, "failed", "without an exit status"),
        ("timed_out", -15, "cancelled", "longer than its limit"),
        ("lost", None, "failed", "told to stop"),
        ("out_of_memory", -9, "failed", "more memory"),
    ],
)
def test_a_running_run_ends_as_its_runner_reports(
    world: World, cause: str, exit_code: int | None, status: str, words: str | None
) -> None:
    world.deploy(definition("a"))
    after = world.running("a").exit(exit_code, cause)
    # to want more memory is one of the ways in which a process ends
    cause = cause.replace("out_of_memory", "exited")
    assert (after.status, after.end_cause, after.exit_code) == (status, cause, exit_code)
    assert after.finished_at == NOW
    assert (words or "") in (after.end_detail or "")


def test_a_setup_that_failed_ends_a_run_that_never_began(world: World) -> None:
    world.deploy(definition("a"))
    after = world.claim(world.start("a")).exit(None, "setup_failed")
    assert (after.status, after.end_cause, after.started_at) == ("failed", "setup_failed", None)


@pytest.mark.parametrize(
    ("cause", "exit_code", "status"),
    [
        ("cancelled", 0, "cancelled"),
        ("exited", 0, "completed"),
        ("exited", 1, "failed"),
        ("timed_out", 1, "cancelled"),
    ],
)
def test_an_exit_that_crossed_a_cancel_counts_as_what_it_was(
    world: World, cause: str, exit_code: int, status: str
) -> None:
    world.deploy(definition("a"))
    runner = world.running("a")
    world.cancel(runner.run_id)
    assert runner.exit(exit_code, cause).status == status


@on_both
def test_a_repeated_report_changes_nothing(world: World) -> None:
    world.deploy(definition("a"))
    runner = world.running("a")
    first = runner.exit(0)
    assert runner.exit(1) == first


@on_both
def test_of_reports_at_once_one_counts(followed: World) -> None:
    runner = followed.running("a")

    def report(_number: int) -> None:
        with suppress(Conflict):  # which a runner takes for: the server knows
            runner.exit(0)

    at_once(4, report)
    assert followed.run(runner.run_id).status == "completed"
    assert followers(followed) == {"good": 1, "bad": 0}


def test_an_end_is_taken_when_every_line_is_there(world: World) -> None:
    world.deploy(definition("a"))
    runner = world.running("a")
    runner.say(0, "one")
    with pytest.raises(Conflict, match="Lines"):
        runner.exit(0, lines=2)
    runner.say(1, "two")
    assert runner.exit(0, lines=2).status == "completed"


def test_another_session_ends_nothing(world: World) -> None:
    world.deploy(definition("a"))
    runner = world.running("a")
    report = ExitRequest(cause="exited", exit_code=0, lines=0)
    with pytest.raises(NotSignedIn):
        run_attempts.finish(world.platform, runner.attempt_id, "an intruder's", report)
    assert world.run(runner.run_id).status == "running"


# follow-ups


@on_both
@pytest.mark.parametrize(
    ("exit_code", "cause", "started"),
    [
        (0, "exited", {"good": 1, "bad": 0}),
        (1, "exited", {"good": 0, "bad": 1}),
        (None, "lost", {"good": 0, "bad": 1}),
        (-15, "timed_out", {"good": 0, "bad": 0}),
    ],
)
def test_what_an_end_starts(followed: World, exit_code: int | None, cause: str, started: dict[str, int]) -> None:
    followed.running("a").exit(exit_code, cause)
    assert followers(followed) == started


def test_a_cancel_starts_nothing(followed: World) -> None:
    runner = followed.running("a")
    followed.cancel(runner.run_id)
    runner.exit(0, "cancelled")
    assert followers(followed) == {"good": 0, "bad": 0}


def test_a_follow_up_names_the_run_that_started_it(followed: World) -> None:
    run = followed.complete("a")
    [follow_up] = followed.runs_of("good")
    assert (follow_up.previous_run_id, follow_up.trigger, follow_up.chain_depth) == (
        run.id,
        "job.success:jobs.a",
        1,
    )
    assert follow_up.triggered_by is None
    with followed.database.read() as tx:
        assert runs.started_by(tx, run.id) == [follow_up]


def test_a_follow_up_of_a_busy_job_is_declined_and_the_end_stands(followed: World) -> None:
    followed.start("good")
    assert followed.complete("a").status == "completed"
    assert followers(followed)["good"] == 1


def test_archived_jobs_follow_nothing(followed: World) -> None:
    followed.deploy_jobs(("a",))
    followed.complete("a")
    assert followers(followed) == {"good": 0, "bad": 0}


def test_a_chain_stops_at_its_limit(followed: World) -> None:
    runner = followed.running("a")
    with followed.database.write() as tx:
        tx.execute(runs.table.update().values(chain_depth=MAX_CHAIN_DEPTH))
    assert runner.exit(0).status == "completed"
    assert followers(followed) == {"good": 0, "bad": 0}


# together or not at all


@on_both
def test_an_end_that_fails_in_the_middle_changes_nothing_and_can_be_reported_again(world: World) -> None:
    world.deploy_jobs(("a", HOURLY), ("good", "job.success:jobs.a"), ("bad", "job.fail:jobs.a"))
    runner = world.running("a", HOURLY)
    before = world.current("a"), world.run(runner.run_id), world.attempt(world.run(runner.run_id))
    with no_more_runs(world), pytest.raises(sa.exc.DBAPIError, match="full"):
        runner.exit(0)
    assert (world.current("a"), world.run(runner.run_id), world.attempt(before[1])) == before
    assert runner.exit(0).status == "completed"
    assert followers(world) == {"good": 1, "bad": 0}


# windows


def test_a_timed_run_moves_its_jobs_window_when_it_completes(world: World) -> None:
    world.deploy_jobs(("a", HOURLY))
    runner = world.running("a", HOURLY)
    assert world.current("a").job.completed_until is None
    assert runner.exit(0).interval_start == NOON - timedelta(hours=1)
    assert world.current("a").job.completed_until == NOON


@pytest.mark.parametrize(("exit_code", "cause"), [(1, "exited"), (-15, "timed_out"), (None, "lost")])
def test_a_run_that_did_not_complete_moves_nothing(world: World, exit_code: int | None, cause: str) -> None:
    world.deploy_jobs(("a", HOURLY))
    world.running("a", HOURLY).exit(exit_code, cause)
    job = world.current("a").job
    assert (job.completed_until, job.has_completed) == (None, False)


@on_both
def test_a_start_by_hand_does_not_carry_a_schedule_past_its_ticks(world: World) -> None:
    world.deploy_jobs(("a", HOURLY))
    world.complete("a", HOURLY)
    world.advance(hours=3)
    assert world.complete("a", "manual:").interval_start == world.clock.now()
    assert world.current("a").job.completed_until == NOON
    assert world.start("a", HOURLY).interval_start == NOON


def test_a_job_without_schedule_has_completed_until_its_run_was_asked_for(world: World) -> None:
    world.deploy(definition("a"))
    world.complete("a")
    assert world.current("a").job.completed_until == NOW


def test_the_entry_point_carries_the_window(world: World) -> None:
    world.deploy_jobs(("a", HOURLY))
    command = world.claim(world.start("a", HOURLY)).launch.command
    assert "2026-03-02T11:00:00+00:00" in command[-1].replace("Z", "+00:00")
    assert "2026-03-02T12:00:00+00:00" in command[-1].replace("Z", "+00:00")
