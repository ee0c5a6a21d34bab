"""Starts that were declined when no person waited for the answer, and why: follow-ups, by a deploy, by a webhook.

What a person asks for is answered to them, and scheduled moments have a ledger of their own (`ticks`).
"""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from uuid import UUID, uuid4

import sqlalchemy as sa

from homeport.store.schema import Json, Moment, Tx, all_of, columns_of, metadata

STORM = "skipped_storm_guard"
"""The status of a follow-up that a guard against runaway chains held back (`scheduling/follow_ups.py`)."""

table = sa.Table(
    "declined_starts",
    metadata,
    sa.Column("id", sa.Uuid, primary_key=True),
    sa.Column("workspace_id", sa.Uuid, sa.ForeignKey("workspaces.id"), nullable=False),
    sa.Column("job_id", sa.Uuid, sa.ForeignKey("jobs.id"), nullable=False),
    sa.Column("trigger", sa.String(300), nullable=False),
    sa.Column("previous_run_id", sa.Uuid, sa.ForeignKey("runs.id")),
    sa.Column("at", Moment, nullable=False),
    sa.Column("status", sa.String(40), nullable=False),
    sa.Column("reasons", Json, nullable=False),
    sa.Index("ix_declined_starts_job", "job_id", "at"),
    sa.Index("ix_declined_starts_previous", "previous_run_id"),
    sa.Index("ix_declined_starts_at", "at"),
)


@dataclass(frozen=True)
class DeclinedStart:
    id: UUID
    workspace_id: UUID
    job_id: UUID
    """The job that was not started."""
    trigger: str
    previous_run_id: UUID | None
    """The run whose end would have started it."""
    at: datetime
    status: str
    """In the words of `TriggerStatus`, or `STORM`."""
    reasons: list[str]
    """Sentences for people, never empty."""


_columns = columns_of(DeclinedStart, table)


def record(
    tx: Tx,
    workspace_id: UUID,
    job_id: UUID,
    trigger: str,
    status: str,
    reasons: Sequence[str],
    now: datetime,
    previous_run_id: UUID | None = None,
) -> None:
    row = DeclinedStart(uuid4(), workspace_id, job_id, trigger, previous_run_id, now, status, list(reasons))
    tx.execute(table.insert().values(**row.__dict__))


def of_job(tx: Tx, job_id: UUID, limit: int, since: datetime | None = None) -> list[DeclinedStart]:
    """The latest starts of a job that were declined, newest first."""
    query = sa.select(*_columns).where(table.c.job_id == job_id)
    if since is not None:
        query = query.where(table.c.at >= since)
    return all_of(tx, DeclinedStart, query.order_by(table.c.at.desc(), table.c.id).limit(limit))


def after_run(tx: Tx, run_id: UUID, limit: int) -> list[DeclinedStart]:
    """What the end of a run did not start, although a trigger said so."""
    query = sa.select(*_columns).where(table.c.previous_run_id == run_id)
    return all_of(tx, DeclinedStart, query.order_by(table.c.at, table.c.id).limit(limit))


def delete_before(tx: Tx, before: datetime) -> None:
    tx.execute(table.delete().where(table.c.at < before))
