"""Runs: started, followed, cancelled, and what they leave: lines, results, reports of dlt."""

from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from typing import Any
from uuid import uuid4

import dlthub_sdk as released
import pytest
from dlthub_sdk import JobRunStatus, LogSource, PipelineRunStatus

from ..acceptance.workspaces import Workspace
from .ledger import Sdk

pytestmark = pytest.mark.acceptance
covers = pytest.mark.covers


@pytest.fixture
def loaded(sdk: Sdk, place: Any) -> Any:
    """The run that loaded two orders."""
    job = sdk(place.jobs.get_by_ref, "jobs.shop.load")
    [run] = sdk(job.runs.list, number=1)
    return run


@covers("JobRuns.get", "JobRuns.list", "JobRuns.count", "JobRuns.latest")
def test_runs_are_listed_and_found(sdk: Sdk, place: Any, loaded: Any, fresh: Any) -> None:
    run = sdk(place.job_runs.get, id=loaded.id)
    assert (run.number, run.job_ref, run.status) == (1, "jobs.shop.load", JobRunStatus.COMPLETED)
    assert (run.profile, run.finished, run.failed) == ("prod", True, False)
    assert run.duration_seconds > 0
    [summary] = run.pipeline_run_summaries
    assert (summary.pipeline_name, summary.status, summary.total_rows) == ("orders", "succeeded", 2)
    job = sdk(place.jobs.get_by_ref, "jobs.shop.load")
    assert sdk(job.runs.latest).id == sdk(place.job_runs.latest, job_id=job.id).id == run.id
    assert sdk(job.runs.count) == sdk(place.job_runs.count, job_id=job.id) == 1
    assert run.id in [each.id for each in sdk(place.job_runs.list)]
    assert sdk(job.runs.list, number=2) == []
    sdk.refused(released.NotFound, fresh.job_runs.latest)
    sdk.refused(released.NotFound, place.job_runs.get, id=str(uuid4()))
    sdk.refused(released.NotFound, fresh.job_runs.get, id=run.id)
    sdk.refused(released.BadRequest, place.job_runs.get, id="1")


@covers("JobRun.logs", "JobRun.stream_logs")
def test_lines_are_read_and_replayed(sdk: Sdk, loaded: Any) -> None:
    lines = sdk(loaded.logs)
    assert [line.line_num for line in lines] == list(range(len(lines)))
    assert "two orders" in [line.content for line in lines if line.source is LogSource.USER]
    assert [line.content for line in sdk(loaded.stream_logs)] == [line.content for line in lines]


@covers("JobRun.result", "JobRun.trace", "JobRuns.result", "JobRuns.trace")
def test_what_a_run_declared(sdk: Sdk, place: Any, loaded: Any) -> None:
    result = sdk(loaded.result)
    assert (result.job_run_id, result.job_ref, result.result) == (loaded.id, "jobs.shop.load", {"rows": 2})
    assert sdk(place.job_runs.result, id=loaded.id) == result
    envelope = sdk(loaded.trace)
    assert (envelope.result["result"], envelope.result["type"]) == ({"rows": 2}, result.result_type)
    assert sdk(place.job_runs.trace, id=loaded.id) == envelope
    sdk.refused(released.NotFound, place.job_runs.result, id=str(uuid4()))
    sdk.refused(released.NotFound, place.job_runs.trace, id=str(uuid4()))


@covers("Job.start_run", "JobRun.wait", "JobRun.cancel", "JobRuns.cancel_all")
def test_runs_are_started_followed_and_cancelled(sdk: Sdk, place: Any) -> None:
    job = sdk(place.jobs.get_by_ref, "jobs.shop.waits")
    run = sdk(job.start_run)
    assert (run.status, run.trigger) == (JobRunStatus.PENDING, "manual:")
    sdk.refused(released.WaitTimeout, run.wait, timeout=0)
    assert _followed_to(sdk, run, "waiting")
    sdk.refused(released.NotFound, run.logs)
    declined = sdk.refused(released.Conflict, job.start_run)
    assert declined.code == "skipped_concurrency_limit"
    planned = sdk(place.job_runs.cancel_all, job_refs=["jobs.shop.waits"], dry_run=True)
    assert [each.job_run_id for each in planned.cancelled] == [run.id]
    assert sdk(run.cancel).status in (JobRunStatus.CANCELLING, JobRunStatus.CANCELLED)
    assert sdk(run.wait, timeout=60).status is JobRunStatus.CANCELLED
    sdk.refused(released.Conflict, run.cancel)
    second = sdk(job.start_run)
    report = sdk(place.job_runs.cancel_all, job_refs=["jobs.shop.waits", "jobs.shop.load"])
    assert [each.job_run_id for each in report.cancelled] == [second.id]
    assert report.not_running == ("jobs.shop.load",)
    assert sdk(second.wait, timeout=60).failed
    sdk.refused(released.BadRequest, job.start_run, trigger="nonsense")


def _followed_to(sdk: Sdk, run: Any, words: str) -> bool:
    """Read the live log until a line says so."""
    return any(words in line.content for line in sdk(run.stream_logs, stop_at=_says(words)))


def _says(words: str) -> Callable[[Any], bool]:
    return lambda line: words in line.content


@covers("Telemetry.status", "Telemetry.pipelines", "Telemetry.datasets")
def test_pipelines_and_datasets(sdk: Sdk, place: Any, fresh: Any) -> None:
    here = place.telemetry
    assert sdk(here.status).updated_at is not None
    assert sdk(fresh.telemetry.status).updated_at is None
    [pipeline] = sdk(here.pipelines, pipeline_name="orders", latest_status=PipelineRunStatus.SUCCEEDED)
    assert (pipeline.pipeline_name, pipeline.total_rows_loaded) == ("orders", 2)
    [dataset] = sdk(here.datasets, dataset_name="shop_data", destination="duckdb")
    assert (dataset.dataset_name, dataset.total_rows_loaded) == ("shop_data", 2)
    assert sdk(here.pipelines, latest_status=PipelineRunStatus.FAILED) == []
    assert sdk(here.datasets, until=datetime.now(UTC) - timedelta(days=1)) == []


@covers("PipelineRuns.get", "PipelineRuns.list", "PipelineRuns.trace", "PipelineRun.trace")
def test_pipeline_runs(sdk: Sdk, place: Any, loaded: Any, shop: Workspace) -> None:
    here = place.telemetry.pipeline_runs
    [listed] = sdk(here.list, job_run_id=loaded.id, pipeline_name="orders", dataset="shop_data")
    found = sdk(here.get, id=listed.id)
    assert (found.status, found.failed, found.total_rows_loaded) == (PipelineRunStatus.SUCCEEDED, False, 2)
    assert ("orders", 2) in [(table.table_name, table.rows_loaded) for table in found.tables]
    assert [package.load_status for package in found.load_packages] == ["loaded"]
    trace = sdk(found.trace)
    assert trace.trace["pipeline_name"] == "orders"
    assert sdk(here.trace, id=listed.id) == trace
    assert sdk(here.list, status=PipelineRunStatus.FAILED) == []
    sdk.refused(released.NotFound, here.get, id=str(uuid4()))
    sdk.refused(released.NotFound, here.trace, id=str(uuid4()))
