"""Start jobs: one by its id (wire contract §10.1), or a batch by ids and selectors (§10.2)."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from uuid import UUID

from homeport import bells
from homeport.auth.permissions import Permission, may_start, role_in, run_may_start, workspace_for
from homeport.auth.principals import Principal
from homeport.contract import dlt_deployment
from homeport.contract.base import BulkItemFailure
from homeport.contract.jobs import TriggeredJobResponse, TriggerJobsRequest, TriggerJobsResponse
from homeport.contract.run_details import DetailedJobRunResponse
from homeport.contract.runs import CreateJobRunRequest
from homeport.errors import BadRequest, NotAllowed, NotFound, StartDeclined
from homeport.operations import answers, auditing
from homeport.operations.auditing import Action
from homeport.operations.platform import Platform
from homeport.scheduling.dependency_order import dependency_order, upstreams_of
from homeport.scheduling.triggers import parse_trigger
from homeport.store import jobs, run_starts, runs, workspaces
from homeport.store.run_starts import Asked, Declined
from homeport.store.schema import Tx
from homeport.telemetry import events

_NO_TRIGGER = "skipped_no_trigger"


@dataclass(frozen=True)
class _Pick:
    """A job of a batch, and the trigger it is started by; none when it has none that may be used."""

    current: jobs.CurrentJob
    matched: list[str]
    trigger: str | None


def start_run(
    platform: Platform, principal: Principal, workspace_id: UUID, request: CreateJobRunRequest
) -> tuple[DetailedJobRunResponse, bool]:
    """The run, and whether it is new; `StartDeclined` with the reasons when there is none."""
    parse_trigger(request.trigger)
    now = platform.clock.now()
    with platform.database.write() as tx:
        workspace = workspace_for(tx, principal, workspace_id, Permission.CREATE_RUN)
        current = jobs.get(tx, workspace_id, request.job_id)
        if current is None:
            raise NotFound(f"There is no job {request.job_id} in this workspace.")
        _check_may_start(tx, principal, workspace, [current], request.profile)
        # held from the look at what is active on: of two who want one run, the second gets the first one's
        jobs.lock(tx, current.job.id)
        if request.mode == "when_not_running" and (active := runs.active_of(tx, current.job.id)):
            return answers.one_detailed_run(tx, active[-1], platform), False
        outcome = run_starts.start(
            tx,
            Asked(
                current.job.id,
                request.trigger,
                now,
                profile=request.profile,
                refresh=request.refresh,
                skip_freshness=request.skip_freshness,
                triggered_by=principal.member_id,
            ),
        )
        if not isinstance(outcome, runs.Run):
            raise _declined(current.job.job_ref, outcome)
        response = answers.one_detailed_run(tx, outcome, platform)
        _record(tx, principal, workspace_id, [(current.job.job_ref, outcome)], now)
    _tell(platform, [outcome])
    return response, True


def trigger_jobs(
    platform: Platform, principal: Principal, workspace_id: UUID, request: TriggerJobsRequest
) -> TriggerJobsResponse:
    """Start every job that is named or matched, upstreams first. All receipts come from one transaction."""
    if not request.job_ids and not request.selectors:
        raise BadRequest("Name at least one job or selector to start.")
    now = platform.clock.now()
    response = TriggerJobsResponse(succeeded=[], skipped=[], failed=[])
    started: list[runs.Run] = []
    with platform.database.write() as tx:
        workspace = workspace_for(tx, principal, workspace_id, Permission.CREATE_RUN)
        picks = _picks(tx, workspace_id, request, response.failed)
        _check_may_start(tx, principal, workspace, [pick.current for pick in picks], request.profile)
        refs_started: set[str] = set()
        for pick in _in_order(picks):
            row, run = _start(tx, pick, request, principal, frozenset(refs_started), now)
            if row.status == "triggered":
                refs_started.add(row.job_ref)
                response.succeeded.append(row)
            else:
                response.skipped.append(row)
            if run is not None:
                started.append(run)
        refs = {pick.current.job.id: pick.current.job.job_ref for pick in picks}
        _record(tx, principal, workspace_id, [(refs[run.job_id], run) for run in started], now)
    _tell(platform, started)
    return response


def _picks(tx: Tx, workspace_id: UUID, request: TriggerJobsRequest, failed: list[BulkItemFailure]) -> list[_Pick]:
    everything = jobs.all_current(tx, workspace_id)
    ids = set(request.job_ids or ())
    known = {current.job.id for current in everything}
    for job_id in dict.fromkeys(request.job_ids or ()):
        if job_id not in known:
            failed.append(BulkItemFailure(ref=str(job_id), detail="there is no such job in this workspace"))
    picks = []
    for current in everything:
        matched = _matched(current, request.selectors or [])
        if current.job.id in ids:
            picks.append(_by_id(current, matched))
        elif matched:
            trigger = dlt_deployment.picked_trigger(matched, current.version.default_trigger)
            picks.append(_Pick(current, matched, trigger))
    return picks


def _matched(current: jobs.CurrentJob, selectors: Sequence[str]) -> list[str]:
    if current.job.archived_at is not None or not selectors:
        return []
    version = current.version
    return dlt_deployment.matched_triggers(version.job_type, version.triggers, selectors, current.job.job_ref)


def _by_id(current: jobs.CurrentJob, matched: list[str]) -> _Pick:
    """A start by id fires the default trigger, or the manual one where there is none (wire contract §10.2)."""
    manual = f"manual:{current.job.job_ref}"
    own = current.version.default_trigger or (manual if manual in current.version.triggers else None)
    union = list(dict.fromkeys([*([own] if own else []), *matched]))
    return _Pick(current, union, dlt_deployment.picked_trigger(union, current.version.default_trigger))


def _in_order(picks: list[_Pick]) -> list[_Pick]:
    by_ref = {pick.current.job.job_ref: pick for pick in picks}
    upstreams = {
        ref: upstreams_of(
            pick.current.version.definition["triggers"],
            pick.current.version.definition.get("freshness") or [],
        )
        for ref, pick in by_ref.items()
    }
    return [by_ref[ref] for ref in dependency_order(by_ref, upstreams)]


def _start(
    tx: Tx,
    pick: _Pick,
    request: TriggerJobsRequest,
    principal: Principal,
    started_in_batch: frozenset[str],
    now: datetime,
) -> tuple[TriggeredJobResponse, runs.Run | None]:
    job = pick.current.job
    row = TriggeredJobResponse(
        job_id=job.id,
        job_ref=job.job_ref,
        trigger=pick.trigger or f"manual:{job.job_ref}",
        matched_triggers=pick.matched,
    )
    if pick.trigger is None:
        row.status, row.reasons = _NO_TRIGGER, [f"{job.job_ref} cannot be started by hand: expose.manual is off"]
        return row, None
    outcome = run_starts.start(
        tx,
        Asked(
            job.id,
            pick.trigger,
            now,
            profile=request.profile,
            refresh=request.refresh,
            triggered_by=principal.member_id,
            started_in_batch=started_in_batch,
            is_dry=request.dry_run,
        ),
    )
    if isinstance(outcome, Declined):
        row.status, row.reasons = outcome.status, outcome.reasons
        return row, None
    if isinstance(outcome, runs.Run):
        row.job_run_id, row.job_run = outcome.id, answers.run(outcome)
        return row, outcome
    return row, None


def _check_may_start(
    tx: Tx,
    principal: Principal,
    workspace: workspaces.Workspace,
    wanted: Sequence[jobs.CurrentJob],
    profile: str | None,
) -> None:
    """`NotAllowed` names what the principal's role may not start; nothing is started then."""
    role = role_in(tx, principal, workspace)
    assert role is not None
    refused = [
        current.job.job_ref for current in wanted if not _may_start(principal, role, current.version, profile)
    ]
    if refused and principal.run is not None:
        raise NotAllowed(
            f"A run starts jobs with their own profile or with its own, {principal.run.profile!r}, not "
            f"{', '.join(refused)} with {profile!r}."
        )
    if refused:
        raise NotAllowed(
            f"Your role in {workspace.name!r} is {role}: it starts interactive jobs and jobs of the profile "
            f"'access', not {', '.join(refused)}."
        )


def _may_start(principal: Principal, role: str, version: jobs.JobVersion, profile: str | None) -> bool:
    is_own = profile in (None, version.profile)
    if principal.run is not None:
        return run_may_start(principal.run, profile or version.profile, is_own_profile=is_own)
    return may_start(role, version.definition, profile or version.profile, is_own_profile=is_own)


def _record(
    tx: Tx, principal: Principal, workspace_id: UUID, started: Sequence[tuple[str, runs.Run]], now: datetime
) -> None:
    for ref, run in started:
        what = f"{ref} #{run.number}"
        auditing.record(tx, principal, Action.RUN_START, what, now, workspace_id, run=str(run.id))


def _declined(job_ref: str, outcome: Declined | run_starts.WouldStart) -> StartDeclined:
    if isinstance(outcome, Declined):
        return StartDeclined(
            f"{job_ref} was not started: {'; '.join(outcome.reasons)}",
            code=outcome.status,
            reasons=outcome.reasons,
        )
    return StartDeclined()


def _tell(platform: Platform, started: Sequence[runs.Run]) -> None:
    for run in started:
        events.emit(events.RUN_CREATED, run=str(run.id), trigger=run.trigger, number=run.number)
    if started:
        platform.bells.ring(bells.RUNS_PENDING)
