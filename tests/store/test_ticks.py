"""A scheduled moment is in the ledger once, and a trigger is moved on once."""

from dataclasses import replace
from datetime import datetime, timedelta
from typing import Any
from uuid import UUID

import pytest

from homeport.store import job_triggers, ticks
from homeport.store.listing import Start

from ..builders import at_once, definition
from ..conftest import NOW
from ..world import World

HOURLY = "every:1h"


@pytest.fixture
def job_id(world: World) -> UUID:
    world.deploy(definition("a", HOURLY))
    return world.current("a").job.id


def tick(world: World, job_id: UUID, moment: datetime = NOW, **columns: Any) -> ticks.Tick:
    values = {
        "job_id": job_id,
        "workspace_id": world.workspace.id,
        "trigger": HOURLY,
        "moment": moment,
        "last_moment": moment,
        "moments": 1,
        "outcome": "triggered",
        "reasons": [],
        "inputs": {},
        "run_id": None,
        "decided_by": "clock",
        "first_decided_at": NOW,
        "decided_at": NOW,
    }
    return ticks.Tick(**{**values, **columns})


def test_of_many_who_record_a_moment_one_does(world: World, job_id: UUID) -> None:
    def record(_number: int) -> bool:
        with world.database.write() as tx:
            return ticks.record(tx, tick(world, job_id))

    assert sorted(at_once(4, record)) == [False, False, False, True]


def test_a_second_record_spoils_nothing_of_its_transaction(world: World, job_id: UUID) -> None:
    with world.database.write() as tx:
        assert ticks.record(tx, tick(world, job_id))
        assert not ticks.record(tx, tick(world, job_id, outcome="skipped_paused"))
        assert ticks.record(tx, tick(world, job_id, NOW + timedelta(microseconds=1)))
        assert ticks.exists(tx, job_id, HOURLY, NOW)
    with world.database.read() as tx:
        assert ticks.exists(tx, job_id, HOURLY, NOW)
        assert not ticks.exists(tx, job_id, "every:2h", NOW)
        assert ticks.has_any(tx, job_id, HOURLY)
        assert not ticks.has_any(tx, job_id, "every:2h")


def test_a_trigger_is_moved_on_once(world: World, job_id: UUID) -> None:
    with world.database.read() as tx:
        [due] = job_triggers.due(tx, NOW + timedelta(hours=2), limit=9)

    def advance(_number: int) -> bool:
        with world.database.write() as tx:
            return job_triggers.advance(tx, [(due, NOW + timedelta(hours=3))])

    assert sorted(at_once(4, advance)) == [False, False, False, True]


def test_due_are_those_whose_moment_has_come_longest_overdue_first(world: World) -> None:
    world.deploy_jobs(("a", HOURLY), ("b", "every:30m"), ("c", "tag:x"), ("d", "every:2h"))
    with world.database.read() as tx:
        due = job_triggers.due(tx, NOW + timedelta(hours=1), limit=9)
        assert [found.trigger for found in due] == ["every:30m", HOURLY]
        assert job_triggers.earliest(tx) == NOW + timedelta(minutes=30)
        assert len(job_triggers.due(tx, NOW + timedelta(hours=1), limit=1)) == 1


def test_archived_jobs_are_fired_by_nothing(world: World, job_id: UUID) -> None:
    world.deploy(definition("b", "job.success:jobs.b2"), definition("b2"))
    with world.database.read() as tx:
        assert job_triggers.earliest(tx) is None
        assert job_triggers.next_at_by_job(tx, [job_id]) == {}
        assert job_triggers.jobs_fired_by(tx, world.workspace.id, "manual:jobs.a") == []
        [fired] = job_triggers.jobs_fired_by(tx, world.workspace.id, "job.success:jobs.b2")
    assert fired == world.current("b").job.id


def test_a_range_answers_for_each_of_its_moments(world: World, job_id: UUID) -> None:
    with world.database.write() as tx:
        ticks.record(tx, tick(world, job_id, NOW, last_moment=NOW + timedelta(hours=5), outcome="covered"))
        ticks.record(tx, tick(world, job_id, NOW + timedelta(hours=6)))
        found = [ticks.at(tx, job_id, HOURLY, NOW + timedelta(hours=n)) for n in range(-1, 8)]
    assert [row and row.outcome for row in found] == [None, *["covered"] * 6, "triggered", None]


def test_a_trigger_has_one_moment_that_waits(world: World, job_id: UUID) -> None:
    def record(number: int) -> bool:
        with world.database.write() as tx:
            moment = NOW + timedelta(hours=number)
            return ticks.record(tx, tick(world, job_id, moment, outcome="deferred"))

    assert sorted(at_once(4, record)) == [False, False, False, True]


def test_a_moment_that_waits_ends_once(world: World, job_id: UUID) -> None:
    waiting = tick(world, job_id, outcome="deferred")
    with world.database.write() as tx:
        ticks.record(tx, waiting)

    def end(number: int) -> bool:
        with world.database.write() as tx:
            return ticks.decide_open(tx, replace(waiting, outcome=f"skipped_{number}"))

    assert sorted(at_once(4, end)) == [False, False, False, True]


def test_the_list_is_narrowed_and_goes_on_where_a_page_ended(world: World, job_id: UUID) -> None:
    with world.database.write() as tx:
        for hour in range(6):
            outcome = "covered" if hour % 2 else "triggered"
            ticks.record(tx, tick(world, job_id, NOW + timedelta(hours=hour), outcome=outcome))
        filters = ticks.Filters(
            job_id, ["covered", "triggered"], NOW + timedelta(hours=1), NOW + timedelta(hours=5)
        )
        first = ticks.find(tx, world.workspace.id, filters, Start(), 3)
        rest = ticks.find(tx, world.workspace.id, filters, Start(after=first[-1][1]), 3)
        covered = ticks.Filters(outcomes=["covered"])
        assert ticks.count(tx, world.workspace.id, filters, 100) == 4
        assert [row.moment for row, _ in ticks.find(tx, world.workspace.id, covered, Start(), 9)] == [
            NOW + timedelta(hours=hour) for hour in (5, 3, 1)
        ]
    assert [row.moment - NOW for row, _ in first + rest] == [timedelta(hours=hour) for hour in (4, 3, 2, 1)]


def test_a_page_may_be_as_long_as_pages_are(world: World, job_id: UUID) -> None:
    with world.database.write() as tx:
        for minute in range(1_002):
            assert ticks.record(tx, tick(world, job_id, NOW + timedelta(minutes=minute)))
    with world.database.read() as tx:
        found = ticks.find(tx, world.workspace.id, ticks.Filters(), Start(), 1_001)
    assert len(found) == 1_001
    assert found[0][0].moment == NOW + timedelta(minutes=1_001)
