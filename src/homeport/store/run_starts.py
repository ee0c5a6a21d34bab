"""Starting a run: gathers the facts, asks `scheduling` for the decision, and writes the row.

Used by people's requests, by the scheduler and by follow-ups alike, always inside the caller's transaction and
with the job locked, so that two starts of one job cannot both take its last slot.
"""

from dataclasses import dataclass, field
from datetime import datetime
from uuid import UUID, uuid4

from homeport.contract.dlt_deployment import Definition
from homeport.errors import BadRequest
from homeport.scheduling.freshness import Upstream, direct_downstream, parse_freshness
from homeport.scheduling.intervals import DeclaredInterval, parse_declared_interval
from homeport.scheduling.refresh import RefreshCause, RefreshPropagation, cascade_targets
from homeport.scheduling.retries import load_lock_of
from homeport.scheduling.run_lifecycle import RunStatus
from homeport.scheduling.start_decision import (
    Decline,
    Start,
    StartFacts,
    StartRequest,
    decide_start,
)
from homeport.scheduling.triggers import Trigger, parse_trigger
from homeport.store import jobs, packages, runs, workspaces
from homeport.store.schema import Tx

NOTHING_UPLOADED = "skipped_nothing_uploaded"
_REFRESHES_THAT_SPREAD = frozenset({RefreshCause.ASKED, RefreshCause.CASCADE})
"""A first run has no progress to make void; a job that is always a refresh spreads it when it succeeds."""
UNKNOWN_PROFILE = "skipped_unknown_profile"


@dataclass(frozen=True)
class Asked:
    """A start as somebody asks for it."""

    job_id: UUID
    trigger: str
    now: datetime
    profile: str | None = None
    """None: the job's own."""
    refresh: bool = False
    skip_freshness: bool = False
    is_scheduled: bool = False
    triggered_by: UUID | None = None
    previous: runs.Run | None = None
    """The run whose end started this one."""
    started_in_batch: frozenset[str] = field(default_factory=frozenset)
    is_dry: bool = False
    """Decide only; write nothing."""


@dataclass(frozen=True)
class Declined:
    """Why no run was started, in the words of the wire and of people."""

    status: str
    reasons: list[str]


@dataclass(frozen=True)
class WouldStart:
    """A dry decision that found nothing in the way."""


@dataclass(frozen=True)
class Decided:
    """What became of a start, and what that was decided from."""

    outcome: "runs.Run | Declined | WouldStart"
    facts: StartFacts
    request: StartRequest


def start(tx: Tx, asked: Asked) -> runs.Run | Declined | WouldStart:
    """A pending run, or why there is none."""
    return decide(tx, asked).outcome


def decide(tx: Tx, asked: Asked) -> Decided:
    """As `start`, with the facts that the answer rests on."""
    current = jobs.lock(tx, asked.job_id)
    facts, request = facts_of(tx, current), _request(asked)
    return Decided(_carry_out(tx, asked, current, decide_start(facts, request)), facts, request)


def _carry_out(
    tx: Tx, asked: Asked, current: jobs.CurrentJob, decision: Start | Decline
) -> runs.Run | Declined | WouldStart:
    if isinstance(decision, Decline):
        return Declined(str(decision.status), list(decision.reasons))
    profile = asked.profile or current.version.profile
    pins = _pins(tx, current, profile)
    if isinstance(pins, Declined):
        return pins
    if asked.is_dry:
        return WouldStart()
    if decision.refresh.cause in _REFRESHES_THAT_SPREAD:
        _begin_refresh(tx, current)
    run = _new_run(tx, asked, current, decision, profile, pins)
    runs.insert(tx, run)
    return run


def facts_of(tx: Tx, current: jobs.CurrentJob) -> StartFacts:
    """What the decision needs to know of a job."""
    job, version = current.job, current.version
    workspace = workspaces.get(tx, job.workspace_id)
    definition = version.definition
    return StartFacts(
        job_ref=job.job_ref,
        job_type=version.job_type,
        default_trigger=version.default_trigger,
        zone=version.zone,
        workspace_archived=workspace is None or workspace.archived_at is not None,
        job_archived=job.archived_at is not None,
        is_paused=job.paused_at is not None,
        active_runs=len(runs.active_of(tx, job.id)),
        concurrency=version.concurrency,
        declared_interval=declared_interval(definition, version.zone),
        completed_until=job.completed_until,
        has_completed=job.has_completed,
        refresh_propagation=_propagation(definition),
        refresh_pending=job.refresh_pending,
        upstreams=_upstreams(tx, current),
    )


def window_facts_of(current: jobs.CurrentJob) -> StartFacts:
    """The part of `facts_of` that a window is worked out of; it asks the database nothing."""
    job, version = current.job, current.version
    return StartFacts(
        job_ref=job.job_ref,
        zone=version.zone,
        is_paused=job.paused_at is not None,
        declared_interval=declared_interval(version.definition, version.zone),
        completed_until=job.completed_until,
        has_completed=job.has_completed,
        refresh_propagation=_propagation(version.definition),
        refresh_pending=job.refresh_pending,
    )


def declared_interval(definition: Definition, zone: str) -> DeclaredInterval | None:
    """`interval` of a definition, with the recurring trigger that its bounds are aligned to."""
    spec = definition.get("interval")
    if spec is None:
        return None
    recurring = next((t for t in timed_triggers(definition["triggers"]) if t.is_recurring), None)
    return None if recurring is None else parse_declared_interval(spec, recurring, zone)


def timed_triggers(triggers: list[str]) -> list[Trigger]:
    """Those that fire by the clock."""
    return [trigger for trigger in map(parse_trigger, triggers) if trigger.is_timed]


def _request(asked: Asked) -> StartRequest:
    return StartRequest(
        trigger=parse_trigger(asked.trigger),
        now=asked.now,
        is_scheduled=asked.is_scheduled,
        refresh=asked.refresh,
        skip_freshness=asked.skip_freshness,
        started_in_batch=asked.started_in_batch,
    )


def _upstreams(tx: Tx, current: jobs.CurrentJob) -> tuple[Upstream, ...]:
    constraints = [parse_freshness(text) for text in current.version.definition.get("freshness") or []]
    found = jobs.by_refs(tx, current.job.workspace_id, [constraint.job_ref for constraint in constraints])
    upstreams = []
    for constraint in constraints:
        upstream = found.get(constraint.job_ref)
        if upstream is None:
            upstreams.append(Upstream(constraint, is_known=False))
            continue
        upstreams.append(
            Upstream(
                constraint,
                job_type=upstream.version.job_type,
                default_trigger=upstream.version.default_trigger,
                zone=upstream.version.zone,
                completed_until=upstream.job.completed_until,
                is_archived=upstream.job.archived_at is not None,
            )
        )
    return tuple(upstreams)


def _propagation(definition: Definition) -> RefreshPropagation:
    return RefreshPropagation(definition.get("refresh_propagation") or RefreshPropagation.AUTO)


def refresh_direct_downstream(tx: Tx, workspace_id: UUID, version: jobs.JobVersion) -> None:
    """A job that is always a refresh makes its direct freshness downstream void on every success."""
    live = [job for job in jobs.all_current(tx, workspace_id) if job.job.archived_at is None]
    freshness = {job.job.job_ref: job.version.definition.get("freshness") or [] for job in live}
    downstream = direct_downstream(str(version.definition["job_ref"]), freshness)
    if downstream:
        jobs.cascade_refresh(tx, workspace_id, downstream)


def _begin_refresh(tx: Tx, current: jobs.CurrentJob) -> None:
    """Before the run starts, its own progress and that of the jobs downstream is void (run contract §14.6)."""
    live = [job for job in jobs.all_current(tx, current.job.workspace_id) if job.job.archived_at is None]
    targets = cascade_targets(
        current.job.job_ref,
        {job.job.job_ref: job.version.definition.get("freshness") or [] for job in live},
        {job.job.job_ref: _propagation(job.version.definition) for job in live},
    )
    jobs.forget_completed(tx, current.job.id)
    if targets:
        jobs.cascade_refresh(tx, current.job.workspace_id, targets)


def _pins(tx: Tx, current: jobs.CurrentJob, profile: str) -> tuple[packages.Package, packages.Package] | Declined:
    """The versions of code and configuration that the run will use, and no other."""
    code = packages.latest(tx, current.job.workspace_id, "deployments")
    configuration = packages.latest(tx, current.job.workspace_id, "configurations")
    if code is None or configuration is None:
        missing = "code" if code is None else "configuration"
        return Declined(
            NOTHING_UPLOADED, [f"no {missing} was uploaded to this workspace yet; run `dlthub deploy` first"]
        )
    try:
        check_profile(profile, configuration.profiles)
    except BadRequest as error:
        return Declined(UNKNOWN_PROFILE, [error.message])
    return code, configuration


def check_profile(profile: str, configured: list[str]) -> None:
    """A run may use `prod` and `access`, configured or not, and any profile that the configuration has."""
    if profile in ("dev", "tests"):
        raise BadRequest(
            f"The profile {profile!r} is for local work and never uploaded: use prod, access or one of your own.",
            code="local_profile",
        )
    if profile not in ("prod", "access") and profile not in configured:
        known = ", ".join(sorted({"prod", "access", *configured} - {"dev", "tests"}))
        raise BadRequest(
            f"The workspace has no configuration for the profile {profile!r} (it has: {known}). Add "
            f".dlt/{profile}.config.toml and run `dlthub workspace configuration sync`.",
            code="unknown_profile",
        )


def _new_run(
    tx: Tx,
    asked: Asked,
    current: jobs.CurrentJob,
    decision: Start,
    profile: str,
    pins: tuple[packages.Package, packages.Package],
) -> runs.Run:
    return runs.Run(
        id=uuid4(),
        workspace_id=current.job.workspace_id,
        job_id=current.job.id,
        job_version_id=current.version.id,
        deployment_id=pins[0].id,
        configuration_id=pins[1].id,
        number=jobs.next_number(tx, current.job.id, asked.now),
        status=RunStatus.PENDING,
        trigger=asked.trigger,
        profile=profile,
        refresh=decision.refresh.is_refresh,
        interval_start=decision.interval.start,
        interval_end=decision.interval.end,
        previous_run_id=asked.previous.id if asked.previous else None,
        chain_depth=asked.previous.chain_depth + 1 if asked.previous else 0,
        triggered_by=asked.triggered_by,
        cancel_by=None,
        end_cause=None,
        end_detail=None,
        exit_code=None,
        created_at=asked.now,
        started_at=None,
        finished_at=None,
        updated_at=asked.now,
        load_lock=load_lock_of(current.version.definition, profile, packages.job_settings(tx, pins[1].id)),
    )
