"""Pipeline runs: what lists and statistics need of the traces that runs reported (wire contract §8.5)."""

from collections.abc import Collection
from dataclasses import dataclass
from datetime import datetime
from typing import Any
from uuid import UUID

import sqlalchemy as sa

from homeport.store.schema import Json, Moment, Tx, all_of, columns_of, metadata, one_or_none

table = sa.Table(
    "pipeline_runs",
    metadata,
    sa.Column("id", sa.Uuid, primary_key=True),
    sa.Column("workspace_id", sa.Uuid, sa.ForeignKey("workspaces.id"), nullable=False),
    sa.Column("run_id", sa.Uuid, sa.ForeignKey("runs.id"), nullable=False),
    sa.Column("transaction_id", sa.String(300), nullable=False),
    sa.Column("pipeline_name", sa.String(300), nullable=False),
    sa.Column("status", sa.String(20), nullable=False),
    sa.Column("dataset_name", sa.String(300)),
    sa.Column("destination_name", sa.String(300)),
    sa.Column("started_at", Moment),
    sa.Column("finished_at", Moment),
    sa.Column("duration_ms", sa.BigInteger),
    sa.Column("total_rows_extracted", sa.BigInteger, nullable=False),
    sa.Column("total_rows_loaded", sa.BigInteger, nullable=False),
    sa.Column("total_bytes_extracted", sa.BigInteger, nullable=False),
    sa.Column("total_bytes_loaded", sa.BigInteger, nullable=False),
    sa.Column("is_empty_run", sa.Boolean, nullable=False),
    sa.Column("has_schema_migration", sa.Boolean, nullable=False),
    sa.Column("details", Json, nullable=False),
    sa.Column("created_at", Moment, nullable=False),
    sa.Column("updated_at", Moment, nullable=False),
    sa.UniqueConstraint("run_id", "transaction_id"),
    sa.CheckConstraint("status IN ('failed', 'succeeded')", name="status"),
    sa.Index("ix_pipeline_runs_workspace", "workspace_id", "started_at"),
)


@dataclass(frozen=True)
class PipelineRun:
    """One run of a pipeline, as its trace tells it."""

    id: UUID
    workspace_id: UUID
    run_id: UUID
    transaction_id: str
    pipeline_name: str
    status: str
    dataset_name: str | None
    destination_name: str | None
    started_at: datetime | None
    finished_at: datetime | None
    duration_ms: int | None
    total_rows_extracted: int
    total_rows_loaded: int
    total_bytes_extracted: int
    total_bytes_loaded: int
    is_empty_run: bool
    has_schema_migration: bool
    details: dict[str, Any]
    """What only the page of one pipeline run shows: versions, errors, tables, packages."""
    created_at: datetime
    updated_at: datetime


_columns = columns_of(PipelineRun, table)


@dataclass(frozen=True)
class Filters:
    """What a list is narrowed to; an empty tuple or none means: all."""

    start: datetime
    end: datetime
    search: str | None = None
    """Part of the pipeline's name, whatever the case."""
    statuses: tuple[str, ...] = ()
    pipeline_names: tuple[str, ...] = ()
    dataset_names: tuple[str, ...] = ()
    destination_names: tuple[str, ...] = ()
    run_ids: tuple[UUID, ...] = ()
    is_empty_run: bool | None = None


def within(tx: Tx, workspace_id: UUID, filters: Filters, at_most: int) -> list[PipelineRun]:
    """Pipeline runs that started in a window, newest first."""
    began = sa.func.coalesce(table.c.started_at, table.c.created_at)
    query = sa.select(*_columns).where(
        table.c.workspace_id == workspace_id, began >= filters.start, began < filters.end
    )
    for column, values in (
        (table.c.status, filters.statuses),
        (table.c.pipeline_name, filters.pipeline_names),
        (table.c.dataset_name, filters.dataset_names),
        (table.c.destination_name, filters.destination_names),
        (table.c.run_id, filters.run_ids),
    ):
        if values:
            query = query.where(column.in_(values))
    if filters.search:
        query = query.where(sa.func.lower(table.c.pipeline_name).contains(filters.search.lower(), autoescape=True))
    if filters.is_empty_run is not None:
        query = query.where(table.c.is_empty_run.is_(filters.is_empty_run))
    return all_of(tx, PipelineRun, query.order_by(began.desc(), table.c.id).limit(at_most))


def get(tx: Tx, workspace_id: UUID, pipeline_run_id: UUID) -> PipelineRun | None:
    query = sa.select(*_columns).where(table.c.id == pipeline_run_id, table.c.workspace_id == workspace_id)
    return one_or_none(tx, PipelineRun, query)


def of_runs(tx: Tx, run_ids: Collection[UUID]) -> dict[UUID, list[PipelineRun]]:
    """The pipeline runs of each of these runs, in the order they were reported."""
    found: dict[UUID, list[PipelineRun]] = {}
    if run_ids:
        query = sa.select(*_columns).where(table.c.run_id.in_(run_ids)).order_by(table.c.created_at, table.c.id)
        for item in all_of(tx, PipelineRun, query):
            found.setdefault(item.run_id, []).append(item)
    return found


def keep(tx: Tx, found: PipelineRun) -> None:
    """Store a pipeline run, in place of an earlier telling of the same transaction; its id stays."""
    same = (table.c.run_id == found.run_id, table.c.transaction_id == found.transaction_id)
    known = tx.execute(sa.select(table.c.id, table.c.created_at).where(*same)).one_or_none()
    if known is None:
        tx.execute(table.insert().values(found.__dict__))
        return
    tx.execute(table.update().where(*same).values({**found.__dict__, "id": known[0], "created_at": known[1]}))
