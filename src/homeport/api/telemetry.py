"""What runs reported, with a data-plane token (wire contract §8.5)."""

from typing import Annotated
from uuid import UUID

from fastapi import Query

from homeport.api.asking import ByDataplaneToken
from homeport.contract.base import Page
from homeport.contract.lists import DatasetStatsQuery, PipelineRunsQuery, PipelineStatsQuery
from homeport.contract.telemetry import (
    DatasetStatsResponse,
    DetailedPipelineRunResponse,
    JobResultResponse,
    JobResultTraceResponse,
    PipelineRunResponse,
    PipelineRunTraceResponse,
    PipelineStatsResponse,
    TelemetryWatermarkResponse,
)
from homeport.operations import telemetry


def watermark(asking: ByDataplaneToken, workspace_id: UUID) -> TelemetryWatermarkResponse:
    return telemetry.watermark(asking.platform, asking.principal, workspace_id)


def list_pipeline_runs(
    asking: ByDataplaneToken, workspace_id: UUID, query: Annotated[PipelineRunsQuery, Query()]
) -> Page[PipelineRunResponse]:
    return telemetry.list_pipeline_runs(asking.platform, asking.principal, workspace_id, query)


def get_pipeline_run(
    asking: ByDataplaneToken, workspace_id: UUID, pipeline_run_id: UUID
) -> DetailedPipelineRunResponse:
    return telemetry.get_pipeline_run(asking.platform, asking.principal, workspace_id, pipeline_run_id)


def get_trace(asking: ByDataplaneToken, workspace_id: UUID, pipeline_run_id: UUID) -> PipelineRunTraceResponse:
    return telemetry.get_trace(asking.platform, asking.principal, workspace_id, pipeline_run_id)


def list_pipeline_stats(
    asking: ByDataplaneToken, workspace_id: UUID, query: Annotated[PipelineStatsQuery, Query()]
) -> Page[PipelineStatsResponse]:
    return telemetry.list_pipeline_stats(asking.platform, asking.principal, workspace_id, query)


def list_dataset_stats(
    asking: ByDataplaneToken, workspace_id: UUID, query: Annotated[DatasetStatsQuery, Query()]
) -> Page[DatasetStatsResponse]:
    return telemetry.list_dataset_stats(asking.platform, asking.principal, workspace_id, query)


def get_result(asking: ByDataplaneToken, workspace_id: UUID, run_id: UUID) -> JobResultResponse:
    return telemetry.get_result(asking.platform, asking.principal, workspace_id, run_id)


def get_result_trace(asking: ByDataplaneToken, workspace_id: UUID, run_id: UUID) -> JobResultTraceResponse:
    return telemetry.get_result_trace(asking.platform, asking.principal, workspace_id, run_id)
