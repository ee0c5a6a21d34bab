"""Apps: names for their addresses, who is let in, when they were used, and the terms of public links."""

import json
import re

import sqlalchemy as sa
from alembic import op

from homeport.store.schema import Moment

revision = "0016"
down_revision = "0015"
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.add_column("jobs", sa.Column("app_name", sa.String(length=63), nullable=True))
    _name_what_is_there()
    op.create_index("uq_jobs_app_name", "jobs", ["app_name"], unique=True)
    op.create_table(
        "app_passes",
        sa.Column("hash", sa.String(length=64), nullable=False),
        sa.Column("kind", sa.String(length=10), nullable=False),
        sa.Column("job_id", sa.Uuid(), nullable=False),
        sa.Column("member_id", sa.Uuid(), nullable=False),
        sa.Column("credential_id", sa.Uuid(), nullable=False),
        sa.Column("created_at", Moment(), nullable=False),
        sa.Column("expires_at", Moment(), nullable=False),
        sa.Column("used_at", Moment(), nullable=True),
        sa.CheckConstraint("kind IN ('code', 'session')", name=op.f("ck_app_passes_kind")),
        sa.ForeignKeyConstraint(["job_id"], ["jobs.id"], name=op.f("fk_app_passes_job_id")),
        sa.ForeignKeyConstraint(["member_id"], ["organization_members.id"], name=op.f("fk_app_passes_member_id")),
        sa.PrimaryKeyConstraint("hash", name=op.f("pk_app_passes")),
    )
    op.create_index("ix_app_passes_expires_at", "app_passes", ["expires_at"], unique=False)
    op.create_table(
        "app_uses",
        sa.Column("job_id", sa.Uuid(), nullable=False),
        sa.Column("used_at", Moment(), nullable=False),
        sa.ForeignKeyConstraint(["job_id"], ["jobs.id"], name=op.f("fk_app_uses_job_id")),
        sa.PrimaryKeyConstraint("job_id", name=op.f("pk_app_uses")),
    )
    op.create_table(
        "app_links",
        sa.Column("job_id", sa.Uuid(), nullable=False),
        sa.Column("public_secret", sa.Uuid(), nullable=False),
        sa.Column("expires_at", Moment(), nullable=True),
        sa.Column("password_hash", sa.String(length=255), nullable=True),
        sa.Column("views", sa.BigInteger(), nullable=False),
        sa.ForeignKeyConstraint(["job_id"], ["jobs.id"], name=op.f("fk_app_links_job_id")),
        sa.PrimaryKeyConstraint("job_id", name=op.f("pk_app_links")),
    )


def _name_what_is_there() -> None:
    """Interactive jobs of before get a name; the first of two that want one has it."""
    connection, taken = op.get_bind(), set()
    rows = connection.execute(
        sa.text(
            "SELECT jobs.id, jobs.job_ref, job_versions.definition FROM jobs "
            "JOIN job_versions ON job_versions.id = jobs.current_version_id ORDER BY jobs.created_at, jobs.job_ref"
        )
    ).all()
    for job_id, job_ref, definition in rows:
        document = json.loads(definition) if isinstance(definition, str) else definition
        if document["entry_point"]["job_type"] != "interactive":
            continue
        slug = re.sub(r"[^a-z0-9]+", "-", job_ref.rpartition(".")[2].lower()).strip("-")[:40] or "app"
        name, number = slug, 1
        while name in taken:
            number += 1
            name = f"{slug}-{number}"
        taken.add(name)
        connection.execute(
            sa.text("UPDATE jobs SET app_name = :name WHERE id = :id"), {"name": name, "id": job_id}
        )
