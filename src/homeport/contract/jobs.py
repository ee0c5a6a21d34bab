"""Jobs, their versions, deploys and batch starts (wire contract §9, §10.2, §11.3)."""

from datetime import datetime
from typing import Annotated, Any, Literal
from uuid import UUID

from pydantic import Field

from homeport.contract.base import (
    MAX_IDS,
    MAX_INT,
    MAX_NAME_CHARS,
    MAX_PROFILE_CHARS,
    BulkItemFailure,
    Model,
)
from homeport.contract.runs import DownstreamJobRunResponse, JobRunResponse, RecentJobRunResponse

MAX_JOBS = 10_000
"""Of one manifest."""
_MAX_SELECTORS = 1_000
_MAX_DOCSTRING_CHARS = 100_000
"""The client sends the module's docstring as it is; a long one is no reason to refuse a deploy."""

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
    instance_size: str | None = None
    """The size whose memory limits its runs; none: no limit."""
    vcpu: float | None = None
    memory_mib: int | None = None
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
    job_definition_engine_version: int = Field(ge=0, le=MAX_INT)
    job_definition_hash: str = Field(max_length=MAX_NAME_CHARS)
    jobs: list[dict[str, Any]] = Field(max_length=MAX_JOBS)
    deployment_module: str | None = Field(default=None, max_length=MAX_NAME_CHARS)
    description: str | None = Field(default=None, max_length=_MAX_DOCSTRING_CHARS)
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
    job_ids: list[UUID] | None = Field(default=None, max_length=MAX_IDS)
    selectors: list[Annotated[str, Field(max_length=MAX_NAME_CHARS)]] | None = Field(
        default=None, max_length=_MAX_SELECTORS
    )
    profile: str | None = Field(default=None, max_length=MAX_PROFILE_CHARS)
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
