"""What runs reported of their pipelines and results, as the API shows it (wire contract §11.5)."""

from datetime import datetime
from typing import Any
from uuid import UUID

from pydantic import ConfigDict

from homeport.contract.base import Model


class TelemetryWatermarkResponse(Model):
    updated_at: datetime | None
    """When anything was last reported in the workspace; null: never."""


class PipelineRunResponse(Model):
    id: UUID
    pipeline_name: str
    status: str
    dataset_name: str | None
    destination_name: str | None
    dlt_version: str | None = None
    started_at: datetime | None
    finished_at: datetime | None
    duration_ms: int | None
    error_step: str | None = None
    error_message: str | None = None
    has_schema_migration: bool
    total_rows_extracted: int
    total_rows_loaded: int
    total_bytes_loaded: int
    created_at: datetime
    updated_at: datetime


class PipelineRunTableResponse(Model):
    table_name: str
    schema_name: str | None = None
    rows_extracted: int = 0
    rows_loaded: int = 0
    bytes_extracted: int = 0
    bytes_loaded: int = 0
    file_format: str | None = None
    write_disposition: str | None = None
    load_duration_ms: int | None = None
    load_job_state: str | None = None


class PipelineRunResourceResponse(Model):
    resource_name: str
    parent_resource_name: str | None = None
    rows_extracted: int = 0
    bytes_extracted: int = 0
    schema_name: str | None = None
    write_disposition: str | None = None


class LoadPackageResponse(Model):
    load_id: str
    load_status: str | None = None
    schema_name: str | None = None
    schema_hash: str | None = None
    completed_at: datetime | None = None
    job_count: int = 0
    completed_job_count: int = 0
    failed_job_count: int = 0
    has_failed_load_jobs: bool = False
    has_schema_migration: bool = False
    is_pending: bool = False
    total_rows_loaded: int = 0
    total_bytes_loaded: int = 0


class DetailedPipelineRunResponse(PipelineRunResponse):
    transaction_id: str
    job_run_id: UUID
    dlt_plus_version: str | None = None
    error_traceback: str | None = None
    extract_duration_ms: int | None = None
    normalize_duration_ms: int | None = None
    load_duration_ms: int | None = None
    has_failed_load_jobs: bool = False
    has_pending_packages: bool = False
    is_empty_run: bool
    load_package_count: int = 0
    os_name: str | None = None
    os_version: str | None = None
    python_version: str | None = None
    total_bytes_extracted: int
    load_packages: list[LoadPackageResponse] = []
    resources: list[PipelineRunResourceResponse] = []
    tables: list[PipelineRunTableResponse] = []


class PipelineRunTraceResponse(Model):
    """dlt's trace as it was reported; what else it has passes through."""

    model_config = ConfigDict(extra="allow")

    transaction_id: str
    pipeline_name: str
    execution_context: dict[str, Any]
    steps: list[dict[str, Any]]


class PipelineStatsResponse(Model):
    pipeline_name: str
    total_pipeline_run_count: int
    succeeded_pipeline_run_count: int
    success_ratio: float
    """From 0 to 1."""
    total_rows_extracted: int
    total_rows_loaded: int
    total_bytes_loaded: int
    total_duration_ms: int
    average_duration_ms: int | None
    latest_pipeline_run_at: datetime | None
    latest_status: str | None
    latest_dataset_name: str | None
    latest_destination_name: str | None
    latest_source_names: list[str] | None = None


class DatasetStatsResponse(Model):
    dataset_name: str
    total_pipeline_run_count: int
    succeeded_pipeline_run_count: int
    success_ratio: float
    distinct_pipeline_count: int
    schema_migration_count: int
    total_rows_loaded: int
    total_bytes_loaded: int
    average_duration_ms: int | None
    latest_pipeline_run_at: datetime | None
    latest_pipeline_run_id: UUID | None
    latest_pipeline_name: str | None
    latest_status: str | None
    latest_destination_name: str | None
    table_count: int


class JobResultResponse(Model):
    """The scalars of the result that a run declared."""

    id: UUID
    job_run_id: UUID
    job_ref: str
    result_type: str
    engine_version: int
    result: Any = None
    agent_status: str | None = None
    summary: str | None = None
    """Markdown by whoever wrote it: not to be trusted."""
    loop_type: str | None = None
    model: str | None = None
    stop_reason: str | None = None
    turn_count: int | None = None
    input_tokens: int | None = None
    output_tokens: int | None = None
    total_tokens: int | None = None
    cost_usd: str | None = None
    """A decimal as text: the client drops a number."""
    created_at: datetime
    updated_at: datetime


class JobResultTraceResponse(Model):
    """The envelope as it was reported; what else it has passes through."""

    model_config = ConfigDict(extra="allow")

    type: str
    job_ref: str
    engine_version: int
