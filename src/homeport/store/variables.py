"""Environment variables of a workspace's runs, in scopes: the whole workspace, and one for each profile.

Values are stored encrypted, plain ones too; `operations/variables.py` encrypts and decrypts.
"""

from dataclasses import dataclass
from datetime import datetime
from typing import Any
from uuid import UUID

import sqlalchemy as sa

from homeport.store.schema import Moment, Tx, all_of, columns_of, metadata

WORKSPACE_SCOPE = ""
"""Stored as the profile of what holds for all profiles: a NULL would not be unique, nor part of the key."""

table = sa.Table(
    "variables",
    metadata,
    sa.Column("workspace_id", sa.Uuid, sa.ForeignKey("workspaces.id"), primary_key=True),
    sa.Column("profile", sa.String(100), primary_key=True),
    sa.Column("name", sa.String(200), primary_key=True),
    sa.Column("kind", sa.String(10), nullable=False),
    sa.Column("sealed", sa.LargeBinary, nullable=False),
    sa.Column("created_by", sa.Uuid, sa.ForeignKey("organization_members.id"), nullable=False),
    sa.Column("created_at", Moment, nullable=False),
    sa.Column("updated_by", sa.Uuid, sa.ForeignKey("organization_members.id"), nullable=False),
    sa.Column("updated_at", Moment, nullable=False),
    sa.CheckConstraint("kind IN ('plain', 'secret')", name="kind"),
)


@dataclass(frozen=True)
class Variable:
    workspace_id: UUID
    profile: str
    name: str
    kind: str
    sealed: bytes
    created_by: UUID
    """The organization membership."""
    created_at: datetime
    updated_by: UUID
    updated_at: datetime


_columns = columns_of(Variable, table)


def of_workspace(tx: Tx, workspace_id: UUID) -> list[Variable]:
    """Every variable, those of the whole workspace first, then by profile and name."""
    return _where(tx, table.c.workspace_id == workspace_id)


def of_scope(tx: Tx, workspace_id: UUID, profile: str) -> list[Variable]:
    """The variables of one scope, by name."""
    return _where(tx, table.c.workspace_id == workspace_id, table.c.profile == profile)


def of_run(tx: Tx, workspace_id: UUID, profile: str) -> list[Variable]:
    """What a run under a profile gets, the stronger scope last."""
    profiles = table.c.profile.in_([WORKSPACE_SCOPE, profile])
    return _where(tx, table.c.workspace_id == workspace_id, profiles)


def add(tx: Tx, variable: Variable) -> None:
    tx.execute(table.insert().values(**variable.__dict__))


def change(tx: Tx, variable: Variable) -> None:
    """Give a variable another kind and value; who made it, and when, stays."""
    tx.execute(
        table.update()
        .where(_is(variable))
        .values(
            kind=variable.kind,
            sealed=variable.sealed,
            updated_by=variable.updated_by,
            updated_at=variable.updated_at,
        )
    )


def delete(tx: Tx, variable: Variable) -> None:
    tx.execute(table.delete().where(_is(variable)))


def _is(variable: Variable) -> sa.ColumnElement[bool]:
    return sa.and_(
        table.c.workspace_id == variable.workspace_id,
        table.c.profile == variable.profile,
        table.c.name == variable.name,
    )


def _where(tx: Tx, *conditions: sa.ColumnElement[bool]) -> list[Variable]:
    found: list[Variable] = all_of(tx, Variable, sa.select(*_columns).where(*conditions))
    # here and not in SQL: databases sort text by the rules of some language
    return sorted(found, key=_order)


def _order(variable: Variable) -> Any:
    return variable.profile, variable.name
