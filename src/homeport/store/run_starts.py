"""Starting a run: gathers the facts, asks `scheduling` for the decision, and writes the row.

Used by people's requests, by the scheduler and by follow-ups alike, always inside the caller's transaction and
with the job locked, so that two starts of one job cannot both take its last slot.
"""

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime
from uuid import UUID, uuid4

from homeport.contract.dlt_deployment import Definition
from homeport.errors import BadRequest
from homeport.scheduling.freshness import direct_downstream
from homeport.scheduling.instances import named_size
from homeport.scheduling.intervals import DeclaredInterval, parse_declared_interval
from homeport.scheduling.refresh import RefreshCause, RefreshPropagation
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
from homeport.store import jobs, packages, runs
from homeport.store.schema import Tx
from homeport.store.start_inputs import StartInputs

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
    refresh_spreads: bool = False
    """The run begins a refresh that reaches other jobs."""


def start(tx: Tx, asked: Asked) -> runs.Run | Declined | WouldStart:
    """A pending run, or why there is none."""
    return decide(tx, asked).outcome


class Starts:
    """Starts of some jobs in one transaction, each decided with what those before it have changed.

    The caller holds the jobs. What was decided is true when it was taken and then written.
    """

    def __init__(self, tx: Tx, held: Mapping[UUID, jobs.CurrentJob]) -> None:
        self._tx = tx
        self.inputs = StartInputs(tx, held)
        self._taken: list[runs.Run] = []
        self._refreshed: list[UUID] = []
        self._reached: dict[UUID, set[str]] = {}

    def decide(self, asked: Asked) -> Decided:
        """What becomes of a start, with the facts that the answer rests on. It changes nothing."""
        current = self.inputs.current(asked.job_id)
        facts, request = _facts_of(self.inputs, current), _request(asked)
        return self._decided(asked, current, facts, request)

    def _decided(
        self, asked: Asked, current: jobs.CurrentJob, facts: StartFacts, request: StartRequest
    ) -> Decided:
        decision = decide_start(facts, request)
        if isinstance(decision, Decline):
            return Decided(Declined(str(decision.status), list(decision.reasons)), facts, request)
        profile = asked.profile or current.version.profile
        pins = self.inputs.pins(current.job.workspace_id)
        if (missing := _missing(pins, profile)) is not None:
            return Decided(missing, facts, request)
        if asked.is_dry:
            return Decided(WouldStart(), facts, request)
        run = _new_run(asked, current, decision, profile, pins)
        return Decided(run, facts, request, decision.refresh.cause in _REFRESHES_THAT_SPREAD)

    def take(self, decided: Decided) -> None:
        """Have the run of a decision, if it has one, written; later decisions know of it."""
        run = decided.outcome
        if not isinstance(run, runs.Run):
            return
        if decided.refresh_spreads:
            # before the run starts, its own progress and that of the jobs downstream is void (run contract §14.6)
            reached = self.inputs.refreshed_by(run.job_id)
            self.inputs.note_refresh(run.job_id, reached)
            self._refreshed.append(run.job_id)
            self._reached.setdefault(run.workspace_id, set()).update(reached)
        self.inputs.note_run(run)
        self._taken.append(run)

    def write(self) -> None:
        """Make true what was taken, with a statement for each kind of change."""
        if self._refreshed:
            jobs.forget_completed(self._tx, self._refreshed)
        for workspace_id, reached in self._reached.items():
            jobs.cascade_refresh(self._tx, workspace_id, sorted(reached))
        numbers = [(run.job_id, run.number, run.created_at) for run in self._taken]
        if not jobs.note_runs(self._tx, numbers):
            raise RuntimeError("a job was started by somebody else although this transaction holds it")
        runs.insert(self._tx, self._taken)


def decide(tx: Tx, asked: Asked) -> Decided:
    """As `start`, with the facts that the answer rests on."""
    starts = Starts(tx, {asked.job_id: jobs.lock(tx, asked.job_id)})
    decided = starts.decide(asked)
    starts.take(decided)
    starts.write()
    return decided


def _facts_of(inputs: StartInputs, current: jobs.CurrentJob) -> StartFacts:
    """What the decision needs to know of a job."""
    job, version = current.job, current.version
    definition = version.definition
    return StartFacts(
        job_ref=job.job_ref,
        job_type=version.job_type,
        default_trigger=version.default_trigger,
        zone=version.zone,
        workspace_archived=inputs.is_archived(job.workspace_id),
        job_archived=job.archived_at is not None,
        is_paused=job.paused_at is not None,
        active_runs=len(inputs.active(job.id)),
        concurrency=version.concurrency,
        declared_interval=declared_interval(definition, version.zone),
        completed_until=job.completed_until,
        has_completed=job.has_completed,
        refresh_propagation=_propagation(definition),
        refresh_pending=job.refresh_pending,
        upstreams=inputs.upstreams(job.id),
    )


def window_facts_of(current: jobs.CurrentJob) -> StartFacts:
    """The part of those facts that a window is worked out of; it asks the database nothing."""
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


def _propagation(definition: Definition) -> RefreshPropagation:
    return RefreshPropagation(definition.get("refresh_propagation") or RefreshPropagation.AUTO)


def refresh_direct_downstream(tx: Tx, workspace_id: UUID, version: jobs.JobVersion) -> None:
    """A job that is always a refresh makes its direct freshness downstream void on every success."""
    freshness = {found.job_ref: found.freshness or () for found in jobs.dependencies(tx, workspace_id)}
    downstream = direct_downstream(str(version.definition["job_ref"]), freshness)
    if downstream:
        jobs.cascade_refresh(tx, workspace_id, downstream)


def _missing(pins: packages.Pins, profile: str) -> Declined | None:
    """What a run would lack: code, configuration, its profile."""
    if pins.code_id is None or pins.configuration_id is None:
        missing = "code" if pins.code_id is None else "configuration"
        return Declined(
            NOTHING_UPLOADED, [f"no {missing} was uploaded to this workspace yet; run `dlthub deploy` first"]
        )
    try:
        check_profile(profile, pins.profiles)
    except BadRequest as error:
        return Declined(UNKNOWN_PROFILE, [error.message])
    return None


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
    asked: Asked, current: jobs.CurrentJob, decision: Start, profile: str, pins: packages.Pins
) -> runs.Run:
    assert pins.code_id is not None and pins.configuration_id is not None
    return runs.Run(
        id=uuid4(),
        workspace_id=current.job.workspace_id,
        job_id=current.job.id,
        job_version_id=current.version.id,
        deployment_id=pins.code_id,
        configuration_id=pins.configuration_id,
        number=current.job.last_run_number + 1,
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
        load_lock=load_lock_of(current.version.definition, profile, pins.job_settings),
        instance=named_size(current.version.definition),
        is_app=current.version.job_type == "interactive",
    )
