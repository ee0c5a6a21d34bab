"""Runs that are shown beside a job or a run: a job's recent ones, and those that a run's outcome started."""

from collections.abc import Collection
from dataclasses import dataclass
from uuid import UUID

import sqlalchemy as sa

from homeport.store import job_facets, jobs, runs
from homeport.store.schema import Tx, all_of, as_record, columns_of

_columns = columns_of(runs.Run, runs.table)


@dataclass(frozen=True)
class Downstream:
    """A run that another run's outcome started, with what is shown of its job."""

    run: runs.Run
    job_ref: str
    name: str
    category: str | None


def recent_of_jobs(tx: Tx, job_ids: Collection[UUID], limit: int) -> dict[UUID, list[runs.Run]]:
    """The newest runs of each job, newest first. Numbers count up per job, so nothing is sorted to find them."""
    found: dict[UUID, list[runs.Run]] = {}
    if job_ids and limit:
        is_recent = sa.and_(
            runs.table.c.job_id == jobs.table.c.id, runs.table.c.number > jobs.table.c.last_run_number - limit
        )
        query = sa.select(*_columns).join(jobs.table, is_recent).where(jobs.table.c.id.in_(job_ids))
        for run in all_of(tx, runs.Run, query.order_by(runs.table.c.number.desc())):
            found.setdefault(run.job_id, []).append(run)
    return found


def started_by_runs(
    tx: Tx, run_ids: Collection[UUID], limit: int, category: str | None
) -> dict[UUID, list[Downstream]]:
    """For each run the newest runs that its outcome started, newest first; of one category of jobs, or all."""
    found: dict[UUID, list[Downstream]] = {}
    if not run_ids or not limit:
        return found
    facets = job_facets.table
    rank = sa.func.row_number().over(
        partition_by=runs.table.c.previous_run_id,
        order_by=(runs.table.c.created_at.desc(), runs.table.c.number.desc(), runs.table.c.id),
    )
    query = (
        sa.select(*_columns, jobs.table.c.job_ref, facets.c.shown_name, facets.c.category, rank.label("rank"))
        .join(jobs.table, jobs.table.c.id == runs.table.c.job_id)
        .join(facets, facets.c.job_id == runs.table.c.job_id)
        .where(runs.table.c.previous_run_id.in_(run_ids))
    )
    if category is not None:
        query = query.where(facets.c.category == category)
    ranked = query.subquery()
    for row in tx.execute(sa.select(ranked).where(ranked.c.rank <= limit).order_by(ranked.c.rank)):
        run = as_record(runs.Run, row)
        assert run.previous_run_id is not None
        found.setdefault(run.previous_run_id, []).append(
            Downstream(run, row.job_ref, row.shown_name, row.category)
        )
    return found
