"""Public links of apps."""

import sqlalchemy as sa
from alembic import op

revision = "0007"
down_revision = "0006"
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.add_column("jobs", sa.Column("public_secret", sa.Uuid(), nullable=True))
    op.create_index("uq_jobs_public_secret", "jobs", ["public_secret"], unique=True)
