"""Lists of runs: filters and orders (wire contract §8.1). Held to a million runs: see `listing.py`."""

from collections.abc import Collection, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any
from uuid import UUID

import sqlalchemy as sa

from homeport.store import job_facets, jobs, listing, pipeline_runs, runs
from homeport.store.listing import Condition, Key, Start
from homeport.store.schema import Tx, all_of, columns_of

_run, _facets = runs.table, job_facets.table
_columns = columns_of(runs.Run, _run)


@dataclass(frozen=True)
class Filters:
    """What a list of runs is narrowed to; an empty collection or none means: all."""

    search: str | None = None
    """Part of the job's name or of a pipeline's that was loaded, or the run's number."""
    statuses: Collection[str] = ()
    number: int | None = None
    job_id: UUID | None = None
    previous_run_id: UUID | None = None
    job_types: Collection[str] = ()
    triggers: Collection[str] = ()
    trigger_kinds: Collection[str] = ()
    """`manual`: a person started it, by whatever trigger."""
    triggered_by: Collection[UUID] = ()
    profiles: Collection[str] = ()
    min_duration_ms: int | None = None
    max_duration_ms: int | None = None
    created_from: datetime | None = None
    created_before: datetime | None = None
    job_refs_left_out: Collection[str] = ()


ORDERS: dict[str, tuple[sa.ColumnElement[Any], type, bool]] = {
    # name of the order: column, kind of its values, whether it may be empty
    "created_at": (_run.c.created_at, datetime, False),
    "duration_seconds": (_run.c.duration_ms, int, True),
    "finished_at": (_run.c.finished_at, datetime, True),
    "number": (_run.c.number, int, False),
    "started_at": (_run.c.started_at, datetime, True),
    "id": (_run.c.id, UUID, False),
}
USUAL = (("created_at", True), ("number", True), ("id", True))


def complete(order: Sequence[tuple[str, bool]]) -> list[tuple[str, bool]]:
    """An order in which no two runs are equal; ties are broken as in the usual one, newest first."""
    named = {name for name, _ in order}
    return [*order, *((name, descends) for name, descends in USUAL if name not in named)]


def find(
    tx: Tx, workspace_id: UUID, filters: Filters, order: Sequence[tuple[str, bool]], start: Start, limit: int
) -> list[tuple[runs.Run, tuple[Any, ...]]]:
    """Runs in this (complete) order, each with its values of the order's keys."""
    keys = [Key(ORDERS[name][0], descends, ORDERS[name][2]) for name, descends in order]
    found = listing.ids(tx, _run.c.id, _run, _branches(tx, workspace_id, filters), keys, start, limit)
    query = sa.select(*_columns).where(_run.c.id.in_([run_id for run_id, _ in found]))
    by_id = {run.id: run for run in all_of(tx, runs.Run, query)}
    return [(by_id[run_id], values) for run_id, values in found]


def newest(tx: Tx, workspace_id: UUID, filters: Filters, limit: int, offset: int = 0) -> list[runs.Run]:
    """Runs in the usual order."""
    return [run for run, _ in find(tx, workspace_id, filters, USUAL, Start(offset=offset), limit)]


def count(tx: Tx, workspace_id: UUID, filters: Filters, cap: int) -> int:
    return listing.count(tx, _run, _branches(tx, workspace_id, filters), cap)


def _branches(tx: Tx, workspace_id: UUID, filters: Filters) -> list[list[Condition]]:
    conditions = _conditions(tx, workspace_id, filters)
    if not filters.statuses:
        return [conditions]
    return [[*conditions, _run.c.status == status] for status in sorted(set(filters.statuses))]


def _conditions(tx: Tx, workspace_id: UUID, filters: Filters) -> list[Condition]:
    conditions = _anchors(workspace_id, filters)
    if filters.number is not None:
        conditions.append(_run.c.number == filters.number)
    for column, values in (
        (_run.c.trigger, filters.triggers),
        (_run.c.triggered_by, filters.triggered_by),
        (_run.c.profile, filters.profiles),
    ):
        if values:
            conditions.append(column.in_(values))
    if filters.trigger_kinds:
        conditions.append(sa.or_(*map(_is_of_kind, filters.trigger_kinds)))
    return conditions + _bounds(filters) + _job_conditions(tx, workspace_id, filters)


def _anchors(workspace_id: UUID, filters: Filters) -> list[Condition]:
    """What decides which index is walked: the job, the run before, or the workspace.

    Not the workspace beside one of the others, which are of one workspace anyway: SQLite would walk all of it.
    """
    job, before = jobs.table, _run.alias("before")
    anchors: list[Condition] = []
    if filters.job_id is not None:
        is_here = (job.c.id == filters.job_id, job.c.workspace_id == workspace_id)
        anchors.append(_run.c.job_id == sa.select(job.c.id).where(*is_here).scalar_subquery())
    if filters.previous_run_id is not None:
        is_here = (before.c.id == filters.previous_run_id, before.c.workspace_id == workspace_id)
        anchors.append(_run.c.previous_run_id == sa.select(before.c.id).where(*is_here).scalar_subquery())
    return anchors or [_run.c.workspace_id == workspace_id]


def _is_of_kind(kind: str) -> Condition:
    if kind == "manual":
        return _run.c.triggered_by.is_not(None)
    # a person who starts a job by its schedule's trigger is not the schedule
    return sa.and_(_run.c.trigger.startswith(f"{kind}:", autoescape=True), _run.c.triggered_by.is_(None))


def _bounds(filters: Filters) -> list[Condition]:
    conditions: list[Condition] = []
    if filters.min_duration_ms is not None:
        conditions.append(_run.c.duration_ms >= filters.min_duration_ms)
    if filters.max_duration_ms is not None:
        conditions.append(_run.c.duration_ms <= filters.max_duration_ms)
    if filters.created_from is not None:
        conditions.append(_run.c.created_at >= filters.created_from)
    if filters.created_before is not None:
        conditions.append(_run.c.created_at < filters.created_before)
    return conditions


def _job_conditions(tx: Tx, workspace_id: UUID, filters: Filters) -> list[Condition]:
    conditions: list[Condition] = []
    if filters.job_types:
        of_type = sa.select(_facets.c.job_id).where(
            _facets.c.workspace_id == workspace_id, _facets.c.job_type.in_(filters.job_types)
        )
        conditions.append(_run.c.job_id.in_(of_type))
    if filters.search:
        conditions.append(_matches(workspace_id, filters.search))
    if filters.job_refs_left_out:
        # looked up first: with the ids at hand, the index over all runs is walked without a second look
        left_out = tx.execute(
            sa.select(jobs.table.c.id).where(
                jobs.table.c.workspace_id == workspace_id, jobs.table.c.job_ref.in_(filters.job_refs_left_out)
            )
        ).scalars()
        conditions += [_run.c.job_id != job_id for job_id in left_out]
    return conditions


def _matches(workspace_id: UUID, search: str) -> Condition:
    folded = search.casefold()
    of_job = sa.select(_facets.c.job_id).where(
        _facets.c.workspace_id == workspace_id, _facets.c.searched.contains(folded, autoescape=True)
    )
    loaded = pipeline_runs.table
    of_pipeline = sa.select(loaded.c.run_id).where(
        loaded.c.workspace_id == workspace_id,
        sa.func.lower(loaded.c.pipeline_name).contains(search.lower(), autoescape=True),
    )
    matches: list[Condition] = [_run.c.job_id.in_(of_job), _run.c.id.in_(of_pipeline)]
    if search.isascii() and search.isdigit() and len(search) < 10:
        matches.append(_run.c.number == int(search))
    return sa.or_(*matches)
