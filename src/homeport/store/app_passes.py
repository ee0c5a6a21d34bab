"""What lets a member's browser into one app: a one-use code of the main pages, and the session for it.

Neither is good for anything else: an app sees the traffic of its own origin, so what lets somebody in there must
not open another app or the main pages. Both end with the browser session that they came from.
"""

from dataclasses import dataclass
from datetime import datetime
from typing import Literal
from uuid import UUID

import sqlalchemy as sa

from homeport.store.schema import Moment, Tx, changed, columns_of, metadata, one_or_none

Kind = Literal["code", "session"]

table = sa.Table(
    "app_passes",
    metadata,
    sa.Column("hash", sa.String(64), primary_key=True),
    sa.Column("kind", sa.String(10), nullable=False),
    sa.Column("job_id", sa.Uuid, sa.ForeignKey("jobs.id"), nullable=False),
    sa.Column("member_id", sa.Uuid, sa.ForeignKey("organization_members.id"), nullable=False),
    sa.Column("credential_id", sa.Uuid, nullable=False),
    sa.Column("created_at", Moment, nullable=False),
    sa.Column("expires_at", Moment, nullable=False),
    sa.Column("used_at", Moment),
    sa.CheckConstraint("kind IN ('code', 'session')", name="kind"),
    sa.Index("ix_app_passes_expires_at", "expires_at"),
)


@dataclass(frozen=True)
class Pass:
    hash: str
    kind: str
    job_id: UUID
    member_id: UUID
    credential_id: UUID
    """The browser session on the main pages that it hangs on."""
    created_at: datetime
    expires_at: datetime
    used_at: datetime | None = None


_columns = columns_of(Pass, table)


def add(tx: Tx, issued: Pass) -> None:
    tx.execute(table.insert().values(issued.__dict__))


def find(tx: Tx, kind: Kind, hash_: str, job_id: UUID, now: datetime) -> Pass | None:
    """The pass, if it is for this app and good at `now`."""
    query = sa.select(*_columns).where(
        table.c.hash == hash_, table.c.kind == kind, table.c.job_id == job_id, table.c.expires_at > now
    )
    return one_or_none(tx, Pass, query)


def use_up(tx: Tx, hash_: str, job_id: UUID, now: datetime) -> Pass | None:
    """Take a code: of two who try, one gets it."""
    found = find(tx, "code", hash_, job_id, now)
    if found is None:
        return None
    is_fresh = sa.and_(table.c.hash == hash_, table.c.used_at.is_(None))
    return found if changed(tx, table.update().where(is_fresh).values(used_at=now)) else None


def delete_expired(tx: Tx, before: datetime) -> None:
    tx.execute(table.delete().where(table.c.expires_at < before))
