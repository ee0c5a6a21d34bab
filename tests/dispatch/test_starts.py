"""Pending runs reach the engine in the order they were asked for, as far as there is room."""

from ..builders import definition
from ..databases import on_both
from ..world import World


def order(world: World) -> list[str]:
    """Attempts in the order the engine was given them."""
    return [placement.attempt for placement in world.engine.placements]


def test_runs_are_submitted_in_the_order_they_were_asked_for(world: World) -> None:
    world.deploy_jobs(("a",), ("b",), ("c",))
    asked = []
    for name in "cab":
        world.advance(seconds=1)
        asked.append(world.start(name))
    world.submit()
    assert order(world) == [world.attempt(run).id for run in asked]
    assert {world.run(run.id).status for run in asked} == {"starting"}


@on_both
def test_runs_beyond_the_limit_wait_until_a_place_is_free(world: World) -> None:
    world.restart_services(max_runs=2)
    world.deploy_jobs(("a",), ("b",), ("c",))
    first = world.running("a")
    world.running("b")
    waiting = world.start("c")
    world.submit()
    assert world.run(waiting.id).status == "pending"
    first.exit(0)
    world.submit()
    assert world.run(waiting.id).status == "starting"


def test_a_run_that_is_being_cancelled_still_holds_its_place(world: World) -> None:
    world.restart_services(max_runs=1)
    world.deploy_jobs(("a",), ("b",))
    runner = world.running("a")
    world.cancel(runner.run_id)
    waiting = world.start("b")
    world.submit()
    assert world.run(waiting.id).status == "pending"


@on_both
def test_what_the_engine_refuses_fails_with_its_words_and_the_next_one_goes_on(world: World) -> None:
    world.deploy_jobs(("a",), ("b",), ("after", "job.fail:jobs.a"))
    refused = world.start("a")
    world.engine.refuses_with = "no room on this machine"
    world.starts.work(world.clock.now())
    world.engine.refuses_with = None
    world.advance(seconds=1)
    later = world.start("b")
    world.submit()
    after = world.run(refused.id)
    assert (after.status, after.end_cause, after.end_detail) == (
        "failed",
        "launch_failed",
        "no room on this machine",
    )
    assert world.run(later.id).status == "starting"
    assert [run.trigger for run in world.runs_of("after")] == ["job.fail:jobs.a"]


def test_every_attempt_gets_a_ticket_of_its_own(world: World) -> None:
    world.deploy_jobs(("a",), ("b",))
    world.start("a")
    world.start("b")
    world.submit()
    tickets = {placement.ticket for placement in world.engine.placements}
    assert len(tickets) == 2
    assert min(map(len, tickets)) >= 22  # 128 random bits, and more


def test_a_cancelled_run_is_not_submitted(world: World) -> None:
    world.deploy(definition("a"))
    run = world.start("a")
    world.cancel(run.id)
    world.submit()
    assert world.engine.placements == []
    assert world.run(run.id).status == "cancelled"
