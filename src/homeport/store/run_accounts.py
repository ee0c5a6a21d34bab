"""Whom runs of a workspace act as: a service account of the workspace, without a key and without a role there."""

from datetime import datetime
from uuid import UUID, uuid4

import sqlalchemy as sa
from sqlalchemy.exc import IntegrityError

from homeport.store import people
from homeport.store.people import Member
from homeport.store.schema import Tx, metadata

table = sa.Table(
    "run_accounts",
    metadata,
    sa.Column("workspace_id", sa.Uuid, sa.ForeignKey("workspaces.id"), primary_key=True),
    sa.Column("member_id", sa.Uuid, sa.ForeignKey("organization_members.id"), nullable=False),
)

NAME = "a run"


def of_workspace(tx: Tx, workspace_id: UUID) -> Member | None:
    """None before the workspace's first run."""
    query = sa.select(table.c.member_id).where(table.c.workspace_id == workspace_id)
    member_id = tx.execute(query).scalar_one_or_none()
    return None if member_id is None else people.member(tx, member_id)


def ensure(tx: Tx, workspace_id: UUID, organization_id: UUID, now: datetime) -> Member:
    """The account, made when the first run needs it; of two who make it at once, the second gets the first's."""
    found = of_workspace(tx, workspace_id)
    if found is not None:
        return found
    try:
        with tx.begin_nested():
            # nobody can have taken this address before
            email = f"runs-{uuid4().hex}@service-account.invalid"
            user = people.create_user(tx, email, NAME, now, kind="service_account")
            member = people.join(tx, user, organization_id, "collaborator", now)
            tx.execute(table.insert().values(workspace_id=workspace_id, member_id=member.id))
    except IntegrityError:
        other = of_workspace(tx, workspace_id)
        assert other is not None
        return other
    return member
