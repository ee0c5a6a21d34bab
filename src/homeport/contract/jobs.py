"""Jobs, their versions, deploys and batch starts (wire contract §9, §10.2, §11.3)."""

from datetime import datetime
from typing import Any, Literal
from uuid import UUID

from homeport.contract.base import BulkItemFailure, Model
from homeport.contract.runs import DownstreamJobRunResponse, JobRunResponse, RecentJobRunResponse

DeployOutcome = Literal["created", "updated", "unchanged", "archived"]


class JobResponse(Model):
    id: UUID
    workspace_id: UUID
    job_ref: str
    job_type: str
    name: str | None
    description: str | None
    version: int
    profile: str
    job_definition: dict[str, Any]
    job_definition_engine_version: int
    job_definition_hash: str
    deployment_module: str | None
    default_trigger: str | None
    triggers: list[str]
    """Expanded: the command line matches selectors against these."""
    freshness: list[str]
    interval_start: datetime | None
    interval_end: datetime | None
    is_archived: bool
    is_paused: bool
    next_scheduled_run_at: datetime | None
    pipeline_name: str | None
    job_url: str | None = None
    public_url: str | None = None
    public_secret: UUID | None = None
    created_by: UUID
    created_at: datetime
    updated_at: datetime


class JobVersionResponse(Model):
    id: UUID
    job_id: UUID
    job_ref: str
    job_type: str
    name: str | None
    description: str | None
    version: int
    profile: str
    provider: str = "local"
    job_definition: dict[str, Any]
    job_definition_engine_version: int
    job_definition_hash: str
    deployment_module: str | None
    default_trigger: str | None
    triggers: list[str]
    freshness: list[str]
    interval_start: datetime | None
    interval_end: datetime | None
    max_run_time_seconds: int
    pipeline_name: str | None
    created_by: UUID
    created_at: datetime
    updated_at: datetime


class DetailedJobResponse(JobResponse):
    current_version: JobVersionResponse | None = None
    latest_job_run: JobRunResponse | None = None
    recent_job_runs: list[RecentJobRunResponse] | None = None
    """Newest first; only when asked for."""
    downstream_job_runs: list[DownstreamJobRunResponse] | None = None
    """Runs that the newest run's outcome started, newest first; only when asked for."""


class DeployWorkspaceRequest(Model):
    job_definition_engine_version: int
    job_definition_hash: str
    jobs: list[dict[str, Any]]
    deployment_module: str | None = None
    description: str | None = None
    dry_run: bool = False


class DeployedJobResponse(Model):
    job: JobResponse
    outcome: DeployOutcome
    previous_version: JobVersionResponse | None = None


class JobsDeployReceipt(Model):
    succeeded: list[DeployedJobResponse]
    skipped: list[DeployedJobResponse]
    failed: list[BulkItemFailure] = []


class DeployWorkspaceResponse(Model):
    job_receipt: JobsDeployReceipt
    warnings: list[str]
    deployment_module: str | None = None


class TriggerJobsRequest(Model):
    job_ids: list[UUID] | None = None
    selectors: list[str] | None = None
    profile: str | None = None
    refresh: bool = False
    dry_run: bool = False


class TriggeredJobResponse(Model):
    job_id: UUID
    job_ref: str
    trigger: str
    matched_triggers: list[str]
    status: str = "triggered"
    reasons: list[str] = []
    job_run_id: UUID | None = None
    job_run: JobRunResponse | None = None


class TriggerJobsResponse(Model):
    succeeded: list[TriggeredJobResponse]
    skipped: list[TriggeredJobResponse]
    failed: list[BulkItemFailure]
