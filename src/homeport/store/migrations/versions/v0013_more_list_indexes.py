"""Jobs are counted from an index, and the runs that people started found by one."""

import sqlalchemy as sa
from alembic import op

revision = "0013"
down_revision = "0012"
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.drop_index("ix_jobs_last_run", "jobs")
    op.create_index("ix_jobs_last_run", "jobs", ["workspace_id", "last_run_at", "archived_at"], unique=False)
    op.create_index(
        "ix_runs_by_people",
        "runs",
        ["workspace_id", "created_at", "number", "id"],
        unique=False,
        sqlite_where=sa.text("triggered_by IS NOT NULL"),
        postgresql_where=sa.text("triggered_by IS NOT NULL"),
    )
