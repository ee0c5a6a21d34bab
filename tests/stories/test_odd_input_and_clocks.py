"""What somebody gets who sends or does something odd: an answer that names it, and nothing lost or run twice."""

from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from homeport.errors import BadRequest
from homeport.operations import change_jobs
from homeport.store import job_triggers, ticks

from ..builders import definition
from ..conftest import NOW
from ..world import World

HOUR, DAY = timedelta(hours=1), timedelta(days=1)
HOURLY = "schedule:0 * * * *"

REFUSED: dict[str, tuple[dict[str, Any], str]] = {
    "a cron that never fires": (definition("a", "schedule:0 0 31 2 *"), "no month has such a day"),
    "a cron whose years are no more than wishes": (
        definition("a", "schedule:0 0 29 2 * 0 2025-2027"),
        "never fires",
    ),
    "a zone that does not exist": (definition("a", HOURLY, require={"timezone": "Mars/Olympus"}), "Europe/Berlin"),
    "a period under a minute": (definition("a", "every:59"), "minimum period is 1 minute"),
    "an interval that ends before it starts": (
        definition("a", HOURLY, interval={"start": "2026-02-01T00:00:00Z", "end": "2026-01-01T00:00:00Z"}),
        "make the end later",
    ),
    "an interval within one tick": (
        definition("a", HOURLY, interval={"start": "2026-02-01T00:10:00Z", "end": "2026-02-01T00:50:00Z"}),
        "moved back to a tick",
    ),
}


@pytest.fixture
def backend() -> str:
    return "sqlite"


def outcomes(world: World, name: str) -> list[str]:
    with world.database.read() as tx:
        return [row.outcome for row in ticks.latest_of(tx, world.current(name).job.id, 1000)][::-1]


def next_at(world: World, name: str) -> datetime | None:
    job_id = world.current(name).job.id
    with world.database.read() as tx:
        return job_triggers.next_at_by_job(tx, [job_id]).get(job_id)


@pytest.mark.parametrize(("bad", "way_out"), REFUSED.values(), ids=REFUSED)
def test_a_deploy_that_can_never_run_is_refused_with_the_way_out(
    world: World, bad: dict[str, Any], way_out: str
) -> None:
    with pytest.raises(BadRequest) as refused:
        world.deploy(bad)
    told = str(refused.value.reasons)
    assert "jobs.a" in told
    assert way_out in told


def test_a_schedule_whose_years_are_over_is_deployed_and_never_due(world: World) -> None:
    world.deploy(definition("a", "schedule:0 0 1 1 * 0 2020"))
    assert next_at(world, "a") is None


def test_once_in_the_past_runs_at_once_and_never_again(world: World) -> None:
    once = "once:2026-01-01T00:00:00Z"
    world.deploy_jobs(("a", once))
    world.fire()
    world.complete_run(world.runs_of("a")[0])
    world.deploy_jobs(("a", once, "tag:new"))
    world.advance(days=1)
    world.fire()
    assert len(world.runs_of("a")) == 1


@pytest.mark.parametrize("trigger", [HOURLY, "every:1h"])
def test_after_an_hour_back_the_schedule_goes_on_where_it_was(world: World, trigger: str) -> None:
    world.deploy_jobs(("a", trigger))
    for step in (1, -1, 1, 1):
        world.advance(hours=step)
        world.fire()
        for run in world.runs_of("a"):
            world.complete_run(run)
    first, second = world.runs_of("a")
    assert first.interval_end == second.interval_start
    assert outcomes(world, "a") == ["triggered", "triggered"]


@pytest.mark.parametrize("trigger", [HOURLY, "every:1h"])
def test_a_day_forward_by_mistake_is_one_run_and_silence_until_the_clock_is_there_again(
    world: World, trigger: str
) -> None:
    world.deploy_jobs(("a", trigger))
    world.advance(days=1)
    world.fire()
    world.complete_run(world.runs_of("a")[0])
    world.advance(days=-1)
    for _ in range(24):
        world.advance(hours=1)
        world.fire()
    assert len(world.runs_of("a")) == 1
    world.advance(hours=1)
    world.fire()
    first, second = world.runs_of("a")
    assert first.interval_end == second.interval_start


def test_an_upstream_that_is_archived_is_the_reason_why_a_tick_waits_on(world: World) -> None:
    waits = definition("a", HOURLY, freshness=["job.is_fresh:jobs.up"])
    world.deploy(definition("up"), waits)
    change_jobs.archive(world.platform, world.alice, world.workspace.id, world.current("up").job.id)
    world.advance(hours=1)
    world.fire()
    assert outcomes(world, "a") == ["deferred"]
    with world.database.read() as tx:
        [row] = ticks.latest_of(tx, world.current("a").job.id, 1)
    assert row.reasons == ["upstream jobs.up is archived"]
    change_jobs.unarchive(world.platform, world.alice, world.workspace.id, world.current("up").job.id)
    world.complete("up")
    assert outcomes(world, "a") == ["triggered"]


def test_a_job_that_is_deployed_away_in_mid_run_ends_its_run_and_starts_no_other(world: World) -> None:
    world.deploy_jobs(("a", HOURLY), ("b",), module="m")
    world.advance(hours=1)
    world.fire()
    runner = world.claim(world.runs_of("a")[0])
    runner.begin()
    world.deploy_jobs(("b",), module="m")
    assert runner.exit(0).status == "completed"
    world.advance(days=1)
    world.fire()
    assert len(world.runs_of("a")) == 1
    assert world.current("a").job.completed_until == datetime(2026, 3, 2, 13, tzinfo=UTC)
    world.deploy_jobs(("a", HOURLY), ("b",), module="m")
    world.advance(hours=1)
    world.fire()
    first, second = world.runs_of("a")
    assert first.interval_end == second.interval_start  # what passed while it was away is not left out
    assert second.interval_end > NOW + DAY


@pytest.mark.parametrize("selector", ["tag:nothing", "jobs.none.*", "schedule:*"])
def test_a_selector_that_matches_nothing_starts_nothing_and_says_so(world: World, selector: str) -> None:
    world.deploy_jobs(("a", "tag:x"))
    response = world.trigger(selector)
    assert (response.succeeded, response.skipped, response.failed) == ([], [], [])
    assert world.runs_of("a") == []
