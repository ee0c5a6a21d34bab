"""Runs as the API shows them (wire contract §10, §11.3)."""

from datetime import datetime
from typing import Any, Literal
from uuid import UUID

from homeport.contract.base import BulkItemFailure, Model


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
    pipeline_run_summaries: list[dict[str, Any]] = []


class CreateJobRunRequest(Model):
    job_id: UUID
    trigger: str = "manual:"
    mode: Literal["always", "when_not_running"] = "always"
    profile: str | None = None
    refresh: bool = False
    skip_freshness: bool = False


class CancelJobRunsRequest(Model):
    job_run_ids: list[UUID]
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
