"""What the local data of workspaces takes on each node."""

import sqlalchemy as sa
from alembic import op

from homeport.store.schema import Moment

revision = "0021"
down_revision = "0020"
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.create_table(
        "storage_sizes",
        sa.Column("workspace_id", sa.Uuid(), nullable=False),
        sa.Column("profile", sa.String(length=100), nullable=False),
        sa.Column("node", sa.String(length=64), nullable=False),
        sa.Column("host", sa.String(length=200), nullable=False),
        sa.Column("size_bytes", sa.BigInteger(), nullable=False),
        sa.Column("file_count", sa.BigInteger(), nullable=False),
        sa.Column("measured_at", Moment(), nullable=False),
        sa.ForeignKeyConstraint(["workspace_id"], ["workspaces.id"], name=op.f("fk_storage_sizes_workspace_id")),
        sa.PrimaryKeyConstraint("workspace_id", "profile", "node", name=op.f("pk_storage_sizes")),
    )
    op.create_index("ix_storage_sizes_node", "storage_sizes", ["node"], unique=False)
