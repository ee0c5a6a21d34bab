"""Organizations: who owns workspaces. One is made at the first start."""

from dataclasses import dataclass
from datetime import datetime
from uuid import UUID, uuid4

import sqlalchemy as sa

from homeport.store.schema import Moment, Tx, as_record, columns_of, metadata, one_or_none

table = sa.Table(
    "organizations",
    metadata,
    sa.Column("id", sa.Uuid, primary_key=True),
    sa.Column("name", sa.String(200), nullable=False),
    sa.Column("description", sa.Text),
    sa.Column("created_at", Moment, nullable=False),
    sa.Column("updated_at", Moment, nullable=False),
)


@dataclass(frozen=True)
class Organization:
    id: UUID
    name: str
    description: str | None
    created_at: datetime
    updated_at: datetime


_columns = columns_of(Organization, table)


def create(tx: Tx, name: str, now: datetime) -> Organization:
    organization = Organization(uuid4(), name, None, now, now)
    tx.execute(table.insert().values(organization.__dict__))
    return organization


def get(tx: Tx, organization_id: UUID) -> Organization | None:
    return one_or_none(tx, Organization, sa.select(*_columns).where(table.c.id == organization_id))


def lock(tx: Tx, organization_id: UUID) -> None:
    """Hold the organization until the transaction ends."""
    tx.execute(sa.select(table.c.id).where(table.c.id == organization_id).with_for_update(key_share=True))


def all_ids(tx: Tx) -> list[UUID]:
    return list(tx.execute(sa.select(table.c.id).order_by(table.c.id)).scalars())


def first(tx: Tx) -> Organization | None:
    """The organization that the first start made, if there was one."""
    row = tx.execute(sa.select(*_columns).order_by(table.c.created_at).limit(1)).one_or_none()
    return None if row is None else as_record(Organization, row)
