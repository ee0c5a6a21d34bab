"""Runs of apps are marked as such: they have places of their own."""

import sqlalchemy as sa
from alembic import op

revision = "0022"
down_revision = "0021"
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.add_column("runs", sa.Column("is_app", sa.Boolean(), nullable=False, server_default=sa.false()))
    op.execute("UPDATE runs SET is_app = true WHERE job_id IN (SELECT id FROM jobs WHERE app_name IS NOT NULL)")
    op.create_index(
        "ix_runs_apps",
        "runs",
        ["status", "created_at"],
        sqlite_where=sa.text("is_app = 1"),
        postgresql_where=sa.text("is_app"),
    )
