"""What has run out is forgotten a day later, and scheduled moments after long; keys and versions never."""

from datetime import timedelta
from typing import Any

import sqlalchemy as sa

from homeport.dispatch.pruning import PruneExpired
from homeport.operations import change_jobs, explaining, uploads
from homeport.store import credentials, packages, ticks
from homeport.store.ticks import Tick

from ..builders import at_once, definition
from ..conftest import NOW
from ..databases import on_both
from ..world import World


def count(world: World, table: sa.Table) -> int:
    with world.database.read() as tx:
        return int(tx.execute(sa.select(sa.func.count()).select_from(table)).scalar_one())


@on_both
def test_codes_and_uploads_that_ended_are_forgotten_after_a_day(world: World) -> None:
    uploads.issue(world.platform, world.alice, world.workspace.id, "deployments")
    duty = PruneExpired(world.database, world.platform.blobs)
    duty.work(NOW + timedelta(hours=23))
    assert (count(world, credentials.table), count(world, packages.uploads)) == (2, 3)
    duty.work(NOW + timedelta(days=3))
    assert (count(world, credentials.table), count(world, packages.uploads)) == (1, 2)
    assert count(world, packages.table) == 2


# scheduled moments

HOURLY = "every:1h"
DAY = timedelta(days=1)


def row(world: World, name: str, trigger: str, hour: int, last_hour: int | None = None, **parts: Any) -> Tick:
    moment = NOW + timedelta(hours=hour)
    values = {
        "job_id": world.current(name).job.id,
        "workspace_id": world.workspace.id,
        "trigger": trigger,
        "moment": moment,
        "last_moment": moment if last_hour is None else NOW + timedelta(hours=last_hour),
        "moments": 1,
        "outcome": "skipped_paused",
        "reasons": [],
        "inputs": {},
        "run_id": None,
        "decided_by": "clock",
        "first_decided_at": moment,
        "decided_at": moment,
    }
    return Tick(**{**values, **parts})


def hours(world: World, name: str) -> list[float]:
    """At which hours a job's rows begin."""
    with world.database.read() as tx:
        found = ticks.over(tx, world.current(name).job.id, NOW - DAY, NOW + 1000 * DAY, 2_000)
    return sorted((tick.moment - NOW) / timedelta(hours=1) for tick in found)


def prune(world: World, at_hour: float, days: float | None = 1.0) -> float:
    """At this hour what is older than a day goes; the answer is when to come again."""
    return PruneExpired(world.database, world.platform.blobs, days).work(NOW + timedelta(hours=at_hour))


@on_both
def test_old_moments_go_but_what_waits_and_the_last_one_of_each_trigger(world: World) -> None:
    world.deploy(definition("a", HOURLY), definition("b", HOURLY))
    rows = [row(world, "a", HOURLY, hour) for hour in (2, 3, 6, 7, 8, 40)]
    rows += [row(world, "a", HOURLY, 1, outcome="deferred"), row(world, "a", HOURLY, 4, last_hour=5)]
    rows += [row(world, "a", "every:5h", 0), row(world, "b", HOURLY, 1), row(world, "b", HOURLY, 5, last_hour=20)]
    with world.database.write() as tx:
        assert ticks.record(tx, *rows)
    prune(world, 24 + 7.5, days=None)
    assert len(hours(world, "a")) == 9
    for _ in range(2):
        prune(world, 24 + 7.5)
        assert hours(world, "a") == [0, 1, 7, 8, 40], "0 is of a trigger that it had before"
        assert hours(world, "b") == [1, 5], "the range goes on after the cutoff"
    with world.database.read() as tx:
        assert [tick.moment for tick in ticks.open_in(tx, world.workspace.id)] == [NOW + timedelta(hours=1)]
    world.advance(hours=24 + 7.5)
    world.platform = world.platform_with(tick_retention_days=1)
    job_id = world.current("a").job.id
    told = explaining.explain(
        world.platform, world.alice, world.workspace.id, job_id, "2026-03-02T15:00:00.123456Z"
    )
    assert "Nothing is kept about" in told.lines[0]


@on_both
def test_many_go_in_batches_and_two_servers_at_once_do_not_mind(world: World) -> None:
    world.deploy(definition("a", HOURLY))
    with world.database.write() as tx:
        assert ticks.record(tx, *(row(world, "a", HOURLY, hour) for hour in range(1_201)))
    waits = at_once(2, lambda _number: prune(world, 24_000))
    assert min(waits) < 1
    while prune(world, 24_000) < 1:
        pass
    assert hours(world, "a") == [1_200]


def test_a_once_that_had_its_turn_has_no_second_one_after_its_row_is_old(world: World) -> None:
    world.deploy(definition("a", "once:2026-03-02T13:00:00Z"))
    world.advance(hours=2)
    world.fire()
    world.complete_run(world.runs_of("a")[0])
    world.advance(days=400)
    prune(world, 400 * 24)
    world.deploy(definition("a"))
    world.deploy(definition("a", "once:2026-03-02T13:00:00Z"))
    world.fire()
    assert len(world.runs_of("a")) == 1


def test_a_clock_that_is_set_back_over_removed_moments_fires_none_again(world: World) -> None:
    world.deploy(definition("a", HOURLY))
    for _ in range(6):
        world.advance(hours=1)
        world.fire()
        world.complete_run(world.runs_of("a")[-1])
    prune(world, 24 + 4.5)
    assert hours(world, "a") == [4, 5, 6]
    world.clock.advance(-timedelta(hours=2.5))
    job_id = world.current("a").job.id
    for change in (change_jobs.archive, change_jobs.unarchive):
        change(world.platform, world.alice, world.workspace.id, job_id)
    world.advance(hours=2)
    world.fire()
    assert len(world.runs_of("a")) == 6
