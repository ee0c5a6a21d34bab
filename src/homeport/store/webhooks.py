"""Webhooks of jobs: the token in their address, their secret (sealed), and what was delivered.

A delivery is kept only with the run that it started, under (job, key of the delivery): the second of two finds the
first one's run. One that was declined leaves no row, so that its sender may try again.
"""

from dataclasses import dataclass
from datetime import datetime
from uuid import UUID

import sqlalchemy as sa

from homeport.store.schema import Moment, Tx, columns_of, metadata, one_or_none

table = sa.Table(
    "webhooks",
    metadata,
    sa.Column("job_id", sa.Uuid, sa.ForeignKey("jobs.id"), primary_key=True),
    sa.Column("workspace_id", sa.Uuid, sa.ForeignKey("workspaces.id"), nullable=False),
    sa.Column("token", sa.String(64), nullable=False),
    sa.Column("sealed_secret", sa.LargeBinary, nullable=False),
    sa.Column("created_at", Moment, nullable=False),
    sa.Column("issued_at", Moment, nullable=False),
    sa.Column("issued_by", sa.Uuid, sa.ForeignKey("organization_members.id"), nullable=False),
    sa.UniqueConstraint("token"),
)

deliveries = sa.Table(
    "webhook_deliveries",
    metadata,
    sa.Column("run_id", sa.Uuid, sa.ForeignKey("runs.id"), primary_key=True),
    sa.Column("job_id", sa.Uuid, sa.ForeignKey("jobs.id"), nullable=False),
    # null where the sender gave nothing to tell a repetition by: nulls are no duplicates
    sa.Column("key", sa.String(64)),
    sa.Column("received_at", Moment, nullable=False),
    sa.Column("size_bytes", sa.Integer, nullable=False),
    sa.Column("sealed_body", sa.LargeBinary, nullable=False),
    sa.Column("sealed_headers", sa.LargeBinary, nullable=False),
    sa.UniqueConstraint("job_id", "key"),
    sa.Index("ix_webhook_deliveries_received", "received_at"),
)


@dataclass(frozen=True)
class Webhook:
    job_id: UUID
    workspace_id: UUID
    token: str
    """Names the webhook in its address. Not the proof: that is the signature."""
    sealed_secret: bytes
    created_at: datetime
    issued_at: datetime
    """When the secret that counts was made."""
    issued_by: UUID


@dataclass(frozen=True)
class Delivery:
    run_id: UUID
    job_id: UUID
    key: str | None
    """SHA-256 of what tells this delivery from others; none where nothing does."""
    received_at: datetime
    size_bytes: int
    sealed_body: bytes
    sealed_headers: bytes


_columns = columns_of(Webhook, table)
_delivery_columns = columns_of(Delivery, deliveries)


def of_job(tx: Tx, job_id: UUID) -> Webhook | None:
    return one_or_none(tx, Webhook, sa.select(*_columns).where(table.c.job_id == job_id))


def by_token(tx: Tx, token: str) -> Webhook | None:
    return one_or_none(tx, Webhook, sa.select(*_columns).where(table.c.token == token))


def add(tx: Tx, webhook: Webhook) -> None:
    tx.execute(table.insert().values(**webhook.__dict__))


def replace_secret(tx: Tx, webhook: Webhook) -> None:
    """The address stays; what was signed with the secret before is refused from now on."""
    tx.execute(
        table.update()
        .where(table.c.job_id == webhook.job_id)
        .values(sealed_secret=webhook.sealed_secret, issued_at=webhook.issued_at, issued_by=webhook.issued_by)
    )


def keep(tx: Tx, delivery: Delivery) -> None:
    tx.execute(deliveries.insert().values(**delivery.__dict__))


def delivered(tx: Tx, job_id: UUID, key: str) -> UUID | None:
    """The run that a delivery has started already."""
    query = sa.select(deliveries.c.run_id).where(deliveries.c.job_id == job_id, deliveries.c.key == key)
    return tx.execute(query).scalar_one_or_none()


def of_run(tx: Tx, run_id: UUID) -> Delivery | None:
    query = sa.select(*_delivery_columns).where(deliveries.c.run_id == run_id)
    return one_or_none(tx, Delivery, query)


def delete_before(tx: Tx, before: datetime) -> None:
    tx.execute(deliveries.delete().where(deliveries.c.received_at < before))
