"""Retries: why each attempt ended, when the next one may begin; and one load of a pipeline at a time."""

import sqlalchemy as sa
from alembic import op

from homeport.store.schema import Json, Moment

revision = "0012"
down_revision = "0011"
branch_labels = None
depends_on = None

_HOLDS_LOAD_LOCK = "load_lock IS NOT NULL AND status IN ('cancelling', 'running', 'starting')"


def upgrade() -> None:
    for column in (
        sa.Column("started_at", Moment()),
        sa.Column("end_cause", sa.String(20)),
        sa.Column("end_detail", sa.Text()),
        sa.Column("exit_code", sa.Integer()),
    ):
        op.add_column("attempts", column)
    for column in (
        sa.Column("not_before", Moment()),
        sa.Column("load_lock", sa.String(300)),
        sa.Column("waits_for", sa.Text()),
    ):
        op.add_column("runs", column)
    op.add_column("packages", sa.Column("job_settings", Json))
    op.create_index(
        "uq_runs_load_lock",
        "runs",
        ["workspace_id", "profile", "load_lock"],
        unique=True,
        sqlite_where=sa.text(_HOLDS_LOAD_LOCK),
        postgresql_where=sa.text(_HOLDS_LOAD_LOCK),
    )
