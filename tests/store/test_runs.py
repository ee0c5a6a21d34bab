"""Runs move by guarded transitions only, and are numbered without gaps."""

from contextlib import suppress
from datetime import timedelta
from uuid import UUID

import pytest
import sqlalchemy as sa

from homeport.scheduling.run_lifecycle import TERMINAL, TRANSITIONS, EndCause, RunStatus, Transition
from homeport.store import jobs, run_lists, runs

from ..builders import at_once, definition
from ..conftest import NOW
from ..world import World


@pytest.fixture
def run(world: World) -> runs.Run:
    world.deploy(definition("a", execute={"concurrency": None}))
    return world.start("a")


def put(world: World, run_id: UUID, status: RunStatus) -> None:
    """The run as if it had come to be in this status."""
    finished_at = NOW if status in TERMINAL else None
    with world.database.write() as tx:
        tx.execute(
            runs.table.update().where(runs.table.c.id == run_id).values(status=status, finished_at=finished_at)
        )


@pytest.mark.parametrize("transition", TRANSITIONS.values(), ids=TRANSITIONS)
def test_a_transition_applies_from_its_sources_only(world: World, run: runs.Run, transition: Transition) -> None:
    for status in RunStatus:
        put(world, run.id, status)
        with world.database.write() as tx:
            applied = runs.apply(tx, run.id, transition, NOW)
        assert applied == (status in transition.sources), status
        assert world.run(run.id).status == (transition.target if applied else status)


def test_an_end_keeps_its_cause_and_moment(world: World, run: runs.Run) -> None:
    later = NOW + timedelta(minutes=1)
    with world.database.write() as tx:
        assert runs.apply(tx, run.id, TRANSITIONS["cancel_pending"], later, end_detail="by Alice")
    ended = world.run(run.id)
    assert (ended.end_cause, ended.finished_at, ended.end_detail) == (EndCause.CANCELLED, later, "by Alice")


def test_of_two_who_move_a_run_one_is_told_it_did(world: World, run: runs.Run) -> None:
    def submit(_number: int) -> bool:
        with world.database.write() as tx:
            return runs.apply(tx, run.id, TRANSITIONS["submit"], NOW)

    assert sorted(at_once(6, submit)) == [False] * 5 + [True]


def test_a_run_begins_once(world: World, run: runs.Run) -> None:
    with world.database.write() as tx:
        runs.set_started(tx, run.id, NOW)
        runs.set_started(tx, run.id, NOW + timedelta(seconds=9))
    assert world.run(run.id).started_at == NOW


@pytest.mark.parametrize(
    "columns",
    [
        {"status": "sleeping"},
        {"status": "completed"},
        {"finished_at": NOW},
        {"status": "failed", "finished_at": NOW, "end_cause": "boredom"},
    ],
    ids=lambda columns: ",".join(columns),
)
def test_the_schema_refuses_a_run_that_cannot_be(world: World, run: runs.Run, columns: dict[str, object]) -> None:
    with pytest.raises(sa.exc.IntegrityError), world.database.write() as tx:
        tx.execute(runs.table.update().where(runs.table.c.id == run.id).values(columns))


def test_numbers_of_a_job_have_no_gaps_when_starts_race(world: World, run: runs.Run) -> None:
    at_once(8, lambda _number: world.start("a"))
    assert [found.number for found in world.runs_of("a")] == list(range(1, 10))


def test_numbers_count_per_job(world: World, run: runs.Run) -> None:
    world.deploy(definition("b"), module=None)
    assert (world.start("a").number, world.start("b").number) == (2, 1)


def test_a_number_whose_transaction_failed_is_given_out_again(world: World, run: runs.Run) -> None:
    job_id = world.current("a").job.id
    with suppress(LookupError), world.database.write() as tx:
        assert jobs.note_runs(tx, [(job_id, 2, NOW)])
        raise LookupError
    assert world.start("a").number == 2


def test_the_latest_run_of_each_job_is_found_in_one_query(world: World, run: runs.Run) -> None:
    world.deploy(definition("b"), module=None)
    second = world.start("a")
    with world.database.read() as tx:
        ids = {world.current(name).job.id for name in "ab"}
        assert runs.latest_of(tx, ids) == {second.job_id: second}
        assert runs.latest_of(tx, []) == {}


@pytest.mark.parametrize(
    ("filters", "numbers"),
    [
        (run_lists.Filters(), [3, 2, 1]),
        (run_lists.Filters(statuses=("cancelled",)), [2]),
        (run_lists.Filters(statuses=("cancelled", "pending")), [3, 2, 1]),
        (run_lists.Filters(number=3), [3]),
        (run_lists.Filters(job_refs_left_out=("jobs.a",)), []),
    ],
)
def test_a_list_of_runs_is_narrowed_and_newest_first(
    world: World, run: runs.Run, filters: run_lists.Filters, numbers: list[int]
) -> None:
    for _ in range(2):
        world.advance(seconds=1)
        world.start("a")
    with world.database.write() as tx:
        [second] = run_lists.newest(tx, world.workspace.id, run_lists.Filters(number=2), 9)
        runs.apply(tx, second.id, TRANSITIONS["cancel_pending"], NOW)
        found = run_lists.newest(tx, world.workspace.id, filters, 10)
        total = run_lists.count(tx, world.workspace.id, filters, cap=100)
    assert [item.number for item in found] == numbers
    assert total == len(numbers)


def test_totals_are_counted_up_to_the_cap(world: World, run: runs.Run) -> None:
    for _ in range(4):
        world.start("a")
    with world.database.read() as tx:
        page = run_lists.newest(tx, world.workspace.id, run_lists.Filters(), 2, 1)
        total = run_lists.count(tx, world.workspace.id, run_lists.Filters(), cap=3)
    assert (len(page), total) == (2, 3)


def test_a_run_of_another_workspace_is_not_found(world: World, run: runs.Run) -> None:
    _, elsewhere = world.stranger()
    with world.database.read() as tx:
        assert runs.get(tx, run.id, elsewhere.id) is None
        assert runs.by_ids(tx, elsewhere.id, [run.id]) == {}
        assert runs.get(tx, run.id, world.workspace.id) == run
