"""Jobs and their versions. A job is a name that stays; what it does is its current version."""

from collections.abc import Collection, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any
from uuid import UUID

import sqlalchemy as sa

from homeport.store import job_facets
from homeport.store.schema import (
    Json,
    Moment,
    Tx,
    all_of,
    as_record,
    changed_each,
    columns_of,
    metadata,
)

table = sa.Table(
    "jobs",
    metadata,
    sa.Column("id", sa.Uuid, primary_key=True),
    sa.Column("workspace_id", sa.Uuid, sa.ForeignKey("workspaces.id"), nullable=False),
    sa.Column("job_ref", sa.String(300), nullable=False),
    # no foreign key: job and version point at each other, and versions are never deleted
    sa.Column("current_version_id", sa.Uuid, nullable=False),
    sa.Column("deployment_module", sa.String(300)),
    sa.Column("archived_at", Moment),
    sa.Column("paused_at", Moment),
    sa.Column("completed_until", Moment),
    sa.Column("has_completed", sa.Boolean, nullable=False),
    sa.Column("refresh_pending", sa.Boolean, nullable=False),
    sa.Column("last_run_number", sa.Integer, nullable=False),
    sa.Column("created_by", sa.Uuid, sa.ForeignKey("organization_members.id"), nullable=False),
    sa.Column("created_at", Moment, nullable=False),
    sa.Column("updated_at", Moment, nullable=False),
    # when the newest run was created: what lists are sorted by
    sa.Column("last_run_at", Moment),
    sa.Column("public_secret", sa.Uuid),
    sa.Column("code_hash", sa.String(64)),
    # a label of host names, so unique in the whole installation
    sa.Column("app_name", sa.String(63)),
    sa.UniqueConstraint("workspace_id", "job_ref"),
    # with what lists leave out, so that they are counted without reading the jobs
    sa.Index("ix_jobs_last_run", "workspace_id", "last_run_at", "archived_at"),
    sa.Index("uq_jobs_public_secret", "public_secret", unique=True),
    sa.Index("uq_jobs_app_name", "app_name", unique=True),
)

versions = sa.Table(
    "job_versions",
    metadata,
    sa.Column("id", sa.Uuid, primary_key=True),
    sa.Column("job_id", sa.Uuid, sa.ForeignKey("jobs.id"), nullable=False),
    sa.Column("version", sa.Integer, nullable=False),
    sa.Column("definition", Json, nullable=False),
    sa.Column("definition_hash", sa.String(64), nullable=False),
    sa.Column("engine_version", sa.Integer, nullable=False),
    sa.Column("deployment_module", sa.String(300)),
    sa.Column("triggers", Json, nullable=False),
    sa.Column("default_trigger", sa.String(300)),
    sa.Column("profile", sa.String(100), nullable=False),
    sa.Column("created_by", sa.Uuid, sa.ForeignKey("organization_members.id"), nullable=False),
    sa.Column("created_at", Moment, nullable=False),
    sa.UniqueConstraint("job_id", "version"),
)


@dataclass(frozen=True)
class JobVersion:
    """What a job does, as of one deploy."""

    id: UUID
    job_id: UUID
    version: int
    definition: dict[str, Any]
    definition_hash: str
    engine_version: int
    deployment_module: str | None
    triggers: list[str]
    """Expanded (run contract §13.3)."""
    default_trigger: str | None
    profile: str
    """The profile a run gets unless the start names another."""
    created_by: UUID
    created_at: datetime

    @property
    def job_type(self) -> str:
        return str(self.definition["entry_point"]["job_type"])

    @property
    def concurrency(self) -> int | None:
        """Runs at once; none means no limit (run contract §10)."""
        limit = self.definition["execute"].get("concurrency", 1)
        return None if limit is None else int(limit)

    @property
    def zone(self) -> str:
        return str(self.definition.get("require", {}).get("timezone") or "UTC")


@dataclass(frozen=True)
class Job:
    id: UUID
    workspace_id: UUID
    job_ref: str
    current_version_id: UUID
    deployment_module: str | None
    archived_at: datetime | None
    paused_at: datetime | None
    completed_until: datetime | None
    """End of the last completed window, where the next one starts; a refresh clears it."""
    has_completed: bool
    """Some run completed; a refresh does not undo that."""
    refresh_pending: bool
    """An upstream was refreshed, and this job has not completed since."""
    last_run_number: int
    created_by: UUID
    created_at: datetime
    updated_at: datetime
    public_secret: UUID | None = None
    """Whoever has it reaches the job's app without signing in."""
    code_hash: str | None = None
    """Content of the code that the latest deploy of the job came with; none when there was none yet."""
    app_name: str | None = None
    """What the address of its app begins with; only of jobs that are or were interactive."""


@dataclass(frozen=True)
class CurrentJob:
    """A job with its current version."""

    job: Job
    version: JobVersion


@dataclass(frozen=True)
class Dependencies:
    """What a refresh needs to know of a job: what it must be fresh to, and what it does with the signal."""

    job_ref: str
    freshness: list[str] | None
    refresh_propagation: str | None


_job_columns = columns_of(Job, table)
_version_columns = columns_of(JobVersion, versions)
_labelled = [c.label(f"job_{c.name}") for c in _job_columns] + [
    c.label(f"version_{c.name}") for c in _version_columns
]
_current = sa.select(*_labelled).join(versions, versions.c.id == table.c.current_version_id)


def _as_current(row: sa.Row[Any]) -> CurrentJob:
    split = len(_job_columns)
    return CurrentJob(Job(*row[:split]), JobVersion(*row[split:]))


def insert(tx: Tx, job: Job, version: JobVersion) -> None:
    tx.execute(table.insert().values(job.__dict__))
    add_version(tx, job, version)


def add_version(tx: Tx, job: Job, version: JobVersion) -> None:
    """A further version; `save` makes it the current one."""
    tx.execute(versions.insert().values(version.__dict__))
    job_facets.write(tx, job.workspace_id, job.id, job.job_ref, version.definition, version.triggers)


def save(tx: Tx, job: Job, **columns: Any) -> None:
    """Write what a deploy changed about a job. The caller holds the workspace's lock."""
    tx.execute(table.update().where(table.c.id == job.id).values(**columns))


def note_code(tx: Tx, ids: Collection[UUID], code_hash: str) -> None:
    """These jobs were deployed with this code."""
    tx.execute(table.update().where(table.c.id.in_(ids)).values(code_hash=code_hash))


def get(tx: Tx, workspace_id: UUID, job_id: UUID) -> CurrentJob | None:
    query = _current.where(table.c.id == job_id, table.c.workspace_id == workspace_id)
    row = tx.execute(query).one_or_none()
    return None if row is None else _as_current(row)


def published(tx: Tx, secret: UUID) -> CurrentJob | None:
    """The job behind a public link."""
    row = tx.execute(_current.where(table.c.public_secret == secret)).one_or_none()
    return None if row is None else _as_current(row)


_among_ids = table.c.id.in_(sa.bindparam("ids", expanding=True))
_some = sa.select(table.c.id).where(_among_ids).order_by(table.c.created_at, table.c.job_ref)
_LOCK = _some.with_for_update(key_share=True)
_LOCK_FREE = _some.with_for_update(key_share=True, skip_locked=True)
_GATED = (
    sa.select(table.c.workspace_id, versions.c.definition["freshness"])
    .join(versions, versions.c.id == table.c.current_version_id)
    .where(_among_ids)
)


def lock(tx: Tx, job_id: UUID) -> CurrentJob:
    """The job as it is, held until the transaction ends: starts of one job are decided one by one."""
    return lock_all(tx, [job_id])[job_id]


def lock_all(tx: Tx, job_ids: Collection[UUID]) -> dict[UUID, CurrentJob]:
    """As `lock`, for several: in one order for all, so that nobody waits in a circle.

    Locked first and read after: in one statement, PostgreSQL would look for the version that a deploy made while
    we waited among those that were there before, and find nothing.
    """
    tx.execute(_LOCK, {"ids": list(job_ids)})
    return {found.job.id: found for found in by_ids(tx, job_ids)}


def lock_free(tx: Tx, job_ids: Collection[UUID]) -> dict[UUID, CurrentJob]:
    """As `lock_all`, for those of these jobs that nobody holds. Waits for none."""
    free = list(tx.execute(_LOCK_FREE, {"ids": list(job_ids)}).scalars())
    return {found.job.id: found for found in by_ids(tx, free)}


def gated_workspaces(tx: Tx, job_ids: Collection[UUID]) -> set[UUID]:
    """The workspaces of those of these jobs that must be fresh to others."""
    return {row[0] for row in tx.execute(_GATED, {"ids": list(job_ids)}) if row[1]}


def all_current(tx: Tx, workspace_id: UUID) -> list[CurrentJob]:
    """Every job of a workspace, archived ones included, oldest first."""
    query = _current.where(table.c.workspace_id == workspace_id).order_by(table.c.created_at, table.c.job_ref)
    return [_as_current(row) for row in tx.execute(query).all()]


_VERSION = sa.select(*_version_columns).where(versions.c.id == sa.bindparam("wanted"))


def version(tx: Tx, version_id: UUID) -> JobVersion:
    return as_record(JobVersion, tx.execute(_VERSION, {"wanted": version_id}).one())


def versions_by_id(tx: Tx, ids: set[UUID]) -> dict[UUID, JobVersion]:
    query = sa.select(*_version_columns).where(versions.c.id.in_(ids))
    return {found.id: found for found in all_of(tx, JobVersion, query)}


_BY_IDS = _current.where(_among_ids).order_by(table.c.created_at, table.c.job_ref)


def by_ids(tx: Tx, ids: Collection[UUID]) -> list[CurrentJob]:
    """These jobs, in the order they came."""
    return [_as_current(row) for row in tx.execute(_BY_IDS, {"ids": list(ids)}).all()]


def by_refs(tx: Tx, workspace_id: UUID, refs: Collection[str]) -> dict[str, CurrentJob]:
    """These jobs of a workspace, by ref; those that are not there are missing."""
    if not refs:
        return {}
    query = _current.where(table.c.workspace_id == workspace_id, table.c.job_ref.in_(refs))
    return {found.job.job_ref: found for found in map(_as_current, tx.execute(query))}


def by_keys(tx: Tx, keys: Collection[tuple[UUID, str]]) -> dict[tuple[UUID, str], CurrentJob]:
    """Jobs by workspace and ref; those that are not there are missing."""
    found: dict[tuple[UUID, str], CurrentJob] = {}
    for workspace_id in {workspace_id for workspace_id, _ in keys}:
        # not one statement for all: SQLite does not look up pairs of values in an index
        refs = [ref for its_workspace, ref in keys if its_workspace == workspace_id]
        found |= {(workspace_id, ref): current for ref, current in by_refs(tx, workspace_id, refs).items()}
    return found


def dependencies(tx: Tx, workspace_id: UUID) -> list[Dependencies]:
    """What the live jobs of a workspace depend on, without the rest of their definitions."""
    names = ("freshness", "refresh_propagation")
    query = (
        sa.select(table.c.job_ref, *(versions.c.definition[name].label(name) for name in names))
        .join(versions, versions.c.id == table.c.current_version_id)
        .where(table.c.workspace_id == workspace_id, table.c.archived_at.is_(None))
        .order_by(table.c.created_at, table.c.job_ref)
    )
    return all_of(tx, Dependencies, query)


_its_number = sa.bindparam("its_number", type_=sa.Integer)
_NOTE_RUN = (
    table.update()
    .where(table.c.id == sa.bindparam("its_job"), table.c.last_run_number == _its_number - 1)
    .values(
        last_run_number=_its_number,
        last_run_at=sa.bindparam("its_start", type_=Moment),
        updated_at=sa.bindparam("its_start", type_=Moment),
    )
)


def note_runs(tx: Tx, numbers: Sequence[tuple[UUID, int, datetime]]) -> bool:
    """New runs, each by its job, its number and when it was made; false when a number was not the next."""
    rows = [{"its_job": job_id, "its_number": number, "its_start": at} for job_id, number, at in numbers]
    return changed_each(tx, _NOTE_RUN, rows)


_until = sa.bindparam("until", type_=Moment)
_COMPLETE = (
    table.update().where(table.c.id == sa.bindparam("of_job")).values(has_completed=True, refresh_pending=False)
)
_COMPLETE_UNTIL = _COMPLETE.values(
    completed_until=sa.case((table.c.completed_until >= _until, table.c.completed_until), else_=_until)
)


def complete(tx: Tx, job_id: UUID, until: datetime | None) -> None:
    """A run completed; `until` is where the next window starts, unless it lies further already."""
    if until is None:
        tx.execute(_COMPLETE, {"of_job": job_id})
    else:
        tx.execute(_COMPLETE_UNTIL, {"of_job": job_id, "until": until})


def forget_completed(tx: Tx, job_ids: Collection[UUID]) -> None:
    """Refreshes begin: the jobs' windows start over (run contract §14.6)."""
    tx.execute(table.update().where(table.c.id.in_(job_ids)).values(completed_until=None))


def cascade_refresh(tx: Tx, workspace_id: UUID, job_refs: Sequence[str]) -> None:
    """A refresh reaches these jobs: what they completed is void, and their next run is a refresh too."""
    tx.execute(
        table.update()
        .where(table.c.workspace_id == workspace_id, table.c.job_ref.in_(job_refs))
        .values(completed_until=None, refresh_pending=True)
    )
