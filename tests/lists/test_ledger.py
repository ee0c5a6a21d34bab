"""Why a job did or did not run, and when it will, asked over the API."""

from datetime import UTC, datetime, timedelta
from itertools import pairwise
from typing import Any
from uuid import uuid4

import pytest

from homeport.operations import change_jobs, change_workspaces

from ..builders import definition
from ..conftest import NOW
from ..world import World
from .conftest import Ask

HOURLY = "schedule:0 * * * *"
HOUR = timedelta(hours=1)
ONE = datetime(2026, 3, 2, 13, tzinfo=UTC)


def after(*names: str, **parts: Any) -> dict[str, Any]:
    return {"freshness": [f"job.is_fresh:jobs.{name}" for name in names], **parts}


def in_berlin(**parts: Any) -> dict[str, Any]:
    return {"require": {"timezone": "Europe/Berlin"}, **parts}


def tick_at(world: World, moment: datetime) -> None:
    world.clock.advance(moment - world.clock.now())
    world.fire()


@pytest.fixture
def told(world: World, ask: Ask) -> Any:
    """`told("a", "2026-…")`: the sentences, as one text."""

    def tell(name: str, moment: str | None = None) -> str:
        params = {} if moment is None else {"moment": moment}
        answer = ask("GET", f"/jobs/{world.current(name).job.id}/-explain", **params)
        assert answer.status_code == 200, answer.text
        return "\n".join(answer.json()["lines"])

    return tell


# the list


def test_the_ledger_is_a_list_like_the_others(world: World, ask: Ask) -> None:
    world.deploy_jobs(("a", HOURLY), ("b", HOURLY))
    for hour in range(4):
        tick_at(world, ONE + hour * HOUR)
    found = ask("GET", "/ticks", limit=3).json()
    assert found["total"] == 8
    rest = ask("GET", "/ticks", limit=9, cursor=found["next_cursor"]).json()
    every = found["items"] + rest["items"]
    assert rest["next_cursor"] is None
    assert sorted((row["job_ref"], row["moment"]) for row in every) == sorted(
        (f"jobs.{name}", (ONE + hour * HOUR).isoformat().replace("+00:00", "Z"))
        for name in "ab"
        for hour in range(4)
    )
    assert all(one["moment"] >= other["moment"] for one, other in pairwise(every))
    ascending = ask("GET", "/ticks", limit=9, sort="moment", order="asc").json()
    assert ascending["items"] == every[::-1]


def test_the_list_is_narrowed(world: World, ask: Ask) -> None:
    world.deploy_jobs(("a", HOURLY), ("b", HOURLY))
    world.running("b")
    for hour in range(3):
        tick_at(world, ONE + hour * HOUR)
    a = str(world.current("a").job.id)
    assert len(ask("GET", "/ticks", job_id=a).json()["items"]) == 3
    outcomes = ["skipped_concurrency_limit", "triggered"]
    assert {row["outcome"] for row in ask("GET", "/ticks", outcome=outcomes).json()["items"]} == set(outcomes)
    window = ask(
        "GET", "/ticks", start="2026-03-02T15:00", end="2026-03-02T16:00", timezone="Europe/Berlin"
    ).json()
    assert {row["moment"] for row in window["items"]} == {"2026-03-02T14:00:00Z"}
    assert ask("GET", "/ticks", sort="outcome", order="asc").status_code == 400


# why


def test_a_run_is_told_with_its_window_and_its_end(world: World, told: Any) -> None:
    world.deploy(definition("a", HOURLY))
    tick_at(world, ONE)
    world.complete_run(world.runs_of("a")[0])
    text = told("a", "2026-03-02T13:00")
    assert "The tick of 2026-03-02 13:00 UTC (schedule:0 * * * *) started run #1 at 2026-03-02 13:00 UTC." in text
    assert "Run #1, completed at 2026-03-02 13:00 UTC." in text
    assert "Window: from 2026-03-02 12:00 UTC to 2026-03-02 13:00 UTC." in text
    assert "A refresh: it was the first run." in text


def test_what_waits_is_told_with_what_it_waits_for(world: World, told: Any) -> None:
    world.deploy(definition("up", HOURLY), definition("a", HOURLY, **after("up")))
    tick_at(world, ONE)
    runner = world.claim(world.runs_of("up")[0])
    runner.begin()
    runner.exit(3)
    text = told("a")
    assert "The tick of 2026-03-02 13:00 UTC (schedule:0 * * * *) has not started: it waits since" in text
    assert "jobs.up has not completed its window up to 2026-03-02 13:00 UTC (completed: nothing)" in text
    assert "The last run of jobs.up is run #1, failed at 2026-03-02 13:00 UTC: the process ended with exit" in text
    assert "It will be started when jobs.up has completed." in text
    assert "Otherwise the tick of 2026-03-02 14:00 UTC takes it over" in text
    assert told("a", "2026-03-02T13:00:00Z") in text


def test_what_waited_is_told_after_it_has_started(world: World, told: Any) -> None:
    world.deploy(definition("up", HOURLY), definition("a", HOURLY, **after("up")))
    tick_at(world, ONE)
    world.advance(minutes=25)
    world.complete_run(world.runs_of("up")[0])
    text = told("a", "2026-03-02T13:00")
    assert "started run #1 at 2026-03-02 13:25 UTC." in text
    assert "It had to wait from 2026-03-02 13:00 UTC on: upstream jobs.up didn't process any" in text


def test_a_covered_moment_leads_to_the_run_that_covers_it(world: World, told: Any) -> None:
    world.deploy(definition("up", "every:2h"), definition("a", HOURLY, **after("up")))
    tick_at(world, ONE)
    tick_at(world, ONE + HOUR)
    assert "The tick of 2026-03-02 14:00 UTC still waits" in told("a", "2026-03-02T13:00")
    world.complete("up", "every:2h")
    text = told("a", "2026-03-02T13:00")
    assert "started no run of its own: it was covered." in text
    assert "The tick of 2026-03-02 14:00 UTC started run #1, pending" in text


def test_moments_that_passed_without_a_server_are_told_one_by_one(world: World, told: Any) -> None:
    world.deploy(definition("a", HOURLY))
    tick_at(world, ONE + 5 * HOUR)
    text = told("a", "2026-03-02T15:00")
    assert "The 5 ticks from 2026-03-02 13:00 UTC to 2026-03-02 17:00 UTC" in text
    assert "Because no server was there to decide it in time." in text
    assert told("a", "2026-03-02T15:20").startswith("No trigger of jobs.a fires at 2026-03-02 15:20 UTC")


def test_a_moment_that_is_none_is_told_with_its_neighbours(world: World, told: Any) -> None:
    world.deploy(definition("a", HOURLY))
    assert told("a", "2026-03-02T13:05") == (
        "No trigger of jobs.a fires at 2026-03-02 13:05 UTC; the nearest are 2026-03-02 13:00 UTC and "
        "2026-03-02 14:00 UTC."
    )


def test_moments_without_offset_are_read_in_the_zone_of_the_job(world: World, told: Any) -> None:
    world.deploy(definition("a", HOURLY, **in_berlin()))
    tick_at(world, ONE)
    here = told("a", "2026-03-02T14:00")
    assert "The tick of 2026-03-02 13:00 UTC (14:00 Europe/Berlin)" in here
    assert here == told("a", "2026-03-02T14:00+01:00") == told("a", "2026-03-02T14:00 01:00")


def test_an_hour_that_comes_twice_is_said_to(world: World, told: Any) -> None:
    world.deploy(definition("a", HOURLY, **in_berlin()))
    text = told("a", "2026-10-25T02:00")
    assert "show 2026-10-25 02:00 twice" in text
    assert "jobs.a will be due at 2026-10-25 00:00 UTC (02:00 Europe/Berlin)" in text


def test_moments_to_come_are_told(world: World, told: Any) -> None:
    world.deploy(definition("up"), definition("a", HOURLY, **after("up")), definition("e", "every:90m"))
    assert told("a", "2026-03-02T13:00") == (
        "jobs.a will be due at 2026-03-02 13:00 UTC (schedule:0 * * * *). Its window: from 2026-03-02 12:00 UTC "
        "to 2026-03-02 13:00 UTC. It waits until jobs.up is fresh."
    )
    assert "jobs.a will be due at 2027-01-01 00:00 UTC" in told("a", "2027-01-01T00:00")
    assert "jobs.e will be due at 2026-03-02 15:00 UTC" in told("e", "2026-03-02T15:00")
    assert "nearest are 2026-03-02 15:00 UTC and 2026-03-02 16:30 UTC" in told("e", "2026-03-02T15:01")


def test_moments_outside_of_the_interval_are_said_to_be(world: World, told: Any) -> None:
    interval = {"start": "2026-03-02T12:00:00+00:00", "end": "2026-03-02T14:00:00+00:00"}
    world.deploy(definition("a", HOURLY, interval=interval))
    assert "outside the interval" in told("a", "2026-03-02T19:00")


def test_paused_and_archived_are_said(world: World, told: Any) -> None:
    world.deploy(definition("a", HOURLY))
    job_id = world.current("a").job.id
    change_jobs.pause(world.platform, world.alice, world.workspace.id, job_id)
    tick_at(world, ONE)
    text = told("a", "2026-03-02T13:00")
    assert "was not started (skipped_paused)." in text
    assert "jobs.a is paused since 2026-03-02 12:00 UTC" in text
    assert "It is paused, so no run will start then." in told("a")
    change_jobs.archive(world.platform, world.alice, world.workspace.id, job_id)
    assert "jobs.a is archived since 2026-03-02 13:00 UTC" in told("a")
    assert "nothing fires it now" in told("a", "2026-03-03T13:00")
    change_workspaces.archive(world.platform, world.alice, world.workspace.id, "http://here")
    assert "is archived since" in told("a")


def test_a_job_without_a_clock_is_told_by_what_starts_it(world: World, told: Any) -> None:
    world.deploy(definition("up"), definition("a", "job.success:jobs.up"), definition("hand"))
    assert told("a") == "jobs.a starts when jobs.up completes; jobs.up has not run yet.\nIt has not run yet."
    world.complete("up")
    text = told("a", "2026-03-02T13:00")
    assert "jobs.a has no trigger that fires by the clock" in text
    assert "jobs.up last ran as run #1, completed at" in text
    assert "Its last run: run #1, pending since 2026-03-02 12:00 UTC, started by job.success:jobs.up." in text
    assert "starts on demand" in told("hand")


def test_a_follow_up_that_was_declined_is_told(world: World, told: Any) -> None:
    world.deploy(definition("up"), definition("a", "job.success:jobs.up"))
    world.running("a")
    world.complete("up")
    text = told("a")
    assert "The last start that was declined: job.success:jobs.up at 2026-03-02 12:00 UTC" in text
    assert "1 of 1 allowed runs of jobs.a are active" in text


def test_what_was_before_the_job_is_not_made_up(world: World, told: Any) -> None:
    world.deploy(definition("a", HOURLY))
    assert "Nothing is written about 2026-03-01 13:00 UTC" in told("a", "2026-03-01T13:00")
    assert "has had no moment of its schedule yet" in told("a")
    world.clock.advance(2 * HOUR)
    assert "is due and was not decided yet" in told("a", "2026-03-02T13:00")


def test_what_is_no_moment_and_no_job_is_refused(world: World, ask: Ask) -> None:
    world.deploy(definition("a", HOURLY))
    job = world.current("a").job.id
    for text in ("yesterday", "2026-02-30T10:00", "", "9999-12-31T23:59:59+00:00", "0001-01-01T00:00:00+05:00"):
        answer = ask("GET", f"/jobs/{job}/-explain", moment=text)
        assert answer.status_code in (200, 400), text
    assert ask("GET", f"/jobs/{job}/-explain", moment="soon").json()["code"] == "invalid_moment"
    assert ask("GET", f"/jobs/{uuid4()}/-explain").status_code == 404


# what comes


def test_the_schedule_is_in_order_and_its_windows_follow_one_another(world: World, ask: Ask) -> None:
    world.deploy(
        definition("a", HOURLY),
        definition("b", "every:90m", **after("a")),
        definition("c", "once:2026-03-02T14:30:00+00:00"),
        definition("d", "tag:x"),
    )
    job_id = world.current("b").job.id
    change_jobs.pause(world.platform, world.alice, world.workspace.id, job_id)
    found = ask("GET", "/schedule", hours=3).json()
    assert found["is_complete"]
    told = [(item["job_ref"], item["moment"][11:16], item["is_paused"]) for item in found["items"]]
    assert told == [
        ("jobs.a", "13:00", False),
        ("jobs.b", "13:30", True),
        ("jobs.a", "14:00", False),
        ("jobs.c", "14:30", False),
        ("jobs.a", "15:00", False),
    ]
    of_a = [item for item in found["items"] if item["job_ref"] == "jobs.a"]
    assert all(one["interval_end"] == other["interval_start"] for one, other in pairwise(of_a))
    assert found["items"][1]["waits_for"] == ["jobs.a"]
    first = ask("GET", "/schedule", hours=3, limit=2).json()
    assert (first["items"], first["is_complete"]) == (found["items"][:2], False)


def test_the_schedule_keeps_to_the_clocks_when_they_change(world: World, ask: Ask) -> None:
    world.clock.advance(datetime(2026, 10, 24, 22, tzinfo=UTC) - NOW)
    world.deploy(
        definition("fixed", "schedule:30 2 * * *", **in_berlin()), definition("hourly", HOURLY, **in_berlin())
    )
    items = ask("GET", "/schedule", hours=5).json()["items"]
    hourly = [item["local_moment"][11:] for item in items if item["job_ref"] == "jobs.hourly"]
    assert hourly == ["01:00:00+02:00", "02:00:00+02:00", "02:00:00+01:00", "03:00:00+01:00"]
    fixed = [item["local_moment"] for item in items if item["job_ref"] == "jobs.fixed"]
    assert fixed == ["2026-10-25T02:30:00+02:00"]


def test_the_schedule_is_what_then_happens(world: World, ask: Ask) -> None:
    world.deploy(definition("a", HOURLY), definition("b", "every:45m"))
    expected = ask("GET", "/schedule", hours=6).json()["items"]
    for item in expected:
        tick_at(world, datetime.fromisoformat(item["moment"]))
        for name in "ab":
            for run in world.runs_of(name):
                world.complete_run(run)
    happened = [
        (f"jobs.{name}", run.interval_start, run.interval_end) for name in "ab" for run in world.runs_of(name)
    ]
    assert sorted(happened) == sorted(
        (
            item["job_ref"],
            datetime.fromisoformat(item["interval_start"]),
            datetime.fromisoformat(item["interval_end"]),
        )
        for item in expected
    )
