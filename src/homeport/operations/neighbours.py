"""What lists attach to jobs and runs: pipelines, recent runs, runs downstream (wire contract §8.1, §11.3)."""

from collections.abc import Collection
from uuid import UUID

from homeport.contract.runs import DownstreamJobRunResponse, PipelineRunSummaryResponse, RecentJobRunResponse
from homeport.store import pipeline_runs, run_neighbours
from homeport.store.pipeline_runs import PipelineRun
from homeport.store.run_neighbours import Downstream
from homeport.store.schema import Tx


def summaries(tx: Tx, run_ids: Collection[UUID]) -> dict[UUID, list[PipelineRunSummaryResponse]]:
    """The pipelines that each of these runs loaded, in the order they were reported."""
    found = pipeline_runs.of_runs(tx, run_ids)
    return {run_id: [_summary(item) for item in items] for run_id, items in found.items()}


def recent(tx: Tx, job_ids: Collection[UUID], limit: int) -> dict[UUID, list[RecentJobRunResponse]]:
    """The newest runs of each of these jobs, newest first."""
    found = run_neighbours.recent_of_jobs(tx, job_ids, limit)
    loaded = pipeline_runs.of_runs(tx, {run.id for of_job in found.values() for run in of_job})
    return {
        job_id: [
            RecentJobRunResponse(
                id=run.id,
                status=run.status,
                started_at=run.started_at,
                duration_seconds=run.seconds(),
                rows_loaded=sum(item.total_rows_loaded for item in loaded[run.id]) if run.id in loaded else None,
            )
            for run in of_job
        ]
        for job_id, of_job in found.items()
    }


def downstream(
    tx: Tx, run_ids: Collection[UUID], limit: int, category: str | None
) -> dict[UUID, list[DownstreamJobRunResponse]]:
    """For each of these runs, those that its outcome started, newest first."""
    found = run_neighbours.started_by_runs(tx, run_ids, limit, category)
    return {run_id: [_downstream(item) for item in items] for run_id, items in found.items()}


def _summary(found: PipelineRun) -> PipelineRunSummaryResponse:
    return PipelineRunSummaryResponse.model_validate(
        {**found.__dict__, "pipeline_run_id": found.id, "total_rows": found.total_rows_loaded}
    )


def _downstream(found: Downstream) -> DownstreamJobRunResponse:
    run = found.run
    return DownstreamJobRunResponse(
        id=run.id,
        job_id=run.job_id,
        job_ref=found.job_ref,
        name=found.name,
        number=run.number,
        status=run.status,
        trigger=run.trigger,
        category=found.category,
        started_at=run.started_at,
        duration_seconds=run.seconds(),
    )
