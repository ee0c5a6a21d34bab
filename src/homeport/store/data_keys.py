"""The data key of each workspace, wrapped: what its configuration and variables are encrypted with.

The store sees only what the master key has made of a data key; `auth/encryption.py` wraps and unwraps.
"""

from dataclasses import dataclass
from datetime import datetime
from uuid import UUID

import sqlalchemy as sa
from sqlalchemy.exc import IntegrityError

from homeport.store.schema import Moment, Tx, all_of, columns_of, metadata, one_or_none

table = sa.Table(
    "data_keys",
    metadata,
    sa.Column("workspace_id", sa.Uuid, sa.ForeignKey("workspaces.id"), primary_key=True),
    sa.Column("wrapped", sa.LargeBinary, nullable=False),
    sa.Column("master_key_id", sa.String(32), nullable=False),
    sa.Column("created_at", Moment, nullable=False),
)


@dataclass(frozen=True)
class DataKey:
    workspace_id: UUID
    wrapped: bytes
    master_key_id: str
    """Fingerprint of the master key that unwraps it."""


_columns = columns_of(DataKey, table)


def get(tx: Tx, workspace_id: UUID) -> DataKey | None:
    return one_or_none(tx, DataKey, sa.select(*_columns).where(table.c.workspace_id == workspace_id))


def add(tx: Tx, key: DataKey, now: datetime) -> DataKey:
    """The workspace's key: this one, or the one that somebody else added first."""
    try:
        with tx.begin_nested():
            tx.execute(table.insert().values(**key.__dict__, created_at=now))
    except IntegrityError:
        found = get(tx, key.workspace_id)
        assert found is not None
        return found
    return key


def master_key_ids(tx: Tx) -> set[str]:
    """Every master key that is needed to read what is stored."""
    return set(tx.execute(sa.select(table.c.master_key_id).distinct()).scalars())


def lock_all(tx: Tx) -> list[DataKey]:
    """Every data key, until the end of the transaction for nobody else to change."""
    return all_of(tx, DataKey, sa.select(*_columns).order_by(table.c.workspace_id).with_for_update())


def rewrap(tx: Tx, key: DataKey) -> None:
    """Keep a data key under another master key."""
    tx.execute(
        table.update()
        .where(table.c.workspace_id == key.workspace_id)
        .values(wrapped=key.wrapped, master_key_id=key.master_key_id)
    )
