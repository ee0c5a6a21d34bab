"""People and service accounts, and their membership in an organization.

A *membership id* is what `created_by` and `triggered_by` carry over the API, not the user id.
"""

from dataclasses import dataclass
from datetime import datetime
from uuid import UUID, uuid4

import sqlalchemy as sa

from homeport.store.schema import Moment, Tx, all_of, metadata, one_or_none

users = sa.Table(
    "users",
    metadata,
    sa.Column("id", sa.Uuid, primary_key=True),
    sa.Column("email", sa.String(320), nullable=False, unique=True),
    sa.Column("name", sa.String(200)),
    sa.Column("created_at", Moment, nullable=False),
)

members = sa.Table(
    "organization_members",
    metadata,
    sa.Column("id", sa.Uuid, primary_key=True),
    sa.Column("organization_id", sa.Uuid, sa.ForeignKey("organizations.id"), nullable=False),
    sa.Column("user_id", sa.Uuid, sa.ForeignKey("users.id"), nullable=False),
    sa.Column("role", sa.String(20), nullable=False),
    sa.Column("created_at", Moment, nullable=False),
    sa.UniqueConstraint("organization_id", "user_id"),
    sa.CheckConstraint("role IN ('owner', 'member', 'collaborator')", name="role"),
)


@dataclass(frozen=True)
class Member:
    """A person in an organization."""

    id: UUID
    """The membership's id."""
    organization_id: UUID
    user_id: UUID
    role: str
    email: str
    name: str | None


_joined = members.join(users, members.c.user_id == users.c.id)
_columns = [
    members.c.id,
    members.c.organization_id,
    members.c.user_id,
    members.c.role,
    users.c.email,
    users.c.name,
]


def create_member(tx: Tx, organization_id: UUID, email: str, role: str, now: datetime) -> Member:
    """A new person in an organization."""
    user_id, member_id = uuid4(), uuid4()
    tx.execute(users.insert().values(id=user_id, email=email, name=None, created_at=now))
    tx.execute(
        members.insert().values(
            id=member_id, organization_id=organization_id, user_id=user_id, role=role, created_at=now
        )
    )
    return Member(member_id, organization_id, user_id, role, email, None)


def member(tx: Tx, member_id: UUID) -> Member | None:
    query = sa.select(*_columns).select_from(_joined).where(members.c.id == member_id)
    return one_or_none(tx, Member, query)


def memberships_of(tx: Tx, user_id: UUID) -> list[Member]:
    """Every organization that a person belongs to, oldest first."""
    query = (
        sa.select(*_columns)
        .select_from(_joined)
        .where(members.c.user_id == user_id)
        .order_by(members.c.created_at)
    )
    return all_of(tx, Member, query)


def names_of(tx: Tx, member_ids: set[UUID]) -> dict[UUID, str]:
    """Membership id to name or e-mail, for pages."""
    query = sa.select(*_columns).select_from(_joined).where(members.c.id.in_(member_ids))
    return {found.id: found.name or found.email for found in all_of(tx, Member, query)}


def first_owner(tx: Tx, organization_id: UUID) -> Member:
    """Who the organization began with."""
    query = (
        sa.select(*_columns)
        .select_from(_joined)
        .where(members.c.organization_id == organization_id, members.c.role == "owner")
        .order_by(members.c.created_at)
        .limit(1)
    )
    return all_of(tx, Member, query)[0]
