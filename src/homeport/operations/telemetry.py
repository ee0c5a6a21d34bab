"""Look at what runs reported: pipeline runs, statistics, results (wire contract §8.5)."""

import json
from collections.abc import Callable, Iterable, Mapping
from datetime import datetime, timedelta
from typing import Any
from uuid import UUID

from homeport.auth.permissions import Permission, workspace_for
from homeport.auth.principals import Principal
from homeport.contract.base import Page
from homeport.contract.lists import DatasetStatsQuery, PipelineRunsQuery, PipelineStatsQuery, WindowQuery
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
from homeport.errors import NotFound, TooLarge
from homeport.operations.paging import page_of, part_of
from homeport.operations.platform import Platform
from homeport.store import beacon_reports, jobs, pipeline_runs, runs
from homeport.store.beacon_reports import Report
from homeport.store.pipeline_runs import Filters, PipelineRun
from homeport.store.schema import Tx

MAX_RESULT_TRACE_BYTES = 8 * 1024 * 1024
"""What is served of a result's envelope; agents put whole conversations into it."""
_USUAL_WINDOW = timedelta(days=7)
_CLOCKS_APART = timedelta(minutes=5)
"""What started just now may, by the clock of its node, start in a moment."""
_MOST_ROWS = 50_000
"""Pipeline runs of one window that statistics are made of."""


def watermark(platform: Platform, principal: Principal, workspace_id: UUID) -> TelemetryWatermarkResponse:
    with platform.database.read() as tx:
        workspace_for(tx, principal, workspace_id, Permission.READ)
        return TelemetryWatermarkResponse(updated_at=beacon_reports.newest_of(tx, workspace_id))


def list_pipeline_runs(
    platform: Platform, principal: Principal, workspace_id: UUID, query: PipelineRunsQuery
) -> Page[PipelineRunResponse]:
    """Newest first."""
    filters = Filters(
        *_window(platform, query),
        search=query.q,
        statuses=tuple(query.status),
        pipeline_names=tuple(query.pipeline_name),
        dataset_names=tuple(query.dataset_name),
        destination_names=tuple(query.destination_name),
        run_ids=tuple(query.job_run_id),
        is_empty_run=query.is_empty_run,
    )
    found = _within(platform, principal, workspace_id, filters)
    shown, total, cursor = part_of(found, query, _attributes(_RUN_KEYS))
    return page_of([_pipeline_run(item) for item in shown], total, query, cursor)


def get_pipeline_run(
    platform: Platform, principal: Principal, workspace_id: UUID, pipeline_run_id: UUID
) -> DetailedPipelineRunResponse:
    with platform.database.read() as tx:
        workspace_for(tx, principal, workspace_id, Permission.READ)
        found = _one(tx, workspace_id, pipeline_run_id)
    return DetailedPipelineRunResponse.model_validate(
        {**found.details, **found.__dict__, "job_run_id": found.run_id}
    )


def get_trace(
    platform: Platform, principal: Principal, workspace_id: UUID, pipeline_run_id: UUID
) -> PipelineRunTraceResponse:
    """dlt's trace as it came."""
    with platform.database.read() as tx:
        workspace_for(tx, principal, workspace_id, Permission.READ)
        found = _one(tx, workspace_id, pipeline_run_id)
        report = beacon_reports.get(tx, found.run_id, "trace", found.transaction_id)
    if report is None:
        raise NotFound("The trace of this pipeline run is not stored any more.", code="no_trace")
    document = json.loads(report.body)
    context, steps = document.get("execution_context"), document.get("steps")
    # the client cannot do without these, whatever a strange dlt has sent
    needed = {
        "execution_context": context if isinstance(context, dict) else {},
        "steps": [step for step in steps if isinstance(step, dict)] if isinstance(steps, list) else [],
    }
    return PipelineRunTraceResponse.model_validate({**document, **needed})


def list_pipeline_stats(
    platform: Platform, principal: Principal, workspace_id: UUID, query: PipelineStatsQuery
) -> Page[PipelineStatsResponse]:
    """A row per pipeline that ran in the window, the latest first."""
    filters = Filters(*_window(platform, query), search=query.q, pipeline_names=tuple(query.pipeline_name))
    found = _within(platform, principal, workspace_id, filters)
    rows = [_pipeline_stats(name, group) for name, group in _grouped(found, lambda item: item.pipeline_name)]
    wanted = _by_latest(rows, query.latest_status, query.latest_destination_name)
    shown, total, cursor = part_of(wanted, query, _attributes(_STATS_KEYS + " pipeline_name"))
    return page_of(shown, total, query, cursor)


def list_dataset_stats(
    platform: Platform, principal: Principal, workspace_id: UUID, query: DatasetStatsQuery
) -> Page[DatasetStatsResponse]:
    """A row per dataset that was written in the window, the latest first."""
    filters = Filters(*_window(platform, query), dataset_names=tuple(query.dataset_name))
    found = [item for item in _within(platform, principal, workspace_id, filters) if item.dataset_name]
    if query.q:
        found = [item for item in found if query.q.casefold() in (item.dataset_name or "").casefold()]
    rows = [_dataset_stats(name, group) for name, group in _grouped(found, lambda item: item.dataset_name or "")]
    wanted = _by_latest(rows, query.latest_status, query.latest_destination_name)
    shown, total, cursor = part_of(wanted, query, _attributes(_STATS_KEYS + " dataset_name"))
    return page_of(shown, total, query, cursor)


def get_result(platform: Platform, principal: Principal, workspace_id: UUID, run_id: UUID) -> JobResultResponse:
    job_ref, report = _result(platform, principal, workspace_id, run_id)
    envelope = json.loads(report.body)
    trace = envelope.get("trace") if isinstance(envelope.get("trace"), dict) else {}
    cost = trace.get("cost_usd")
    return JobResultResponse(
        id=report.id,
        job_run_id=run_id,
        job_ref=_text(envelope.get("job_ref")) or job_ref,
        result_type=_text(envelope.get("type")) or "job",
        engine_version=_whole(envelope.get("engine_version")) or 1,
        result=envelope.get("result"),
        agent_status=_text(envelope.get("status")),
        summary=_text(envelope.get("summary")),
        cost_usd=None if cost is None or isinstance(cost, dict | list) else str(cost),
        loop_type=_text(trace.get("loop_type")),
        model=_text(trace.get("model")),
        stop_reason=_text(trace.get("stop_reason")),
        turn_count=_whole(trace.get("turn_count")),
        input_tokens=_whole(trace.get("input_tokens")),
        output_tokens=_whole(trace.get("output_tokens")),
        total_tokens=_whole(trace.get("total_tokens")),
        created_at=report.received_at,
        updated_at=report.updated_at,
    )


def get_result_trace(
    platform: Platform, principal: Principal, workspace_id: UUID, run_id: UUID
) -> JobResultTraceResponse:
    """The envelope as it came, with what the client cannot do without."""
    job_ref, report = _result(platform, principal, workspace_id, run_id, MAX_RESULT_TRACE_BYTES)
    envelope = json.loads(report.body)
    needed = {
        "type": _text(envelope.get("type")) or "job",
        "job_ref": _text(envelope.get("job_ref")) or job_ref,
        "engine_version": _whole(envelope.get("engine_version")) or 1,
    }
    return JobResultTraceResponse.model_validate({**envelope, **needed})


def _result(
    platform: Platform, principal: Principal, workspace_id: UUID, run_id: UUID, at_most: int | None = None
) -> tuple[str, Report]:
    """The job of a run, and what the run declared; one `NotFound` for no such run and nothing declared."""
    with platform.database.read() as tx:
        workspace_for(tx, principal, workspace_id, Permission.READ)
        run = runs.get(tx, run_id, workspace_id)
        size = None if run is None else beacon_reports.size_of(tx, run_id, "job_result")
        if at_most is not None and size is not None and size > at_most:
            raise TooLarge(
                f"The result of this run has {size} bytes, and {at_most} are served at most; read its scalars "
                "at `result`.",
                code="job_result_trace_too_large",
            )
        report = None if size is None else beacon_reports.get(tx, run_id, "job_result")
        if run is None or report is None:
            raise NotFound(
                f"There is no run {run_id} in this workspace, or it declared no result.", code="no_result"
            )
        return str(jobs.version(tx, run.job_version_id).definition["job_ref"]), report


def _window(platform: Platform, query: WindowQuery) -> tuple[datetime, datetime]:
    now = platform.clock.now()
    end = query.end_at or now
    return query.start_at or end - _USUAL_WINDOW, query.end_at or now + _CLOCKS_APART


def _within(platform: Platform, principal: Principal, workspace_id: UUID, filters: Filters) -> list[PipelineRun]:
    with platform.database.read() as tx:
        workspace_for(tx, principal, workspace_id, Permission.READ)
        return pipeline_runs.within(tx, workspace_id, filters, _MOST_ROWS)


def _one(tx: Tx, workspace_id: UUID, pipeline_run_id: UUID) -> PipelineRun:
    found = pipeline_runs.get(tx, workspace_id, pipeline_run_id)
    if found is None:
        raise NotFound(f"There is no pipeline run {pipeline_run_id} in this workspace.")
    return found


def _pipeline_run(found: PipelineRun) -> PipelineRunResponse:
    return PipelineRunResponse.model_validate({**found.details, **found.__dict__})


_RUN_KEYS = "duration_ms finished_at started_at total_bytes_loaded total_rows_loaded"
_STATS_KEYS = "average_duration_ms latest_pipeline_run_at success_ratio total_pipeline_run_count total_rows_loaded"


def _attributes(names: str) -> Mapping[str, Callable[[Any], Any]]:
    return {name: lambda item, name=name: getattr(item, name) for name in names.split()}  # type: ignore[misc]


def _grouped(
    found: Iterable[PipelineRun], name_of: Callable[[PipelineRun], str]
) -> Iterable[tuple[str, list[PipelineRun]]]:
    """By name, each newest first; the group with the newest of all comes first."""
    groups: dict[str, list[PipelineRun]] = {}
    for item in found:
        groups.setdefault(name_of(item), []).append(item)
    return groups.items()


def _by_latest(rows: list[Any], statuses: list[Any], destinations: list[str]) -> list[Any]:
    return [
        row
        for row in rows
        if (not statuses or row.latest_status in statuses)
        and (not destinations or row.latest_destination_name in destinations)
    ]


def _shared_stats(group: list[PipelineRun]) -> dict[str, Any]:
    latest = group[0]
    succeeded = sum(item.status == "succeeded" for item in group)
    times = [item.duration_ms for item in group if item.duration_ms is not None]
    return {
        "total_pipeline_run_count": len(group),
        "succeeded_pipeline_run_count": succeeded,
        "success_ratio": succeeded / len(group),
        "total_rows_loaded": sum(item.total_rows_loaded for item in group),
        "total_bytes_loaded": sum(item.total_bytes_loaded for item in group),
        "total_duration_ms": sum(times),
        "average_duration_ms": round(sum(times) / len(times)) if times else None,
        "latest_pipeline_run_at": latest.started_at or latest.created_at,
        "latest_status": latest.status,
        "latest_destination_name": latest.destination_name,
    }


def _pipeline_stats(name: str, group: list[PipelineRun]) -> PipelineStatsResponse:
    return PipelineStatsResponse(
        **_shared_stats(group),
        pipeline_name=name,
        total_rows_extracted=sum(item.total_rows_extracted for item in group),
        latest_dataset_name=group[0].dataset_name,
    )


def _dataset_stats(name: str, group: list[PipelineRun]) -> DatasetStatsResponse:
    tables = {table["table_name"] for item in group for table in item.details.get("tables", [])}
    return DatasetStatsResponse(
        **_shared_stats(group),
        dataset_name=name,
        distinct_pipeline_count=len({item.pipeline_name for item in group}),
        schema_migration_count=sum(item.has_schema_migration for item in group),
        latest_pipeline_run_id=group[0].id,
        latest_pipeline_name=group[0].pipeline_name,
        table_count=len(tables),
    )


def _text(value: Any) -> str | None:
    return value if isinstance(value, str) else None


def _whole(value: Any) -> int | None:
    return value if type(value) is int else None
