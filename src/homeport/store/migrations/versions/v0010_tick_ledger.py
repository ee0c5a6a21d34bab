"""The ledger of ticks keeps why: inputs of each decision, ranges of missed moments, ticks that wait."""

import sqlalchemy as sa
from alembic import op

from homeport.store.schema import Json, Moment

revision = "0010"
down_revision = "0008"
branch_labels = None
depends_on = None

_OPEN = sa.text("outcome = 'deferred'")


def upgrade() -> None:
    op.add_column("ticks", sa.Column("workspace_id", sa.Uuid(), nullable=True))
    op.add_column("ticks", sa.Column("last_moment", Moment(), nullable=True))
    op.add_column("ticks", sa.Column("moments", sa.Integer(), nullable=True))
    op.add_column("ticks", sa.Column("inputs", Json, nullable=True))
    op.add_column("ticks", sa.Column("decided_by", sa.String(length=20), nullable=True))
    op.add_column("ticks", sa.Column("first_decided_at", Moment(), nullable=True))
    op.add_column("ticks", sa.Column("look_again_at", Moment(), nullable=True))
    op.execute(
        "UPDATE ticks SET workspace_id = (SELECT jobs.workspace_id FROM jobs WHERE jobs.id = ticks.job_id), "
        "last_moment = moment, moments = 1, inputs = '{}', decided_by = 'clock', first_decided_at = decided_at"
    )
    with op.batch_alter_table("ticks") as batch:
        batch.alter_column("workspace_id", existing_type=sa.Uuid(), nullable=False)
        batch.alter_column("last_moment", existing_type=Moment(), nullable=False)
        batch.alter_column("inputs", existing_type=Json, nullable=False)
        batch.alter_column("decided_by", existing_type=sa.String(length=20), nullable=False)
        batch.alter_column("first_decided_at", existing_type=Moment(), nullable=False)
        batch.create_foreign_key(op.f("fk_ticks_workspace_id"), "workspaces", ["workspace_id"], ["id"])
        batch.create_check_constraint(op.f("ck_ticks_range"), "last_moment >= moment")
    op.create_index(
        "uq_ticks_open",
        "ticks",
        ["workspace_id", "job_id", "trigger"],
        unique=True,
        postgresql_where=_OPEN,
        sqlite_where=_OPEN,
    )
    op.create_index("ix_ticks_look_again", "ticks", ["look_again_at"])
    op.create_index("ix_ticks_workspace", "ticks", ["workspace_id", "last_moment", "job_id", "trigger"])
    op.create_index("ix_ticks_outcome", "ticks", ["workspace_id", "outcome", "last_moment", "job_id", "trigger"])
    op.create_index("ix_ticks_job", "ticks", ["job_id", "last_moment", "trigger"])
