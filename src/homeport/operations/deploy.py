"""Deploy a manifest: check it, compare it with the jobs that are there, apply the difference, all or nothing.

Wire contract §9. The comparison itself is `scheduling/reconciliation.py`.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from datetime import datetime, timedelta
from typing import Any
from uuid import UUID, uuid4

from homeport import bells
from homeport.auth.permissions import Permission, live_workspace_for
from homeport.auth.principals import Principal
from homeport.contract import dlt_deployment
from homeport.contract.dlt_deployment import Definition
from homeport.contract.jobs import (
    DeployedJobResponse,
    DeployWorkspaceRequest,
    DeployWorkspaceResponse,
    JobsDeployReceipt,
)
from homeport.operations import answers, auditing, job_schedules, manifest_checks
from homeport.operations.app_addresses import names_for
from homeport.operations.auditing import Action
from homeport.operations.platform import Platform
from homeport.scheduling.dependency_order import dependency_order, upstreams_of
from homeport.scheduling.reconciliation import Change, DeployedJob, JobDeployOutcome, WantedJob, reconcile
from homeport.scheduling.start_decision import TriggerStatus
from homeport.scheduling.triggers import TriggerKind, parse_trigger
from homeport.store import (
    apps,
    declined_starts,
    job_triggers,
    jobs,
    packages,
    run_starts,
    runs,
    ticks,
    workspaces,
)
from homeport.store.schema import Tx
from homeport.telemetry import events

CANONICAL_MODULE = "__deployment__"
"""The module whose docstring describes the workspace."""


class _DryRun(Exception):
    def __init__(self, response: DeployWorkspaceResponse) -> None:
        self.response = response


@dataclass(frozen=True)
class _Deploy:
    """What one deploy works with."""

    tx: Tx
    platform: Platform
    principal: Principal
    workspace_id: UUID
    module: str | None
    now: datetime
    profiles: list[str] | None
    """Profiles that the active configuration has; none when there is no configuration yet."""
    code_hash: str | None
    """Content of the active code; none when none was uploaded yet."""
    started: list[runs.Run] = field(default_factory=list)
    """Runs of jobs that start because they were deployed."""
    not_started: dict[str, list[str]] = field(default_factory=dict)
    """Job ref to the reasons why such a start was declined."""


def deploy(
    platform: Platform, principal: Principal, workspace_id: UUID, request: DeployWorkspaceRequest
) -> DeployWorkspaceResponse:
    """The receipt. A dry run goes the same way to its end and is then rolled back."""
    now = platform.clock.now()
    checked = dlt_deployment.check_manifest(
        request.jobs, request.job_definition_engine_version, request.deployment_module
    )
    try:
        with platform.database.write() as tx:
            workspace = live_workspace_for(tx, principal, workspace_id, Permission.WRITE)
            response, context = _deploy(tx, platform, principal, workspace, request, checked, now)
            if request.dry_run:
                raise _DryRun(response)
            outcomes = [f"{row.job.job_ref}: {row.outcome}" for row in response.job_receipt.succeeded]
            module = request.deployment_module or "one job"
            auditing.record(tx, principal, Action.DEPLOY, module, now, workspace.id, jobs=outcomes[:100])
    except _DryRun as preview:
        return preview.response
    _tell(context, request, response)
    return response


def _deploy(
    tx: Tx,
    platform: Platform,
    principal: Principal,
    workspace: workspaces.Workspace,
    request: DeployWorkspaceRequest,
    checked: dlt_deployment.CheckedManifest,
    now: datetime,
) -> tuple[DeployWorkspaceResponse, _Deploy]:
    workspaces.lock(tx, workspace.id)
    configuration = packages.latest(tx, workspace.id, "configurations")
    code = packages.latest(tx, workspace.id, "deployments")
    warnings = list(checked.warnings)
    warnings += manifest_checks.check(
        checked.jobs,
        profiles=configuration.profiles if configuration else None,
        requirements=packages.requirements(tx, code.id) if code else None,
        is_dry_run=request.dry_run,
    )
    context = _Deploy(
        tx,
        platform,
        principal,
        workspace.id,
        request.deployment_module,
        now,
        configuration.profiles if configuration else None,
        code.content_hash if code else None,
    )
    receipt = _reconcile(context, checked.jobs)
    workspaces.note_deploy(tx, workspace.id, now)
    if request.deployment_module == CANONICAL_MODULE and request.description != workspace.description:
        workspaces.describe(tx, workspace.id, request.description, now)
    response = DeployWorkspaceResponse(
        job_receipt=receipt, warnings=warnings, deployment_module=request.deployment_module
    )
    return response, context


def _reconcile(context: _Deploy, wanted: list[Definition]) -> JobsDeployReceipt:
    there = {item.job.job_ref: item for item in jobs.all_current(context.tx, context.workspace_id)}
    definitions = {job["job_ref"]: job for job in wanted}
    changes = reconcile(
        [
            DeployedJob(
                ref,
                item.version.definition_hash,
                item.job.deployment_module,
                item.job.archived_at is not None,
            )
            for ref, item in there.items()
        ],
        [WantedJob(ref, dlt_deployment.definition_hash(job)) for ref, job in definitions.items()],
        context.module,
    )
    receipt = JobsDeployReceipt(succeeded=[], skipped=[])
    deployed: list[tuple[Change, jobs.CurrentJob]] = []
    for change in changes:
        after, row = _apply(context, change, there.get(change.job_ref), definitions.get(change.job_ref))
        deployed.append((change, after))
        (receipt.skipped if row.outcome == "unchanged" else receipt.succeeded).append(row)
    # what waits may wait for nothing now: triggers and upstreams have changed
    ticks.look_again(context.tx, context.workspace_id, context.now)
    _fire(context, deployed)
    return receipt


def _fire(context: _Deploy, deployed: Sequence[tuple[Change, jobs.CurrentJob]]) -> None:
    """Start the jobs with a `deployment:` trigger that are new here, or come with other code; upstreams first.

    Jobs of other modules, and those that this deploy archives, are none of its own. A deploy of no module is the
    first half of `dlthub run script.py`, which then starts the job itself: it fires nothing, and uses up no news.
    """
    if context.module is None:
        return
    own = [(change, job) for change, job in deployed if job.job.archived_at is None]
    news = {
        job.job.job_ref: job
        for change, job in own
        if change.outcome is not JobDeployOutcome.UNCHANGED or job.job.code_hash != context.code_hash
    }
    if context.code_hash is not None:
        jobs.note_code(context.tx, [job.job.id for _, job in own], context.code_hash)
    upstreams = {
        job.job.job_ref: upstreams_of(
            job.version.definition["triggers"], job.version.definition.get("freshness") or []
        )
        for _, job in own
    }
    refs_started: set[str] = set()
    for place, ref in enumerate(dependency_order(news, upstreams)):
        # a microsecond apart: runs are given to the engine in the order in which they were created
        now = context.now + timedelta(microseconds=place)
        if _start(context, news[ref], frozenset(refs_started), now):
            refs_started.add(ref)


def _start(context: _Deploy, current: jobs.CurrentJob, started_in_batch: frozenset[str], now: datetime) -> bool:
    """Start a job because it was deployed, if it wants that; whether it was started."""
    triggers = [parse_trigger(text) for text in current.version.definition["triggers"]]
    trigger = next((str(found) for found in triggers if found.kind is TriggerKind.DEPLOYMENT), None)
    if trigger is None:
        return False
    asked = run_starts.Asked(
        current.job.id,
        trigger,
        now,
        triggered_by=context.principal.member_id,
        started_in_batch=started_in_batch,
    )
    outcome = run_starts.start(context.tx, asked)
    if isinstance(outcome, runs.Run):
        context.started.append(outcome)
    elif isinstance(outcome, run_starts.Declined):
        context.not_started[current.job.job_ref] = outcome.reasons
        declined_starts.record(
            context.tx,
            context.workspace_id,
            current.job.id,
            trigger,
            outcome.status,
            outcome.reasons,
            context.now,
        )
    return isinstance(outcome, runs.Run)


def _apply(
    context: _Deploy, change: Change, before: jobs.CurrentJob | None, definition: Definition | None
) -> tuple[jobs.CurrentJob, DeployedJobResponse]:
    """One job's part of the deploy: the job as it is now, and its line of the receipt."""
    if before is None:
        assert definition is not None
        after = _create(context, change, definition)
    elif change.outcome is JobDeployOutcome.ARCHIVED:
        after = _archive(context, before)
    else:
        assert definition is not None
        after = _update(context, change, before, definition)
    replaced = before is not None and after.version.id != before.version.id
    next_at = job_triggers.next_at_by_job(context.tx, {after.job.id})
    return after, DeployedJobResponse(
        job=answers.job(after, next_at.get(after.job.id), context.platform),
        outcome=change.outcome.value,
        previous_version=answers.job_version(change.job_ref, before.version, context.platform.settings)
        if before is not None and replaced
        else None,
    )


def _create(context: _Deploy, change: Change, definition: Definition) -> jobs.CurrentJob:
    job_id = uuid4()
    version = _version(context, change, job_id, 1, definition)
    job = jobs.Job(
        id=job_id,
        workspace_id=context.workspace_id,
        job_ref=change.job_ref,
        current_version_id=version.id,
        deployment_module=change.deployment_module,
        archived_at=None,
        paused_at=None,
        completed_until=None,
        has_completed=False,
        refresh_pending=False,
        last_run_number=0,
        created_by=context.principal.member_id,
        created_at=context.now,
        updated_at=context.now,
        app_name=_app_name(context, version),
    )
    jobs.insert(context.tx, job, version)
    current = jobs.CurrentJob(job, version)
    _index_triggers(context, current, previous=None)
    return current


def _update(context: _Deploy, change: Change, before: jobs.CurrentJob, definition: Definition) -> jobs.CurrentJob:
    version = before.version
    profile = _profile(context, definition)
    # the profile follows the configuration too: a job falls back to prod until `access` is configured
    if change.is_new_version or profile != version.profile:
        version = _version(context, change, before.job.id, version.version + 1, definition)
        jobs.add_version(context.tx, before.job, version)
    job = replace(
        before.job,
        current_version_id=version.id,
        deployment_module=change.deployment_module,
        archived_at=None,
        paused_at=before.job.paused_at if job_schedules.is_recurring(version) else None,
        updated_at=before.job.updated_at if change.outcome is JobDeployOutcome.UNCHANGED else context.now,
        app_name=before.job.app_name or _app_name(context, version),
    )
    if job != before.job:
        jobs.save(
            context.tx,
            job,
            current_version_id=job.current_version_id,
            deployment_module=job.deployment_module,
            archived_at=None,
            paused_at=job.paused_at,
            updated_at=job.updated_at,
            app_name=job.app_name,
        )
    current = jobs.CurrentJob(job, version)
    if job != before.job:
        _index_triggers(context, current, previous=before)
    return current


def _app_name(context: _Deploy, version: jobs.JobVersion) -> str | None:
    """The name in the address of an interactive job's app; it stays the job's for good."""
    if version.job_type != "interactive":
        return None
    workspace = workspaces.get(context.tx, context.workspace_id)
    assert workspace is not None
    return apps.first_free(context.tx, names_for(str(version.definition["job_ref"]), workspace.name))


def _archive(context: _Deploy, before: jobs.CurrentJob) -> jobs.CurrentJob:
    job = replace(before.job, archived_at=context.now, paused_at=None, updated_at=context.now)
    jobs.save(context.tx, job, archived_at=job.archived_at, paused_at=None, updated_at=job.updated_at)
    job_schedules.take_down(context.tx, job, context.now, TriggerStatus.SKIPPED_JOB_ARCHIVED)
    return jobs.CurrentJob(job, before.version)


def _version(
    context: _Deploy, change: Change, job_id: UUID, number: int, definition: Definition
) -> jobs.JobVersion:
    return jobs.JobVersion(
        id=uuid4(),
        job_id=job_id,
        version=number,
        definition=definition,
        definition_hash=change.definition_hash,
        engine_version=dlt_deployment.ENGINE_VERSION,
        deployment_module=change.deployment_module,
        triggers=dlt_deployment.expanded_triggers(definition),
        default_trigger=dlt_deployment.default_trigger(definition),
        profile=_profile(context, definition),
        created_by=context.principal.member_id,
        created_at=context.now,
    )


def _profile(context: _Deploy, definition: Definition) -> str:
    """The profile that runs of the job get unless a start names another (run contract §8)."""
    required = definition.get("require", {}).get("profile")
    if required:
        return str(required)
    is_interactive = definition["entry_point"]["job_type"] == "interactive"
    if is_interactive and "access" not in (context.profiles or []):
        return "prod"
    return "access" if is_interactive or "agent" in definition else "prod"


def _index_triggers(context: _Deploy, current: jobs.CurrentJob, previous: jobs.CurrentJob | None) -> None:
    """Write what fires the job; a timed trigger that did not change keeps its next moment."""
    kept: Mapping[str, datetime] = {}
    if previous is not None:
        kept = job_triggers.timed_of(context.tx, current.job.id)
        if previous.version.zone != current.version.zone:
            # only a cron is read in the zone: `every` keeps its phase
            kept = {text: at for text, at in kept.items() if parse_trigger(text).kind is not TriggerKind.SCHEDULE}
    job_schedules.set_up(context.tx, current, context.now, kept)


def _tell(context: _Deploy, request: DeployWorkspaceRequest, response: DeployWorkspaceResponse) -> None:
    outcomes: dict[str, Any] = {}
    for row in [*response.job_receipt.succeeded, *response.job_receipt.skipped]:
        outcomes[row.outcome] = outcomes.get(row.outcome, 0) + 1
    events.emit(events.DEPLOYED, workspace=str(context.workspace_id), module=request.deployment_module, **outcomes)
    for run in context.started:
        events.emit(events.RUN_CREATED, run=str(run.id), trigger=run.trigger, number=run.number)
    for ref, reasons in context.not_started.items():
        events.emit(events.RUN_NOT_STARTED, job=ref, after="a deploy", reasons=reasons)
    context.platform.bells.ring(bells.SCHEDULES_CHANGED, bells.DEPLOYED)
    if context.started:
        context.platform.bells.ring(bells.RUNS_PENDING)
