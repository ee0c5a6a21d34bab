"""Jobs: deployed, found, changed, triggered."""

import json
from typing import Any
from uuid import uuid4

import dlthub_sdk as released
import pytest
from dlthub_sdk import JobType, TriggerStatus

from ..builders import definition, interactive, package, requirements
from .ledger import Sdk

pytestmark = pytest.mark.acceptance
covers = pytest.mark.covers


@pytest.fixture
def bakery(sdk: Sdk, fresh: Any) -> Any:
    """A workspace with code and configuration and, so far, no job."""
    code = package({"shop.py": "def bake():\n    pass\n"})
    sdk(fresh.deployments.upload, code=code, requirements=json.dumps(requirements()).encode())
    sdk(fresh.configurations.upload, data=package({"prod.config.toml": ""}))
    return fresh


def _deploy(sdk: Sdk, bakery: Any, *jobs: Any, **options: Any) -> Any:
    manifest = {"engine_version": 2, "jobs": jobs}
    return sdk(bakery.jobs.deploy_manifest, manifest, manifest_hash="hash", **options)


def _names(jobs: Any) -> list[str]:
    return [job.job_ref for job in jobs]


@covers("Jobs.deploy_manifest")
def test_a_deploy_tells_what_became_of_every_job(sdk: Sdk, bakery: Any) -> None:
    one, two = definition("one"), definition("two", "every:1h")
    dry = _deploy(sdk, bakery, one, two, module="m", dry_run=True)
    assert _names(dry.added) == ["jobs.one", "jobs.two"]
    assert sdk(bakery.jobs.count) == 0
    assert _names(_deploy(sdk, bakery, one, two, module="m").added) == ["jobs.one", "jobs.two"]
    changed = _deploy(sdk, bakery, {**one, "description": "new"}, module="m")
    assert (_names(changed.updated), _names(changed.archived)) == (["jobs.one"], ["jobs.two"])
    assert changed.updated[0].version == 2
    again = _deploy(sdk, bakery, {**one, "description": "new"}, module="m")
    assert (_names(again.unchanged), again.module) == (["jobs.one"], "m")
    manifest = {"engine_version": 2, "jobs": [{**one, "triggers": ["never:heard"]}]}
    sdk.refused(released.BadRequest, bakery.jobs.deploy_manifest, manifest, manifest_hash="h")


@covers("Jobs.get", "Jobs.get_by_ref", "Jobs.count", "Jobs.list", "Job.archive", "Job.unarchive")
def test_jobs_are_found_and_archived(sdk: Sdk, bakery: Any) -> None:
    here = bakery.jobs
    _deploy(sdk, bakery, *(definition(f"job{number}") for number in range(102)))
    assert set(_names(sdk(here.list))) == {f"jobs.job{number}" for number in range(102)}
    job = sdk(here.get_by_ref, "jobs.job7")
    assert sdk(here.get, id=job.id).job_ref == "jobs.job7"
    assert (job.job_type, job.version, job.is_archived) == (JobType.BATCH, 1, False)
    assert job.job_definition["job_ref"] == "jobs.job7"
    assert sdk(job.archive).is_archived
    assert (sdk(here.count), sdk(here.count, archived=True), sdk(here.count, archived=False)) == (102, 1, 101)
    assert _names(sdk(here.list, archived=True)) == ["jobs.job7"]
    assert sdk(here.get_by_ref, "jobs.job7").is_archived
    assert not sdk(job.unarchive).is_archived
    sdk.refused(released.NotFound, here.get_by_ref, "jobs.none")
    sdk.refused(released.NotFound, here.get, id=str(uuid4()))
    sdk.refused(released.BadRequest, here.get, id="job7")


@covers("Job.pause", "Job.resume")
def test_a_schedule_is_paused_and_resumed(sdk: Sdk, bakery: Any) -> None:
    _deploy(sdk, bakery, definition("timed", "schedule:0 3 1 1 *"), definition("untimed"))
    timed, untimed = (sdk(bakery.jobs.get_by_ref, f"jobs.{name}") for name in ("timed", "untimed"))
    assert timed.next_scheduled_run_at is not None
    assert sdk(timed.pause).is_paused
    assert sdk(timed.pause).is_paused
    assert not sdk(timed.resume).is_paused
    sdk.refused(released.BadRequest, untimed.pause)


@covers("Job.publish", "Job.unpublish")
def test_an_app_is_published_on_a_new_address_each_time(sdk: Sdk, bakery: Any) -> None:
    _deploy(sdk, bakery, interactive("book"), definition("batch"))
    book = sdk(bakery.jobs.get_by_ref, "jobs.book")
    assert book.public_url is None
    first, second = sdk(book.publish).public_url, sdk(book.publish).public_url
    assert first
    assert second
    assert first != second
    assert sdk(bakery.jobs.get, id=book.id).public_url == second
    assert sdk(book.unpublish).public_url is None
    assert sdk(book.unpublish).public_url is None
    sdk.refused(released.Conflict, sdk(bakery.jobs.get_by_ref, "jobs.batch").publish)


@covers("Jobs.trigger")
def test_triggers_pick_jobs_by_ref_and_by_selector(sdk: Sdk, bakery: Any) -> None:
    tagged = definition("tagged", expose={"manual": True, "tags": ["night"]})
    _deploy(sdk, bakery, tagged, definition("plain", "every:1h"))
    here = bakery.jobs
    [by_tag] = sdk(here.trigger, selectors=["tag:night"], dry_run=True)
    assert (by_tag.job_ref, by_tag.status, by_tag.started) == ("jobs.tagged", TriggerStatus.TRIGGERED, True)
    assert (by_tag.job_run_id, by_tag.job_run_number) == (None, None)
    [by_ref] = sdk(here.trigger, refs=["jobs.plain"], dry_run=True)
    assert (by_ref.job_ref, by_ref.trigger) == ("jobs.plain", "every:1h")
    assert sdk(bakery.job_runs.count) == 0
    sdk.refused(released.NotFound, here.trigger, refs=["jobs.none"])
    sdk.refused(ValueError, here.trigger)
