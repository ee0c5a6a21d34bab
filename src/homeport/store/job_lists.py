"""Lists of jobs: filters and orders (wire contract §8.1). Definitions are read for the rows of the page only."""

from collections.abc import Collection, Sequence
from dataclasses import dataclass
from datetime import datetime
from uuid import UUID

import sqlalchemy as sa

from homeport.store import job_facets, job_triggers, jobs, listing, runs
from homeport.store.listing import Condition, Key, Start
from homeport.store.schema import Moment, Tx

_job, _facets, _labels = jobs.table, job_facets.table, job_facets.labels
_latest = runs.table.alias("latest")


@dataclass(frozen=True)
class Filters:
    """What a list of jobs is narrowed to; an empty collection or none means: all."""

    search: str | None = None
    """Part of the name or the ref, whatever the case."""
    ref: str | None = None
    job_types: Collection[str] = ()
    is_archived: bool | None = None
    is_paused: bool | None = None
    profiles: Collection[str] = ()
    pipeline_names: Collection[str] = ()
    latest_statuses: Collection[str] = ()
    """Of the newest run."""
    trigger_kinds: Collection[str] = ()
    is_self_firing: bool | None = None
    categories: Collection[str] = ()
    left_out_categories: Collection[str] = ()
    tags: Collection[str] = ()
    ran_from: datetime | None = None
    """The newest run was created at this moment or later."""
    ran_before: datetime | None = None


_NEXT_AT = (
    sa.select(sa.func.min(job_triggers.table.c.next_at, type_=Moment))
    .where(job_triggers.table.c.job_id == _job.c.id)
    .scalar_subquery()
)
ORDERS: dict[str, tuple[sa.ColumnElement[object], type, bool]] = {
    # name of the order: column, kind of its values, whether it may be empty
    "created_at": (_job.c.created_at, datetime, False),
    "last_run_at": (_job.c.last_run_at, datetime, True),
    "last_run_ended_at": (_latest.c.finished_at, datetime, True),
    "name": (_facets.c.shown_name, str, True),
    "next_scheduled_run_at": (sa.type_coerce(_NEXT_AT, Moment), datetime, True),
    "job_ref": (_job.c.job_ref, str, False),
}
USUAL = (("last_run_at", True), ("created_at", True))
"""The one that ran last first; those that never ran by age, newest first."""


def complete(order: Sequence[tuple[str, bool]]) -> list[tuple[str, bool]]:
    """An order in which no two jobs are equal."""
    return [*(order or USUAL), ("job_ref", False)]


def find(
    tx: Tx, workspace_id: UUID, filters: Filters, order: Sequence[tuple[str, bool]], start: Start, limit: int
) -> list[tuple[jobs.CurrentJob, tuple[object, ...]]]:
    """Jobs in this (complete) order, each with its values of the order's keys."""
    keys = [Key(ORDERS[name][0], descends, ORDERS[name][2]) for name, descends in order]
    tables = _tables({name for name, _ in order}, filters)
    found = listing.ids(tx, _job.c.id, tables, [_conditions(workspace_id, filters)], keys, start, limit)
    by_id = {current.job.id: current for current in jobs.by_ids(tx, [job_id for job_id, _ in found])}
    return [(by_id[job_id], values) for job_id, values in found]


def count(tx: Tx, workspace_id: UUID, filters: Filters, cap: int) -> int:
    return listing.count(tx, _tables(set(), filters), [_conditions(workspace_id, filters)], cap)


def _tables(orders: set[str], filters: Filters) -> sa.FromClause:
    """The job with what it is ordered and narrowed by; more would cost every list."""
    tables: sa.FromClause = _job
    if "name" in orders or _facet_conditions(filters):
        tables = tables.join(_facets, _facets.c.job_id == _job.c.id, isouter=True)
    if "last_run_ended_at" in orders or filters.latest_statuses:
        is_latest = sa.and_(_latest.c.job_id == _job.c.id, _latest.c.number == _job.c.last_run_number)
        tables = tables.join(_latest, is_latest, isouter=True)
    if filters.profiles:
        tables = tables.join(jobs.versions, jobs.versions.c.id == _job.c.current_version_id)
    return tables


def _conditions(workspace_id: UUID, filters: Filters) -> list[Condition]:
    conditions: list[Condition] = [_job.c.workspace_id == workspace_id, *_facet_conditions(filters)]
    if filters.ref is not None:
        conditions.append(_job.c.job_ref == filters.ref)
    for column, is_set in ((_job.c.archived_at, filters.is_archived), (_job.c.paused_at, filters.is_paused)):
        if is_set is not None:
            conditions.append(column.is_not(None) if is_set else column.is_(None))
    if filters.profiles:
        conditions.append(jobs.versions.c.profile.in_(filters.profiles))
    if filters.latest_statuses:
        conditions.append(_latest.c.status.in_(filters.latest_statuses))
    if filters.trigger_kinds:
        conditions.append(_has_label("trigger_kind", filters.trigger_kinds))
    if filters.tags:
        conditions.append(_has_label("tag", filters.tags))
    if filters.is_self_firing is not None:
        fires = _has_label("trigger_kind", job_facets.SELF_FIRING)
        conditions.append(fires if filters.is_self_firing else sa.not_(fires))
    if filters.ran_from is not None:
        conditions.append(_job.c.last_run_at >= filters.ran_from)
    if filters.ran_before is not None:
        conditions.append(_job.c.last_run_at < filters.ran_before)
    return conditions


def _facet_conditions(filters: Filters) -> list[Condition]:
    conditions: list[Condition] = []
    if filters.search:
        conditions.append(_facets.c.searched.contains(filters.search.casefold(), autoescape=True))
    for column, values in (
        (_facets.c.job_type, filters.job_types),
        (_facets.c.pipeline_name, filters.pipeline_names),
        (_facets.c.category, filters.categories),
    ):
        if values:
            conditions.append(column.in_(values))
    if filters.left_out_categories:
        # a job without category is kept
        none = _facets.c.category.is_(None)
        conditions.append(sa.or_(none, _facets.c.category.not_in(filters.left_out_categories)))
    return conditions


def _has_label(kind: str, values: Collection[str]) -> Condition:
    return sa.exists().where(_labels.c.job_id == _job.c.id, _labels.c.kind == kind, _labels.c.value.in_(values))
