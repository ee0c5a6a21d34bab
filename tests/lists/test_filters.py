"""What lists of jobs and runs can be narrowed to."""

from typing import Any

import pytest

from homeport.store import jobs

from ..builders import definition, interactive
from ..world import World
from .conftest import Ask


@pytest.fixture
def shop(world: World) -> World:
    """Four jobs of different kinds; `load` completed once and `report` followed it, `ship` failed."""
    world.deploy(
        definition(
            "load",
            "schedule:0 8 * * *",
            deliver={"pipeline_name": "orders"},
            expose={"display_name": "Ümläute 100%", "tags": ["nightly", "core"], "category": "pipeline"},
        ),
        definition("report", "job.success:jobs.load", expose={"manual": False, "tags": "core"}),
        definition("ship", require={"profile": "access"}),
        interactive("book", expose={"category": "notebook"}),
    )
    world.complete("load")
    world.advance(hours=1)
    world.running("ship").exit(1)
    return world


def refs(answer: Any) -> set[str]:
    assert answer.status_code == 200, answer.text
    body = answer.json()
    assert body["total"] == len(body["items"])
    return {item["job_ref"].removeprefix("jobs.") for item in body["items"]}


@pytest.mark.parametrize(
    ("filters", "expected"),
    [
        ({}, "book load report ship"),
        ({"q": "üMLÄUTE"}, "load"),
        ({"q": "100%"}, "load"),
        ({"q": "%"}, "load"),
        ({"q": "_"}, ""),
        ({"q": "JOBS.SHIP"}, "ship"),
        ({"ref": "jobs.ship"}, "ship"),
        ({"ref": "jobs.shi"}, ""),
        ({"job_type": "interactive"}, "book"),
        ({"job_type": ["interactive", "batch"]}, "book load report ship"),
        ({"is_archived": False}, "book load report ship"),
        ({"is_archived": True}, ""),
        ({"is_paused": True}, ""),
        ({"profile": "access"}, "ship"),
        ({"pipeline_name": "orders"}, "load"),
        ({"status": "completed"}, "load"),
        ({"status": ["failed", "starting"]}, "report ship"),
        ({"trigger_kind": "schedule"}, "load"),
        ({"trigger_kind": "manual"}, "book load ship"),
        ({"is_self_firing": True}, "book load report"),
        ({"is_self_firing": False}, "ship"),
        ({"category": ["pipeline", "notebook"]}, "book load"),
        ({"exclude_category": "notebook"}, "load report ship"),
        ({"tags": "core"}, "load report"),
        ({"tags": ["nightly", "none"]}, "load"),
        ({"start": "2026-03-02T12:30:00"}, "ship"),
        ({"end": "2026-03-02T12:30:00"}, "load report"),
        ({"start": "2026-03-02T13:30:00", "timezone": "Europe/Berlin"}, "ship"),
    ],
    ids=str,
)
def test_jobs_are_narrowed(shop: World, ask: Ask, filters: dict[str, Any], expected: str) -> None:
    assert refs(ask("GET", "/jobs", **filters)) == set(expected.split())


@pytest.mark.parametrize(
    ("filters", "expected"),
    [
        ({}, "load report ship"),
        ({"q": "ümläute"}, "load"),
        ({"q": "1"}, "load report ship"),
        ({"q": "2"}, ""),
        ({"status": ["completed", "failed"]}, "load ship"),
        ({"number": 1}, "load report ship"),
        ({"job_type": "interactive"}, ""),
        ({"trigger": "manual:"}, "load ship"),
        ({"trigger_kind": "manual"}, "load ship"),
        ({"trigger_kind": "job.success"}, "report"),
        ({"trigger_kind": ["deployment", "webhook"]}, ""),
        ({"profile": "access"}, "ship"),
        ({"min_duration_seconds": 0}, "load ship"),
        ({"min_duration_seconds": 1}, ""),
        ({"max_duration_seconds": 0.5}, "load ship"),
        ({"start": "2026-03-02T12:30:00"}, "ship"),
        ({"end": "2026-03-02T12:30:00"}, "load report"),
    ],
    ids=str,
)
def test_runs_are_narrowed(shop: World, ask: Ask, filters: dict[str, Any], expected: str) -> None:
    answer = ask("GET", "/job-runs", **filters)
    assert answer.status_code == 200, answer.text
    assert {item["job"]["job_ref"].removeprefix("jobs.") for item in answer.json()["items"]} == set(
        expected.split()
    )


def test_runs_of_a_person(shop: World, ask: Ask) -> None:
    found = ask("GET", "/job-runs", triggered_by=str(shop.alice.member_id)).json()
    assert found["total"] == 2


@pytest.mark.parametrize(
    "wrong",
    [
        {"status": "asleep"},
        {"job_type": "magic"},
        {"trigger_kind": "tag"},
        {"start": "2026-03-02T12:30:00+01:00"},
        {"start": "2026-03-02T12:30:00Z"},
        {"end": "yesterday"},
        {"start": "0001-01-01T00:00:00", "timezone": "Asia/Tokyo"},
        {"timezone": "Mars/Olympus"},
        {"timezone": "../../etc/passwd"},
        {"q": "a\x00b"},
        {"q": "x" * 1001},
    ],
    ids=lambda wrong: str(wrong)[:60],
)
@pytest.mark.parametrize("path", ["/jobs", "/job-runs"])
def test_filters_that_mean_nothing_are_refused(ask: Ask, path: str, wrong: dict[str, Any]) -> None:
    assert ask("GET", path, **wrong).status_code == 400


@pytest.mark.parametrize(
    "wrong", [{"min_duration_seconds": "nan"}, {"number": 2**40}, {"job_id": "load"}], ids=str
)
def test_filters_of_runs_keep_to_their_bounds(ask: Ask, wrong: dict[str, Any]) -> None:
    assert ask("GET", "/job-runs", **wrong).status_code == 400


def test_runs_of_the_dashboard_are_left_out_unless_asked_for(world: World, ask: Ask) -> None:
    world.deploy_jobs(("load",), ("other",))
    world.start("other")
    world.start("load")
    with world.database.write() as tx:
        is_other = jobs.table.c.id == world.current("other").job.id
        tx.execute(jobs.table.update().where(is_other).values(job_ref="jobs.workspace.dashboard"))
    assert ask("GET", "/job-runs").json()["total"] == 1
    assert ask("GET", "/job-runs", include_system_job_runs=True).json()["total"] == 2
    job_id = str(world.current("workspace.dashboard").job.id)
    assert ask("GET", "/job-runs", job_id=job_id).json()["total"] == 1


@pytest.mark.parametrize(
    ("sort", "expected"),
    [
        ("created_at", None),
        ("last_run_at", ["ship", "load", "report", "book"]),
        ("last_run_ended_at", ["ship", "load", "book", "report"]),
        ("name", ["load", "ship", "report", "book"]),
        ("next_scheduled_run_at", ["load", "book", "report", "ship"]),
    ],
)
def test_jobs_are_sorted_and_those_without_a_value_come_last(
    shop: World, ask: Ask, sort: str, expected: list[str] | None
) -> None:
    shown = [
        item["job_ref"].removeprefix("jobs.")
        for item in ask("GET", "/jobs", sort=sort, order="desc").json()["items"]
    ]
    assert sorted(shown) == ["book", "load", "report", "ship"]
    if sort in ("last_run_at", "last_run_ended_at", "next_scheduled_run_at"):
        assert shown == expected
    assert ask("GET", "/jobs", limit=1).json()["items"][0]["job_ref"] == "jobs.ship"


def test_recent_and_downstream_runs_are_attached_when_asked_for(shop: World, ask: Ask) -> None:
    plain = ask("GET", "/jobs", ref="jobs.load").json()["items"][0]
    assert (plain["recent_job_runs"], plain["downstream_job_runs"]) == (None, None)
    with_runs = {"recent_job_runs_limit": 3, "downstream_job_runs_limit": 3}
    full = ask("GET", "/jobs", ref="jobs.load", **with_runs).json()["items"][0]
    assert [run["status"] for run in full["recent_job_runs"]] == ["completed"]
    assert [run["job_ref"] for run in full["downstream_job_runs"]] == ["jobs.report"]
    run = ask("GET", "/job-runs", job_id=full["id"], downstream_job_runs_limit=1).json()["items"][0]
    assert [item["job_ref"] for item in run["downstream_job_runs"]] == ["jobs.report"]
    none = ask("GET", "/job-runs", downstream_job_runs_limit=1, downstream_job_runs_category="mcp").json()
    assert all(item["downstream_job_runs"] == [] for item in none["items"])


def test_a_deploy_changes_what_a_job_is_found_by(shop: World, ask: Ask) -> None:
    shop.deploy(definition("load", expose={"display_name": "Renamed", "tags": ["new"]}), module=None)
    assert refs(ask("GET", "/jobs", q="renamed")) == {"load"}
    assert refs(ask("GET", "/jobs", tags="nightly")) == set()
