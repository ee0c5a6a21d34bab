"""What fires each live job: its expanded triggers, and for timed ones when they fire next.

An index over the current versions, made anew by deploys. Archived jobs have no rows here: that is all it takes
for them to fire no more.
"""

from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from uuid import UUID

import sqlalchemy as sa

from homeport.store import jobs
from homeport.store.schema import Moment, Tx, all_of, changed_each, columns_of, metadata

table = sa.Table(
    "job_triggers",
    metadata,
    sa.Column("job_id", sa.Uuid, sa.ForeignKey("jobs.id"), primary_key=True),
    sa.Column("trigger", sa.String(300), primary_key=True),
    sa.Column("position", sa.Integer, nullable=False),
    sa.Column("workspace_id", sa.Uuid, sa.ForeignKey("workspaces.id"), nullable=False),
    sa.Column("next_at", Moment),
    sa.Index("ix_job_triggers_trigger", "workspace_id", "trigger"),
    sa.Index("ix_job_triggers_next_at", "next_at"),
)


@dataclass(frozen=True)
class TimedTrigger:
    """A trigger that fires by the clock."""

    job_id: UUID
    trigger: str
    next_at: datetime


_timed_columns = columns_of(TimedTrigger, table)


def replace(tx: Tx, job: jobs.Job, next_at_by_trigger: Mapping[str, datetime | None]) -> None:
    """All triggers of a job, in order; timed ones with the moment they fire next."""
    tx.execute(table.delete().where(table.c.job_id == job.id))
    rows = [
        {
            "job_id": job.id,
            "trigger": trigger,
            "position": position,
            "workspace_id": job.workspace_id,
            "next_at": next_at,
        }
        for position, (trigger, next_at) in enumerate(next_at_by_trigger.items())
    ]
    if rows:
        tx.execute(table.insert(), rows)


def timed_of(tx: Tx, job_id: UUID) -> dict[str, datetime]:
    """The job's timed triggers that will fire, with when."""
    query = sa.select(*_timed_columns).where(table.c.job_id == job_id, table.c.next_at.is_not(None))
    return {found.trigger: found.next_at for found in all_of(tx, TimedTrigger, query)}


def next_at_by_job(tx: Tx, job_ids: Collection[UUID]) -> dict[UUID, datetime]:
    """When each of these jobs fires next by the clock, if ever."""
    query = (
        sa.select(table.c.job_id, sa.func.min(table.c.next_at, type_=Moment))
        .where(table.c.job_id.in_(job_ids), table.c.next_at.is_not(None))
        .group_by(table.c.job_id)
    )
    return {row[0]: row[1] for row in tx.execute(query)}


_FIRED_BY = (
    sa.select(jobs.table.c.id)
    .join(table, table.c.job_id == jobs.table.c.id)
    .where(table.c.workspace_id == sa.bindparam("its_workspace"), table.c.trigger == sa.bindparam("fired"))
    .order_by(jobs.table.c.created_at, jobs.table.c.job_ref)
)


def jobs_fired_by(tx: Tx, workspace_id: UUID, trigger: str) -> list[UUID]:
    """Live jobs that have exactly this trigger, in the order they came."""
    return list(tx.execute(_FIRED_BY, {"its_workspace": workspace_id, "fired": trigger}).scalars())


_DUE = (
    sa.select(*_timed_columns)
    .where(table.c.next_at <= sa.bindparam("now", type_=Moment))
    .order_by(table.c.next_at)
    .limit(sa.bindparam("most", type_=sa.Integer))
)


def due(tx: Tx, now: datetime, limit: int) -> list[TimedTrigger]:
    """Timed triggers whose moment has come, the longest overdue first."""
    return all_of(tx, TimedTrigger, _DUE, now=now, most=limit)


def coming(
    tx: Tx, workspace_id: UUID, before: datetime, limit: int, job_id: UUID | None = None
) -> list[TimedTrigger]:
    """Timed triggers of a workspace that fire next before then, the soonest first."""
    query = sa.select(*_timed_columns).where(table.c.workspace_id == workspace_id, table.c.next_at < before)
    if job_id is not None:
        query = query.where(table.c.job_id == job_id)
    return all_of(tx, TimedTrigger, query.order_by(table.c.next_at, table.c.job_id, table.c.trigger).limit(limit))


_EARLIEST = sa.select(table.c.next_at).where(table.c.next_at.is_not(None)).order_by(table.c.next_at).limit(1)


def earliest(tx: Tx) -> datetime | None:
    """When the next timed trigger of all fires, for a scheduler to sleep until."""
    return tx.execute(_EARLIEST).scalar_one_or_none()


def pause_all(tx: Tx, now: datetime) -> int:
    """The clock starts no job any more until somebody resumes it; how many it would have started."""
    fires = sa.exists().where(table.c.job_id == jobs.table.c.id, table.c.next_at.is_not(None))
    running = jobs.table.update().where(jobs.table.c.paused_at.is_(None), fires)
    return tx.execute(running.values(paused_at=now, updated_at=now)).rowcount


_ADVANCE = (
    table.update()
    .where(
        table.c.job_id == sa.bindparam("of_job"),
        table.c.trigger == sa.bindparam("fired"),
        table.c.next_at == sa.bindparam("due_at", type_=Moment),
    )
    .values(next_at=sa.bindparam("then_at", type_=Moment))
)


def advance(tx: Tx, moves: Sequence[tuple[TimedTrigger, datetime | None]]) -> bool:
    """Move triggers on from the moments they had; false when somebody else moved one of them."""
    rows = [
        {"of_job": fired.job_id, "fired": fired.trigger, "due_at": fired.next_at, "then_at": then}
        for fired, then in moves
    ]
    return changed_each(tx, _ADVANCE, rows)
