"""Accounts at identity providers, and whether somebody trustworthy says that an e-mail address is its person's."""

import sqlalchemy as sa
from alembic import op

from homeport.store.schema import Moment

revision = "0008"
down_revision = "0007"
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.create_table(
        "external_identities",
        sa.Column("issuer", sa.String(length=400), nullable=False),
        sa.Column("subject", sa.String(length=255), nullable=False),
        sa.Column("user_id", sa.Uuid(), nullable=False),
        sa.Column("created_at", Moment(), nullable=False),
        sa.ForeignKeyConstraint(["user_id"], ["users.id"], name=op.f("fk_external_identities_user_id")),
        sa.PrimaryKeyConstraint("issuer", "subject", name=op.f("pk_external_identities")),
    )
    op.create_index("ix_external_identities_user_id", "external_identities", ["user_id"])
    # of the people who are there nobody knows whether they typed the address of somebody else
    op.add_column("users", sa.Column("email_is_proven", sa.Boolean(), nullable=False, server_default=sa.false()))
