"""Asking a run to stop, wherever it is; asking twice does no harm."""

from uuid import uuid4

import pytest

from homeport.contract.runs import CancelJobRunsRequest, CancelJobRunsResponse
from homeport.errors import Conflict, NotAllowed, NotFound
from homeport.operations import cancel_runs

from ..builders import definition
from ..conftest import NOW
from ..databases import on_both
from ..world import World


@pytest.fixture
def world(world: World) -> World:
    world.deploy(definition("a", execute={"timeout": {"grace_period": 60}, "concurrency": None}))
    return world


def test_a_run_that_waits_is_cancelled_on_the_spot(world: World) -> None:
    after = world.cancel(world.start("a").id)
    assert (after.status, after.end_cause, after.finished_at) == ("cancelled", "cancelled", NOW)
    assert "owner@localhost" in (after.end_detail or "")


def test_a_run_that_nobody_claimed_is_cancelled_on_the_spot_and_never_claimed(world: World) -> None:
    run = world.start("a")
    world.submit()
    assert world.cancel(run.id).status == "cancelled"
    with pytest.raises(Conflict):
        world.claim(run)


@on_both
def test_a_claimed_run_is_asked_through_its_runner(world: World) -> None:
    runner = world.claim(world.start("a"))
    assert not runner.is_to_cancel()
    assert world.cancel(runner.run_id).status == "cancelling"
    assert runner.is_to_cancel()
    assert runner.exit(None, "cancelled").status == "cancelled"


def test_a_running_run_has_its_grace(world: World) -> None:
    runner = world.running("a")
    after = world.cancel(runner.run_id)
    assert after.status == "cancelling"
    assert after.cancel_by is not None
    assert (after.cancel_by - NOW).total_seconds() == 60
    assert runner.say(0, "stopping").cancel


def test_a_cancel_that_crosses_the_start_is_kept(world: World) -> None:
    runner = world.claim(world.start("a"))
    world.cancel(runner.run_id)
    runner.begin()
    assert world.run(runner.run_id).status == "cancelling"


def test_asking_again_moves_nothing(world: World) -> None:
    runner = world.running("a")
    first = world.cancel(runner.run_id)
    world.advance(seconds=30)
    assert world.cancel(runner.run_id) == first


@pytest.mark.parametrize("exit_code", [0, 1])
def test_a_run_that_is_over_cannot_be_cancelled(world: World, exit_code: int) -> None:
    run = world.running("a").exit(exit_code)
    with pytest.raises(Conflict, match=run.status):
        world.cancel(run.id)


def test_a_run_of_nowhere_is_not_found(world: World) -> None:
    with pytest.raises(NotFound):
        world.cancel(uuid4())


def test_a_viewer_may_not_cancel(world: World) -> None:
    run = world.start("a")
    world.alice = world.invite("bob@here", "viewer")
    with pytest.raises(NotAllowed):
        world.cancel(run.id)


def cancel_many(world: World, *ids: object, dry_run: bool = False) -> CancelJobRunsResponse:
    request = CancelJobRunsRequest(job_run_ids=ids, dry_run=dry_run)  # type: ignore[arg-type]
    return cancel_runs.cancel_runs(world.platform, world.alice, world.workspace.id, request)


@on_both
@pytest.mark.parametrize("dry_run", [True, False])
def test_many_are_told_apart_active_over_unknown(world: World, dry_run: bool) -> None:
    over, running, waiting, unknown = world.complete("a"), world.running("a"), world.start("a"), uuid4()
    response = cancel_many(world, over.id, running.run_id, waiting.id, unknown, waiting.id, dry_run=dry_run)
    assert [(row.job_run_number, row.previous_status) for row in response.succeeded] == [
        (2, "running"),
        (3, "pending"),
    ]
    assert [row.job_run_id for row in response.skipped] == [over.id]
    assert [row.ref for row in response.failed] == [str(unknown)]
    statuses = [run.status for run in world.runs_of("a")]
    assert statuses == ["completed", *(["running", "pending"] if dry_run else ["cancelling", "cancelled"])]


def test_runs_of_another_workspace_are_unknown(world: World) -> None:
    run = world.start("a")
    world.alice, world.workspace = world.stranger()
    assert [row.ref for row in cancel_many(world, run.id).failed] == [str(run.id)]
    assert world.run(run.id).status == "pending"
