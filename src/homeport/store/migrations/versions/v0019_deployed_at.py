"""When a workspace was deployed last: its environments are built from then on, and failed builds tried again."""

import sqlalchemy as sa
from alembic import op

from homeport.store.schema import Moment

revision = "0019"
down_revision = "0018"
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.add_column("workspaces", sa.Column("deployed_at", Moment(), nullable=True))
