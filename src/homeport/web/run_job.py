"""Run a job now."""

from uuid import UUID

from starlette.responses import RedirectResponse, Response

from homeport.contract.jobs import TriggerJobsRequest
from homeport.errors import StartDeclined
from homeport.operations import page_queries, start_runs
from homeport.web.rows import run_url
from homeport.web.visiting import Visiting


def submit(visitor: Visiting, workspace_id: UUID, name: str) -> Response:
    job_id = page_queries.job_id(visitor.platform, visitor.principal, workspace_id, name)
    receipt = start_runs.trigger_jobs(
        visitor.platform, visitor.principal, workspace_id, TriggerJobsRequest(job_ids=[job_id])
    )
    for row in receipt.succeeded:
        if row.job_run_id is not None:
            return RedirectResponse(run_url(workspace_id, row.job_run_id), 303)
    reasons = [reason for row in receipt.skipped for reason in row.reasons]
    raise StartDeclined(f"{name} was not started.", reasons=reasons)
