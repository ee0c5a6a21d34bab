"""Ask runs to stop: one, or many in one transaction (wire contract §8.1).

A run that waits, or whose runner has not claimed it yet, is cancelled on the spot; a live one is asked through
its runner.
"""

from datetime import datetime, timedelta
from uuid import UUID

from homeport import bells
from homeport.auth.permissions import Permission, workspace_for
from homeport.auth.principals import Principal
from homeport.contract.base import BulkItemFailure
from homeport.contract.run_details import DetailedJobRunResponse
from homeport.contract.runs import CancelJobRunsRequest, CancelJobRunsResponse, CancelledJobRunResponse
from homeport.errors import Conflict, NotFound
from homeport.execution.launches import limits_of
from homeport.logs import writing
from homeport.operations import answers, auditing
from homeport.operations.auditing import Action
from homeport.operations.platform import Platform
from homeport.scheduling import run_lifecycle as lifecycle
from homeport.scheduling.run_lifecycle import RunStatus
from homeport.store import attempts, jobs, run_endings, runs
from homeport.store.schema import Tx
from homeport.telemetry import events


def cancel_run(
    platform: Platform, principal: Principal, workspace_id: UUID, run_id: UUID
) -> DetailedJobRunResponse:
    """The run after the request; `Conflict` when it was over."""
    now = platform.clock.now()
    with platform.database.write() as tx:
        workspace_for(tx, principal, workspace_id, Permission.WRITE)
        run = runs.get(tx, run_id, workspace_id)
        if run is None:
            raise NotFound(f"There is no run {run_id} in this workspace.")
        if not _cancel(tx, platform, run, principal, now):
            raise Conflict(f"Run {run.number} is over already: it is {run.status}.", code="run_is_over")
        after = runs.get(tx, run_id, workspace_id)
        assert after is not None
        response = answers.one_detailed_run(tx, after, platform)
        what = f"run {run.number} ({run_id})"
        auditing.record(tx, principal, Action.RUN_CANCEL, what, now, workspace_id, run=str(run_id))
    _tell(platform, [run_id])
    return response


def cancel_runs(
    platform: Platform, principal: Principal, workspace_id: UUID, request: CancelJobRunsRequest
) -> CancelJobRunsResponse:
    """Cancel what is active among the ids; says what was over and what is unknown."""
    now = platform.clock.now()
    response = CancelJobRunsResponse(succeeded=[], skipped=[], failed=[])
    with platform.database.write() as tx:
        workspace_for(tx, principal, workspace_id, Permission.WRITE)
        ids = list(dict.fromkeys(request.job_run_ids))
        found = runs.by_ids(tx, workspace_id, ids)
        refs = {item.job.id: item.job.job_ref for item in jobs.by_ids(tx, {run.job_id for run in found.values()})}
        for run_id in ids:
            run = found.get(run_id)
            if run is None:
                response.failed.append(
                    BulkItemFailure(ref=str(run_id), detail="there is no such run in this workspace")
                )
                continue
            row = CancelledJobRunResponse(
                job_run_id=run.id,
                job_run_number=run.number,
                job_ref=refs[run.job_id],
                previous_status=run.status,
            )
            is_active = not run.is_over
            if is_active and not request.dry_run:
                _cancel(tx, platform, run, principal, now)
            (response.succeeded if is_active else response.skipped).append(row)
        if not request.dry_run:
            for row in response.succeeded:
                what = f"{row.job_ref} #{row.job_run_number}"
                detail = {"run": str(row.job_run_id)}
                auditing.record(tx, principal, Action.RUN_CANCEL, what, now, workspace_id, **detail)
    if not request.dry_run:
        _tell(platform, [row.job_run_id for row in response.succeeded])
    return response


def _cancel(tx: Tx, platform: Platform, run: runs.Run, principal: Principal, now: datetime) -> bool:
    """Whether the request meets an active run; asking twice is fine."""
    if run.status == RunStatus.CANCELLING:
        return True
    step = lifecycle.cancel_of(RunStatus(run.status))
    if step is None:
        return False
    detail = f"cancelled by {principal.name or principal.email}"
    if step.cause is not None:
        is_cancelled = run_endings.end(tx, run.id, run_endings.Ending(step, detail), now) is not None
        if is_cancelled:
            # of one that waited for its next attempt, a log is there
            writing.add_remark(tx, run.id, f"Homeport: {detail}", now)
        return is_cancelled
    version = jobs.version(tx, run.job_version_id)
    settings = platform.settings
    grace = limits_of(version.definition, settings.default_timeout_seconds, settings.default_grace_seconds).grace
    cancel_by = now + timedelta(seconds=grace)
    if not runs.apply(tx, run.id, step, now, cancel_by=cancel_by, end_detail=detail):
        return False
    if all(attempt.state in ("submitted", "ended") for attempt in attempts.of_run(tx, run.id)):
        # no runner has it yet, and none will: the claim is refused from here on
        run_endings.end(tx, run.id, run_endings.Ending(lifecycle.FINISH_CANCEL, detail), now)
    return True


def _tell(platform: Platform, run_ids: list[UUID]) -> None:
    for run_id in run_ids:
        events.emit(events.RUN_CANCEL_ASKED, run=str(run_id))
        platform.bells.ring(bells.orders_for(run_id), bells.log_of(run_id))
    platform.bells.ring(bells.RUNS_PENDING)
