"""Webhooks and what they delivered, declined starts, and the code that each job was last deployed with."""

import sqlalchemy as sa
from alembic import op

from homeport.store.schema import Json, Moment

revision = "0011"
down_revision = "0010"
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.add_column("jobs", sa.Column("code_hash", sa.String(length=64), nullable=True))
    op.create_table(
        "declined_starts",
        sa.Column("id", sa.Uuid(), nullable=False),
        sa.Column("workspace_id", sa.Uuid(), nullable=False),
        sa.Column("job_id", sa.Uuid(), nullable=False),
        sa.Column("trigger", sa.String(length=300), nullable=False),
        sa.Column("previous_run_id", sa.Uuid(), nullable=True),
        sa.Column("at", Moment(), nullable=False),
        sa.Column("status", sa.String(length=40), nullable=False),
        sa.Column("reasons", Json, nullable=False),
        sa.ForeignKeyConstraint(["job_id"], ["jobs.id"], name=op.f("fk_declined_starts_job_id")),
        sa.ForeignKeyConstraint(["previous_run_id"], ["runs.id"], name=op.f("fk_declined_starts_previous_run_id")),
        sa.ForeignKeyConstraint(["workspace_id"], ["workspaces.id"], name=op.f("fk_declined_starts_workspace_id")),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_declined_starts")),
    )
    op.create_index("ix_declined_starts_job", "declined_starts", ["job_id", "at"], unique=False)
    op.create_index("ix_declined_starts_previous", "declined_starts", ["previous_run_id"], unique=False)
    op.create_index("ix_declined_starts_at", "declined_starts", ["at"], unique=False)
    op.create_table(
        "webhooks",
        sa.Column("job_id", sa.Uuid(), nullable=False),
        sa.Column("workspace_id", sa.Uuid(), nullable=False),
        sa.Column("token", sa.String(length=64), nullable=False),
        sa.Column("sealed_secret", sa.LargeBinary(), nullable=False),
        sa.Column("created_at", Moment(), nullable=False),
        sa.Column("issued_at", Moment(), nullable=False),
        sa.Column("issued_by", sa.Uuid(), nullable=False),
        sa.ForeignKeyConstraint(["issued_by"], ["organization_members.id"], name=op.f("fk_webhooks_issued_by")),
        sa.ForeignKeyConstraint(["job_id"], ["jobs.id"], name=op.f("fk_webhooks_job_id")),
        sa.ForeignKeyConstraint(["workspace_id"], ["workspaces.id"], name=op.f("fk_webhooks_workspace_id")),
        sa.PrimaryKeyConstraint("job_id", name=op.f("pk_webhooks")),
        sa.UniqueConstraint("token", name=op.f("uq_webhooks_token")),
    )
    op.create_table(
        "webhook_deliveries",
        sa.Column("run_id", sa.Uuid(), nullable=False),
        sa.Column("job_id", sa.Uuid(), nullable=False),
        sa.Column("key", sa.String(length=64), nullable=True),
        sa.Column("received_at", Moment(), nullable=False),
        sa.Column("size_bytes", sa.Integer(), nullable=False),
        sa.Column("sealed_body", sa.LargeBinary(), nullable=False),
        sa.Column("sealed_headers", sa.LargeBinary(), nullable=False),
        sa.ForeignKeyConstraint(["job_id"], ["jobs.id"], name=op.f("fk_webhook_deliveries_job_id")),
        sa.ForeignKeyConstraint(["run_id"], ["runs.id"], name=op.f("fk_webhook_deliveries_run_id")),
        sa.PrimaryKeyConstraint("run_id", name=op.f("pk_webhook_deliveries")),
        sa.UniqueConstraint("job_id", "key", name=op.f("uq_webhook_deliveries_job_id_key")),
    )
    op.create_index("ix_webhook_deliveries_received", "webhook_deliveries", ["received_at"], unique=False)
