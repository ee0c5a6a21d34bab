"""Jobs that start each other without end are refused, or stopped; and what was stopped can be looked up."""

from typing import Any

import pytest

from homeport.config import MAX_STARTS_PER_MINUTE
from homeport.errors import BadRequest
from homeport.scheduling.follow_ups import MAX_CHAIN_DEPTH
from homeport.store import declined_starts, runs
from homeport.store.declined_starts import STORM

from ..builders import definition
from ..databases import on_both
from ..world import World


def meant(name: str, *triggers: str, **parts: Any) -> dict[str, Any]:
    tags = {"manual": True, "tags": ["homeport:allow-cycle"]}
    return definition(name, *triggers, **parts) | {"expose": tags}


def refusal(world: World, *definitions: dict[str, Any]) -> str:
    with pytest.raises(BadRequest) as refused:
        world.deploy(*definitions)
    return " ".join(refused.value.reasons)


def declined_of(world: World, name: str) -> list[declined_starts.DeclinedStart]:
    with world.database.read() as tx:
        return declined_starts.of_job(tx, world.current(name).job.id, limit=100)


def go_round(world: World, name: str, exit_code: int, times: int, seconds: float) -> None:
    """A run of the job, and of whatever its end starts, one after the other."""
    run: runs.Run | None = world.start(name)
    for _ in range(times):
        if run is None:
            return
        runner = world.claim(run)
        runner.begin()
        ended = runner.exit(exit_code)
        world.advance(seconds=seconds)
        with world.database.read() as tx:
            run = next(iter(runs.started_by(tx, ended.id)), None)


# at the deploy


def test_a_circle_over_success_and_failure_is_refused_and_the_way_round_is_told(world: World) -> None:
    told = refusal(
        world,
        definition("a", "job.success:jobs.c"),
        definition("b", "job.fail:jobs.a"),
        definition("c", "job.success:jobs.b"),
    )
    assert "jobs.a -> jobs.b -> jobs.c -> jobs.a" in told
    assert "homeport:allow-cycle" in told


def test_two_jobs_on_every_failure_are_a_circle(world: World) -> None:
    assert "circle" in refusal(world, definition("a", "job.fail:jobs.b"), definition("b", "job.fail:jobs.a"))


def test_a_circle_that_a_job_says_it_means_is_deployed(world: World) -> None:
    world.deploy(meant("a", "job.success:jobs.b"), definition("b", "job.success:jobs.a"))
    go_round(world, "a", 0, times=3, seconds=60)
    assert (len(world.runs_of("a")), len(world.runs_of("b"))) == (2, 2)


def test_the_tag_opens_no_other_circle_and_none_of_freshness(world: World) -> None:
    others = [definition("c", "job.fail:jobs.d"), definition("d", "job.fail:jobs.c")]
    told = refusal(world, meant("a", "job.success:jobs.b"), definition("b", "job.success:jobs.a"), *others)
    assert "jobs.c -> jobs.d -> jobs.c" in told or "jobs.d -> jobs.c -> jobs.d" in told
    assert "circle" in refusal(
        world,
        meant("a", freshness=["job.is_fresh:jobs.b"]),
        definition("b", freshness=["job.is_fresh:jobs.a"]),
    )


# as they run


@on_both
def test_a_fast_circle_stops_after_some_starts_and_the_reason_is_kept(world: World) -> None:
    world.deploy(meant("a", "job.fail:jobs.b"), definition("b", "job.fail:jobs.a"))
    go_round(world, "a", 1, times=100, seconds=0.5)
    assert len(world.runs_of("b")) == MAX_STARTS_PER_MINUTE
    [declined] = [*declined_of(world, "a"), *declined_of(world, "b")]
    assert declined.status == STORM
    assert declined.trigger in ("job.fail:jobs.a", "job.fail:jobs.b")
    assert "within a minute" in declined.reasons[0]
    with world.database.read() as tx:
        assert declined.previous_run_id is not None
        assert declined_starts.after_run(tx, declined.previous_run_id, limit=10) == [declined]


def test_a_slow_circle_goes_on_until_the_chain_is_too_long(world: World) -> None:
    world.deploy(meant("a", "job.fail:jobs.b"), definition("b", "job.fail:jobs.a"))
    go_round(world, "a", 1, times=100, seconds=30)
    assert len(world.runs_of("a")) + len(world.runs_of("b")) == MAX_CHAIN_DEPTH + 1
    [declined] = [*declined_of(world, "a"), *declined_of(world, "b")]
    assert (declined.status, f"{MAX_CHAIN_DEPTH} follow-ups" in declined.reasons[0]) == (STORM, True)


def test_the_limit_is_a_setting(world: World) -> None:
    data_dir = world.platform.settings.data_dir
    world.platform = world.platform_with(data_dir=data_dir, follow_ups_per_minute=2)
    world.deploy(meant("a", "job.fail:jobs.b"), definition("b", "job.fail:jobs.a"))
    go_round(world, "a", 1, times=100, seconds=1)
    assert len(world.runs_of("b")) == 2


@on_both
def test_many_chains_at_once_are_no_storm(world: World) -> None:
    world.deploy(definition("a"), definition("b", "job.success:jobs.a"))
    for _ in range(MAX_STARTS_PER_MINUTE + 2):
        world.complete("a")
        world.complete_run(world.runs_of("b")[-1])
    assert len(world.runs_of("b")) == MAX_STARTS_PER_MINUTE + 2
    assert declined_of(world, "b") == []


def test_many_branches_that_meet_in_a_job_are_no_storm(world: World) -> None:
    world.restart_services(max_runs=1000)
    names = [f"n{number}" for number in range(MAX_STARTS_PER_MINUTE + 2)]
    ends = [f"job.success:jobs.{name}" for name in names]
    world.deploy(
        definition("root"),
        *(definition(name, "job.success:jobs.root") for name in names),
        definition("sink", *ends, execute={"concurrency": None}),
    )
    world.complete("root")
    for name in names:
        world.complete_run(world.runs_of(name)[0])
    assert len(world.runs_of("sink")) == len(names)
    assert declined_of(world, "sink") == []


def test_the_branches_of_a_circle_count_together(world: World) -> None:
    """Two ways from `a` back to `a` would double its runs with each round."""
    world.restart_services(max_runs=1000)
    crowd = {"concurrency": None}
    world.deploy(
        meant("a", "job.success:jobs.b", "job.success:jobs.c", execute=crowd),
        definition("b", "job.success:jobs.a", execute=crowd),
        definition("c", "job.success:jobs.a", execute=crowd),
    )
    world.start("a")
    for _ in range(200):
        waiting = [run for name in "abc" for run in world.runs_of(name) if not run.is_over]
        if not waiting:
            break
        world.complete_run(waiting[0])
    assert max(len(world.runs_of(name)) for name in "abc") <= 1 + MAX_STARTS_PER_MINUTE
    assert {found.status for name in "abc" for found in declined_of(world, name)} == {STORM}


def test_a_busy_job_is_declined_with_its_reason(world: World) -> None:
    world.deploy_jobs(("a",), ("good", "job.success:jobs.a"))
    world.start("good")
    ended = world.complete("a")
    [declined] = declined_of(world, "good")
    assert (declined.status, declined.previous_run_id) == ("skipped_concurrency_limit", ended.id)
    assert declined.at == world.clock.now()
