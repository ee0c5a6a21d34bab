"""Look at jobs, runs and logs (wire contract §8.1, §8.4)."""

from collections.abc import Sequence
from uuid import UUID

from homeport.auth.permissions import Permission, workspace_for
from homeport.auth.principals import Principal
from homeport.contract.base import TOTAL_CAP, Page
from homeport.contract.jobs import DetailedJobResponse
from homeport.contract.lists import JobRunsQuery, JobsQuery, ListQuery
from homeport.contract.run_attempts import JobRunAttemptResponse, JobRunAttemptsResponse
from homeport.contract.run_details import DetailedJobRunResponse
from homeport.errors import NotFound
from homeport.logs import reading
from homeport.operations import answers
from homeport.operations.answers import Attached
from homeport.operations.paging import cursor, cursor_values, page_of
from homeport.operations.platform import Platform
from homeport.scheduling.run_lifecycle import RunStatus
from homeport.store import attempts, job_lists, jobs, run_endings, run_lists, runs
from homeport.store.listing import Start
from homeport.store.schema import Tx

SYSTEM_JOBS = ("jobs.workspace.dashboard",)
"""Jobs of the platform itself; their runs are left out of lists unless asked for."""


def list_jobs(
    platform: Platform, principal: Principal, workspace_id: UUID, query: JobsQuery
) -> Page[DetailedJobResponse]:
    filters = job_lists.Filters(
        search=query.q,
        ref=query.ref,
        job_types=query.job_type,
        is_archived=query.is_archived,
        is_paused=query.is_paused,
        profiles=query.profile,
        pipeline_names=query.pipeline_name,
        latest_statuses=query.status,
        trigger_kinds=query.trigger_kind,
        is_self_firing=query.is_self_firing,
        categories=query.category,
        left_out_categories=query.exclude_category,
        tags=query.tags,
        ran_from=query.start_at,
        ran_before=query.end_at,
    )
    attached = Attached(
        query.recent_job_runs_limit, query.downstream_job_runs_limit, query.downstream_job_runs_category
    )
    order = job_lists.complete(query.sorted_by)
    start = _start(query, [job_lists.ORDERS[name][1] for name, _ in order])
    with platform.database.read() as tx:
        workspace_for(tx, principal, workspace_id, Permission.READ)
        found = job_lists.find(tx, workspace_id, filters, order, start, query.limit + 1)
        total = job_lists.count(tx, workspace_id, filters, TOTAL_CAP)
        shown = [current for current, _ in found[: query.limit]]
        items = answers.detailed_jobs(tx, shown, platform, attached)
    return page_of(items, total, query, _next_cursor(query, [values for _, values in found]))


def get_job(
    platform: Platform, principal: Principal, workspace_id: UUID, job_id: UUID, recent_limit: int | None = None
) -> DetailedJobResponse:
    with platform.database.read() as tx:
        workspace_for(tx, principal, workspace_id, Permission.READ)
        found = jobs.get(tx, workspace_id, job_id)
        if found is None:
            raise NotFound(f"There is no job {job_id} in this workspace.")
        return answers.detailed_jobs(tx, [found], platform, Attached(recent_limit))[0]


def list_runs(
    platform: Platform, principal: Principal, workspace_id: UUID, query: JobRunsQuery
) -> Page[DetailedJobRunResponse]:
    shows_system = query.include_system_job_runs or query.job_id or query.previous_job_run_id
    filters = run_lists.Filters(
        search=query.q,
        statuses=query.status,
        number=query.number,
        job_id=query.job_id,
        previous_run_id=query.previous_job_run_id,
        job_types=query.job_type,
        triggers=query.trigger,
        trigger_kinds=query.trigger_kind,
        triggered_by=query.triggered_by,
        profiles=query.profile,
        min_duration_ms=_millis(query.min_duration_seconds),
        max_duration_ms=_millis(query.max_duration_seconds),
        created_from=query.start_at,
        created_before=query.end_at,
        job_refs_left_out=() if shows_system else SYSTEM_JOBS,
    )
    attached = Attached(None, query.downstream_job_runs_limit, query.downstream_job_runs_category)
    order = run_lists.complete(query.sorted_by)
    start = _start(query, [run_lists.ORDERS[name][1] for name, _ in order])
    with platform.database.read() as tx:
        workspace_for(tx, principal, workspace_id, Permission.READ)
        found = run_lists.find(tx, workspace_id, filters, order, start, query.limit + 1)
        total = run_lists.count(tx, workspace_id, filters, TOTAL_CAP)
        shown = [run for run, _ in found[: query.limit]]
        items = answers.detailed_runs(tx, shown, platform, attached)
    return page_of(items, total, query, _next_cursor(query, [values for _, values in found]))


def _start(query: ListQuery, kinds: Sequence[type]) -> Start:
    if query.cursor is None:
        return Start(offset=query.offset)
    return Start(after=cursor_values(query, kinds))


def _next_cursor(query: ListQuery, values: Sequence[tuple[object, ...]]) -> str | None:
    """After the last row that is shown, if one more was found."""
    return cursor(query, values[query.limit - 1]) if len(values) > query.limit else None


def _millis(seconds: float | None) -> int | None:
    return None if seconds is None else round(seconds * 1000)


def get_run(platform: Platform, principal: Principal, workspace_id: UUID, run_id: UUID) -> DetailedJobRunResponse:
    with platform.database.read() as tx:
        workspace_for(tx, principal, workspace_id, Permission.READ)
        found = runs.get(tx, run_id, workspace_id)
        if found is None:
            raise NotFound(f"There is no run {run_id} in this workspace.")
        return answers.one_detailed_run(tx, found, platform)


def get_attempts(
    platform: Platform, principal: Principal, workspace_id: UUID, run_id: UUID
) -> JobRunAttemptsResponse:
    """How often a run was tried, and what came of it."""
    with platform.database.read() as tx:
        workspace_for(tx, principal, workspace_id, Permission.READ)
        run = runs.get(tx, run_id, workspace_id)
        if run is None:
            raise NotFound(f"There is no run {run_id} in this workspace.")
        return attempts_of(tx, run)


def attempts_of(tx: Tx, run: runs.Run) -> JobRunAttemptsResponse:
    items, first_line = [], 0
    for attempt in attempts.of_run(tx, run.id):
        items.append(
            JobRunAttemptResponse(**attempt.__dict__, first_line=first_line, line_count=attempt.next_line)
        )
        first_line += attempt.next_line
    is_pending = run.status == RunStatus.PENDING
    return JobRunAttemptsResponse(
        items=items,
        max_attempts=run_endings.policy_of_run(tx, run).attempts,
        next_attempt_not_before=run.not_before if is_pending else None,
        waits_for=run.waits_for if is_pending else None,
    )


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
    return reading.read(platform.database, platform.blobs, run_id, from_line)
