"""What dlt inside of runs reports: the reports as they came, and what lists need of traces."""

import sqlalchemy as sa
from alembic import op

from homeport.store.schema import Json, Moment

revision = "0003"
down_revision = "0002"
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.create_table(
        "beacon_reports",
        sa.Column("id", sa.Uuid(), nullable=False),
        sa.Column("workspace_id", sa.Uuid(), nullable=False),
        sa.Column("run_id", sa.Uuid(), nullable=False),
        sa.Column("kind", sa.String(length=20), nullable=False),
        sa.Column("subject", sa.String(length=300), nullable=False),
        sa.Column("body", sa.LargeBinary(), nullable=False),
        sa.Column("size_bytes", sa.Integer(), nullable=False),
        sa.Column("received_at", Moment(), nullable=False),
        sa.Column("updated_at", Moment(), nullable=False),
        sa.CheckConstraint("kind IN ('job_result', 'state', 'trace')", name=op.f("ck_beacon_reports_kind")),
        sa.ForeignKeyConstraint(["run_id"], ["runs.id"], name=op.f("fk_beacon_reports_run_id")),
        sa.ForeignKeyConstraint(["workspace_id"], ["workspaces.id"], name=op.f("fk_beacon_reports_workspace_id")),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_beacon_reports")),
        sa.UniqueConstraint("run_id", "kind", "subject", name=op.f("uq_beacon_reports_run_id_kind_subject")),
    )
    op.create_index("ix_beacon_reports_workspace", "beacon_reports", ["workspace_id", "updated_at"], unique=False)
    op.create_table(
        "pipeline_runs",
        sa.Column("id", sa.Uuid(), nullable=False),
        sa.Column("workspace_id", sa.Uuid(), nullable=False),
        sa.Column("run_id", sa.Uuid(), nullable=False),
        sa.Column("transaction_id", sa.String(length=300), nullable=False),
        sa.Column("pipeline_name", sa.String(length=300), nullable=False),
        sa.Column("status", sa.String(length=20), nullable=False),
        sa.Column("dataset_name", sa.String(length=300), nullable=True),
        sa.Column("destination_name", sa.String(length=300), nullable=True),
        sa.Column("started_at", Moment(), nullable=True),
        sa.Column("finished_at", Moment(), nullable=True),
        sa.Column("duration_ms", sa.BigInteger(), nullable=True),
        sa.Column("total_rows_extracted", sa.BigInteger(), nullable=False),
        sa.Column("total_rows_loaded", sa.BigInteger(), nullable=False),
        sa.Column("total_bytes_extracted", sa.BigInteger(), nullable=False),
        sa.Column("total_bytes_loaded", sa.BigInteger(), nullable=False),
        sa.Column("is_empty_run", sa.Boolean(), nullable=False),
        sa.Column("has_schema_migration", sa.Boolean(), nullable=False),
        sa.Column("details", Json, nullable=False),
        sa.Column("created_at", Moment(), nullable=False),
        sa.Column("updated_at", Moment(), nullable=False),
        sa.CheckConstraint("status IN ('failed', 'succeeded')", name=op.f("ck_pipeline_runs_status")),
        sa.ForeignKeyConstraint(["run_id"], ["runs.id"], name=op.f("fk_pipeline_runs_run_id")),
        sa.ForeignKeyConstraint(["workspace_id"], ["workspaces.id"], name=op.f("fk_pipeline_runs_workspace_id")),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_pipeline_runs")),
        sa.UniqueConstraint("run_id", "transaction_id", name=op.f("uq_pipeline_runs_run_id_transaction_id")),
    )
    op.create_index("ix_pipeline_runs_workspace", "pipeline_runs", ["workspace_id", "started_at"], unique=False)
