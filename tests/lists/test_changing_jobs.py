"""Pause, resume, archive, unarchive: of jobs, and of the workspace they are in."""

from typing import Any

import pytest

from ..builders import definition
from ..world import World
from .conftest import Ask


@pytest.fixture
def path(world: World) -> str:
    """Of a job that the clock starts every hour."""
    world.deploy_jobs(("load", "every:1h"), ("once",))
    return f"/jobs/{world.current('load').job.id}"


def test_a_paused_job_is_not_started_by_the_clock_but_by_people(world: World, ask: Ask, path: str) -> None:
    before = ask("GET", path).json()["next_scheduled_run_at"]
    assert ask("POST", f"{path}/-pause").json()["is_paused"] is True
    world.advance(hours=3)
    world.fire()
    assert world.runs_of("load") == []
    assert ask("GET", path).json()["next_scheduled_run_at"] > before
    assert world.complete("load").status == "completed"


def test_after_a_resume_one_run_covers_the_whole_gap(world: World, ask: Ask, path: str) -> None:
    world.advance(hours=1)
    world.fire()
    first = world.complete_run(world.runs_of("load")[0])
    ask("POST", f"{path}/-pause")
    world.advance(hours=5)
    world.fire()
    assert ask("POST", f"{path}/-resume").json()["is_paused"] is False
    world.advance(hours=1)
    world.fire()
    assert len(world.runs_of("load")) == 2
    after = world.runs_of("load")[1]
    assert after.interval_start == first.interval_end
    assert (after.interval_end - after.interval_start).total_seconds() >= 5 * 3600


@pytest.mark.parametrize("verb", ["pause", "resume", "archive", "unarchive"])
def test_every_change_can_be_repeated(ask: Ask, path: str, verb: str) -> None:
    first, second = ask("POST", f"{path}/-{verb}"), ask("POST", f"{path}/-{verb}")
    assert first.status_code == second.status_code == 200
    assert first.json() == second.json()


def test_only_a_job_with_a_scheduled_run_to_come_can_be_paused(world: World, ask: Ask, path: str) -> None:
    answer = ask("POST", f"/jobs/{world.current('once').job.id}/-pause")
    assert (answer.status_code, answer.json()["code"]) == (400, "job_not_scheduled")
    ask("POST", f"{path}/-archive")
    answer = ask("POST", f"{path}/-pause")
    assert (answer.status_code, answer.json()["code"]) == (400, "job_archived")


def test_a_deploy_keeps_a_pause_unless_it_takes_the_schedule(world: World, ask: Ask, path: str) -> None:
    ask("POST", f"{path}/-pause")
    world.deploy(definition("load", "every:1h", description="changed"))
    assert ask("GET", path).json()["is_paused"] is True
    world.deploy(definition("load"))
    assert ask("GET", path).json()["is_paused"] is False


def test_an_archived_job_is_started_by_nobody_until_it_is_back(world: World, ask: Ask, path: str) -> None:
    answer = ask("POST", f"{path}/-archive").json()
    assert (answer["is_archived"], answer["next_scheduled_run_at"]) == (True, None)
    world.advance(hours=2)
    world.fire()
    declined = ask("POST", "/job-runs", json={"job_id": answer["id"]})
    assert (declined.status_code, declined.json()["code"]) == (409, "skipped_job_archived")
    assert world.runs_of("load") == []
    assert ask("POST", f"{path}/-unarchive").json()["next_scheduled_run_at"] is not None
    world.advance(hours=1)
    world.fire()
    assert len(world.runs_of("load")) == 1


def test_jobs_are_changed_by_those_who_may_write(world: World, ask: Ask, path: str) -> None:
    viewer, stranger = world.key_of(world.invite("viewer@x", "viewer")), world.key_of(world.stranger()[0])
    assert ask("POST", f"{path}/-pause", key=viewer).status_code == 403
    assert ask("POST", f"{path}/-pause", key=stranger).status_code == 404
    unknown = world.workspace.id  # an id, but of no job
    assert ask("POST", f"/jobs/{unknown}/-pause").status_code == 404


@pytest.mark.parametrize(
    ("change", "expected"),
    [
        ({"name": " New "}, {"name": "New", "description": "old"}),
        ({"description": None}, {"name": "default", "description": None}),
        ({"description": ""}, {"name": "default", "description": ""}),
        ({}, {"name": "default", "description": "old"}),
    ],
    ids=str,
)
def test_a_workspace_changes_in_what_is_named(ask: Ask, change: dict[str, Any], expected: dict[str, Any]) -> None:
    ask("PATCH", "", json={"description": "old"})
    answer = ask("PATCH", "", json=change).json()
    assert {name: answer[name] for name in expected} == expected
    assert ask("GET", "").json() == answer


@pytest.mark.parametrize("name", ["", "  ", None, "x" * 101, "a\nb", 7])
def test_a_name_that_cannot_be_one_is_refused(ask: Ask, name: Any) -> None:
    assert ask("PATCH", "", json={"name": name}).status_code == 400
    assert ask("GET", "").json()["name"] == "default"


def test_an_archived_workspace_is_read_only_and_comes_back_with_its_schedules(
    world: World, ask: Ask, path: str
) -> None:
    assert ask("POST", "/-archive").json()["archived_at"] is not None
    assert ask("GET", path).json()["next_scheduled_run_at"] is None
    world.advance(hours=3)
    world.fire()
    job_id = path.removeprefix("/jobs/")
    refused = [
        ask("POST", f"{path}/-pause"),
        ask("POST", f"{path}/-archive"),
        ask("PATCH", "", json={"name": "x"}),
        ask("POST", "/deployments/-issue-upload"),
        ask("POST", "/job-runs", json={"job_id": job_id}),
        ask("POST", f"{path}/-publish"),
        ask("POST", "/keys", json={"name": "ci", "role": "viewer"}),
        ask("POST", "/-set-default-access", json={"default_access": "viewer"}),
        ask("POST", "/-archive"),
        ask("POST", "/-deploy", json={"jobs": [], "job_definition_engine_version": 2, "job_definition_hash": ""}),
    ]
    assert {answer.status_code for answer in refused[:-1]} == {409}
    assert ask("GET", "/jobs").json()["total"] == 2
    assert ask("POST", "/-issue-dataplane-token").status_code == 200
    assert ask("POST", "/-unarchive").json()["archived_at"] is None
    assert ask("GET", path).json()["next_scheduled_run_at"] is not None
    assert world.runs_of("load") == []
    assert ask("POST", "/-unarchive").json()["code"] == "workspace_not_archived"


def test_a_workspace_with_a_run_under_way_is_not_archived(world: World, ask: Ask, path: str) -> None:
    world.start("load")
    answer = ask("POST", "/-archive")
    assert (answer.status_code, answer.json()["code"]) == (409, "runs_active")
    assert ask("GET", "").json()["archived_at"] is None


def test_workspaces_are_changed_by_their_owners(world: World, ask: Ask) -> None:
    developer = world.key_of(world.invite("dev@x", "developer"))
    assert ask("PATCH", "", key=developer, json={"name": "mine"}).status_code == 403
    assert ask("POST", "/-archive", key=developer).status_code == 403
