"""The control API: statuses, pages and the fields that the client cannot do without."""

from typing import Any

import pytest

from homeport.store import jobs

from ..builders import definition
from ..world import World
from .conftest import ORIGIN, Door

JOB_REQUIRED = {
    "created_at",
    "created_by",
    "id",
    "job_definition",
    "job_definition_engine_version",
    "job_definition_hash",
    "job_ref",
    "job_type",
    "job_url",
    "profile",
    "public_url",
    "updated_at",
    "version",
    "workspace_id",
}
VERSION_REQUIRED = {
    "created_at",
    "created_by",
    "id",
    "job_definition",
    "job_definition_engine_version",
    "job_definition_hash",
    "job_id",
    "job_ref",
    "job_type",
    "max_run_time_seconds",
    "profile",
    "provider",
    "updated_at",
    "version",
}
RUN_REQUIRED = {
    "configuration_id",
    "created_at",
    "deployment_id",
    "duration_seconds",
    "finished_at",
    "id",
    "job",
    "job_version",
    "job_version_id",
    "logs_url",
    "number",
    "profile",
    "started_at",
    "status",
    "trigger",
    "triggered_by",
    "updated_at",
    "workspace_id",
}
MAY_BE_NULL = {
    "job_url",
    "public_url",
    "duration_seconds",
    "finished_at",
    "logs_url",
    "started_at",
    "triggered_by",
}


def lacking(row: dict[str, Any], required: set[str]) -> set[str]:
    """Required keys that are absent, or null where that breaks the client."""
    return {name for name in required if name not in row or (row[name] is None and name not in MAY_BE_NULL)}


def body(*definitions: dict[str, Any], **parts: Any) -> dict[str, Any]:
    return {
        "job_definition_engine_version": 2,
        "job_definition_hash": "of the manifest",
        "jobs": list(definitions),
        "deployment_module": "__deployment__",
        "description": None,
        "dry_run": False,
        **parts,
    }


@pytest.mark.parametrize("dry_run", [True, False])
def test_a_receipt_has_every_field_that_the_client_needs(door: Door, world: World, dry_run: bool) -> None:
    world.deploy_jobs(("a",), ("b",), ("gone",))
    jobs = [definition("a", "every:1h"), definition("b"), definition("new")]
    response = door.post("ws:/-deploy", json=body(*jobs, dry_run=dry_run))
    assert response.status_code == 200
    receipt = response.json()["job_receipt"]
    rows = [*receipt["succeeded"], *receipt["skipped"]]
    assert sorted(row["outcome"] for row in rows) == ["archived", "created", "unchanged", "updated"]
    assert [lacking(row["job"], JOB_REQUIRED) for row in rows] == [set()] * 4
    [updated] = [row for row in rows if row["outcome"] == "updated"]
    assert lacking(updated["previous_version"], VERSION_REQUIRED) == set()
    assert receipt["failed"] == response.json()["warnings"] == []


def test_a_bad_manifest_is_400_with_its_reasons(door: Door) -> None:
    response = door.post("ws:/-deploy", json=body(definition("a", "every:1s"), definition("b", "schedule:x")))
    assert (response.status_code, response.json()["code"]) == (400, "invalid_manifest")
    assert len(response.json()["extra"]["reasons"]) == 2


def test_a_new_run_is_201_and_the_one_there_is_200(door: Door, world: World) -> None:
    world.deploy(definition("a"))
    request = {"job_id": str(world.current("a").job.id), "mode": "when_not_running"}
    new, same = (door.post("ws:/job-runs", json=request) for _ in range(2))
    assert (new.status_code, same.status_code) == (201, 200)
    assert new.json() == same.json()
    assert lacking(new.json(), RUN_REQUIRED) == set()
    assert lacking(new.json()["job"], JOB_REQUIRED) == set()
    assert lacking(new.json()["job_version"], VERSION_REQUIRED) == set()


def test_a_declined_run_is_409_with_the_status_as_code(door: Door, world: World) -> None:
    world.deploy(definition("a"))
    request = {"job_id": str(world.current("a").job.id)}
    door.post("ws:/job-runs", json=request)
    declined = door.post("ws:/job-runs", json=request)
    assert (declined.status_code, declined.json()["code"]) == (409, "skipped_concurrency_limit")
    assert declined.json()["extra"]["reasons"]


def test_a_run_is_found_in_every_list_that_should_have_it(door: Door, world: World) -> None:
    world.deploy_jobs(("a",), ("b",))
    run = world.complete("a")
    queries = {
        "": 1,
        "?number=1": 1,
        "?number=2": 0,
        f"?job_id={run.job_id}": 1,
        f"?job_id={world.current('b').job.id}": 0,
        "?status=completed&status=failed": 1,
        "?status=pending": 0,
        f"?previous_job_run_id={run.id}": 0,
    }
    assert {query: door.get(f"ws:/job-runs{query}").json()["total"] for query in queries} == queries
    assert door.get(f"ws:/job-runs/{run.id}").json()["duration_seconds"] == 0.0


def test_runs_of_the_platforms_own_jobs_are_listed_on_request(door: Door, world: World) -> None:
    world.deploy(definition("a"))
    world.start("a")
    job_id = world.current("a").job.id
    with world.database.write() as tx:
        tx.execute(jobs.table.update().values(job_ref="jobs.workspace.dashboard"))
    totals = [
        door.get(f"ws:/job-runs{query}").json()["total"]
        for query in ("", "?include_system_job_runs=true", f"?job_id={job_id}")
    ]
    assert totals == [0, 1, 1]


def test_jobs_are_found_by_ref_archived_or_not(door: Door, world: World) -> None:
    world.deploy_jobs(("a",), ("gone",))
    world.deploy_jobs(("a",))

    def refs(query: str) -> set[str]:
        return {item["job_ref"] for item in door.get(f"ws:/jobs{query}").json()["items"]}

    assert refs("") == {"jobs.a", "jobs.gone"}
    assert refs("?is_archived=false") == {"jobs.a"}
    assert refs("?is_archived=true") == refs("?ref=jobs.gone&limit=1&offset=0") == {"jobs.gone"}


def test_pages_follow_one_another(door: Door, world: World) -> None:
    world.deploy_jobs(*((f"job{number}",) for number in range(5)))
    seen: list[str] = []
    while len(seen) < 5:
        page = door.get(f"ws:/jobs?limit=2&offset={len(seen)}").json()
        assert (page["limit"], page["offset"], page["total"]) == (2, len(seen), 5)
        seen += [item["job_ref"] for item in page["items"]]
    assert sorted(seen) == [f"jobs.job{number}" for number in range(5)]
    assert door.get("ws:/jobs?offset=5").json()["items"] == []


@pytest.mark.parametrize("path", ["/api/v1/organizations", "ws:/members", "{org}/workspaces", "ws:/deployments"])
def test_every_list_keeps_to_its_limit_and_offset(door: Door, world: World, path: str) -> None:
    path = path.replace("{org}", f"/api/v1/organizations/{world.alice.organization_id}")
    whole = door.get(path).json()
    assert len(whole["items"]) == whole["total"] == 1
    assert door.get(f"{path}?limit=1&offset=1").json()["items"] == []


def test_there_is_no_version_yet_before_the_first_upload(door: Door, world: World) -> None:
    charlie, elsewhere = world.stranger()
    key = world.key_of(charlie)
    for kind in ("deployments", "configurations"):
        response = door.get(f"/api/v1/workspaces/{elsewhere.id}/{kind}/latest", key)
        assert (response.status_code, response.json()["code"]) == (404, "no_version_yet")


def test_versions_are_looked_up_by_number(door: Door, world: World) -> None:
    world.upload("deployments", {"x": ""})
    rows = door.get("ws:/deployments?version=1&limit=1").json()["items"]
    assert [row["version"] for row in rows] == [1]
    assert [row["version"] for row in door.get("ws:/deployments").json()["items"]] == [2, 1]


def test_a_workspace_names_its_data_plane(door: Door, world: World) -> None:
    row = door.get("ws:").json()
    assert row["dataplane_url"] == ORIGIN
    assert row["predefined_profiles"] == {"DATA_WRITE": "prod", "DATA_READ": "access"}


@pytest.mark.parametrize("name", ["", "  ", "x" * 101, "a\nb"])
def test_a_workspace_needs_a_name(door: Door, world: World, name: str) -> None:
    path = f"/api/v1/organizations/{world.alice.organization_id}/workspaces"
    assert door.post(path, json={"name": name}).status_code == 400


def test_moments_leave_in_utc(door: Door, world: World) -> None:
    assert door.get("ws:").json()["created_at"] == "2026-03-02T12:00:00.123456Z"


def test_a_cancel_answers_with_the_run_as_it_is(door: Door, world: World) -> None:
    world.deploy(definition("a"))
    runner = world.running("a")
    first = door.post(f"ws:/job-runs/{runner.run_id}/-cancel")
    assert (first.status_code, first.json()["status"]) == (200, "cancelling")
    runner.exit(0, "cancelled")
    again = door.post(f"ws:/job-runs/{runner.run_id}/-cancel")
    assert (again.status_code, again.json()["code"]) == (409, "run_is_over")
