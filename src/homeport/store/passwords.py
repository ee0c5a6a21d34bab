"""Passwords of people, as argon2id hashes; somebody who never set one has no row."""

from datetime import datetime
from uuid import UUID

import sqlalchemy as sa

from homeport.store.schema import Moment, Tx, changed, metadata

table = sa.Table(
    "passwords",
    metadata,
    sa.Column("user_id", sa.Uuid, sa.ForeignKey("users.id"), primary_key=True),
    sa.Column("hash", sa.String(255), nullable=False),
    sa.Column("changed_at", Moment, nullable=False),
)


def hash_of(tx: Tx, user_id: UUID) -> str | None:
    return tx.execute(sa.select(table.c.hash).where(table.c.user_id == user_id)).scalar_one_or_none()


def put(tx: Tx, user_id: UUID, hash_: str, now: datetime) -> None:
    """The password from now on, whether there was one or not."""
    statement = table.update().where(table.c.user_id == user_id).values(hash=hash_, changed_at=now)
    if not changed(tx, statement):
        tx.execute(table.insert().values(user_id=user_id, hash=hash_, changed_at=now))
