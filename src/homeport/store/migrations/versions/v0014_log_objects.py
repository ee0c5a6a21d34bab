"""Logs of runs that are over go to object storage."""

import sqlalchemy as sa
from alembic import op

from homeport.store.schema import Json, Moment

revision = "0014"
down_revision = "0013"
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.create_table(
        "log_objects",
        sa.Column("attempt_id", sa.String(length=52), nullable=False),
        sa.Column("path", sa.String(length=300), nullable=True),
        sa.Column("line_count", sa.BigInteger(), nullable=False),
        sa.Column("size_bytes", sa.BigInteger(), nullable=False),
        sa.Column("frames", Json, nullable=False),
        sa.Column("ended_at", Moment(), nullable=False),
        sa.Column("stored_at", Moment(), nullable=False),
        sa.Column("removed_at", Moment(), nullable=True),
        sa.Column("removed_because", sa.Text(), nullable=True),
        sa.ForeignKeyConstraint(["attempt_id"], ["attempts.id"], name=op.f("fk_log_objects_attempt_id")),
        sa.PrimaryKeyConstraint("attempt_id", name=op.f("pk_log_objects")),
    )
    op.create_index(
        "ix_log_objects_kept",
        "log_objects",
        ["ended_at", "attempt_id", "size_bytes"],
        unique=False,
        sqlite_where=sa.text("removed_at IS NULL"),
        postgresql_where=sa.text("removed_at IS NULL"),
    )
    op.create_index(
        "ix_log_objects_doomed",
        "log_objects",
        ["removed_at"],
        unique=False,
        sqlite_where=sa.text("removed_at IS NOT NULL AND path IS NOT NULL"),
        postgresql_where=sa.text("removed_at IS NOT NULL AND path IS NOT NULL"),
    )
