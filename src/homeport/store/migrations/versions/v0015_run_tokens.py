"""Tokens of runs: their hash, with the attempt; and the accounts that runs act as."""

import sqlalchemy as sa
from alembic import op

revision = "0015"
down_revision = "0014"
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.add_column("attempts", sa.Column("token_hash", sa.String(length=64), nullable=True))
    op.create_table(
        "run_accounts",
        sa.Column("workspace_id", sa.Uuid(), nullable=False),
        sa.Column("member_id", sa.Uuid(), nullable=False),
        sa.ForeignKeyConstraint(
            ["member_id"], ["organization_members.id"], name=op.f("fk_run_accounts_member_id")
        ),
        sa.ForeignKeyConstraint(["workspace_id"], ["workspaces.id"], name=op.f("fk_run_accounts_workspace_id")),
        sa.PrimaryKeyConstraint("workspace_id", name=op.f("pk_run_accounts")),
    )
