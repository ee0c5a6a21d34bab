"""Who waits for whom: two decisions on one thing are taken one by one, and nobody waits without need."""

from datetime import timedelta

import pytest
import sqlalchemy as sa

from homeport.dispatch.schedules import FireSchedules
from homeport.dispatch.starts import StartPendingRuns
from homeport.execution.engines.fake import FakeEngine
from homeport.store import dialects, jobs, organizations, workspaces
from homeport.store.database import Database, failed_itself

from ..builders import at_once, definition
from ..conftest import NOW
from ..databases import PostgresCluster
from ..world import World


@pytest.fixture
def other(database_url: str) -> Database:
    """What another server has open."""
    return Database(database_url)


def test_starts_that_race_for_the_last_slot_give_one_run(world: World) -> None:
    world.deploy(definition("a"))

    def start(_number: int) -> str:
        [row] = (answer := world.trigger("manual:*")).succeeded or answer.skipped
        return str(row.status)

    statuses = at_once(6, start)
    assert sorted(statuses) == ["skipped_concurrency_limit"] * 5 + ["triggered"]


def test_schedulers_that_race_start_each_due_moment_once(world: World, other: Database) -> None:
    world.deploy_jobs(*((f"job{number}", "every:1h") for number in range(5)))
    now = world.advance(hours=1)
    schedulers = [FireSchedules(database, world.platform.bells) for database in (world.database, other)]

    def work(number: int) -> None:
        while schedulers[number].work(now) == 0:
            pass

    at_once(2, work)
    other.close()
    assert [len(world.runs_of(f"job{number}")) for number in range(5)] == [1] * 5


def test_a_server_that_stands_still_in_a_transaction_does_not_hold_up_the_others(
    postgres: PostgresCluster, monkeypatch: pytest.MonkeyPatch
) -> None:
    """And when it goes on, it finds that nothing of it happened. SQLite has one server only."""
    monkeypatch.setattr(dialects, "IDLE_TIMEOUT_MS", 200)
    with postgres.database() as url:
        asleep, awake = Database(url), Database(url)

        def stand_still() -> None:
            with asleep.write() as tx:
                organizations.create(tx, "Acme", NOW)
                dialects.one_at_a_time(tx, "something")
                with awake.write() as other:
                    dialects.one_at_a_time(other, "something")
                    assert organizations.first(other) is None
                tx.execute(sa.select(1))

        with pytest.raises(sa.exc.DBAPIError, match="idle-in-transaction") as caught:
            stand_still()
        assert failed_itself(caught.value)
        with asleep.write() as tx:
            assert organizations.first(tx) is None
        asleep.close()
        awake.close()


def test_starters_that_race_submit_each_run_once(world: World, other: Database) -> None:
    world.deploy_jobs(*((f"job{number}",) for number in range(6)))
    for number in range(6):
        world.start(f"job{number}")
    engines = [FakeEngine(), FakeEngine()]
    starters = [
        StartPendingRuns(database, engine, world.platform.bells, "http://server", max_runs=10)
        for database, engine in zip((world.database, other), engines, strict=True)
    ]

    def work(number: int) -> None:
        for _ in range(12):
            starters[number].work(world.clock.now())

    at_once(2, work)
    other.close()
    submitted = [placement.attempt for engine in engines for placement in engine.placements]
    assert len(submitted) == len(set(submitted)) == 6


def test_a_run_starts_while_a_deploy_is_under_way(world: World, other: Database) -> None:
    if world.database.is_sqlite:
        pytest.skip("SQLite has one writer at a time")
    world.deploy(definition("a"))
    with other.write() as deploying:
        workspaces.lock(deploying, world.workspace.id)
        at_once(1, lambda _number: world.start("a"))
    other.close()


def test_a_version_is_written_while_a_start_is_decided(world: World, other: Database) -> None:
    if world.database.is_sqlite:
        pytest.skip("SQLite has one writer at a time")
    world.deploy(definition("a", "every:1h"))
    with other.write() as starting:
        jobs.lock(starting, world.current("a").job.id)
        world.advance(seconds=1)
        at_once(1, lambda _number: world.deploy(definition("b"), module=None))
    other.close()


def test_starts_and_deploys_at_once_all_come_through(world: World) -> None:
    unlimited = {"execute": {"concurrency": None}}
    world.deploy(definition("a", **unlimited))

    def work(number: int) -> None:
        for round_ in range(4):
            if number % 2:
                world.start("a")
            else:
                world.deploy(definition("a", f"tag:t{number}{round_}", **unlimited))

    at_once(4, work)
    assert len(world.runs_of("a")) == 8
    assert world.current("a").version.version > 1


def test_a_job_is_moved_on_by_the_furthest_window(world: World) -> None:
    world.deploy(definition("a"))
    job_id, now = world.current("a").job.id, world.clock.now()
    with world.database.write() as tx:
        for hours in (2, 1):
            jobs.complete(tx, job_id, now + timedelta(hours=hours))
        jobs.complete(tx, job_id, None)
    assert world.current("a").job.completed_until == now + timedelta(hours=2)
