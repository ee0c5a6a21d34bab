"""What is due by the clock starts once, and what was missed while nobody looked starts once."""

import threading
from datetime import UTC, datetime, timedelta

import pytest
import sqlalchemy as sa

from homeport.dispatch.schedules import FireSchedules
from homeport.store import job_triggers, jobs, ticks

from ..builders import at_once, definition, until
from ..conftest import NOW
from ..databases import on_both
from ..world import World

HOUR = timedelta(hours=1)


def ledger(world: World) -> list[tuple[datetime, str]]:
    """Moments and what became of them."""
    columns = (ticks.table.c.moment, ticks.table.c.outcome)
    with world.database.read() as tx:
        return [tuple(row) for row in tx.execute(sa.select(*columns).order_by(columns[0]))]  # type: ignore[misc]


def next_at(world: World, name: str) -> datetime | None:
    job_id = world.current(name).job.id
    with world.database.read() as tx:
        return job_triggers.next_at_by_job(tx, [job_id]).get(job_id)


@on_both
@pytest.mark.parametrize(
    ("trigger", "moment", "then"),
    [
        ("every:90m", NOW + timedelta(minutes=90), NOW + timedelta(minutes=180)),
        ("schedule:0 * * * *", datetime(2026, 3, 2, 13, tzinfo=UTC), datetime(2026, 3, 2, 14, tzinfo=UTC)),
        ("once:2026-03-02T12:30:00+00:00", datetime(2026, 3, 2, 12, 30, tzinfo=UTC), None),
    ],
)
def test_a_trigger_fires_at_its_moment_once(
    world: World, trigger: str, moment: datetime, then: datetime | None
) -> None:
    world.deploy_jobs(("a", trigger))
    assert next_at(world, "a") == moment
    world.clock.advance(moment - NOW - timedelta(microseconds=1))
    world.fire()
    assert world.runs_of("a") == []
    world.clock.advance(timedelta(microseconds=1))
    world.fire()
    world.fire()
    assert [run.trigger for run in world.runs_of("a")] == [trigger]
    assert ledger(world) == [(moment, "triggered")]
    assert next_at(world, "a") == then


def test_the_scheduler_sleeps_until_the_next_moment_or_a_while(world: World) -> None:
    assert world.schedules.work(NOW) == 5
    world.deploy_jobs(("a", "every:1m"))
    assert world.schedules.work(NOW) == 5
    assert world.schedules.work(NOW + timedelta(seconds=58)) == 2


def test_moments_that_follow_each_other_closely_share_a_look(world: World) -> None:
    world.deploy_jobs(("a", "every:1m"))
    assert world.schedules.work(NOW + timedelta(seconds=59, milliseconds=990)) == 0.1


@on_both
def test_missed_moments_make_one_run_whose_window_reaches_back(world: World) -> None:
    world.deploy_jobs(("a", "schedule:0 * * * *"))
    world.advance(hours=1)
    world.fire()
    first = world.claim(world.runs_of("a")[0])
    first.begin()
    first.exit(0)
    world.advance(hours=5)  # no server ran
    world.restart_services()
    world.fire()
    _, second = world.runs_of("a")
    assert (second.interval_start, second.interval_end) == (
        datetime(2026, 3, 2, 13, tzinfo=UTC),
        datetime(2026, 3, 2, 18, tzinfo=UTC),
    )
    assert next_at(world, "a") == datetime(2026, 3, 2, 19, tzinfo=UTC)


def test_every_keeps_its_phase_over_a_pause_of_the_server(world: World) -> None:
    world.deploy_jobs(("a", "every:1h"))
    world.advance(hours=5, minutes=20)
    world.fire()
    assert len(world.runs_of("a")) == 1
    assert next_at(world, "a") == NOW + 6 * HOUR


@on_both
def test_a_clock_set_back_repeats_nothing(world: World) -> None:
    world.deploy_jobs(("a", "every:1h"))
    world.advance(hours=1)
    world.fire()
    world.complete_run(world.runs_of("a")[0])
    world.advance(hours=-1)
    world.fire()
    world.advance(hours=1)
    world.fire()
    assert len(world.runs_of("a")) == 1


def test_a_deploy_after_the_clock_was_set_back_repeats_nothing(world: World) -> None:
    once = "once:2026-03-02T13:00:00+00:00"
    world.deploy_jobs(("a", once))
    world.advance(hours=1)
    world.fire()
    world.complete_run(world.runs_of("a")[0])
    world.advance(hours=-1)
    world.deploy_jobs(("a", once, "tag:changed"))
    world.advance(hours=2)
    world.fire()
    assert len(world.runs_of("a")) == 1


def test_a_moment_that_finds_the_job_busy_is_recorded_with_the_reason(world: World) -> None:
    world.deploy_jobs(("a", "every:1h"))
    world.running("a")
    world.advance(hours=1)
    world.fire()
    assert len(world.runs_of("a")) == 1
    assert ledger(world) == [(NOW + HOUR, "skipped_concurrency_limit")]


def test_jobs_that_are_due_together_all_start(world: World) -> None:
    world.deploy_jobs(*((f"job{number}", "every:1h") for number in range(4)))
    world.advance(hours=1)
    world.fire()
    assert [len(world.runs_of(f"job{number}")) for number in range(4)] == [1] * 4


def test_a_stale_upstream_holds_a_moment_back_and_says_which(world: World) -> None:
    fresh = {"freshness": ["job.is_fresh:jobs.up"]}
    world.deploy(definition("up"), definition("a", "every:1h", **fresh))
    world.advance(hours=1)
    world.fire()
    assert ledger(world) == [(NOW + HOUR, "deferred")]
    world.complete("up")
    assert ledger(world) == [(NOW + HOUR, "triggered")]


def test_a_paused_job_lets_its_moments_pass(world: World) -> None:
    world.deploy_jobs(("a", "every:1h"))
    with world.database.write() as tx:
        jobs.save(tx, world.current("a").job, paused_at=NOW)
    world.advance(hours=1)
    world.fire()
    assert ledger(world) == [(NOW + HOUR, "skipped_paused")]
    assert next_at(world, "a") == NOW + 2 * HOUR


def test_a_schedule_ends_with_its_declared_interval(world: World) -> None:
    interval = {"start": "2026-03-02T12:00:00+00:00", "end": "2026-03-02T14:00:00+00:00"}
    world.deploy(definition("a", "schedule:0 * * * *", interval=interval))
    for _ in range(4):
        world.advance(hours=1)
        world.fire()
        for run in world.runs_of("a"):
            world.complete_run(run)
    assert [run.interval_end.hour for run in world.runs_of("a")] == [13, 14]
    assert next_at(world, "a") is None


@on_both
def test_a_job_that_cannot_be_decided_does_not_stop_the_others(world: World) -> None:
    world.deploy_jobs(("bad", "every:30m"), ("good", "every:1h"))
    version = world.current("bad").version
    with world.database.write() as tx:
        tx.execute(jobs.versions.update().where(jobs.versions.c.id == version.id).values(definition={}))
    world.advance(hours=1)
    assert world.schedules.work(world.clock.now()) == 0
    assert len(world.runs_of("good")) == 1
    assert world.schedules.work(world.clock.now()) == 1  # the bad one is tried again, in a while


@on_both
def test_of_many_moments_in_one_transaction_only_the_failing_one_is_rolled_back(world: World) -> None:
    names = [f"job{number}" for number in range(60)]
    world.deploy_jobs(*((name, "every:1h") for name in names))
    version = world.current("job7").version
    with world.database.write() as tx:
        tx.execute(jobs.versions.update().where(jobs.versions.c.id == version.id).values(definition={}))
    world.advance(hours=1)
    world.schedules.work(world.clock.now())
    assert [len(world.runs_of(name)) for name in names if name != "job7"] == [1] * 59
    assert next_at(world, "job7") == world.clock.now()
    assert len(ledger(world)) == 59


@on_both
def test_two_schedulers_that_decide_many_moments_at_once_start_each_once(world: World) -> None:
    fresh = {"freshness": ["job.is_fresh:jobs.up"]}
    names = [f"job{number}" for number in range(40)]
    world.deploy(definition("up"), *(definition(name, "every:1h", **fresh) for name in names))
    world.complete("up")
    world.advance(hours=1)
    others = [FireSchedules(world.database, world.platform.bells) for _ in range(3)]
    at_once(3, lambda number: others[number].work(world.clock.now()))
    assert [len(world.runs_of(name)) for name in names] == [1] * 40
    assert [outcome for _, outcome in ledger(world)] == ["triggered"] * 40


@pytest.mark.parametrize("backend", ["postgresql"])
def test_a_job_that_somebody_holds_is_decided_after_the_others(world: World) -> None:
    world.deploy_jobs(("held", "every:30m"), ("free", "every:1h"))
    world.advance(hours=1)
    with world.database.write() as tx:
        jobs.lock(tx, world.current("held").job.id)
        deciding = threading.Thread(target=world.fire)
        deciding.start()
        until(lambda: world.runs_of("free"))
        assert world.runs_of("held") == []
    deciding.join()
    assert len(world.runs_of("held")) == 1
