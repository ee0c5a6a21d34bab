"""What dlt inside of a run reports about it: traces, states of schemas, the declared result (wire contract §8.6).

A body is kept as it came, compressed. Once means a unique constraint: a trace is there once per transaction, a
state once per pipeline, a result once per run; of two, the later one stays.
"""

import zlib
from dataclasses import dataclass
from datetime import datetime
from typing import Literal
from uuid import UUID, uuid4

import sqlalchemy as sa

from homeport.store.schema import Moment, Tx, changed, metadata

Kind = Literal["trace", "state", "job_result"]

table = sa.Table(
    "beacon_reports",
    metadata,
    sa.Column("id", sa.Uuid, primary_key=True),
    sa.Column("workspace_id", sa.Uuid, sa.ForeignKey("workspaces.id"), nullable=False),
    sa.Column("run_id", sa.Uuid, sa.ForeignKey("runs.id"), nullable=False),
    sa.Column("kind", sa.String(20), nullable=False),
    # the transaction of a trace, the pipeline of a state, nothing for a result
    sa.Column("subject", sa.String(300), nullable=False),
    sa.Column("body", sa.LargeBinary, nullable=False),
    sa.Column("size_bytes", sa.Integer, nullable=False),
    sa.Column("received_at", Moment, nullable=False),
    sa.Column("updated_at", Moment, nullable=False),
    sa.UniqueConstraint("run_id", "kind", "subject"),
    sa.CheckConstraint("kind IN ('job_result', 'state', 'trace')", name="kind"),
    sa.Index("ix_beacon_reports_workspace", "workspace_id", "updated_at"),
)


@dataclass(frozen=True)
class Report:
    """A report as it came."""

    id: UUID
    body: bytes
    received_at: datetime
    updated_at: datetime


def pack(body: bytes) -> bytes:
    """A body as it is kept. Done before the transaction: others wait for its end."""
    return zlib.compress(body, level=1)


def keep(
    tx: Tx, workspace_id: UUID, run_id: UUID, kind: Kind, subject: str, packed: bytes, size: int, now: datetime
) -> None:
    """Store a report, in place of an earlier one with the same subject. The caller holds the run's lock."""
    body = {"body": packed, "size_bytes": size, "updated_at": now}
    same = (table.c.run_id == run_id, table.c.kind == kind, table.c.subject == subject)
    if changed(tx, table.update().where(*same).values(**body)):
        return
    tx.execute(
        table.insert().values(
            id=uuid4(),
            workspace_id=workspace_id,
            run_id=run_id,
            kind=kind,
            subject=subject,
            received_at=now,
            **body,
        )
    )


def total_bytes(tx: Tx, run_id: UUID) -> int:
    """What a run has reported so far."""
    query = sa.select(sa.func.coalesce(sa.func.sum(table.c.size_bytes), 0)).where(table.c.run_id == run_id)
    return int(tx.execute(query).scalar_one())


def size_of(tx: Tx, run_id: UUID, kind: Kind, subject: str = "") -> int | None:
    """How long a report is; none when there is none."""
    query = sa.select(table.c.size_bytes).where(
        table.c.run_id == run_id, table.c.kind == kind, table.c.subject == subject
    )
    return tx.execute(query).scalar_one_or_none()


def get(tx: Tx, run_id: UUID, kind: Kind, subject: str = "") -> Report | None:
    query = sa.select(table.c.id, table.c.body, table.c.received_at, table.c.updated_at).where(
        table.c.run_id == run_id, table.c.kind == kind, table.c.subject == subject
    )
    row = tx.execute(query).one_or_none()
    return None if row is None else Report(row[0], zlib.decompress(row[1]), row[2], row[3])


def newest_of(tx: Tx, workspace_id: UUID) -> datetime | None:
    """When anything was last reported in a workspace."""
    query = sa.select(sa.func.max(table.c.updated_at, type_=Moment)).where(table.c.workspace_id == workspace_id)
    newest: datetime | None = tx.execute(query).scalar_one()
    return newest
