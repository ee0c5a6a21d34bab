"""Invitations into an organization, and one of its workspaces if they say so. A link is good for one person."""

from dataclasses import dataclass
from datetime import datetime
from uuid import UUID

import sqlalchemy as sa

from homeport.store.schema import Moment, Tx, all_of, changed, columns_of, metadata, one_or_none

table = sa.Table(
    "invitations",
    metadata,
    sa.Column("id", sa.Uuid, primary_key=True),
    sa.Column("hash", sa.String(64), nullable=False, unique=True),
    sa.Column("organization_id", sa.Uuid, sa.ForeignKey("organizations.id"), nullable=False),
    sa.Column("email", sa.String(320)),
    sa.Column("role", sa.String(20), nullable=False),
    sa.Column("workspace_id", sa.Uuid, sa.ForeignKey("workspaces.id")),
    sa.Column("workspace_role", sa.String(20)),
    sa.Column("created_by", sa.Uuid, sa.ForeignKey("organization_members.id"), nullable=False),
    sa.Column("created_at", Moment, nullable=False),
    sa.Column("expires_at", Moment, nullable=False),
    sa.Column("used_at", Moment),
    sa.Column("revoked_at", Moment),
    sa.CheckConstraint("role IN ('owner', 'member', 'collaborator')", name="role"),
    sa.CheckConstraint("(workspace_id IS NULL) = (workspace_role IS NULL)", name="workspace"),
    sa.CheckConstraint(
        "workspace_role IS NULL OR workspace_role IN ('owner', 'developer', 'viewer')", name="workspace_role"
    ),
    sa.Index("ix_invitations_organization", "organization_id"),
)


@dataclass(frozen=True)
class Invitation:
    id: UUID
    organization_id: UUID
    email: str | None
    """Whom it is for; whoever has the link, if none."""
    role: str
    """In the organization."""
    workspace_id: UUID | None
    workspace_role: str | None
    created_by: UUID
    created_at: datetime
    expires_at: datetime


_columns = columns_of(Invitation, table)


def add(tx: Tx, invitation: Invitation, hash_: str) -> None:
    tx.execute(table.insert().values(**invitation.__dict__, hash=hash_))


def find(tx: Tx, hash_: str, now: datetime) -> Invitation | None:
    """The invitation behind a link, if it can still be taken up."""
    return one_or_none(tx, Invitation, sa.select(*_columns).where(table.c.hash == hash_, *_is_open(now)))


def open_ones(tx: Tx, organization_id: UUID, now: datetime) -> list[Invitation]:
    query = (
        sa.select(*_columns)
        .where(table.c.organization_id == organization_id, *_is_open(now))
        .order_by(table.c.created_at, table.c.id)
    )
    return all_of(tx, Invitation, query)


def open_for(tx: Tx, email: str, now: datetime) -> list[Invitation]:
    """Every open invitation that names an address; by organization, so that all lock them in one order."""
    query = (
        sa.select(*_columns)
        .where(table.c.email == email, *_is_open(now))
        .order_by(table.c.organization_id, table.c.created_at, table.c.id)
    )
    return all_of(tx, Invitation, query)


def use_up(tx: Tx, invitation_id: UUID, now: datetime) -> bool:
    """Whether it was there to be taken up: of two who try, one gets in by it."""
    return changed(tx, table.update().where(table.c.id == invitation_id, *_is_open(now)).values(used_at=now))


def revoke(tx: Tx, organization_id: UUID, invitation_id: UUID, now: datetime) -> bool:
    is_it = (table.c.id == invitation_id, table.c.organization_id == organization_id)
    return changed(tx, table.update().where(*is_it, *_is_open(now)).values(revoked_at=now))


def _is_open(now: datetime) -> tuple[sa.ColumnElement[bool], ...]:
    return table.c.used_at.is_(None), table.c.revoked_at.is_(None), table.c.expires_at > now
