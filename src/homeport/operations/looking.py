"""Look at jobs, runs and logs (wire contract §8.1, §8.4)."""

from dataclasses import dataclass
from uuid import UUID

from homeport.auth.permissions import Permission, workspace_for
from homeport.auth.principals import Principal
from homeport.contract.base import TOTAL_CAP, Page
from homeport.contract.jobs import DetailedJobResponse
from homeport.contract.run_details import DetailedJobRunResponse
from homeport.errors import NotFound
from homeport.logs import reading
from homeport.operations import answers
from homeport.operations.paging import Slice, page_of
from homeport.operations.platform import Platform
from homeport.store import jobs, runs

SYSTEM_JOBS = ("jobs.workspace.dashboard",)
"""Jobs of the platform itself; their runs are left out of lists unless asked for."""


@dataclass(frozen=True)
class RunQuery:
    """What a list of runs is narrowed to."""

    statuses: tuple[str, ...] = ()
    number: int | None = None
    job_id: UUID | None = None
    previous_job_run_id: UUID | None = None
    include_system_job_runs: bool = False


def list_jobs(
    platform: Platform,
    principal: Principal,
    workspace_id: UUID,
    slice_: Slice,
    *,
    ref: str | None,
    is_archived: bool | None,
) -> Page[DetailedJobResponse]:
    with platform.database.read() as tx:
        workspace_for(tx, principal, workspace_id, Permission.READ)
        found, total = jobs.page(
            tx,
            workspace_id,
            ref=ref,
            is_archived=is_archived,
            limit=slice_.limit,
            offset=slice_.offset,
            cap=TOTAL_CAP,
        )
        return page_of(answers.detailed_jobs(tx, found, platform.settings), total, slice_)


def get_job(platform: Platform, principal: Principal, workspace_id: UUID, job_id: UUID) -> DetailedJobResponse:
    with platform.database.read() as tx:
        workspace_for(tx, principal, workspace_id, Permission.READ)
        found = jobs.get(tx, workspace_id, job_id)
        if found is None:
            raise NotFound(f"There is no job {job_id} in this workspace.")
        return answers.detailed_jobs(tx, [found], platform.settings)[0]


def list_runs(
    platform: Platform, principal: Principal, workspace_id: UUID, query: RunQuery, slice_: Slice
) -> Page[DetailedJobRunResponse]:
    shows_system = query.include_system_job_runs or query.job_id or query.previous_job_run_id
    filters = runs.Filters(
        statuses=query.statuses,
        number=query.number,
        job_id=query.job_id,
        previous_run_id=query.previous_job_run_id,
        job_refs_left_out=() if shows_system else SYSTEM_JOBS,
    )
    with platform.database.read() as tx:
        workspace_for(tx, principal, workspace_id, Permission.READ)
        found, total = runs.page(
            tx, workspace_id, filters, limit=slice_.limit, offset=slice_.offset, cap=TOTAL_CAP
        )
        return page_of(answers.detailed_runs(tx, found, platform.settings), total, slice_)


def get_run(platform: Platform, principal: Principal, workspace_id: UUID, run_id: UUID) -> DetailedJobRunResponse:
    with platform.database.read() as tx:
        workspace_for(tx, principal, workspace_id, Permission.READ)
        found = runs.get(tx, run_id, workspace_id)
        if found is None:
            raise NotFound(f"There is no run {run_id} in this workspace.")
        return answers.one_detailed_run(tx, found, platform.settings)


def check_run(platform: Platform, principal: Principal, workspace_id: UUID, run_id: UUID) -> runs.Run:
    """The run, if the principal may read its log."""
    with platform.database.read() as tx:
        workspace_for(tx, principal, workspace_id, Permission.READ)
        found = runs.get(tx, run_id, workspace_id)
    if found is None:
        raise NotFound(f"There is no run {run_id} in this workspace.")
    return found


def read_log(platform: Platform, run_id: UUID, from_line: int) -> reading.Piece:
    """Lines of a run's log from a number on; the caller has checked that they may be read."""
    with platform.database.read() as tx:
        return reading.read(tx, run_id, from_line)
