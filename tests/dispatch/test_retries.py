"""A run that is tried again is one run: pending meanwhile, never over and back, and nobody can slip in between."""

from datetime import timedelta

import pytest

from homeport.errors import Conflict
from homeport.logs import reading
from homeport.operations import looking
from homeport.store import runs

from ..builders import definition
from ..databases import on_both
from ..world import Runner, World

LOAD = definition("load", deliver={"pipeline_name": "orders"})
THREE_TIMES = '[jobs.retry]\nattempts = 3\nbackoff = "60s"\n'


def configured(world: World, text: str = THREE_TIMES) -> None:
    world.upload("configurations", {"config.toml": text})
    world.deploy(definition("a"), definition("after", "job.fail:jobs.a"), definition("well", "job.success:jobs.a"))


def wait_over(world: World) -> None:
    world.advance(minutes=2)
    world.submit()


def lose(world: World, runner: Runner, seconds: int = 20) -> runs.Run:
    world.engine.vanish(runner.attempt_id)
    for _ in range(0, seconds, 2):
        world.advance(seconds=2)
        world.look()
    return world.run(runner.run_id)


def log(world: World, run: runs.Run) -> list[str]:
    found: list[str] = []
    while lines := reading.read(world.database, world.platform.blobs, run.id, len(found)).lines:
        assert [line.line_num for line in lines] == list(range(len(found), len(found) + len(lines)))
        found += [line.content for line in lines]
    return found


@on_both
def test_a_lost_load_waits_and_is_tried_once_more_by_itself(world: World) -> None:
    world.deploy(LOAD)
    runner = world.running("load")
    started_at = world.run(runner.run_id).started_at
    waiting = lose(world, runner)
    assert (waiting.status, waiting.finished_at, waiting.end_cause) == ("pending", None, None)
    world.submit()
    assert world.run(waiting.id).status == "pending"
    wait_over(world)
    assert world.run(waiting.id).status == "starting"
    second = world.claim(waiting)
    assert second.launch.notes[0].startswith("Attempt 2 of 2, after: lost: ")
    second.begin()
    after = second.exit(0)
    assert (after.status, after.end_cause, after.started_at) == ("completed", "exited", started_at)


@on_both
def test_a_load_that_is_lost_twice_has_failed(world: World) -> None:
    world.deploy(LOAD)
    run = lose(world, world.running("load"))
    wait_over(world)
    second = world.claim(run)
    second.begin()
    after = lose(world, second)
    assert (after.status, after.end_cause) == ("failed", "lost")


def test_a_load_that_fails_by_itself_is_not_tried_again(world: World) -> None:
    world.deploy(LOAD)
    assert world.running("load").exit(1).status == "failed"


def test_a_lost_run_of_another_job_is_not_tried_again(world: World) -> None:
    world.deploy(definition("a"))
    assert lose(world, world.running("a")).status == "failed"


@on_both
def test_follow_ups_start_when_the_last_attempt_has_ended_and_not_before(world: World) -> None:
    configured(world)
    run = world.running("a").exit(1)
    for _ in range(2):
        assert run.status == "pending"
        assert world.runs_of("after") == []
        world.advance(minutes=5)
        runner = world.claim(run)
        runner.begin()
        run = runner.exit(1)
    assert (run.status, run.exit_code) == ("failed", 1)
    assert len(world.runs_of("after")) == 1
    assert world.runs_of("well") == []


def test_each_attempt_says_what_it_is_and_keeps_how_it_ended(world: World) -> None:
    configured(world)
    runner = world.running("a")
    runner.say(0, "first")
    run = runner.exit(7, lines=1)
    wait_over(world)
    second = world.claim(run)
    second.begin()
    second.say(0, "second")
    run = second.exit(0, lines=1)
    [after_first] = [line for line in log(world, run) if line.startswith("Homeport: ")]
    assert after_first.startswith("Homeport: the process ended with exit code 7; attempt 2 of 3 follows in ")
    assert log(world, run) == ["first", after_first, "second"]
    found = looking.get_attempts(world.platform, world.alice, world.workspace.id, run.id)
    assert [(item.number, item.end_cause, item.exit_code) for item in found.items] == [
        (1, "exited", 7),
        (2, "exited", 0),
    ]
    assert [(item.first_line, item.line_count) for item in found.items] == [(0, 2), (2, 1)]
    assert (found.max_attempts, found.next_attempt_not_before) == (3, None)


def test_the_wait_grows_and_outlives_the_server(world: World) -> None:
    configured(world)
    run = world.running("a").exit(1)
    assert run.not_before is not None
    first_wait = run.not_before - world.clock.now()
    assert timedelta(seconds=45) <= first_wait <= timedelta(seconds=60)
    world.restart_services()
    world.submit()
    assert world.run(run.id).status == "pending"
    world.advance(seconds=60)
    second = world.claim(run)
    second.begin()
    run = second.exit(1)
    assert run.not_before is not None
    assert run.not_before - world.clock.now() >= timedelta(seconds=90)


@on_both
def test_a_late_runner_of_the_attempt_before_is_fenced(world: World) -> None:
    world.deploy(LOAD)
    first = world.running("load")
    run = lose(world, first)
    for speak in (lambda: first.say(0, "I live"), first.begin, first.is_to_cancel):
        with pytest.raises(Conflict):
            speak()
    wait_over(world)
    second = world.claim(run)
    second.begin()
    # heard out as a report that was repeated, and changes nothing
    assert first.exit(0).status == "running"
    assert second.exit(0).status == "completed"


@on_both
def test_a_cancel_between_two_attempts_ends_the_run_at_once(world: World) -> None:
    configured(world)
    run = world.running("a").exit(1)
    assert world.cancel(run.id).status == "cancelled"
    wait_over(world)
    assert world.run(run.id).status == "cancelled"
    assert world.runs_of("after") == []
    assert log(world, run)[-1].startswith("Homeport: cancelled by")


def test_a_run_that_was_asked_to_stop_is_not_tried_again_whatever_came_first(world: World) -> None:
    configured(world)
    for cause, exit_code in (("exited", 1), ("cancelled", 143), ("lost", None), ("timed_out", 143)):
        runner = world.running("a")
        world.cancel(runner.run_id)
        assert runner.exit(exit_code, cause).is_over, cause


def test_a_run_that_waits_keeps_its_slot_of_the_job_but_not_its_place_on_the_machine(world: World) -> None:
    world.restart_services(max_runs=1)
    configured(world)
    world.deploy(definition("a"), definition("b"))
    world.running("a").exit(1)
    [row] = world.trigger("manual:jobs.a").skipped
    assert row.status == "skipped_concurrency_limit"
    other = world.start("b")
    world.submit()
    assert world.run(other.id).status == "starting"


def test_a_time_limit_and_a_failed_setup_are_retried_where_it_says_so(world: World) -> None:
    configured(world, '[jobs.retry]\nattempts = 2\non = ["timeout"]\n')
    assert world.running("a").exit(143, "timed_out").status == "pending"
    world.deploy(definition("b"))
    assert world.claim(world.start("b")).exit(None, "setup_failed").status == "failed"


def test_an_engine_that_refuses_is_asked_again_where_failures_are_retried(world: World) -> None:
    configured(world)
    run = world.start("a")
    world.engine.refuses_with = "no room"
    world.starts.work(world.clock.now())
    world.engine.refuses_with = None
    assert world.run(run.id).status == "pending"
    wait_over(world)
    assert world.claim(run).launch.notes == ["Attempt 2 of 3, after: no room"]


def test_a_success_is_never_tried_again(world: World) -> None:
    configured(world)
    assert world.complete("a").status == "completed"


def test_the_retries_of_a_run_are_those_of_the_configuration_it_is_pinned_to(world: World) -> None:
    configured(world)
    runner = world.running("a")
    world.upload("configurations", {"config.toml": "[jobs.retry]\nattempts = 1\n"})
    assert runner.exit(1).status == "pending"


def test_working_state_is_handed_on_where_another_attempt_may_follow_and_removed_at_the_end(world: World) -> None:
    world.deploy(LOAD, definition("plain"))
    assert world.running("plain").launch.carry is None
    runner = world.running("load")
    assert runner.launch.carry == runner.run_id.hex
    world.engine.kept.add(runner.run_id.hex)
    run = lose(world, runner)
    assert world.engine.kept == {run.id.hex}
    wait_over(world)
    second = world.claim(run)
    assert second.launch.carry == runner.launch.carry
    second.begin()
    second.exit(0)
    world.look()
    assert world.engine.kept == set()
