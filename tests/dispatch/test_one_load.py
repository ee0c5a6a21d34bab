"""Runs that would load one pipeline at once are put in order, by the oldest, and say for whom they wait."""

from typing import Any
from uuid import UUID

import pytest
import sqlalchemy as sa

from homeport.dispatch.starts import StartPendingRuns
from homeport.execution.engines.fake import FakeEngine
from homeport.operations import looking
from homeport.store import runs
from homeport.store.database import Database

from ..builders import at_once, definition
from ..databases import on_both
from ..world import World


def load(name: str, pipeline: str = "orders", **parts: Any) -> dict[str, Any]:
    return definition(name, deliver={"pipeline_name": pipeline}, **parts)


def statuses(world: World, *found: runs.Run) -> list[str]:
    return [world.run(run.id).status for run in found]


def why(world: World, run_id: UUID) -> str | None:
    return looking.get_attempts(world.platform, world.alice, world.workspace.id, run_id).waits_for


@on_both
def test_the_second_waits_for_the_first_says_so_and_goes_when_it_has_ended(world: World) -> None:
    world.deploy(load("a"), load("b"))
    runner = world.running("a")
    second = world.start("b")
    world.submit()
    assert statuses(world, second) == ["pending"]
    assert why(world, second.id) == "run #1 of jobs.a, which loads the same pipeline"
    runner.exit(0)
    claimed = world.claim(second)
    assert claimed.launch.notes == ["Waited for run #1 of jobs.a, which loads the same pipeline."]
    assert why(world, second.id) is None


def test_those_behind_a_run_that_waits_are_not_held_up(world: World) -> None:
    world.deploy(load("a"), load("b"), load("other", "stock"), definition("plain"))
    world.running("a")
    waiting, other, plain = world.start("b"), world.start("other"), world.start("plain")
    world.submit()
    assert statuses(world, waiting, other, plain) == ["pending", "starting", "starting"]


def test_of_those_that_wait_the_oldest_goes_first(world: World) -> None:
    world.deploy(*(load(name) for name in "abcd"))
    runner = world.running("a")
    waiting = []
    for name in "dbc":
        world.advance(seconds=1)
        waiting.append(world.start(name))
    order = []
    for run in waiting:
        runner.exit(0)
        world.submit()
        order.append([item.id for item in waiting if world.run(item.id).status == "starting"])
        runner = world.claim(run)
        runner.begin()
    assert order == [[run.id] for run in waiting]


def test_runs_of_one_job_that_may_run_at_once_take_turns_too(world: World) -> None:
    world.deploy(load("a", execute={"concurrency": 3}))
    runs_ = [world.start("a") for _ in range(3)]
    world.submit()
    assert sorted(statuses(world, *runs_)) == ["pending", "pending", "starting"]


def test_profiles_load_different_places(world: World) -> None:
    world.upload("configurations", {"staging.config.toml": ""})
    world.deploy(load("a"), load("b"))
    first, second = world.start("a"), world.start("b", profile="staging")
    world.submit()
    assert statuses(world, first, second) == ["starting", "starting"]


def test_a_job_can_be_told_to_take_no_turns(world: World) -> None:
    world.upload("configurations", {"config.toml": "[jobs.b]\npipeline_lock = false\n"})
    world.deploy(load("a"), load("b"))
    first, second = world.start("a"), world.start("b")
    world.submit()
    assert statuses(world, first, second) == ["starting", "starting"]


def test_a_load_that_waits_for_its_next_attempt_lets_another_go(world: World) -> None:
    world.upload("configurations", {"config.toml": '[jobs.a.retry]\nattempts = 2\nbackoff = "60s"\n'})
    world.deploy(load("a"), load("b"))
    runner = world.running("a")
    second = world.start("b")
    retried = runner.exit(1)
    world.submit()
    assert statuses(world, retried, second) == ["pending", "starting"]
    world.advance(minutes=2)
    world.submit()
    assert statuses(world, retried, second) == ["pending", "starting"]
    assert why(world, retried.id) == "run #1 of jobs.b, which loads the same pipeline"


def test_a_run_that_waits_is_cancelled_at_once(world: World) -> None:
    world.deploy(load("a"), load("b"))
    world.running("a")
    second = world.start("b")
    world.submit()
    assert world.cancel(second.id).status == "cancelled"


@on_both
def test_two_servers_never_give_one_pipeline_to_two_runs_nor_more_places_than_there_are(
    world: World, database_url: str
) -> None:
    world.deploy(*(load(f"job{number}", f"p{number % 2}") for number in range(6)), definition("plain"))
    for name in (*(f"job{number}" for number in range(6)), "plain"):
        world.advance(seconds=1)
        world.start(name)
    databases = [Database(database_url) for _ in range(4)]
    starters = [
        StartPendingRuns(database, FakeEngine(), world.platform.bells, "http://server", max_runs=2)
        for database in databases
    ]

    def work(number: int) -> None:
        for _ in range(4):
            starters[number].work(world.clock.now())

    at_once(4, work)
    for database in databases:
        database.close()
    with world.database.read() as tx:
        placed = tx.execute(sa.select(runs.table.c.load_lock).where(runs.table.c.status == "starting")).scalars()
        assert sorted(placed) == ["p0", "p1"]


@on_both
def test_the_database_itself_refuses_a_second_load(world: World) -> None:
    world.deploy(load("a"), load("b"))
    world.running("a")
    second = world.start("b")
    world.submit()
    with pytest.raises(sa.exc.IntegrityError), world.database.write() as tx:
        tx.execute(runs.table.update().where(runs.table.c.id == second.id).values(status="starting"))
