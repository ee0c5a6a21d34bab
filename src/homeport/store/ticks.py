"""The ledger of scheduled moments: each is there once, under (job, trigger, moment), with what became of it.

A row stands for one moment, or for a range of moments that were decided together (`moment` to `last_moment`): what
passed while no server ran is one row, however much it was. Rows of a trigger do not overlap. A row ends by exactly
one outcome; `deferred` is the only one that is left again, and a trigger has at most one such row.
Two schedulers may try; the keys let one of them in.

Room for more, without a rebuild of this table: what is loaded per window (parallel windows, backfill) is a table
of its own under (job, window), which a row points at through its run; a job that catches up tick by tick writes a
row per moment instead of a range; pools and priorities order rows that are open, by columns of their own beside
`look_again_at`. New reasons to wait are new texts in `reasons` and `inputs`, new ends are new values of `outcome`.
"""

from collections.abc import Collection
from dataclasses import dataclass
from datetime import datetime
from typing import Any
from uuid import UUID

import sqlalchemy as sa
from sqlalchemy.exc import IntegrityError

from homeport.scheduling.tick_outcomes import DEFERRED
from homeport.store import job_triggers, jobs, listing, workspaces
from homeport.store.listing import Condition, Key, Start
from homeport.store.schema import (
    Json,
    Moment,
    Tx,
    all_of,
    changed_each,
    columns_of,
    metadata,
    one_or_none,
)

_IS_OPEN = sa.text(f"outcome = '{DEFERRED}'")

table = sa.Table(
    "ticks",
    metadata,
    sa.Column("job_id", sa.Uuid, sa.ForeignKey("jobs.id"), primary_key=True),
    sa.Column("trigger", sa.String(300), primary_key=True),
    sa.Column("moment", Moment, primary_key=True),
    sa.Column("outcome", sa.String(40), nullable=False),
    sa.Column("reasons", Json, nullable=False),
    sa.Column("run_id", sa.Uuid, sa.ForeignKey("runs.id")),
    sa.Column("decided_at", Moment, nullable=False),
    sa.Column("workspace_id", sa.Uuid, sa.ForeignKey("workspaces.id"), nullable=False),
    sa.Column("last_moment", Moment, nullable=False),
    # none: more than are counted
    sa.Column("moments", sa.Integer),
    sa.Column("inputs", Json, nullable=False),
    sa.Column("decided_by", sa.String(20), nullable=False),
    sa.Column("first_decided_at", Moment, nullable=False),
    # an open row that the scheduler is to decide again: something but a completed upstream has changed
    sa.Column("look_again_at", Moment),
    sa.CheckConstraint("last_moment >= moment", name="range"),
    sa.Index(
        "uq_ticks_open",
        "workspace_id",
        "job_id",
        "trigger",
        unique=True,
        postgresql_where=_IS_OPEN,
        sqlite_where=_IS_OPEN,
    ),
    sa.Index("ix_ticks_look_again", "look_again_at"),
    sa.Index("ix_ticks_workspace", "workspace_id", "last_moment", "job_id", "trigger"),
    sa.Index("ix_ticks_outcome", "workspace_id", "outcome", "last_moment", "job_id", "trigger"),
    sa.Index("ix_ticks_job", "job_id", "last_moment", "trigger"),
)


@dataclass(frozen=True)
class Tick:
    """A row of the ledger."""

    job_id: UUID
    workspace_id: UUID
    trigger: str
    moment: datetime
    last_moment: datetime
    """Of the range that the row stands for; `moment` itself when it is one."""
    moments: int | None
    """How many; none when they were too many to count."""
    outcome: str
    reasons: list[str]
    """Sentences for people; empty when a run was started as planned."""
    inputs: dict[str, Any]
    """What the decision was made from (`scheduling/tick_inputs.py`); empty for rows of older versions."""
    run_id: UUID | None
    """The run that it started, or that covers it."""
    decided_by: str
    first_decided_at: datetime
    """Earlier than `decided_at` for a tick that waited."""
    decided_at: datetime


_columns = columns_of(Tick, table)
# word for word as the index has it: with a parameter in its place, SQLite would read all that a trigger ever had
_is_open = table.c.outcome == sa.literal_column(f"'{DEFERRED}'")


@dataclass(frozen=True)
class Standing:
    """How far a timed trigger has come."""

    job_id: UUID
    trigger: str
    next_at: datetime
    moment: datetime | None
    """Of the last row of the ledger that begins not after the moment that was asked for."""
    last_moment: datetime | None


def record(tx: Tx, *new: Tick) -> bool:
    """Write what became of moments or ranges; false, and nothing is written, when one was recorded before."""
    if not new:
        return True
    try:
        with tx.begin_nested():
            tx.execute(table.insert(), [tick.__dict__ for tick in new])
    except IntegrityError:
        return False
    return True


_DECIDE_OPEN = (
    table.update()
    .where(
        table.c.job_id == sa.bindparam("of_job"),
        table.c.trigger == sa.bindparam("fired"),
        table.c.moment == sa.bindparam("at", type_=Moment),
        _is_open,
    )
    .values(
        look_again_at=None,
        **{
            name: sa.bindparam(f"its_{name}", type_=table.c[name].type)
            for name in ("outcome", "reasons", "inputs", "run_id", "decided_by", "decided_at")
        },
    )
)


def decide_open(tx: Tx, *further: Tick) -> bool:
    """Write open rows as they were decided further, which may end them; false when one is open no more."""
    rows = [
        {
            "of_job": tick.job_id,
            "fired": tick.trigger,
            "at": tick.moment,
            "its_outcome": tick.outcome,
            "its_reasons": tick.reasons,
            "its_inputs": tick.inputs,
            "its_run_id": tick.run_id,
            "its_decided_by": tick.decided_by,
            "its_decided_at": tick.decided_at,
        }
        for tick in further
    ]
    return changed_each(tx, _DECIDE_OPEN, rows)


_fires = job_triggers.table


def _of_last(name: str) -> sa.ColumnElement[Any]:
    """A column of the last row of a timed trigger that begins not after `until`."""
    is_its = (table.c.job_id == _fires.c.job_id, table.c.trigger == _fires.c.trigger)
    is_before = table.c.moment <= sa.bindparam("until", type_=Moment)
    query = sa.select(table.c[name]).where(*is_its, is_before).order_by(table.c.moment.desc()).limit(1)
    return query.correlate(_fires).scalar_subquery().label(name)


_STANDINGS = sa.select(
    _fires.c.job_id, _fires.c.trigger, _fires.c.next_at, _of_last("moment"), _of_last("last_moment")
).where(_fires.c.job_id.in_(sa.bindparam("job_ids", expanding=True)), _fires.c.next_at.is_not(None))


def standings(tx: Tx, job_ids: Collection[UUID], until: datetime) -> dict[tuple[UUID, str], Standing]:
    """How far the timed triggers of these jobs have come that will fire, by job and trigger."""
    found = all_of(tx, Standing, _STANDINGS, job_ids=list(job_ids), until=until)
    return {(standing.job_id, standing.trigger): standing for standing in found}


_OPEN_OF_EACH = (
    sa.select(*_columns)
    .join(
        jobs.table,
        sa.and_(jobs.table.c.workspace_id == table.c.workspace_id, jobs.table.c.id == table.c.job_id),
    )
    .where(jobs.table.c.id.in_(sa.bindparam("job_ids", expanding=True)), _is_open)
)


def open_of_each(tx: Tx, job_ids: Collection[UUID]) -> list[Tick]:
    """What waits of any of these jobs."""
    return all_of(tx, Tick, _OPEN_OF_EACH, job_ids=list(job_ids))


def end_open(tx: Tx, job_id: UUID, outcome: str, reason: str, decided_by: str, now: datetime) -> None:
    """End what waits of a job, because it is not to start any more."""
    tx.execute(
        table.update()
        .where(table.c.job_id == job_id, _is_open)
        .values(outcome=outcome, reasons=[reason], decided_by=decided_by, decided_at=now, look_again_at=None)
    )


def look_again(tx: Tx, workspace_id: UUID, now: datetime, job_id: UUID | None = None) -> None:
    """Have the scheduler decide again what waits: of a job, or of the whole workspace."""
    condition = [] if job_id is None else [table.c.job_id == job_id]
    tx.execute(
        table.update().where(table.c.workspace_id == workspace_id, _is_open, *condition).values(look_again_at=now)
    )


_TO_LOOK_AT = (
    sa.select(*_columns)
    .where(table.c.look_again_at.is_not(None), _is_open)
    .order_by(table.c.look_again_at, table.c.moment)
    .limit(sa.bindparam("most", type_=sa.Integer))
)


def to_look_at(tx: Tx, limit: int) -> list[Tick]:
    """Open rows that were marked with `look_again`, the longest waiting first.

    Whenever that was: after a clock was set back it lies ahead, and nobody else would come for them.
    """
    return all_of(tx, Tick, _TO_LOOK_AT, most=limit)


_OPEN_IN = (
    sa.select(*_columns)
    .where(table.c.workspace_id == sa.bindparam("its_workspace"), _is_open)
    .order_by(table.c.moment, table.c.job_id, table.c.trigger)
)


def open_in(tx: Tx, workspace_id: UUID) -> list[Tick]:
    """What waits in a workspace: at most one row for each timed trigger."""
    return all_of(tx, Tick, _OPEN_IN, its_workspace=workspace_id)


def open_of(tx: Tx, workspace_id: UUID, job_id: UUID, trigger: str) -> Tick | None:
    query = sa.select(*_columns).where(
        table.c.workspace_id == workspace_id,
        table.c.job_id == job_id,
        table.c.trigger == trigger,
        _is_open,
    )
    return one_or_none(tx, Tick, query)


def at(tx: Tx, job_id: UUID, trigger: str, moment: datetime) -> Tick | None:
    """The row that answers for a moment."""
    found = newest(tx, job_id, trigger, until=moment)
    return found if found is not None and moment <= found.last_moment else None


def newest(tx: Tx, job_id: UUID, trigger: str, until: datetime) -> Tick | None:
    """The last row that begins not after `until`."""
    query = (
        sa.select(*_columns)
        .where(table.c.job_id == job_id, table.c.trigger == trigger, table.c.moment <= until)
        .order_by(table.c.moment.desc())
        .limit(1)
    )
    return one_or_none(tx, Tick, query)


def between(tx: Tx, job_id: UUID, trigger: str, start: datetime, end: datetime) -> Tick | None:
    """The first row that begins in `[start, end)`."""
    query = (
        sa.select(*_columns)
        .where(table.c.job_id == job_id, table.c.trigger == trigger, table.c.moment >= start, table.c.moment < end)
        .order_by(table.c.moment)
        .limit(1)
    )
    return one_or_none(tx, Tick, query)


def which_took_over(tx: Tx, tick: Tick, covered: str) -> Tick | None:
    """The later tick whose window reaches back over a covered one: the first after it that is not covered too."""
    query = (
        sa.select(*_columns)
        .where(
            table.c.job_id == tick.job_id,
            table.c.trigger == tick.trigger,
            table.c.moment > tick.moment,
            table.c.outcome != covered,
        )
        .order_by(table.c.moment)
        .limit(1)
    )
    return one_or_none(tx, Tick, query)


def latest_of(tx: Tx, job_id: UUID, limit: int) -> list[Tick]:
    """The newest rows of a job, newest first."""
    query = sa.select(*_columns).where(table.c.job_id == job_id)
    ordered = query.order_by(table.c.last_moment.desc(), table.c.trigger.desc())
    return all_of(tx, Tick, ordered.limit(limit))


def exists(tx: Tx, job_id: UUID, trigger: str, moment: datetime) -> bool:
    return at(tx, job_id, trigger, moment) is not None


def has_any(tx: Tx, job_id: UUID, trigger: str) -> bool:
    """Whether this trigger of the job ever had a moment."""
    query = sa.select(table.c.outcome).where(table.c.job_id == job_id, table.c.trigger == trigger).limit(1)
    return tx.execute(query).one_or_none() is not None


_later = table.alias()
_cutoff = sa.bindparam("cutoff", type_=Moment)
_HAS_LATER = sa.exists().where(
    _later.c.job_id == table.c.job_id,
    _later.c.trigger == table.c.trigger,
    _later.c.moment > table.c.moment,
    # the range that is looked through ends here, however much came after
    _later.c.moment < _cutoff,
    _later.c.last_moment < _cutoff,
)
_OLD = (
    sa.select(table.c.job_id, table.c.trigger, table.c.moment)
    # workspace by workspace: an index has the moments of each, and what is younger is not read
    .where(
        table.c.workspace_id.in_(sa.select(workspaces.table.c.id)),
        table.c.last_moment < _cutoff,
        sa.not_(_is_open),
        _HAS_LATER,
    )
    .limit(sa.bindparam("most", type_=sa.Integer))
    # what another server is removing is left to it
    .with_for_update(of=table, skip_locked=True)
)
_REMOVE = table.delete().where(
    table.c.job_id == sa.bindparam("of_job"),
    table.c.trigger == sa.bindparam("fired"),
    table.c.moment == sa.bindparam("at", type_=Moment),
)


def delete_ended_before(tx: Tx, cutoff: datetime, limit: int) -> int:
    """Remove rows that stand for moments before the cutoff only, at most `limit`; how many went.

    What waits stays, and of each trigger the last row before the cutoff: by it a moment that is named only once
    (`once`) is known to have been, and how far a trigger had come is known also when the clock is set back.
    """
    found = tx.execute(_OLD, {"cutoff": cutoff, "most": limit}).all()
    if found:
        tx.execute(_REMOVE, [{"of_job": row[0], "fired": row[1], "at": row[2]} for row in found])
    return len(found)


@dataclass(frozen=True)
class Filters:
    """What a list is narrowed to; an empty collection or none means: all."""

    job_id: UUID | None = None
    outcomes: Collection[str] = ()
    since: datetime | None = None
    before: datetime | None = None


def over(tx: Tx, job_id: UUID, start: datetime, end: datetime, limit: int) -> list[Tick]:
    """Rows of a job that stand for moments in `[start, end)`, or for a range around it, the oldest first."""
    query = (
        sa.select(*_columns)
        .where(table.c.job_id == job_id, table.c.last_moment >= start, table.c.moment < end)
        .order_by(table.c.last_moment, table.c.trigger)
        .limit(limit)
    )
    return all_of(tx, Tick, query)


def keys(descends: bool) -> list[Key]:
    """What lists are ordered by; kinds of the values are in `KEY_KINDS`."""
    return [Key(column, descends) for column in (table.c.last_moment, table.c.job_id, table.c.trigger)]


KEY_KINDS = (datetime, UUID, str)


def find(
    tx: Tx, workspace_id: UUID, filters: Filters, start: Start, limit: int, descends: bool = True
) -> list[tuple[Tick, tuple[Any, ...]]]:
    """Rows of a workspace, each at the last moment that it stands for, newest first; with their keys."""
    found = listing.ids(tx, table.c.moment, table, _branches(workspace_id, filters), keys(descends), start, limit)
    if not found:
        return []
    wanted = [(job_id, trigger, last_moment) for _, (last_moment, job_id, trigger) in found]
    key = sa.tuple_(table.c.job_id, table.c.trigger, table.c.last_moment)
    rows = all_of(tx, Tick, sa.select(*_columns).where(key.in_(wanted)))
    by_key = {(row.job_id, row.trigger, row.last_moment): row for row in rows}
    return [(by_key[key_], values) for key_, (_, values) in zip(wanted, found, strict=True)]


def count(tx: Tx, workspace_id: UUID, filters: Filters, cap: int) -> int:
    return listing.count(tx, table, _branches(workspace_id, filters), cap)


def _branches(workspace_id: UUID, filters: Filters) -> list[list[Condition]]:
    common: list[Condition] = [table.c.workspace_id == workspace_id]
    if filters.job_id is not None:
        common.append(table.c.job_id == filters.job_id)
    if filters.since is not None:
        common.append(table.c.last_moment >= filters.since)
    if filters.before is not None:
        common.append(table.c.last_moment < filters.before)
    if not filters.outcomes:
        return [common]
    return [[*common, table.c.outcome == outcome] for outcome in dict.fromkeys(filters.outcomes)]


def _is(tick: Tick) -> list[Condition]:
    return [table.c.job_id == tick.job_id, table.c.trigger == tick.trigger, table.c.moment == tick.moment]
