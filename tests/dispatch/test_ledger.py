"""Every moment of a schedule ends in the ledger as exactly one thing, with why; what waits has its turn once."""

from datetime import UTC, datetime, timedelta
from itertools import pairwise
from typing import Any

import pytest
import sqlalchemy as sa

from homeport.operations import change_jobs, change_workspaces
from homeport.store import job_triggers, run_starts, runs, tick_decisions, ticks
from homeport.store.ticks import Tick

from ..builders import at_once, definition
from ..conftest import NOW
from ..databases import on_both
from ..world import World

HOURLY = "schedule:0 * * * *"
HOUR = timedelta(hours=1)
ONE = datetime(2026, 3, 2, 13, tzinfo=UTC)
"""The first tick of `HOURLY`."""


def after(*names: str, **parts: Any) -> dict[str, Any]:
    return {"freshness": [f"job.is_fresh:jobs.{name}" for name in names], **parts}


def rows(world: World, name: str) -> list[Tick]:
    with world.database.read() as tx:
        return ticks.latest_of(tx, world.current(name).job.id, 1000)[::-1]


def ledger(world: World, name: str) -> list[tuple[datetime, datetime, str]]:
    return [(row.moment, row.last_moment, row.outcome) for row in rows(world, name)]


def outcomes(world: World, name: str) -> list[str]:
    return [row.outcome for row in rows(world, name)]


def tick_at(world: World, moment: datetime) -> None:
    world.clock.advance(moment - world.clock.now())
    world.fire()


@on_both
def test_what_passed_while_no_server_ran_is_one_row_covered_by_the_run(world: World) -> None:
    world.deploy_jobs(("a", HOURLY))
    tick_at(world, ONE + 5 * HOUR + timedelta(minutes=10))
    [run] = world.runs_of("a")
    missed, fired = rows(world, "a")
    assert (missed.moment, missed.last_moment, missed.moments) == (ONE, ONE + 4 * HOUR, 5)
    assert (missed.outcome, missed.run_id, fired.run_id) == ("covered", run.id, run.id)
    assert (fired.moment, fired.outcome, fired.inputs["lateness_seconds"]) == (ONE + 5 * HOUR, "triggered", 600.0)
    tick_at(world, ONE + 6 * HOUR)
    assert [row.moment for row in rows(world, "a")] == [ONE, ONE + 5 * HOUR, ONE + 6 * HOUR]


def test_a_year_of_missed_minutes_is_one_row(world: World) -> None:
    world.deploy_jobs(("a", "schedule:* * * * *"), ("b", "every:1m"))
    tick_at(world, NOW + timedelta(days=365))
    assert [row.moments for row in rows(world, "a")] == [None, 1]
    assert [row.moments for row in rows(world, "b")] == [365 * 24 * 60 - 1, 1]


def test_moments_missed_before_one_that_is_skipped_are_skipped_with_it(world: World) -> None:
    world.deploy_jobs(("a", HOURLY))
    world.running("a")
    tick_at(world, ONE + 3 * HOUR)
    assert outcomes(world, "a") == ["skipped_concurrency_limit"] * 2
    assert rows(world, "a")[0].moments == 3


def test_the_inputs_of_a_decision_are_kept(world: World) -> None:
    world.deploy(definition("up", HOURLY), definition("a", HOURLY, **after("up")))
    tick_at(world, ONE)
    inputs = rows(world, "a")[0].inputs
    assert inputs["upstreams"] == [
        {
            "job_ref": "jobs.up",
            "trigger": HOURLY,
            "completed_until": None,
            "wanted_until": ONE.isoformat(),
            "is_fresh": False,
            "reason": "upstream jobs.up didn't process any intervals yet (refresh pending)",
            "started_together": False,
        }
    ]
    assert inputs["interval"] == {"start": (ONE - HOUR).isoformat(), "end": ONE.isoformat()}
    expected = {"active_runs": 0, "concurrency": 1, "refresh": "first_run", "profile": "prod", "job_version": 1}
    assert expected.items() <= inputs.items()


# waiting for upstreams


@on_both
def test_a_tick_that_waits_starts_once_when_its_upstream_completes(world: World) -> None:
    world.deploy(definition("up", HOURLY), definition("a", HOURLY, **after("up")))
    tick_at(world, ONE)
    assert outcomes(world, "a") == ["deferred"]
    world.advance(minutes=20)
    world.complete_run(world.runs_of("up")[0])
    world.fire()
    [run] = world.runs_of("a")
    [row] = rows(world, "a")
    assert (run.trigger, run.interval_start, run.interval_end) == (HOURLY, ONE - HOUR, ONE)
    assert (row.outcome, row.run_id, row.decided_by) == ("triggered", run.id, "upstream")
    assert (row.first_decided_at, row.decided_at) == (ONE, ONE + timedelta(minutes=20))
    assert row.inputs["waited"]["reasons"] == [
        "upstream jobs.up didn't process any intervals yet (refresh pending)"
    ]


def test_it_waits_for_all_of_its_upstreams(world: World) -> None:
    world.deploy(definition("x", HOURLY), definition("y", HOURLY), definition("a", HOURLY, **after("x", "y")))
    tick_at(world, ONE)
    world.complete_run(world.runs_of("x")[0])
    assert outcomes(world, "a") == ["deferred"]
    assert rows(world, "a")[0].reasons == ["upstream jobs.y didn't process any intervals yet (refresh pending)"]
    world.complete_run(world.runs_of("y")[0])
    assert outcomes(world, "a") == ["triggered"]


@on_both
def test_a_chain_starts_in_the_order_of_the_graph(world: World) -> None:
    """`c` waits for both: it is not let through before `b`, which the same completion starts."""
    world.deploy(
        definition("c", HOURLY, **after("a", "b")),
        definition("b", HOURLY, **after("a")),
        definition("a", HOURLY),
    )
    for tick in (ONE, ONE + HOUR):
        tick_at(world, tick)
        for name, waiting in (("a", ["b", "c"]), ("b", ["c"]), ("c", [])):
            assert world.runs_of(name)[-1].interval_end == tick
            assert all(outcomes(world, other)[-1] == "deferred" for other in waiting)
            world.complete_run(world.runs_of(name)[-1])
    assert [len(world.runs_of(name)) for name in "abc"] == [2, 2, 2]


def test_what_was_started_together_is_waited_for_though_it_was_fresh(world: World) -> None:
    """`b` is still fresh from a while ago, and is about to load anew: `c` takes what that brings."""
    world.deploy(
        definition("a", HOURLY),
        definition("b", "every:1h", **after("a")),
        definition("c", HOURLY, **after("a", "b")),
    )
    world.complete("b", "every:1h", skip_freshness=True)
    tick_at(world, NOW + HOUR)  # a and b and c: `a` has not completed, so both others wait
    world.complete_run(world.runs_of("a")[0])
    assert len(world.runs_of("b")) == 2
    assert outcomes(world, "c") == ["deferred"]
    world.complete_run(world.runs_of("b")[1])
    assert outcomes(world, "c") == ["triggered"]


def test_a_failed_upstream_lets_nothing_through(world: World) -> None:
    world.deploy(definition("up", HOURLY), definition("a", HOURLY, **after("up")))
    tick_at(world, ONE)
    runner = world.claim(world.runs_of("up")[0])
    runner.begin()
    runner.exit(1)
    assert outcomes(world, "a") == ["deferred"]


@on_both
def test_the_next_tick_takes_over_the_one_that_waits(world: World) -> None:
    world.deploy(definition("up", HOURLY), definition("a", HOURLY, **after("up")))
    tick_at(world, ONE)
    tick_at(world, ONE + HOUR)
    assert outcomes(world, "a") == ["covered", "deferred"]
    world.complete_run(world.runs_of("up")[0])  # up to one o'clock only
    assert outcomes(world, "a") == ["covered", "deferred"]
    tick_at(world, ONE + 2 * HOUR)
    world.complete_run(world.runs_of("up")[1])
    [run] = world.runs_of("a")
    assert ledger(world, "a") == [
        (ONE, ONE, "covered"),
        (ONE + HOUR, ONE + HOUR, "covered"),
        (ONE + 2 * HOUR, ONE + 2 * HOUR, "triggered"),
    ]
    assert rows(world, "a")[0].inputs["waited"]["since"] == ONE.isoformat()
    with world.database.read() as tx:
        later = ticks.which_took_over(tx, rows(world, "a")[0], "covered")
    assert later is not None
    assert later.run_id == run.id


def test_a_run_that_has_the_next_tick_in_its_window_covers_it(world: World) -> None:
    """The upstream completes in the moment of the next tick, before the scheduler looks."""
    world.deploy(definition("up", "every:2h"), definition("a", HOURLY, **after("up")))
    tick_at(world, ONE)
    world.clock.advance(HOUR)
    world.complete("up", "every:2h")
    [run] = world.runs_of("a")
    assert run.interval_end == ONE + HOUR
    world.fire()
    assert outcomes(world, "a") == ["triggered", "covered"]
    assert [row.run_id for row in rows(world, "a")] == [run.id, run.id]


def test_a_follow_up_of_the_same_upstream_does_not_take_the_tick_its_turn(world: World) -> None:
    both = definition("a", HOURLY, "job.success:jobs.up", **after("up"))
    world.deploy(definition("up", HOURLY), both)
    tick_at(world, ONE)
    world.complete_run(world.runs_of("up")[0])
    [run] = world.runs_of("a")
    assert (run.trigger, run.interval_end) == (HOURLY, ONE)


def test_a_busy_job_lets_a_tick_pass_only_when_its_upstreams_are_fresh(world: World) -> None:
    world.deploy(definition("x", HOURLY), definition("y", HOURLY), definition("a", HOURLY, **after("x", "y")))
    tick_at(world, ONE)
    world.running("a", skip_freshness=True)
    world.complete_run(world.runs_of("x")[0])
    assert outcomes(world, "a") == ["deferred"]
    world.complete_run(world.runs_of("y")[0])
    assert outcomes(world, "a") == ["skipped_concurrency_limit"]


def test_what_somebody_loaded_by_hand_does_not_run_again(world: World) -> None:
    world.deploy(definition("up", HOURLY), definition("a", HOURLY, **after("up")))
    tick_at(world, ONE)
    world.complete("a", HOURLY, skip_freshness=True)
    world.complete_run(world.runs_of("up")[0])
    assert outcomes(world, "a") == ["skipped_already_covered"]
    assert len(world.runs_of("a")) == 1


# people who change things meanwhile


@on_both
def test_a_pause_holds_what_waits_and_its_end_lets_it_go(world: World) -> None:
    world.deploy(definition("up", HOURLY), definition("a", HOURLY, **after("up")))
    tick_at(world, ONE)
    job_id = world.current("a").job.id
    change_jobs.pause(world.platform, world.alice, world.workspace.id, job_id)
    world.complete_run(world.runs_of("up")[0])
    [row] = rows(world, "a")
    assert (row.outcome, world.runs_of("a")) == ("deferred", [])
    assert "paused" in row.reasons[0]
    change_jobs.resume(world.platform, world.alice, world.workspace.id, job_id)
    world.fire()
    assert outcomes(world, "a") == ["triggered"]
    assert rows(world, "a")[0].decided_by == "change"


@on_both
def test_one_run_covers_the_whole_pause(world: World) -> None:
    world.deploy_jobs(("a", HOURLY))
    tick_at(world, ONE)
    world.complete_run(world.runs_of("a")[0])
    job_id = world.current("a").job.id
    change_jobs.pause(world.platform, world.alice, world.workspace.id, job_id)
    for hours in (1, 2, 3):
        tick_at(world, ONE + hours * HOUR)
    change_jobs.resume(world.platform, world.alice, world.workspace.id, job_id)
    tick_at(world, ONE + 4 * HOUR)
    _, run = world.runs_of("a")
    assert (run.interval_start, run.interval_end) == (ONE, ONE + 4 * HOUR)
    assert outcomes(world, "a") == ["triggered", *["skipped_paused"] * 3, "triggered"]


@on_both
def test_a_moment_that_is_named_once_and_comes_in_a_pause_has_its_run_after_it(world: World) -> None:
    once = f"once:{(ONE + HOUR).isoformat()}"
    world.deploy_jobs(("a", "schedule:0 0 1 1 *", once))
    job_id = world.current("a").job.id
    change_jobs.pause(world.platform, world.alice, world.workspace.id, job_id)
    tick_at(world, ONE + HOUR)
    tick_at(world, ONE + 5 * HOUR)
    assert (outcomes(world, "a"), world.runs_of("a")) == (["deferred"], [])
    assert "paused" in rows(world, "a")[0].reasons[0]
    change_jobs.resume(world.platform, world.alice, world.workspace.id, job_id)
    world.fire()
    [run] = world.runs_of("a")
    assert (run.trigger, run.interval_start, run.interval_end) == (once, ONE + HOUR, ONE + HOUR)
    assert outcomes(world, "a") == ["triggered"]
    world.complete_run(run)
    tick_at(world, ONE + 6 * HOUR)
    assert len(world.runs_of("a")) == 1


def test_a_deploy_that_takes_the_upstream_away_lets_the_tick_go(world: World) -> None:
    world.deploy(definition("up", HOURLY), definition("a", HOURLY, **after("up")))
    tick_at(world, ONE)
    world.deploy(definition("up", HOURLY), definition("a", HOURLY))
    world.fire()
    assert outcomes(world, "a") == ["triggered"]


def test_a_clock_set_back_does_not_make_a_change_wait(world: World) -> None:
    world.deploy(definition("up", HOURLY), definition("a", HOURLY, **after("up")))
    tick_at(world, ONE + HOUR)
    world.deploy(definition("up", HOURLY), definition("a", HOURLY))
    tick_at(world, ONE)
    assert outcomes(world, "a")[-1] == "triggered"


def test_a_deploy_that_takes_the_trigger_away_ends_the_tick(world: World) -> None:
    world.deploy(definition("up", HOURLY), definition("a", HOURLY, **after("up")))
    tick_at(world, ONE)
    world.deploy(definition("up", HOURLY), definition("a", **after("up")))
    world.fire()
    world.complete_run(world.runs_of("up")[0])
    assert outcomes(world, "a") == ["skipped_trigger_removed"]
    assert world.runs_of("a") == []


@pytest.mark.parametrize("what", ["job", "workspace", "deploy"])
def test_what_is_archived_waits_no_more(world: World, what: str) -> None:
    world.deploy(definition("up", "every:2h"), definition("a", HOURLY, **after("up")))
    tick_at(world, ONE)
    if what == "job":
        change_jobs.archive(world.platform, world.alice, world.workspace.id, world.current("a").job.id)
    elif what == "workspace":
        change_workspaces.archive(world.platform, world.alice, world.workspace.id, "http://here")
    else:
        world.deploy(definition("up", "every:2h"))
    expected = "skipped_workspace_archived" if what == "workspace" else "skipped_job_archived"
    assert outcomes(world, "a") == [expected]
    assert "archived" in rows(world, "a")[0].reasons[0]


# what may go wrong


@on_both
def test_a_completion_that_breaks_off_leaves_the_run_and_what_waits_as_they_were(
    world: World, monkeypatch: pytest.MonkeyPatch
) -> None:
    world.deploy(definition("up", HOURLY), definition("a", HOURLY, **after("up")))
    tick_at(world, ONE)
    runner = world.claim(world.runs_of("up")[0])
    runner.begin()
    insert = runs.insert

    def insert_and_die(tx: Any, new: Any) -> None:
        insert(tx, new)
        raise SystemError("the process dies here")

    with monkeypatch.context() as patch:
        patch.setattr(run_starts.runs, "insert", insert_and_die)
        with pytest.raises(SystemError):
            runner.exit(0)
    assert (outcomes(world, "a"), world.runs_of("a")) == (["deferred"], [])
    assert world.runs_of("up")[0].status == "running"
    runner.exit(0)
    assert outcomes(world, "a") == ["triggered"]


@on_both
def test_two_schedulers_keep_the_ledger_of_one(world: World) -> None:
    names = [f"job{number}" for number in range(4)]
    specs = [definition("up", "every:30m"), *(definition(name, HOURLY, **after("up")) for name in names)]
    world.deploy(*specs)
    for half_hours in range(1, 6):
        world.clock.advance(timedelta(minutes=30))
        with world.database.read() as tx:
            due = job_triggers.due(tx, world.clock.now(), limit=100)

        def fire(_number: int, due: list[job_triggers.TimedTrigger] = due) -> int:
            started = 0
            for item in due:
                with world.database.write() as tx:
                    decided = tick_decisions.decide_one(tx, item, world.clock.now())
                started += decided is not None
            return started

        assert sum(at_once(3, fire)) == len(due), half_hours
        for run in world.runs_of("up"):
            world.complete_run(run)
        for name in names:
            for run in world.runs_of(name):
                world.complete_run(run)
    for name in names:
        hours = [row.moment for row in rows(world, name)]
        assert hours == [ONE + n * HOUR for n in range(len(hours))]
        assert outcomes(world, name) == ["triggered"] * len(hours)
        assert len(world.runs_of(name)) == len(hours)


@on_both
def test_a_tick_that_comes_while_its_upstream_completes_is_not_left_waiting(world: World) -> None:
    """Whoever is first, the tick runs: both orders, at the same time, again and again."""
    world.deploy(definition("up", HOURLY), definition("a", HOURLY, **after("up")))
    for hour in range(8):
        moment = ONE + hour * HOUR
        world.clock.advance(moment - world.clock.now())
        with world.database.read() as tx:
            due = {item.job_id: item for item in job_triggers.due(tx, moment, limit=9)}
        up, a = world.current("up").job.id, world.current("a").job.id
        with world.database.write() as tx:
            tick_decisions.decide_one(tx, due[up], moment)
        runner = world.claim(world.runs_of("up")[-1])
        runner.begin()

        def act(number: int, item: job_triggers.TimedTrigger = due[a], moment: datetime = moment) -> None:
            if number == 0:
                runner.exit(0)  # noqa: B023
                return
            with world.database.write() as tx:
                tick_decisions.decide_one(tx, item, moment)

        at_once(2, act)
        assert outcomes(world, "a")[-1] == "triggered", hour
        world.complete_run(world.runs_of("a")[-1])


def test_rows_of_a_trigger_do_not_overlap(world: World) -> None:
    world.deploy_jobs(("a", "every:1h"))
    tick_at(world, NOW + 2 * HOUR)
    world.clock.advance(-90 * timedelta(minutes=1))
    world.deploy_jobs(("a", "every:1h", "tag:x"))
    tick_at(world, NOW + 6 * HOUR)
    found = rows(world, "a")
    assert all(earlier.last_moment < later.moment for earlier, later in pairwise(found))
    with world.database.read() as tx:
        assert tx.execute(sa.select(sa.func.count()).select_from(ticks.table)).scalar_one() == len(found)
