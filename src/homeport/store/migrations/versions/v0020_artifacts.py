"""Artifacts of pipelines are kept: state, schemas and traces, for dashboards and notebooks."""

import sqlalchemy as sa
from alembic import op

from homeport.store.schema import Moment

revision = "0020"
down_revision = "0019"
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.create_table(
        "artifacts",
        sa.Column("workspace_id", sa.Uuid(), nullable=False),
        sa.Column("profile", sa.String(length=100), nullable=False),
        sa.Column("pipeline", sa.String(length=200), nullable=False),
        sa.Column("run_id", sa.Uuid(), nullable=False),
        sa.Column("object", sa.String(length=32), nullable=False),
        sa.Column("sha256", sa.String(length=64), nullable=False),
        sa.Column("size_bytes", sa.BigInteger(), nullable=False),
        sa.Column("written_at", Moment(), nullable=False),
        sa.ForeignKeyConstraint(["run_id"], ["runs.id"], name=op.f("fk_artifacts_run_id")),
        sa.ForeignKeyConstraint(["workspace_id"], ["workspaces.id"], name=op.f("fk_artifacts_workspace_id")),
        sa.PrimaryKeyConstraint("workspace_id", "profile", "pipeline", name=op.f("pk_artifacts")),
    )
    op.create_table(
        "artifact_strays",
        sa.Column("object", sa.String(length=32), nullable=False),
        sa.Column("workspace_id", sa.Uuid(), nullable=False),
        sa.Column("since", Moment(), nullable=False),
        sa.ForeignKeyConstraint(["workspace_id"], ["workspaces.id"], name=op.f("fk_artifact_strays_workspace_id")),
        sa.PrimaryKeyConstraint("object", name=op.f("pk_artifact_strays")),
    )
