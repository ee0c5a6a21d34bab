"""What the local data of workspaces takes on each node, as of the last look there."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from uuid import UUID

import sqlalchemy as sa

from homeport.store import workspaces
from homeport.store.schema import Moment, Tx, all_of, columns_of, metadata

table = sa.Table(
    "storage_sizes",
    metadata,
    sa.Column("workspace_id", sa.Uuid, sa.ForeignKey("workspaces.id"), primary_key=True),
    sa.Column("profile", sa.String(100), primary_key=True),
    sa.Column("node", sa.String(64), primary_key=True),
    sa.Column("host", sa.String(200), nullable=False),
    sa.Column("size_bytes", sa.BigInteger, nullable=False),
    sa.Column("file_count", sa.BigInteger, nullable=False),
    sa.Column("measured_at", Moment, nullable=False),
    sa.Index("ix_storage_sizes_node", "node"),
)


@dataclass(frozen=True)
class StorageSize:
    workspace_id: UUID
    profile: str
    node: str
    host: str
    """The name of the node's machine, for people."""
    size_bytes: int
    file_count: int
    measured_at: datetime
    """When the look began."""


_columns = columns_of(StorageSize, table)


def replace(tx: Tx, node: str, found: Sequence[StorageSize]) -> None:
    """All that is on a node; what was known of it before is void. Workspaces that we do not have are left out."""
    tx.execute(table.delete().where(table.c.node == node))
    asked = sa.select(workspaces.table.c.id).where(
        workspaces.table.c.id.in_({size.workspace_id for size in found})
    )
    known = set(tx.execute(asked).scalars())
    rows = [size.__dict__ for size in found if size.workspace_id in known]
    if rows:
        tx.execute(table.insert(), rows)


def of_workspace(tx: Tx, workspace_id: UUID) -> list[StorageSize]:
    """On all nodes, by profile."""
    query = sa.select(*_columns).where(table.c.workspace_id == workspace_id)
    return all_of(tx, StorageSize, query.order_by(table.c.profile, table.c.host, table.c.node))
