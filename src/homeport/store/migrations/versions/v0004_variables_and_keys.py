"""Variables of workspaces, and the data keys that they and configurations are encrypted with."""

import sqlalchemy as sa
from alembic import op

from homeport.store.schema import Moment

revision = "0004"
down_revision = "0003"
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.create_table(
        "data_keys",
        sa.Column("workspace_id", sa.Uuid(), nullable=False),
        sa.Column("wrapped", sa.LargeBinary(), nullable=False),
        sa.Column("master_key_id", sa.String(length=32), nullable=False),
        sa.Column("created_at", Moment(), nullable=False),
        sa.ForeignKeyConstraint(["workspace_id"], ["workspaces.id"], name=op.f("fk_data_keys_workspace_id")),
        sa.PrimaryKeyConstraint("workspace_id", name=op.f("pk_data_keys")),
    )
    op.create_table(
        "variables",
        sa.Column("workspace_id", sa.Uuid(), nullable=False),
        sa.Column("profile", sa.String(length=100), nullable=False),
        sa.Column("name", sa.String(length=200), nullable=False),
        sa.Column("kind", sa.String(length=10), nullable=False),
        sa.Column("sealed", sa.LargeBinary(), nullable=False),
        sa.Column("created_by", sa.Uuid(), nullable=False),
        sa.Column("created_at", Moment(), nullable=False),
        sa.Column("updated_by", sa.Uuid(), nullable=False),
        sa.Column("updated_at", Moment(), nullable=False),
        sa.CheckConstraint("kind IN ('plain', 'secret')", name=op.f("ck_variables_kind")),
        sa.ForeignKeyConstraint(["workspace_id"], ["workspaces.id"], name=op.f("fk_variables_workspace_id")),
        sa.ForeignKeyConstraint(["created_by"], ["organization_members.id"], name=op.f("fk_variables_created_by")),
        sa.ForeignKeyConstraint(["updated_by"], ["organization_members.id"], name=op.f("fk_variables_updated_by")),
        sa.PrimaryKeyConstraint("workspace_id", "profile", "name", name=op.f("pk_variables")),
    )
