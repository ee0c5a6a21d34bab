"""A scheduled moment is in the ledger once, and a trigger is moved on once."""

from datetime import timedelta
from uuid import UUID

import pytest

from homeport.store import job_triggers, ticks

from ..builders import at_once, definition
from ..conftest import NOW
from ..world import World

HOURLY = "every:1h"


@pytest.fixture
def job_id(world: World) -> UUID:
    world.deploy(definition("a", HOURLY))
    return world.current("a").job.id


def test_of_many_who_record_a_moment_one_does(world: World, job_id: UUID) -> None:
    def record(_number: int) -> bool:
        with world.database.write() as tx:
            return ticks.record(tx, job_id, HOURLY, NOW, "triggered", [], None, NOW)

    assert sorted(at_once(4, record)) == [False, False, False, True]


def test_a_second_record_spoils_nothing_of_its_transaction(world: World, job_id: UUID) -> None:
    with world.database.write() as tx:
        assert ticks.record(tx, job_id, HOURLY, NOW, "triggered", [], None, NOW)
        assert not ticks.record(tx, job_id, HOURLY, NOW, "skipped_paused", ["paused"], None, NOW)
        assert ticks.record(tx, job_id, HOURLY, NOW + timedelta(microseconds=1), "triggered", [], None, NOW)
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
            return job_triggers.advance(tx, due, NOW + timedelta(hours=3))

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
