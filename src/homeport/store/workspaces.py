"""Workspaces and who may use them."""

from collections.abc import Collection
from contextlib import suppress
from dataclasses import dataclass
from datetime import datetime
from typing import Any
from uuid import UUID, uuid4

import sqlalchemy as sa

from homeport.store import people
from homeport.store.schema import Moment, Tx, all_of, changed, columns_of, count_up_to, metadata, one_or_none

table = sa.Table(
    "workspaces",
    metadata,
    sa.Column("id", sa.Uuid, primary_key=True),
    sa.Column("organization_id", sa.Uuid, sa.ForeignKey("organizations.id"), nullable=False),
    sa.Column("name", sa.String(200), nullable=False),
    sa.Column("description", sa.Text),
    sa.Column("archived_at", Moment),
    sa.Column("created_at", Moment, nullable=False),
    sa.Column("updated_at", Moment, nullable=False),
    sa.Column("default_access", sa.String(20), nullable=False, server_default="restricted"),
    sa.Column("is_playground", sa.Boolean, nullable=False, server_default=sa.false()),
    # environments are built from then on
    sa.Column("deployed_at", Moment),
    sa.CheckConstraint("default_access IN ('restricted', 'viewer', 'developer')", name="default_access"),
    sa.Index("ix_workspaces_organization", "organization_id", "created_at"),
)

members = sa.Table(
    "workspace_members",
    metadata,
    sa.Column("id", sa.Uuid, primary_key=True),
    sa.Column("workspace_id", sa.Uuid, sa.ForeignKey("workspaces.id"), nullable=False),
    sa.Column("member_id", sa.Uuid, sa.ForeignKey("organization_members.id"), nullable=False),
    sa.Column("role", sa.String(20), nullable=False),
    sa.Column("created_at", Moment, nullable=False),
    sa.UniqueConstraint("workspace_id", "member_id"),
    sa.CheckConstraint("role IN ('owner', 'developer', 'viewer')", name="role"),
)


@dataclass(frozen=True)
class Workspace:
    id: UUID
    organization_id: UUID
    name: str
    description: str | None
    archived_at: datetime | None
    created_at: datetime
    updated_at: datetime
    default_access: str = "restricted"
    """What members of the organization may do here without being members of the workspace."""
    is_playground: bool = False
    """A person's own, made when they first came."""
    deployed_at: datetime | None = None
    """The last deploy that was no dry run."""


@dataclass(frozen=True)
class WorkspaceMember:
    """A person in a workspace."""

    id: UUID
    workspace_id: UUID
    member_id: UUID
    """The organization membership."""
    role: str
    user_id: UUID
    email: str
    name: str | None
    kind: str
    """human or service_account."""
    created_at: datetime


_columns = columns_of(Workspace, table)
_member_columns = [
    members.c.id,
    members.c.workspace_id,
    members.c.member_id,
    members.c.role,
    people.members.c.user_id,
    people.users.c.email,
    people.users.c.name,
    people.users.c.kind,
    members.c.created_at,
]
_member_tables = members.join(people.members, members.c.member_id == people.members.c.id).join(
    people.users, people.members.c.user_id == people.users.c.id
)


def create(
    tx: Tx,
    organization_id: UUID,
    name: str,
    description: str | None,
    owner_id: UUID,
    now: datetime,
    *,
    is_playground: bool = False,
) -> Workspace:
    """A new workspace and its owner (an organization membership)."""
    workspace = Workspace(uuid4(), organization_id, name, description, None, now, now, is_playground=is_playground)
    tx.execute(table.insert().values(workspace.__dict__))
    tx.execute(
        members.insert().values(
            id=uuid4(), workspace_id=workspace.id, member_id=owner_id, role="owner", created_at=now
        )
    )
    return workspace


def get(tx: Tx, workspace_id: UUID) -> Workspace | None:
    return one_or_none(tx, Workspace, sa.select(*_columns).where(table.c.id == workspace_id))


_LIVE = sa.select(table.c.id).where(
    table.c.id.in_(sa.bindparam("ids", expanding=True)), table.c.archived_at.is_(None)
)


def live(tx: Tx, workspace_ids: Collection[UUID]) -> set[UUID]:
    """Those of these that are not archived."""
    return set(tx.execute(_LIVE, {"ids": list(workspace_ids)}).scalars())


def all_live(tx: Tx) -> list[Workspace]:
    """All that are not archived, oldest first."""
    query = sa.select(*_columns).where(table.c.archived_at.is_(None)).order_by(table.c.created_at)
    return all_of(tx, Workspace, query)


def named(tx: Tx, name: str) -> list[Workspace]:
    """Live workspaces of this name or id, oldest first: names need not be unique."""
    is_it = table.c.name == name
    with suppress(ValueError):
        is_it = sa.or_(is_it, table.c.id == UUID(name))
    query = sa.select(*_columns).where(is_it, table.c.archived_at.is_(None)).order_by(table.c.created_at)
    return all_of(tx, Workspace, query)


_LOCK = sa.select(table.c.id).where(table.c.id == sa.bindparam("wanted")).with_for_update(key_share=True)


def lock(tx: Tx, workspace_id: UUID) -> None:
    """Whoever gives out a version or deploys waits here for others (SQLite: for any writer).

    The key stays shared: rows that only name the workspace, such as new runs, are inserted meanwhile. Waiting for
    them too, PostgreSQL finds deadlocks between deploys and starts.
    """
    tx.execute(_LOCK, {"wanted": workspace_id})


def change(tx: Tx, workspace_id: UUID, now: datetime, **columns: Any) -> None:
    tx.execute(table.update().where(table.c.id == workspace_id).values(**columns, updated_at=now))


def describe(tx: Tx, workspace_id: UUID, description: str | None, now: datetime) -> None:
    tx.execute(table.update().where(table.c.id == workspace_id).values(description=description, updated_at=now))


def note_deploy(tx: Tx, workspace_id: UUID, now: datetime) -> None:
    tx.execute(table.update().where(table.c.id == workspace_id).values(deployed_at=now))


def deployed_since(tx: Tx, since: datetime) -> dict[UUID, datetime]:
    """Live workspaces that were deployed since, and when they were last."""
    query = (
        sa.select(table.c.id, table.c.deployed_at)
        .where(table.c.deployed_at >= since, table.c.archived_at.is_(None))
        .order_by(table.c.deployed_at, table.c.id)
    )
    return {row[0]: row[1] for row in tx.execute(query)}


def of_organization(
    tx: Tx, organization_id: UUID, *, include_archived: bool, limit: int, offset: int, cap: int
) -> tuple[list[Workspace], int]:
    """A page of workspaces, oldest first, and how many there are up to `cap`."""
    query = sa.select(*_columns).where(table.c.organization_id == organization_id)
    if not include_archived:
        query = query.where(table.c.archived_at.is_(None))
    page = query.order_by(table.c.created_at, table.c.id).limit(limit).offset(offset)
    return all_of(tx, Workspace, page), count_up_to(tx, query, cap)


def used_by(tx: Tx, member_id: UUID) -> list[tuple[Workspace, str]]:
    """Every live workspace that a member may use, with the role, oldest first."""
    query = (
        sa.select(*_columns, members.c.role)
        .join(members, members.c.workspace_id == table.c.id)
        .where(members.c.member_id == member_id, table.c.archived_at.is_(None))
        .order_by(table.c.created_at, table.c.id)
    )
    return [(Workspace(*row[:-1]), row[-1]) for row in tx.execute(query)]


def members_of(tx: Tx, workspace_id: UUID) -> list[WorkspaceMember]:
    """Everybody in a workspace, oldest membership first."""
    query = (
        sa.select(*_member_columns)
        .select_from(_member_tables)
        .where(members.c.workspace_id == workspace_id)
        .order_by(members.c.created_at, members.c.id)
    )
    return all_of(tx, WorkspaceMember, query)


def membership(tx: Tx, workspace_id: UUID, member_id: UUID) -> WorkspaceMember | None:
    query = (
        sa.select(*_member_columns)
        .select_from(_member_tables)
        .where(members.c.workspace_id == workspace_id, members.c.member_id == member_id)
    )
    return one_or_none(tx, WorkspaceMember, query)


def set_member(tx: Tx, workspace_id: UUID, member_id: UUID, role: str, now: datetime) -> None:
    """Give a member of the organization this role in the workspace, whether they had one or not."""
    is_it = sa.and_(members.c.workspace_id == workspace_id, members.c.member_id == member_id)
    if not changed(tx, members.update().where(is_it).values(role=role)):
        row = {"id": uuid4(), "workspace_id": workspace_id, "member_id": member_id, "role": role}
        tx.execute(members.insert().values(**row, created_at=now))


def remove_member(tx: Tx, workspace_id: UUID, member_id: UUID) -> bool:
    is_it = sa.and_(members.c.workspace_id == workspace_id, members.c.member_id == member_id)
    return changed(tx, members.delete().where(is_it))


def remove_from_all(tx: Tx, member_id: UUID) -> None:
    """Take somebody out of every workspace of their organization."""
    tx.execute(members.delete().where(members.c.member_id == member_id))


def bound_to(tx: Tx, member_id: UUID) -> UUID | None:
    """The workspace that a service account belongs to; none once its key is revoked."""
    query = sa.select(members.c.workspace_id).where(members.c.member_id == member_id)
    return tx.execute(query).scalar_one_or_none()


def set_default_access(tx: Tx, workspace_id: UUID, access: str, now: datetime) -> None:
    values = {"default_access": access, "updated_at": now}
    tx.execute(table.update().where(table.c.id == workspace_id).values(values))
