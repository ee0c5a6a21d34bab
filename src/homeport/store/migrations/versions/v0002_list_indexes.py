"""Lists of jobs and runs are answered from indexes: what they are narrowed and sorted by gets columns."""

from typing import Any

import sqlalchemy as sa
from alembic import op

from homeport.store.schema import Json, Moment

revision = "0002"
down_revision = "0001"
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.add_column("jobs", sa.Column("last_run_at", Moment(), nullable=True))
    op.create_index("ix_jobs_last_run", "jobs", ["workspace_id", "last_run_at"], unique=False)
    op.create_table(
        "job_facets",
        sa.Column("job_id", sa.Uuid(), nullable=False),
        sa.Column("workspace_id", sa.Uuid(), nullable=False),
        sa.Column("job_type", sa.String(length=20), nullable=False),
        sa.Column("category", sa.String(length=40), nullable=True),
        sa.Column("pipeline_name", sa.Text(), nullable=True),
        sa.Column("shown_name", sa.Text(), nullable=False),
        sa.Column("searched", sa.Text(), nullable=False),
        sa.ForeignKeyConstraint(["job_id"], ["jobs.id"], name=op.f("fk_job_facets_job_id")),
        sa.ForeignKeyConstraint(["workspace_id"], ["workspaces.id"], name=op.f("fk_job_facets_workspace_id")),
        sa.PrimaryKeyConstraint("job_id", name=op.f("pk_job_facets")),
    )
    op.create_index("ix_job_facets_workspace", "job_facets", ["workspace_id", "job_type"], unique=False)
    op.create_table(
        "job_labels",
        sa.Column("job_id", sa.Uuid(), nullable=False),
        sa.Column("kind", sa.String(length=20), nullable=False),
        sa.Column("value", sa.String(length=300), nullable=False),
        sa.CheckConstraint("kind IN ('tag', 'trigger_kind')", name=op.f("ck_job_labels_kind")),
        sa.ForeignKeyConstraint(["job_id"], ["jobs.id"], name=op.f("fk_job_labels_job_id")),
        sa.PrimaryKeyConstraint("job_id", "kind", "value", name=op.f("pk_job_labels")),
    )
    op.add_column("runs", sa.Column("duration_ms", sa.BigInteger(), nullable=True))
    op.drop_index("ix_runs_workspace", "runs")
    op.create_index("ix_runs_workspace", "runs", ["workspace_id", "created_at", "number", "id"], unique=False)
    op.create_index("ix_runs_job", "runs", ["job_id", "created_at", "number", "id"], unique=False)
    op.create_index(
        "ix_runs_workspace_status", "runs", ["workspace_id", "status", "created_at", "number", "id"], unique=False
    )
    op.create_index("ix_runs_number", "runs", ["workspace_id", "number"], unique=False)
    op.create_index(
        "ix_runs_started", "runs", ["workspace_id", "started_at", "created_at", "number", "id"], unique=False
    )
    op.create_index(
        "ix_runs_finished", "runs", ["workspace_id", "finished_at", "created_at", "number", "id"], unique=False
    )
    op.create_index(
        "ix_runs_duration", "runs", ["workspace_id", "duration_ms", "created_at", "number", "id"], unique=False
    )
    _fill(op.get_bind())


def _fill(connection: sa.Connection) -> None:
    """What jobs and runs that are there already would have."""
    is_sqlite = connection.dialect.name == "sqlite"
    connection.execute(
        sa.text(
            "UPDATE jobs SET last_run_at = (SELECT max(runs.created_at) FROM runs WHERE runs.job_id = jobs.id)"
        )
    )
    on_sqlite = (
        "UPDATE runs SET duration_ms = CAST(round("
        "(julianday(finished_at) - julianday(coalesce(started_at, finished_at))) * 86400000.0"
        ") AS bigint) WHERE finished_at IS NOT NULL"
    )
    on_postgresql = (
        "UPDATE runs SET duration_ms = CAST(round("
        "EXTRACT(EPOCH FROM finished_at - coalesce(started_at, finished_at)) * 1000"
        ") AS bigint) WHERE finished_at IS NOT NULL"
    )
    connection.execute(sa.text(on_sqlite if is_sqlite else on_postgresql))
    jobs = sa.table(
        "jobs",
        sa.column("id", sa.Uuid),
        sa.column("workspace_id", sa.Uuid),
        sa.column("job_ref", sa.String),
        sa.column("current_version_id", sa.Uuid),
    )
    versions = sa.table(
        "job_versions",
        sa.column("id", sa.Uuid),
        sa.column("definition", Json),
        sa.column("triggers", Json),
    )
    rows = connection.execute(
        sa.select(jobs.c.id, jobs.c.workspace_id, jobs.c.job_ref, versions.c.definition, versions.c.triggers).join(
            versions, versions.c.id == jobs.c.current_version_id
        )
    ).all()
    if rows:
        connection.execute(_FACETS.insert(), [_facets(row) for row in rows])
    if labels := [label for row in rows for label in _labels(row)]:
        connection.execute(_LABELS.insert(), labels)


_FACETS = sa.table(
    "job_facets",
    sa.column("job_id", sa.Uuid),
    sa.column("workspace_id", sa.Uuid),
    sa.column("job_type"),
    sa.column("category"),
    sa.column("pipeline_name"),
    sa.column("shown_name"),
    sa.column("searched"),
)
_LABELS = sa.table("job_labels", sa.column("job_id", sa.Uuid), sa.column("kind"), sa.column("value"))


def _facets(row: Any) -> dict[str, Any]:
    expose = row.definition.get("expose") or {}
    name = str(expose.get("display_name") or row.job_ref)
    return {
        "job_id": row.id,
        "workspace_id": row.workspace_id,
        "job_type": row.definition["entry_point"]["job_type"],
        "category": expose.get("category"),
        "pipeline_name": (row.definition.get("deliver") or {}).get("pipeline_name"),
        "shown_name": name,
        "searched": f"{name}\n{row.job_ref}".casefold(),
    }


def _labels(row: Any) -> list[dict[str, Any]]:
    expose = row.definition.get("expose") or {}
    tags = expose.get("tags") or []
    kinds = {text.partition(":")[0] for text in row.triggers} - {"manual"}
    if expose.get("manual", True):
        kinds.add("manual")
    values = [("tag", tag[:300]) for tag in ([tags] if isinstance(tags, str) else tags)]
    values += [("trigger_kind", kind) for kind in sorted(kinds)]
    return [{"job_id": row.id, "kind": kind, "value": value} for kind, value in dict.fromkeys(values)]
