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
    sa.UniqueConstraint("workspace_id", "job_ref"),
    # with what lists leave out, so that they are counted without reading the jobs
    sa.Index("ix_jobs_last_run", "workspace_id", "last_run_at", "archived_at"),
    sa.Index("uq_jobs_public_secret", "public_secret", unique=True),
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


@dataclass(frozen=True)
class CurrentJob:
    """A job with its current version."""

    job: Job
    version: JobVersion


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


def lock(tx: Tx, job_id: UUID) -> CurrentJob:
    """The job as it is, held until the transaction ends: starts of one job are decided one by one.

    Locked first and read after: in one statement, PostgreSQL would look for the version that a deploy made while
    we waited among those that were there before, and find nothing.
    """
    tx.execute(sa.select(table.c.id).where(table.c.id == job_id).with_for_update(key_share=True))
    return _as_current(tx.execute(_current.where(table.c.id == job_id)).one())


def lock_free(tx: Tx, job_ids: Collection[UUID]) -> set[UUID]:
    """Hold those of these jobs that nobody holds, until the transaction ends. Waits for none."""
    query = sa.select(table.c.id).where(table.c.id.in_(job_ids)).order_by(table.c.id)
    return set(tx.execute(query.with_for_update(key_share=True, skip_locked=True)).scalars())


def all_current(tx: Tx, workspace_id: UUID) -> list[CurrentJob]:
    """Every job of a workspace, archived ones included, oldest first."""
    query = _current.where(table.c.workspace_id == workspace_id).order_by(table.c.created_at, table.c.job_ref)
    return [_as_current(row) for row in tx.execute(query)]


def version(tx: Tx, version_id: UUID) -> JobVersion:
    row = tx.execute(sa.select(*_version_columns).where(versions.c.id == version_id)).one()
    return as_record(JobVersion, row)


def versions_by_id(tx: Tx, ids: set[UUID]) -> dict[UUID, JobVersion]:
    query = sa.select(*_version_columns).where(versions.c.id.in_(ids))
    return {found.id: found for found in all_of(tx, JobVersion, query)}


def by_ids(tx: Tx, ids: Collection[UUID]) -> list[CurrentJob]:
    """These jobs, in the order they came."""
    query = _current.where(table.c.id.in_(ids)).order_by(table.c.created_at, table.c.job_ref)
    return [_as_current(row) for row in tx.execute(query)]


def by_refs(tx: Tx, workspace_id: UUID, refs: Collection[str]) -> dict[str, CurrentJob]:
    """These jobs of a workspace, by ref; those that are not there are missing."""
    if not refs:
        return {}
    query = _current.where(table.c.workspace_id == workspace_id, table.c.job_ref.in_(refs))
    return {found.job.job_ref: found for found in map(_as_current, tx.execute(query))}


def next_number(tx: Tx, job_id: UUID, now: datetime) -> int:
    """The number of the job's next run."""
    statement = (
        table.update()
        .where(table.c.id == job_id)
        .values(last_run_number=table.c.last_run_number + 1, last_run_at=now, updated_at=now)
        .returning(table.c.last_run_number)
    )
    return int(tx.execute(statement).scalar_one())


def complete(tx: Tx, job_id: UUID, until: datetime | None) -> None:
    """A run completed; `until` is where the next window starts, unless it lies further already."""
    tx.execute(table.update().where(table.c.id == job_id).values(has_completed=True, refresh_pending=False))
    if until is not None:
        tx.execute(
            table.update()
            .where(
                table.c.id == job_id,
                sa.or_(table.c.completed_until.is_(None), table.c.completed_until < until),
            )
            .values(completed_until=until)
        )


def forget_completed(tx: Tx, job_id: UUID) -> None:
    """A refresh begins: the job's windows start over (run contract §14.6)."""
    tx.execute(table.update().where(table.c.id == job_id).values(completed_until=None))


def cascade_refresh(tx: Tx, workspace_id: UUID, job_refs: Sequence[str]) -> None:
    """A refresh reaches these jobs: what they completed is void, and their next run is a refresh too."""
    tx.execute(
        table.update()
        .where(table.c.workspace_id == workspace_id, table.c.job_ref.in_(job_refs))
        .values(completed_until=None, refresh_pending=True)
    )
