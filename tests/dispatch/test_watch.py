"""What becomes of attempts whose runner does not speak for itself. Nothing runs for ever in the books."""

import pytest

from homeport.execution.engines.fake import FakeEngine
from homeport.logs import reading
from homeport.store import jobs, runs

from ..builders import definition
from ..databases import on_both
from ..world import LEASE, Runner, World


@pytest.fixture
def waiting(world: World) -> runs.Run:
    """Submitted, not claimed."""
    world.deploy_jobs(("a",), ("after", "job.fail:jobs.a"))
    run = world.start("a")
    world.submit()
    return run


@pytest.fixture
def runner(world: World) -> Runner:
    """Its process lives."""
    world.deploy_jobs(("a",), ("after", "job.fail:jobs.a"))
    return world.running("a")


def look_for(world: World, seconds: int) -> None:
    """As the service does it: a look every two seconds."""
    for _ in range(0, seconds, 2):
        world.advance(seconds=2)
        world.look()


def last_line(world: World, run: runs.Run) -> str:
    return reading.read(world.database, world.platform.blobs, run.id, 0).lines[-1].content


# never claimed


def test_a_runner_that_is_still_starting_is_waited_for(world: World, waiting: runs.Run) -> None:
    look_for(world, 30)
    assert len(world.engine.placements) == 1
    assert world.run(waiting.id).status == "starting"


@on_both
def test_what_nobody_claims_is_submitted_again_with_another_ticket(world: World, waiting: runs.Run) -> None:
    world.engine.lose_memory()
    look_for(world, 8)
    first, second = world.engine.placements
    assert first.attempt == second.attempt
    assert first.ticket != second.ticket
    assert world.claim(waiting).launch.command


def test_what_nobody_claims_for_a_minute_has_failed_to_launch(world: World, waiting: runs.Run) -> None:
    for _ in range(40):
        world.engine.vanish(world.attempt(waiting).id)
        look_for(world, 2)
    after = world.run(waiting.id)
    assert (after.status, after.end_cause) == ("failed", "launch_failed")
    assert after.finished_at is not None
    assert (after.finished_at - after.created_at).total_seconds() < 70
    assert "could not be started" in last_line(world, after)
    assert len(world.runs_of("after")) == 1


def test_an_engine_that_refuses_the_second_time_ends_the_run_with_its_words(
    world: World, waiting: runs.Run
) -> None:
    world.engine.lose_memory()
    world.engine.refuses_with = "the node is gone"
    look_for(world, 8)
    assert world.run(waiting.id).end_detail == "the node is gone"


# of another server


def on_another_node(world: World) -> None:
    """From now on this is another server, with a machine of its own."""
    world.engine = FakeEngine(node="another")
    world.restart_services()


@on_both
def test_a_run_of_another_server_is_left_to_it_as_long_as_its_runner_may_speak(
    world: World, runner: Runner
) -> None:
    on_another_node(world)
    look_for(world, int(LEASE.total_seconds()) + 20)
    assert world.run(runner.run_id).status == "running"
    runner.say(0, "still here")
    assert runner.exit(0, lines=1).status == "completed"


def test_a_run_of_another_server_that_is_silent_for_longer_than_its_lease_is_lost(
    world: World, runner: Runner
) -> None:
    on_another_node(world)
    look_for(world, int(LEASE.total_seconds()) + 40)
    assert world.run(runner.run_id).end_cause == "lost"


@on_both
def test_what_a_server_that_is_gone_had_placed_is_placed_by_another(world: World, waiting: runs.Run) -> None:
    on_another_node(world)
    look_for(world, 18)
    assert world.engine.placements == []
    look_for(world, 6)
    [placement] = world.engine.placements
    assert placement.attempt == world.attempt(waiting).id
    assert world.attempt(waiting).node == "another"


# gone


@on_both
def test_a_runner_gone_without_a_word_is_reported_lost_within_a_minute(world: World, runner: Runner) -> None:
    world.engine.vanish(runner.attempt_id)
    look_for(world, 60)
    after = world.run(runner.run_id)
    assert (after.status, after.end_cause) == ("failed", "lost")
    assert "gone" in (after.end_detail or "")
    assert last_line(world, after).startswith("Homeport: lost")


def test_what_a_lost_runner_had_left_to_send_is_kept(world: World, runner: Runner) -> None:
    runner.say(0, "sent")
    row = b'["2026-03-02T12:00:00.000000Z", "stdout", "user", "run", "%s"]'
    world.engine.left[runner.attempt_id] = [row % b"sent", *(row % b"left %d" % n for n in range(1, 5000))]
    world.engine.vanish(runner.attempt_id)
    look_for(world, 20)
    read: list[str] = []
    while lines := reading.read(world.database, world.platform.blobs, runner.run_id, len(read)).lines:
        read += [line.content for line in lines]
    assert read[:-1] == ["sent", *(f"left {n}" for n in range(1, 5000))]
    assert "lost" in read[-1]


@pytest.mark.parametrize("left", [b"nonsense", b"", b'["2026", "stdout", "user", "run", "x"]'])
def test_nonsense_that_a_lost_runner_left_is_none(world: World, runner: Runner, left: bytes) -> None:
    world.engine.left[runner.attempt_id] = [left]
    world.engine.vanish(runner.attempt_id)
    look_for(world, 20)
    assert world.run(runner.run_id).end_cause == "lost"


def test_the_slot_of_a_lost_run_is_free_and_its_follow_up_starts(world: World, runner: Runner) -> None:
    world.engine.vanish(runner.attempt_id)
    look_for(world, 60)
    assert world.start("a").number == 2
    [follow_up] = world.runs_of("after")
    assert (follow_up.trigger, follow_up.previous_run_id) == ("job.fail:jobs.a", runner.run_id)


def test_an_exit_report_that_is_on_its_way_is_waited_for(world: World, runner: Runner) -> None:
    world.engine.vanish(runner.attempt_id)
    look_for(world, 8)
    assert runner.exit(0).status == "completed"
    look_for(world, 60)
    assert world.run(runner.run_id).status == "completed"


def test_a_runner_lost_while_it_prepared_is_lost_too(world: World, waiting: runs.Run) -> None:
    runner = world.claim(waiting)
    world.engine.vanish(runner.attempt_id)
    look_for(world, 60)
    assert world.run(waiting.id).end_cause == "lost"


# silent


def test_a_silent_runner_is_lost_when_its_lease_and_some_are_over(world: World, runner: Runner) -> None:
    look_for(world, 328)
    assert world.run(runner.run_id).status == "running"
    look_for(world, 6)
    after = world.run(runner.run_id)
    assert (after.status, after.end_cause) == ("failed", "lost")
    assert "nothing was heard" in (after.end_detail or "")
    assert world.engine.observe([runner.attempt_id])[runner.attempt_id].process_gone


def test_a_runner_that_speaks_keeps_its_lease(world: World, runner: Runner) -> None:
    for _ in range(4):
        look_for(world, 200)
        runner.say(0)
    for _ in range(4):
        look_for(world, 200)
        runner.is_to_cancel()
    assert world.run(runner.run_id).status == "running"


def test_silence_counts_from_the_start_of_the_server(world: World, runner: Runner) -> None:
    world.advance(days=2)
    world.restart_services()
    look_for(world, 300)
    assert world.run(runner.run_id).status == "running"
    runner.say(0)
    look_for(world, 100)
    assert runner.exit(0).status == "completed"


def test_a_runner_that_died_while_no_server_ran_is_found_lost(world: World, runner: Runner) -> None:
    world.engine.vanish(runner.attempt_id)
    world.advance(days=2)
    world.restart_services()
    look_for(world, 60)
    assert world.run(runner.run_id).end_cause == "lost"


def test_a_claim_that_comes_after_a_restart_is_taken(world: World, waiting: runs.Run) -> None:
    world.advance(hours=2)
    world.restart_services()
    world.look()
    assert world.claim(waiting).launch.session


# cancelled


def test_a_runner_that_does_not_stop_is_killed_after_its_grace_and_reported_cancelled(world: World) -> None:
    world.deploy(definition("a", execute={"timeout": {"grace_period": 60}}))
    runner = world.running("a")
    world.cancel(runner.run_id)
    look_for(world, 74)
    assert not world.engine.observe([runner.attempt_id])[runner.attempt_id].process_gone
    look_for(world, 20)
    assert world.engine.observe([runner.attempt_id])[runner.attempt_id].process_gone
    after = world.run(runner.run_id)
    assert (after.status, after.end_cause) == ("cancelled", "cancelled")


def test_a_cancelled_runner_that_vanishes_was_cancelled_not_lost(world: World, runner: Runner) -> None:
    world.cancel(runner.run_id)
    world.engine.vanish(runner.attempt_id)
    look_for(world, 20)
    assert world.run(runner.run_id).end_cause == "cancelled"
    assert world.runs_of("after") == []


# afterwards


def test_the_engine_forgets_what_is_over(world: World, runner: Runner) -> None:
    world.engine.vanish(runner.attempt_id)
    look_for(world, 60)
    assert world.engine.known() == set()


def test_an_attempt_of_somebody_else_is_left_alone(world: World) -> None:
    world.engine.vanish("hp-of-another-installation-1")
    look_for(world, 60)
    assert world.engine.known() == {"hp-of-another-installation-1"}


@on_both
def test_a_fault_with_one_attempt_does_not_keep_others_from_being_looked_at(world: World) -> None:
    world.deploy_jobs(("a",), ("b",))
    first, second = world.running("a"), world.running("b")
    for runner in (first, second):
        world.engine.vanish(runner.attempt_id)
    version = world.current("a").version
    with world.database.write() as tx:
        # what no code of ours writes, and a restored backup may hold
        tx.execute(jobs.versions.update().where(jobs.versions.c.id == version.id).values(definition={}))
    look_for(world, 60)
    assert world.run(second.run_id).end_cause == "lost"


# the server sleeps


@on_both
def test_a_run_is_not_lost_because_the_server_slept(world: World, runner: Runner) -> None:
    look_for(world, 10)
    world.advance(hours=8)
    look_for(world, 100)
    assert world.run(runner.run_id).status == "running"
    runner.say(0)
    look_for(world, 300)
    assert runner.exit(0).status == "completed"


def test_a_runner_that_stays_silent_after_the_server_slept_is_lost_a_lease_later(
    world: World, runner: Runner
) -> None:
    world.advance(hours=8)
    look_for(world, 328)
    assert world.run(runner.run_id).status == "running"
    look_for(world, 6)
    assert world.run(runner.run_id).end_cause == "lost"


def test_an_attempt_that_the_server_slept_over_may_still_be_claimed(world: World, waiting: runs.Run) -> None:
    world.engine.lose_memory()
    world.advance(hours=8)
    look_for(world, 2)
    assert len(world.engine.placements) == 1
    look_for(world, 8)
    assert len(world.engine.placements) == 2
    assert world.claim(waiting).launch.session


def test_a_clock_that_was_set_back_neither_loses_a_run_nor_hides_a_lost_one(world: World, runner: Runner) -> None:
    look_for(world, 10)
    runner.say(0)
    world.advance(hours=-1)
    look_for(world, 20)
    assert world.run(runner.run_id).status == "running"
    world.engine.vanish(runner.attempt_id)
    look_for(world, 20)
    assert world.run(runner.run_id).end_cause == "lost"
