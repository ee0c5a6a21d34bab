"""Many moments are decided together as they would be one by one, at the price of a few."""

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from datetime import timedelta
from typing import Any

import pytest
import sqlalchemy as sa

from homeport.store import job_triggers, jobs, runs, tick_decisions, ticks
from homeport.store.schema import Tx

from ..builders import definition
from ..conftest import NOW
from ..databases import on_both
from ..world import World

HOURLY = "schedule:0 * * * *"
HOUR = timedelta(hours=1)


@pytest.fixture(autouse=True)
def _room_for_all(world: World) -> None:
    world.restart_services(max_runs=1_000)


class _TakenBack(Exception):
    pass


@contextmanager
def taken_back(world: World) -> Iterator[Tx]:
    """A transaction of which nothing is left."""
    try:
        with world.database.write() as tx:
            yield tx
            raise _TakenBack
    except _TakenBack:
        pass


def written(tx: Tx) -> dict[str, list[dict[str, Any]]]:
    """All that deciding moments changes; runs are called by their job and number."""
    order = {
        runs.table: ("job_id", "number"),
        ticks.table: ("job_id", "trigger", "moment"),
        jobs.table: ("id",),
        job_triggers.table: ("job_id", "trigger"),
    }
    found = {
        table.name: [
            dict(row) for row in tx.execute(sa.select(table).order_by(*(table.c[key] for key in keys))).mappings()
        ]
        for table, keys in order.items()
    }
    name_of = {row["id"]: (row["job_id"], row["number"]) for row in found["runs"]}
    for row in found["ticks"]:
        row["run_id"] = name_of.get(row["run_id"])
    for row in found["runs"]:
        row["id"] = name_of[row["id"]]
    return found


def every_kind_of_job(world: World) -> None:
    """Fresh, stale, waiting, paused, busy, missed for hours, in a refresh that spreads, with two schedules."""
    fresh = {"freshness": ["job.is_fresh:jobs.root"]}
    world.deploy(
        definition("root", HOURLY),
        definition("waits", HOURLY, **fresh),
        definition("passes_on", HOURLY, freshness=["job.is_fresh:jobs.waits"]),
        definition("blocks", HOURLY, **fresh, refresh_propagation="block"),
        definition("always", "every:1h", refresh_propagation="always"),
        definition("busy", HOURLY),
        definition("paused", "every:30m"),
        definition("twice", "once:2026-03-02T14:30:00+00:00", HOURLY),
        definition("wide", "once:2026-03-02T14:30:00+00:00", HOURLY, execute={"concurrency": None}),
        definition("ends", HOURLY, interval={"start": "2026-03-02T11:00:00Z", "end": "2026-03-02T13:00:00Z"}),
        *(definition(f"plain{number}", "every:20m") for number in range(10)),
    )
    world.advance(hours=1)
    world.fire()
    for name in ("root", "waits", "passes_on", "plain1", "plain2"):
        for run in world.runs_of(name):
            world.complete_run(run)
    world.running("busy", skip_freshness=True) if not world.runs_of("busy") else None
    with world.database.write() as tx:
        jobs.save(tx, world.current("paused").job, paused_at=NOW)
        for name in ("root", "waits"):
            jobs.save(tx, world.current(name).job, refresh_pending=True, has_completed=True)
        ticks.look_again(tx, world.workspace.id, world.clock.now())
    world.advance(hours=2, minutes=10)


@on_both
def test_together_they_come_to_what_they_would_come_to_alone(world: World) -> None:
    every_kind_of_job(world)
    now = world.clock.now()
    with world.database.read() as tx:
        due: list[tick_decisions.Undecided] = [*job_triggers.due(tx, now, limit=100), *ticks.to_look_at(tx, 100)]
    assert len(due) > 20
    with taken_back(world) as tx:
        for moment in due:
            tick_decisions.decide_one(tx, moment, now)
        alone = written(tx)
    with taken_back(world) as tx:
        batch = tick_decisions.decide_free(tx, due, now)
        together = written(tx)
    assert batch.failed == batch.held_back == []
    assert together == alone
    outcomes = {row["outcome"] for row in alone["ticks"]}
    assert {"triggered", "deferred", "covered", "skipped_paused", "skipped_concurrency_limit"} <= outcomes


@on_both
def test_a_refresh_that_one_start_spreads_is_known_to_those_decided_after_it(world: World) -> None:
    world.deploy(definition("up", "every:1h"), definition("down", "every:1h", freshness=["job.is_fresh:jobs.up"]))
    for name in ("up", "down"):
        world.complete(name, "every:1h", skip_freshness=True)
    with world.database.write() as tx:
        jobs.save(tx, world.current("up").job, refresh_pending=True)
    world.advance(minutes=60)
    world.fire()
    assert world.runs_of("up")[-1].refresh
    down = world.current("down").job
    assert (down.completed_until, down.refresh_pending, len(world.runs_of("down"))) == (None, True, 1)


@on_both
def test_the_number_of_statements_does_not_grow_with_that_of_moments(world: World) -> None:
    counts = []
    for number in (5, 50):
        names = [f"job{n}" for n in range(number)]
        fresh = {"freshness": ["job.is_fresh:jobs.up"]}
        world.deploy(definition("up"), *(definition(name, "every:1h", **fresh) for name in names))
        world.complete("up")
        world.advance(hours=1)
        with statements(world) as seen:
            world.schedules.work(world.clock.now())
        counts.append(len(seen))
        assert all(world.runs_of(name) for name in names)
        for name in names:
            world.complete_run(world.runs_of(name)[-1])
    assert counts[0] == counts[1] <= 30


@on_both
def test_a_completion_lets_many_go_with_the_statements_of_one(world: World) -> None:
    counts = []
    for number in (1, 30):
        names = [f"job{n}" for n in range(number)]
        fresh = {"freshness": ["job.is_fresh:jobs.up"]}
        world.deploy(definition("up", "every:1h"), *(definition(name, "every:1h", **fresh) for name in names))
        world.advance(hours=1)
        world.fire()
        runner = world.claim(world.runs_of("up")[-1])
        runner.begin()
        with statements(world) as seen:
            runner.exit(0)
        counts.append(len(seen))
        for name in names:
            assert world.complete_run(world.runs_of(name)[-1]).trigger == "every:1h"
    assert counts[0] == counts[1]


@on_both
@pytest.mark.parametrize("count", [3, 40])
def test_one_that_cannot_be_written_leaves_the_others_what_they_are(world: World, count: int) -> None:
    names = [f"job{number}" for number in range(count)]
    world.deploy_jobs(*((name, "every:1h") for name in names))
    taken = world.start("job1")
    with world.database.write() as tx:
        # its next run finds its number taken
        jobs.save(tx, world.current("job1").job, last_run_number=0)
        tx.execute(
            runs.table.update().where(runs.table.c.id == taken.id).values(status="completed", finished_at=NOW)
        )
    world.advance(hours=1)
    assert world.schedules.work(world.clock.now()) == 0
    assert [len(world.runs_of(name)) for name in names] == [1] * count
    assert world.schedules.work(world.clock.now()) == 1  # it is tried again, in a while


def test_a_database_that_is_gone_is_told_once(world: World, capsys: pytest.CaptureFixture[str]) -> None:
    world.deploy_jobs(*((f"job{number}", "every:1h") for number in range(5)))
    world.advance(hours=1)

    def go_away(connection: sa.Connection) -> None:
        if connection.get_execution_options().get("homeport_write"):
            raise sa.exc.OperationalError("BEGIN", {}, OSError("gone"))

    sa.event.listen(world.database._engine, "begin", go_away)
    assert world.schedules.work(world.clock.now()) == 1
    sa.event.remove(world.database._engine, "begin", go_away)
    assert capsys.readouterr().out.count("service_failed") == 1
    assert world.schedules.work(world.clock.now()) == 0


@contextmanager
def statements(world: World) -> Iterator[Sequence[str]]:
    """What is asked of the database meanwhile."""
    seen: list[str] = []

    def note(*arguments: Any) -> None:
        seen.append(str(arguments[2]))

    sa.event.listen(world.database._engine, "before_cursor_execute", note)
    yield seen
    sa.event.remove(world.database._engine, "before_cursor_execute", note)
