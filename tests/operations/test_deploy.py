"""A deploy turns the jobs that are there into those of the manifest: all of them, or nothing changes."""

from datetime import timedelta
from typing import Any

import pytest

from homeport.contract.jobs import DeployWorkspaceResponse
from homeport.errors import BadRequest, Conflict, NotAllowed
from homeport.operations import looking
from homeport.store import job_triggers, jobs, workspaces

from ..builders import definition, interactive, requirements
from ..conftest import NOW
from ..databases import on_both
from ..world import World

HOURLY = "every:1h"


def outcomes(response: DeployWorkspaceResponse) -> dict[str, str]:
    receipt = response.job_receipt
    return {row.job.job_ref.removeprefix("jobs."): row.outcome for row in [*receipt.succeeded, *receipt.skipped]}


def live(world: World) -> set[str]:
    with world.database.read() as tx:
        found = jobs.all_current(tx, world.workspace.id)
    return {item.job.job_ref.removeprefix("jobs.") for item in found if item.job.archived_at is None}


def next_at(world: World, name: str) -> Any:
    job_id = world.current(name).job.id
    with world.database.read() as tx:
        return job_triggers.next_at_by_job(tx, [job_id]).get(job_id)


# what becomes of each job


@on_both
def test_the_receipt_tells_what_became_of_each_job(world: World) -> None:
    assert outcomes(world.deploy_jobs(("a",), ("b",), ("c",))) == dict.fromkeys("abc", "created")
    response = world.deploy_jobs(("a",), ("b", "tag:new"), ("d",))
    assert outcomes(response) == {"a": "unchanged", "b": "updated", "c": "archived", "d": "created"}
    assert [row.job.job_ref for row in response.job_receipt.skipped] == ["jobs.a"]
    assert response.job_receipt.failed == []
    assert live(world) == {"a", "b", "d"}


def test_an_updated_job_gets_a_version_and_the_receipt_has_the_one_before(world: World) -> None:
    world.deploy_jobs(("a",))
    [row] = world.deploy_jobs(("a", "tag:new")).job_receipt.succeeded
    assert row.previous_version is not None
    assert (row.previous_version.version, row.job.version) == (1, 2)
    assert "tag:new" in row.job.triggers


def test_an_unchanged_job_keeps_its_version_and_its_place_in_lists(world: World) -> None:
    world.deploy_jobs(("a",))
    before = world.current("a")
    world.advance(hours=1)
    world.deploy_jobs(("a",))
    assert world.current("a") == before


def test_the_order_of_keys_is_no_change(world: World) -> None:
    world.deploy(definition("a"))
    turned = dict(reversed(definition("a").items()))
    assert outcomes(world.deploy(turned)) == {"a": "unchanged"}


def test_other_modules_jobs_are_left_alone(world: World) -> None:
    world.deploy_jobs(("a",), module="one")
    assert outcomes(world.deploy_jobs(("b",), module="two")) == {"b": "created"}
    assert live(world) == {"a", "b"}


def test_an_ad_hoc_deploy_never_archives_and_takes_no_job_over(world: World) -> None:
    world.deploy_jobs(("a",), ("b",))
    assert outcomes(world.deploy_jobs(("a", "tag:new"), ("c",), module=None)) == {"a": "updated", "c": "created"}
    assert live(world) == {"a", "b", "c"}
    assert world.current("a").job.deployment_module == "__deployment__"
    assert world.current("c").job.deployment_module is None


def test_an_archived_job_keeps_its_runs_and_fires_no_more(world: World) -> None:
    world.deploy_jobs(("a", HOURLY), ("b", "job.success:jobs.a"))
    world.complete("a")
    world.deploy_jobs(("c",))
    world.advance(hours=2)
    world.fire()
    assert [run.status for run in world.runs_of("a")] == ["completed"]
    assert next_at(world, "a") is None


@on_both
def test_a_job_that_returns_is_live_again_with_its_history(world: World) -> None:
    world.deploy_jobs(("a", HOURLY))
    run = world.complete("a", HOURLY)
    world.deploy_jobs(("b",))
    [row] = [
        r for r in world.deploy_jobs(("a", HOURLY), ("b",)).job_receipt.succeeded if r.job.job_ref == "jobs.a"
    ]
    assert (row.outcome, row.job.version, row.previous_version) == ("updated", 1, None)
    current = world.current("a").job
    assert (current.archived_at, current.completed_until) == (None, run.interval_end)
    assert world.complete("a").number == 2


def test_jobs_of_another_workspace_are_untouched(world: World) -> None:
    world.deploy_jobs(("a",))
    charlie, elsewhere = world.stranger()
    before = world.current("a")
    world.workspace, mine = elsewhere, world.workspace
    assert outcomes(world.deploy_jobs(("a", "tag:theirs"), by=charlie)) == {"a": "created"}
    world.workspace = mine
    assert world.current("a") == before


# all or nothing


@on_both
def test_one_bad_job_changes_nothing(world: World) -> None:
    world.deploy_jobs(("a",), description="before")
    before = world.current("a")
    with pytest.raises(BadRequest):
        world.deploy_jobs(("a", "tag:new"), ("b",), ("c", "schedule:never"), description="after")
    assert live(world) == {"a"}
    assert world.current("a") == before
    with world.database.read() as tx:
        found = workspaces.get(tx, world.workspace.id)
    assert found is not None
    assert found.description == "before"


@on_both
def test_a_dry_run_has_the_full_receipt_and_changes_nothing(world: World) -> None:
    world.deploy_jobs(("a",), ("b",))
    before = world.current("a")
    specs = (("a", "tag:new"), ("c", HOURLY))
    response = world.deploy_jobs(*specs, description="new", dry_run=True)
    assert outcomes(response) == {"a": "updated", "b": "archived", "c": "created"}
    created = next(row.job for row in response.job_receipt.succeeded if row.job.job_ref == "jobs.c")
    assert created.next_scheduled_run_at == NOW + timedelta(hours=1)
    assert None not in (created.id, created.created_by, created.created_at, created.workspace_id, created.version)
    assert live(world) == {"a", "b"}
    assert world.current("a") == before
    assert outcomes(world.deploy_jobs(*specs)) == outcomes(response)


# timed triggers


@on_both
def test_an_unchanged_timed_trigger_keeps_its_moment_over_a_redeploy(world: World) -> None:
    world.deploy_jobs(("a", HOURLY))
    world.advance(minutes=40)
    world.deploy_jobs(("a", HOURLY, "tag:new"))
    assert next_at(world, "a") == NOW + timedelta(hours=1)


def test_a_changed_timed_trigger_counts_from_the_deploy(world: World) -> None:
    world.deploy_jobs(("a", HOURLY))
    now = world.advance(minutes=40)
    world.deploy_jobs(("a", "every:2h"))
    assert next_at(world, "a") == now + timedelta(hours=2)


def test_a_changed_zone_moves_the_moment(world: World) -> None:
    world.deploy(definition("a", "schedule:0 8 * * *"))
    world.deploy(definition("a", "schedule:0 8 * * *", require={"timezone": "Asia/Tokyo"}))
    assert next_at(world, "a").isoformat() == "2026-03-02T23:00:00+00:00"


def test_a_changed_zone_leaves_every_in_its_phase(world: World) -> None:
    world.deploy_jobs(("a", HOURLY))
    world.advance(minutes=40)
    world.deploy(definition("a", HOURLY, require={"timezone": "Asia/Tokyo"}))
    assert next_at(world, "a") == NOW + timedelta(hours=1)


def test_a_removed_schedule_fires_no_more_and_takes_its_pause_along(world: World) -> None:
    world.deploy_jobs(("a", HOURLY))
    with world.database.write() as tx:
        jobs.save(tx, world.current("a").job, paused_at=NOW)
    world.deploy_jobs(("a",))
    assert next_at(world, "a") is None
    assert world.current("a").job.paused_at is None


def test_a_pause_outlives_a_deploy_that_keeps_the_schedule(world: World) -> None:
    world.deploy_jobs(("a", HOURLY))
    with world.database.write() as tx:
        jobs.save(tx, world.current("a").job, paused_at=NOW)
    world.deploy_jobs(("a", HOURLY, "tag:new"))
    assert world.current("a").job.paused_at == NOW


def test_the_same_once_never_fires_a_second_time(world: World) -> None:
    once = "once:2026-03-02T12:30:00+00:00"
    world.deploy_jobs(("a", once))
    world.advance(hours=1)
    world.fire()
    for specs in ([("b",)], [("a", once)], [("a", once, "tag:new")]):
        world.deploy_jobs(*specs)
        world.fire()
    assert len(world.runs_of("a")) == 1
    assert next_at(world, "a") is None


def test_a_once_that_has_passed_unfired_is_due_at_once(world: World) -> None:
    world.deploy_jobs(("a", "once:2026-03-02T11:00:00+00:00"))
    world.fire()
    assert len(world.runs_of("a")) == 1


def test_completed_windows_outlive_a_redeploy(world: World) -> None:
    world.deploy_jobs(("a", HOURLY))
    run = world.complete("a", HOURLY)
    world.deploy_jobs(("a", HOURLY, "tag:new"))
    assert world.current("a").job.completed_until == run.interval_end


# the workspace


@pytest.mark.parametrize(("module", "after"), [("__deployment__", "new"), ("elsewhere", "old"), (None, "old")])
def test_only_the_canonical_module_describes_the_workspace(world: World, module: str | None, after: str) -> None:
    world.deploy_jobs(("a",), description="old")
    world.deploy_jobs(("b",), module=module, description="new")
    with world.database.read() as tx:
        found = workspaces.get(tx, world.workspace.id)
    assert found is not None
    assert found.description == after


def test_no_docstring_clears_the_description(world: World) -> None:
    world.deploy_jobs(("a",), description="old")
    world.deploy_jobs(("a",), description=None)
    with world.database.read() as tx:
        found = workspaces.get(tx, world.workspace.id)
    assert found is not None
    assert found.description is None


def test_an_archived_workspace_takes_no_deploys(world: World) -> None:
    with world.database.write() as tx:
        tx.execute(workspaces.table.update().values(archived_at=NOW))
    with pytest.raises(Conflict, match="archived"):
        world.deploy_jobs(("a",))


def test_a_viewer_may_not_deploy_and_a_developer_may(world: World) -> None:
    with pytest.raises(NotAllowed, match="viewer"):
        world.deploy_jobs(("a",), by=world.invite("bob@here", "viewer"))
    world.deploy_jobs(("a",), by=world.invite("dora@here", "developer"))


# profiles


@pytest.mark.parametrize(
    ("job", "profile"),
    [
        (definition("a"), "prod"),
        (definition("a", require={"profile": "access"}), "access"),
        (definition("a", require={"profile": "prod"}), "prod"),
        (interactive("a"), "prod"),
    ],
    ids=["batch", "required", "prod", "interactive"],
)
def test_the_profile_of_a_job_where_access_is_not_configured(
    world: World, job: dict[str, Any], profile: str
) -> None:
    world.deploy(job)
    assert world.current("a").version.profile == profile


def test_an_interactive_job_moves_to_access_as_soon_as_that_is_configured(world: World) -> None:
    world.deploy(interactive("a"))
    world.upload("configurations", {"access.config.toml": ""})
    [row] = world.deploy(interactive("a")).job_receipt.skipped
    assert (row.job.profile, row.job.version) == ("access", 2)


# bad manifests


def refusal(world: World, *definitions: dict[str, Any], **options: Any) -> str:
    with pytest.raises(BadRequest) as refused:
        world.deploy(*definitions, **options)
    assert live(world) == set()
    return "\n".join([refused.value.message, *refused.value.reasons])


BAD = {
    "a cycle": (
        [definition("a", "job.success:jobs.b"), definition("b", "job.success:jobs.a")],
        ["circle", "jobs.a -> jobs.b -> jobs.a"],
    ),
    "a cycle through freshness": (
        [definition("a", "job.success:jobs.b"), definition("b", freshness=["job.is_fresh:jobs.a"])],
        ["circle", "jobs.a", "jobs.b"],
    ),
    "a job that starts itself": ([definition("a", "job.fail:jobs.a")], ["jobs.a", "itself"]),
    "a duplicate ref": ([definition("a"), definition("a")], ["duplicate", "jobs.a"]),
    "an unknown upstream": ([definition("a", "job.success:jobs.nowhere")], ["jobs.a", "jobs.nowhere"]),
    "freshness of an unknown job": (
        [definition("a", freshness=["job.is_fresh:jobs.nowhere"])],
        ["jobs.a", "jobs.nowhere"],
    ),
    "a bad cron": ([definition("a", "schedule:61 * * * *")], ["jobs.a", "61 * * * *"]),
    "a cron that never fires": ([definition("a", "schedule:0 0 30 2 *")], ["jobs.a", "never fires"]),
    "too short a period": ([definition("a", "every:59s")], ["jobs.a", "every:59s", "minute"]),
    "an unknown kind of trigger": ([definition("a", "sometimes:5m")], ["jobs.a", "sometimes"]),
    "two schedules": ([definition("a", "every:1h", "schedule:0 * * * *")], ["jobs.a", "multiple"]),
    "an unknown zone": ([definition("a", require={"timezone": "Mars/Olympus"})], ["jobs.a", "Mars/Olympus"]),
    "an unknown profile": (
        [definition("a", require={"profile": "staging"})],
        ["jobs.a", "staging", "staging.config"],
    ),
    "a local profile": ([definition("a", require={"profile": "dev"})], ["jobs.a", "dev"]),
    "an unknown dependency group": (
        [definition("a", require={"dependency_groups": ["gpu"]})],
        ["jobs.a", "gpu", "main", "pyproject.toml"],
    ),
    "no concurrency at all": ([definition("a", execute={"concurrency": 0})], ["jobs.a", "concurrency"]),
    "an unknown size": (
        [definition("a", require={"instance": {"size": "huge"}})],
        ["jobs.a: require.instance.size is 'huge': there are small (4 GiB), medium (8 GiB), large (16 GiB)"],
    ),
    "a size that is no name": (
        [definition("a", require={"instance": {"size": {"memory": 4}}})],
        ["jobs.a: require.instance.size is"],
    ),
    "a negative timeout": ([definition("a", execute={"timeout": {"timeout": -1}})], ["jobs.a", "timeout"]),
    "an interval that ends before it starts": (
        [definition("a", "every:1h", interval={"start": "2026-02-01T00:00:00Z", "end": "2026-01-01T00:00:00Z"})],
        ["jobs.a", "interval"],
    ),
    "a name that is none": ([definition("a") | {"job_ref": "fruit shop"}], ["fruit shop"]),
    "a definition with a part missing": (
        [{key: value for key, value in definition("a").items() if key != "entry_point"}],
        ["jobs.a", "entry_point"],
    ),
    "a definition with an unknown part": ([definition("a", surprise=1)], ["jobs.a", "surprise"]),
    "a definition without a name": ([{"triggers": []}], ["job_ref"]),
}


@pytest.mark.parametrize(("definitions", "words"), BAD.values(), ids=BAD)
def test_a_bad_manifest_is_refused_and_the_thing_is_named(
    world: World, definitions: list[dict[str, Any]], words: list[str]
) -> None:
    told = refusal(world, *definitions)
    assert [word for word in words if word not in told] == []


@pytest.mark.parametrize("engine", [3, 0])
def test_a_manifest_of_another_engine_tells_who_must_upgrade(world: World, engine: int) -> None:
    job = definition("a") | {"engine_version": engine}
    told = refusal(world, job, engine_version=engine)
    assert f"engine {engine}" in told
    assert "upgrade" in told


def test_a_manifest_of_the_older_engine_is_migrated(world: World) -> None:
    job = definition("a", "every:1h") | {"engine_version": 1, "allow_external_schedulers": True}
    world.deploy(job, engine_version=1)
    version = world.current("a").version
    assert (version.engine_version, version.definition["incremental_mode"]) == (2, "interval")


def test_every_fault_is_told_at_once(world: World) -> None:
    told = refusal(
        world, definition("a", require={"timezone": "Mars"}), definition("b", require={"profile": "staging"})
    )
    assert "Mars" in told
    assert "staging" in told


def test_a_dry_run_warns_of_what_only_the_next_upload_can_tell(world: World) -> None:
    job = definition("a", require={"profile": "staging", "dependency_groups": ["gpu"]})
    warnings = world.deploy(job, dry_run=True).warnings
    assert [word for word in ("staging", "gpu") if not any(word in warning for warning in warnings)] == []
    world.upload("configurations", {"staging.config.toml": ""})
    world.upload("deployments", {}, requirements(groups={"main": [], "gpu": []}))
    assert world.deploy(job).warnings == []


# sizes of instances


@pytest.mark.parametrize(
    ("asked", "told"),
    [(None, (None, None, None)), ("medium", ("medium", 4, 8192)), ("xlarge", ("xlarge", 16, 32768))],
)
def test_a_version_says_what_its_runs_may_take(world: World, asked: str | None, told: tuple[Any, ...]) -> None:
    world.deploy(definition("a", require={"instance": {"size": asked} if asked else {}}))
    run = world.start("a")
    version = looking.get_run(world.platform, world.alice, world.workspace.id, run.id).job_version
    assert (version.instance_size, version.vcpu, version.memory_mib) == told
    assert run.instance == asked
