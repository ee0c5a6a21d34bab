"""Runs as the API shows them (wire contract §10, §11.3)."""

from datetime import datetime
from typing import Literal
from uuid import UUID

from pydantic import Field

from homeport.contract.base import MAX_IDS, MAX_NAME_CHARS, MAX_PROFILE_CHARS, BulkItemFailure, Model


class PipelineRunSummaryResponse(Model):
    """A pipeline that a run loaded, as dlt's trace tells it."""

    pipeline_run_id: UUID
    """The telemetry's id, not the run's."""
    pipeline_name: str
    transaction_id: str
    status: str
    dataset_name: str | None
    destination_name: str | None
    started_at: datetime | None
    finished_at: datetime | None
    duration_ms: int | None
    total_rows: int
    """Rows loaded."""


class DownstreamJobRunResponse(Model):
    """A run that the outcome of another started."""

    id: UUID
    job_id: UUID
    job_ref: str
    name: str
    number: int
    status: str
    trigger: str
    category: str | None
    started_at: datetime | None
    duration_seconds: float | None


class RecentJobRunResponse(Model):
    id: UUID
    status: str
    started_at: datetime | None
    duration_seconds: float | None
    rows_loaded: int | None
    """By all pipelines of the run together; none while nothing is known."""


class JobRunResponse(Model):
    id: UUID
    workspace_id: UUID
    job_version_id: UUID
    deployment_id: UUID
    configuration_id: UUID
    number: int
    """Counts up per job, from 1."""
    status: str
    trigger: str
    profile: str
    triggered_by: UUID | None
    created_at: datetime
    started_at: datetime | None
    finished_at: datetime | None
    updated_at: datetime
    duration_seconds: float | None
    logs_url: str | None
    interval_start: datetime | None
    interval_end: datetime | None
    previous_job_run_id: UUID | None = None
    pipeline_run_summaries: list[PipelineRunSummaryResponse] = []
    """In the order they were reported."""


class CreateJobRunRequest(Model):
    job_id: UUID
    trigger: str = Field(default="manual:", max_length=MAX_NAME_CHARS)
    mode: Literal["always", "when_not_running"] = "always"
    profile: str | None = Field(default=None, max_length=MAX_PROFILE_CHARS)
    refresh: bool = False
    skip_freshness: bool = False


class CancelJobRunsRequest(Model):
    job_run_ids: list[UUID] = Field(max_length=MAX_IDS)
    dry_run: bool = False


class CancelledJobRunResponse(Model):
    job_run_id: UUID
    job_run_number: int
    job_ref: str
    previous_status: str


class CancelJobRunsResponse(Model):
    succeeded: list[CancelledJobRunResponse]
    skipped: list[CancelledJobRunResponse]
    failed: list[BulkItemFailure]
