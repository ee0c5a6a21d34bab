"""Sizes that runs ask for, machines that they take memory of, and what attempts took."""

import sqlalchemy as sa
from alembic import op

revision = "0018"
down_revision = "0017"
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.add_column("runs", sa.Column("instance", sa.String(20)))
    for column in (
        sa.Column("machine", sa.String(64)),
        sa.Column("peak_memory_bytes", sa.BigInteger()),
        sa.Column("cpu_seconds", sa.Float()),
        sa.Column("read_bytes", sa.BigInteger()),
        sa.Column("written_bytes", sa.BigInteger()),
    ):
        op.add_column("attempts", column)
