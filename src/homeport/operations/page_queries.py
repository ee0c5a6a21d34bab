"""What the pages show: each function gathers the facts of one page in one read transaction.

The answers are rows of the store as they are; how they look and read is the business of `web`.
"""

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Literal
from uuid import UUID

from homeport.auth.permissions import Permission, grants, may_start, role_in, workspace_for
from homeport.auth.principals import Principal, as_member
from homeport.contract.log_lines import LogLine
from homeport.contract.public_links import PublicLinkResponse
from homeport.contract.storage import StorageItem
from homeport.contract.webhooks import WebhookResponse
from homeport.errors import NotAllowed, NotFound
from homeport.execution.launches import Limits, limits_of
from homeport.logs import reading
from homeport.operations import looking, public_links, storage, webhooks
from homeport.operations.platform import Platform
from homeport.scheduling.freshness import parse_freshness
from homeport.scheduling.instances import Size, size_of
from homeport.scheduling.triggers import TriggerKind, parse_trigger
from homeport.store import (
    artifacts,
    attempts,
    declined_starts,
    job_lists,
    job_triggers,
    jobs,
    packages,
    people,
    run_endings,
    run_lists,
    runs,
    ticks,
    workspaces,
)
from homeport.store.artifacts import Artifacts
from homeport.store.jobs import CurrentJob, JobVersion
from homeport.store.listing import Start
from homeport.store.packages import Package
from homeport.store.runs import Run
from homeport.store.schema import Tx
from homeport.store.workspaces import Workspace, WorkspaceMember

MAX_WORKSPACES = 200
MAX_LIVE_JOBS = 200
MAX_ARCHIVED_JOBS = 50
RECENT_RUNS = 15
RUNS_OF_A_JOB = 40
TICKS_OF_A_JOB = 8
RUNS_STARTED_SHOWN = 50

Relation = Literal["success", "fail", "fresh"]
"""Starts after the other's success, starts after its failure, or waits until it is fresh."""


@dataclass(frozen=True)
class JobSeen:
    """A job, how it did last, and when the clock fires it next."""

    current: CurrentJob
    latest: Run | None
    next_at: datetime | None


@dataclass(frozen=True)
class RunSeen:
    """A run, its job, and who started it if that was a person."""

    run: Run
    job: CurrentJob
    person: str | None


@dataclass(frozen=True)
class VersionSeen:
    """A version of code or configuration, and who uploaded it."""

    package: Package
    author: str


@dataclass(frozen=True)
class Edge:
    """How one job hangs on another."""

    relation: Relation
    job_ref: str
    job: CurrentJob | None
    """The other job; none when the workspace does not have it."""


@dataclass(frozen=True)
class WorkspaceSeen:
    workspace: Workspace
    live: list[JobSeen]
    live_total: int
    """All of them; a workspace may have more than are listed."""
    archived: list[JobSeen]
    archived_total: int
    recent: list[RunSeen]
    code: VersionSeen | None
    configuration: VersionSeen | None
    storage: list[StorageItem]
    """Its local data, on every machine."""


@dataclass(frozen=True)
class TickSeen:
    """A row of the ledger, and the run that it started or that covers it, if it names one."""

    tick: ticks.Tick
    run: Run | None


@dataclass(frozen=True)
class JobDetails:
    workspace: Workspace
    job: JobSeen
    limits: Limits
    author: str
    """Who deployed the current version."""
    upstream: list[Edge]
    downstream: list[Edge]
    runs: list[RunSeen]
    has_older_runs: bool
    may_start: bool
    webhook: WebhookResponse | None
    """How it is called; none where it cannot be, or the person may not know."""
    link: PublicLinkResponse
    may_change: bool
    """Publish it, for one."""
    ticks: list[TickSeen]
    """The latest moments of its schedule, newest first; on the first page."""


@dataclass(frozen=True)
class NotStarted:
    """A follow-up that was declined."""

    job: CurrentJob
    reasons: list[str]


@dataclass(frozen=True)
class RunDetails:
    workspace: Workspace
    seen: RunSeen
    version: JobVersion
    """The job's version that the run was made from."""
    limits: Limits
    size: Size | None
    """Of its instance; none: no limit."""
    code: Package | None
    configuration: Package | None
    previous: RunSeen | None
    started: list[RunSeen]
    line_count: int
    """Lines of its log so far."""
    attempts: list[attempts.Attempt]
    max_attempts: int
    may_cancel: bool
    not_started: list[NotStarted]
    """Jobs that its end would have started."""


@dataclass(frozen=True)
class PipelineDetails:
    workspace: Workspace
    jobs: list[JobSeen]
    runs: list[RunSeen]
    kept: list[tuple[Artifacts, RunSeen]]
    """What apps find of it, and the run that left it; by profile."""


@dataclass(frozen=True)
class LogProgress:
    """What is new in a log, and the run as of the same moment."""

    run: Run
    piece: reading.Piece


def usable_workspaces(platform: Platform, principal: Principal) -> list[tuple[Workspace, str]]:
    """Every live workspace that the person may use, with their role, in all their organizations, oldest first."""
    with platform.database.read() as tx:
        return [
            (found, role)
            for member in people.memberships_of(tx, principal.user_id)
            for found, role in _usable_in(tx, as_member(principal, member))
        ][:MAX_WORKSPACES]


def managed_workspaces(platform: Platform, principal: Principal) -> list[Workspace]:
    """Every live workspace whose members and keys the person manages."""
    usable = usable_workspaces(platform, principal)
    return [found for found, role in usable if Permission.MANAGE in grants(role)]


def people_of_managed_workspaces(
    platform: Platform, principal: Principal
) -> list[tuple[Workspace, list[WorkspaceMember]]]:
    """The workspaces of the organization that somebody manages, each with the people who have a role in it."""
    with platform.database.read() as tx:
        return [
            (
                found,
                [item for item in workspaces.members_of(tx, found.id) if _is_person(tx, item)],
            )
            for found, role in _usable_in(tx, principal)
            if Permission.MANAGE in grants(role)
        ]


def _is_person(tx: Tx, item: WorkspaceMember) -> bool:
    member = people.member(tx, item.member_id)
    return member is not None and member.kind == "human"


def _usable_in(tx: Tx, principal: Principal) -> Iterator[tuple[Workspace, str]]:
    found, _ = workspaces.of_organization(
        tx,
        principal.organization_id,
        include_archived=False,
        limit=MAX_WORKSPACES,
        offset=0,
        cap=MAX_WORKSPACES,
    )
    for item in found:
        role = role_in(tx, principal, item)
        if role is not None:
            yield item, role


def workspace(platform: Platform, principal: Principal, workspace_id: UUID) -> WorkspaceSeen:
    with platform.database.read() as tx:
        found = workspace_for(tx, principal, workspace_id, Permission.READ)
        live, live_total = _jobs(tx, workspace_id, is_archived=False, limit=MAX_LIVE_JOBS)
        archived, archived_total = _jobs(tx, workspace_id, is_archived=True, limit=MAX_ARCHIVED_JOBS)
        recent = run_lists.newest(tx, workspace_id, run_lists.Filters(), RECENT_RUNS)
        return WorkspaceSeen(
            workspace=found,
            live=live,
            live_total=live_total,
            archived=archived,
            archived_total=archived_total,
            recent=_seen(tx, recent),
            code=_active_version(tx, workspace_id, "deployments"),
            configuration=_active_version(tx, workspace_id, "configurations"),
            storage=storage.items(tx, workspace_id),
        )


def job(platform: Platform, principal: Principal, workspace_id: UUID, name: str, page: int) -> JobDetails:
    """A job by its ref or its id; its runs come in pages, from 1, newest first."""
    with platform.database.read() as tx:
        found = workspace_for(tx, principal, workspace_id, Permission.READ)
        current = _job(tx, workspace_id, name)
        filters, offset = run_lists.Filters(job_id=current.job.id), (page - 1) * RUNS_OF_A_JOB
        # one more than is shown tells whether there are older ones; counting all would cost more every day
        shown = run_lists.newest(tx, workspace_id, filters, RUNS_OF_A_JOB + 1, offset)
        others = jobs.all_current(tx, workspace_id)
        author = current.version.created_by
        may_change = _may(tx, principal, workspace_id, Permission.WRITE)
        return JobDetails(
            workspace=found,
            job=_jobs_seen(tx, [current])[0],
            limits=_limits(platform, current.version),
            author=people.names_of(tx, {author}).get(author, "somebody"),
            upstream=_upstream(current, others),
            downstream=_downstream(current, others),
            runs=_seen(tx, shown[:RUNS_OF_A_JOB]),
            has_older_runs=len(shown) > RUNS_OF_A_JOB,
            may_start=_may_start(tx, principal, found, current),
            webhook=webhooks.of_page(tx, platform, current) if may_change else None,
            link=public_links.described(tx, platform, current),
            may_change=may_change,
            ticks=_ticks(tx, current) if page == 1 else [],
        )


def _ticks(tx: Tx, current: CurrentJob) -> list[TickSeen]:
    rows = ticks.latest_of(tx, current.job.id, TICKS_OF_A_JOB)
    named = {row.run_id for row in rows if row.run_id is not None}
    found = runs.by_ids(tx, current.job.workspace_id, list(named)) if named else {}
    return [TickSeen(row, found.get(row.run_id) if row.run_id is not None else None) for row in rows]


def job_id(platform: Platform, principal: Principal, workspace_id: UUID, name: str) -> UUID:
    """The id of a job that is named by ref or id."""
    with platform.database.read() as tx:
        workspace_for(tx, principal, workspace_id, Permission.READ)
        return _job(tx, workspace_id, name).job.id


def run(platform: Platform, principal: Principal, workspace_id: UUID, run_id: UUID) -> RunDetails:
    with platform.database.read() as tx:
        found = workspace_for(tx, principal, workspace_id, Permission.READ)
        shown = runs.get(tx, run_id, workspace_id)
        if shown is None:
            raise NotFound(f"There is no run {run_id} in this workspace.")
        before = None if shown.previous_run_id is None else runs.get(tx, shown.previous_run_id, workspace_id)
        started = runs.started_by(tx, run_id)[:RUNS_STARTED_SHOWN]
        version = jobs.version(tx, shown.job_version_id)
        made = attempts.of_run(tx, run_id)
        return RunDetails(
            workspace=found,
            seen=_seen(tx, [shown])[0],
            version=version,
            limits=_limits(platform, version),
            size=size_of(shown.instance, platform.settings.default_instance),
            code=packages.get(tx, workspace_id, "deployments", shown.deployment_id),
            configuration=packages.get(tx, workspace_id, "configurations", shown.configuration_id),
            previous=None if before is None else _seen(tx, [before])[0],
            started=_seen(tx, started),
            line_count=sum(attempt.next_line for attempt in made),
            attempts=made,
            max_attempts=run_endings.policy_of_run(tx, shown).attempts,
            may_cancel=_may(tx, principal, workspace_id, Permission.WRITE),
            not_started=_not_started(tx, run_id),
        )


def pipeline(platform: Platform, principal: Principal, workspace_id: UUID, name: str) -> PipelineDetails:
    """The jobs that load a pipeline, and their latest runs together."""
    with platform.database.read() as tx:
        found = workspace_for(tx, principal, workspace_id, Permission.READ)
        loading = [
            current
            for current in jobs.all_current(tx, workspace_id)
            if current.version.definition.get("deliver", {}).get("pipeline_name") == name
        ]
        if not loading:
            raise NotFound(f"No job of this workspace loads a pipeline named {name!r}.")
        latest: list[Run] = []
        for current in loading:
            filters = run_lists.Filters(job_id=current.job.id)
            latest += run_lists.newest(tx, workspace_id, filters, RUNS_OF_A_JOB)
        latest.sort(key=lambda item: (item.created_at, item.number), reverse=True)
        kept = artifacts.of_pipeline(tx, workspace_id, name)
        left_by = [run for item in kept if (run := runs.get(tx, item.run_id)) is not None]
        return PipelineDetails(
            found,
            _jobs_seen(tx, loading),
            _seen(tx, latest[:RUNS_OF_A_JOB]),
            list(zip(kept, _seen(tx, left_by), strict=True)),
        )


def log_lines(platform: Platform, run_id: UUID, from_line: int, limit: int) -> tuple[list[LogLine], int]:
    """At most `limit` lines from a line on, and the number of the line after them.

    The caller has checked that they may be read.
    """
    lines: list[LogLine] = []
    next_line = from_line
    while len(lines) < limit:
        piece = looking.read_log(platform, run_id, next_line)
        if not piece.lines:
            break
        lines += piece.lines
        next_line = piece.next_line
    return lines[:limit], lines[limit].line_num if len(lines) > limit else next_line


def log_progress(platform: Platform, run_id: UUID, from_line: int) -> LogProgress:
    """Lines from a line on and the run's state; the caller has checked that they may be read."""
    piece = looking.read_log(platform, run_id, from_line)
    # after the lines, so that it is no older than what they say of the end
    with platform.database.read() as tx:
        found = runs.get(tx, run_id)
    if found is None:
        raise NotFound(f"There is no run {run_id}.")
    return LogProgress(found, piece)


def _job(tx: Tx, workspace_id: UUID, name: str) -> CurrentJob:
    try:
        found = jobs.get(tx, workspace_id, UUID(name))
    except ValueError:
        found = jobs.by_refs(tx, workspace_id, [name]).get(name)
    if found is None:
        raise NotFound(f"There is no job {name!r} in this workspace.")
    return found


def _jobs(tx: Tx, workspace_id: UUID, *, is_archived: bool, limit: int) -> tuple[list[JobSeen], int]:
    filters = job_lists.Filters(is_archived=is_archived)
    found = job_lists.find(tx, workspace_id, filters, job_lists.complete(()), Start(), limit)
    total = job_lists.count(tx, workspace_id, filters, cap=10 * limit)
    return _jobs_seen(tx, [current for current, _ in found]), total


def _jobs_seen(tx: Tx, found: Sequence[CurrentJob]) -> list[JobSeen]:
    ids = {current.job.id for current in found}
    latest, next_at = runs.latest_of(tx, ids), job_triggers.next_at_by_job(tx, ids)
    return [JobSeen(item, latest.get(item.job.id), next_at.get(item.job.id)) for item in found]


def _seen(tx: Tx, found: Sequence[Run]) -> list[RunSeen]:
    """Runs with their jobs and people, in a fixed number of queries."""
    current = {item.job.id: item for item in jobs.by_ids(tx, {run.job_id for run in found})}
    names = people.names_of(tx, {run.triggered_by for run in found if run.triggered_by is not None})
    return [
        RunSeen(run, current[run.job_id], names.get(run.triggered_by) if run.triggered_by else None)
        for run in found
    ]


def _active_version(tx: Tx, workspace_id: UUID, kind: str) -> VersionSeen | None:
    found = packages.latest(tx, workspace_id, kind)
    if found is None:
        return None
    return VersionSeen(found, people.names_of(tx, {found.created_by}).get(found.created_by, "somebody"))


def _limits(platform: Platform, version: JobVersion) -> Limits:
    settings = platform.settings
    return limits_of(version.definition, settings.default_timeout_seconds, settings.default_grace_seconds)


_RELATION_OF: dict[TriggerKind, Relation] = {TriggerKind.JOB_SUCCESS: "success", TriggerKind.JOB_FAIL: "fail"}


def _names_upstream(version: JobVersion) -> Iterable[tuple[Relation, str]]:
    for trigger in map(parse_trigger, version.definition["triggers"]):
        if trigger.is_job_event:
            yield _RELATION_OF[trigger.kind], trigger.expr
    for text in version.definition.get("freshness") or []:
        yield "fresh", parse_freshness(text).job_ref


def _upstream(current: CurrentJob, others: Sequence[CurrentJob]) -> list[Edge]:
    by_ref = {other.job.job_ref: other for other in others}
    return [Edge(relation, ref, by_ref.get(ref)) for relation, ref in _names_upstream(current.version)]


def _downstream(current: CurrentJob, others: Sequence[CurrentJob]) -> list[Edge]:
    return [
        Edge(relation, other.job.job_ref, other)
        for other in others
        if other.job.archived_at is None
        for relation, ref in _names_upstream(other.version)
        if ref == current.job.job_ref
    ]


def _may_start(tx: Tx, principal: Principal, workspace: Workspace, current: CurrentJob) -> bool:
    role, version = role_in(tx, principal, workspace), current.version
    return role is not None and may_start(role, version.definition, version.profile, is_own_profile=True)


def _not_started(tx: Tx, run_id: UUID) -> list[NotStarted]:
    declined = declined_starts.after_run(tx, run_id, RUNS_STARTED_SHOWN)
    found = {current.job.id: current for current in jobs.by_ids(tx, {item.job_id for item in declined})}
    return [NotStarted(found[item.job_id], item.reasons) for item in declined]


def _may(tx: Tx, principal: Principal, workspace_id: UUID, permission: Permission) -> bool:
    try:
        workspace_for(tx, principal, workspace_id, permission)
    except NotAllowed:
        return False
    return True
