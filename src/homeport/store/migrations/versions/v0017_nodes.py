"""The node that an attempt was placed on: engines of other nodes cannot tell whether it lives."""

import sqlalchemy as sa
from alembic import op

revision = "0017"
down_revision = "0016"
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.add_column("attempts", sa.Column("node", sa.String(length=64), nullable=True))
