"""Runs: a run is a row before it is a process, and moves by guarded transitions only.

Who moves it when is in `scheduling/run_lifecycle.py`; here a transition is one UPDATE that finds its row only
where the lifecycle says it may be. Losing that race is an ordinary answer: false.
"""

from collections.abc import Collection, Iterable, Sequence
from dataclasses import dataclass
from datetime import datetime
from enum import StrEnum
from functools import lru_cache
from typing import Any
from uuid import UUID

import sqlalchemy as sa

from homeport.scheduling.run_lifecycle import ACTIVE, PLACED, TERMINAL, EndCause, RunStatus, Transition
from homeport.store import attempts, dialects, jobs
from homeport.store.schema import (
    Moment,
    Tx,
    all_of,
    columns_of,
    metadata,
    one_or_none,
)


def _in(column: str, values: Iterable[str]) -> str:
    return f"{column} IN ({', '.join(repr(str(value)) for value in sorted(values))})"


_HOLDS_LOAD_LOCK = f"load_lock IS NOT NULL AND {_in('status', PLACED)}"

table = sa.Table(
    "runs",
    metadata,
    sa.Column("id", sa.Uuid, primary_key=True),
    sa.Column("workspace_id", sa.Uuid, sa.ForeignKey("workspaces.id"), nullable=False),
    sa.Column("job_id", sa.Uuid, sa.ForeignKey("jobs.id"), nullable=False),
    sa.Column("job_version_id", sa.Uuid, sa.ForeignKey("job_versions.id"), nullable=False),
    sa.Column("deployment_id", sa.Uuid, sa.ForeignKey("packages.id"), nullable=False),
    sa.Column("configuration_id", sa.Uuid, sa.ForeignKey("packages.id"), nullable=False),
    sa.Column("number", sa.Integer, nullable=False),
    sa.Column("status", sa.String(20), nullable=False),
    sa.Column("trigger", sa.String(300), nullable=False),
    sa.Column("profile", sa.String(100), nullable=False),
    sa.Column("refresh", sa.Boolean, nullable=False),
    sa.Column("interval_start", Moment, nullable=False),
    sa.Column("interval_end", Moment, nullable=False),
    sa.Column("previous_run_id", sa.Uuid, sa.ForeignKey("runs.id")),
    sa.Column("chain_depth", sa.Integer, nullable=False),
    sa.Column("triggered_by", sa.Uuid, sa.ForeignKey("organization_members.id")),
    sa.Column("cancel_by", Moment),
    # of a run that waits for its next attempt
    sa.Column("not_before", Moment),
    # what no other run of the workspace and profile may load at the same time
    sa.Column("load_lock", sa.String(300)),
    sa.Column("waits_for", sa.Text),
    # the size that its job asks for by name
    sa.Column("instance", sa.String(20)),
    # apps have places of their own
    sa.Column("is_app", sa.Boolean, nullable=False, server_default=sa.false()),
    sa.Column("end_cause", sa.String(20)),
    sa.Column("end_detail", sa.Text),
    sa.Column("exit_code", sa.Integer),
    sa.Column("created_at", Moment, nullable=False),
    sa.Column("started_at", Moment),
    sa.Column("finished_at", Moment),
    sa.Column("updated_at", Moment, nullable=False),
    # for lists only; `Run.seconds` is exact
    sa.Column("duration_ms", sa.BigInteger),
    sa.UniqueConstraint("job_id", "number"),
    sa.CheckConstraint(_in("status", RunStatus), name="status"),
    sa.CheckConstraint(f"end_cause IS NULL OR {_in('end_cause', EndCause)}", name="end_cause"),
    sa.CheckConstraint(f"(finished_at IS NOT NULL) = ({_in('status', TERMINAL)})", name="finished"),
    sa.Index("ix_runs_workspace", "workspace_id", "created_at", "number", "id"),
    sa.Index("ix_runs_job", "job_id", "created_at", "number", "id"),
    sa.Index("ix_runs_workspace_status", "workspace_id", "status", "created_at", "number", "id"),
    sa.Index("ix_runs_number", "workspace_id", "number"),
    sa.Index("ix_runs_started", "workspace_id", "started_at", "created_at", "number", "id"),
    sa.Index("ix_runs_finished", "workspace_id", "finished_at", "created_at", "number", "id"),
    sa.Index("ix_runs_duration", "workspace_id", "duration_ms", "created_at", "number", "id"),
    # those that a person started: few among many
    sa.Index(
        "ix_runs_by_people",
        "workspace_id",
        "created_at",
        "number",
        "id",
        sqlite_where=sa.text("triggered_by IS NOT NULL"),
        postgresql_where=sa.text("triggered_by IS NOT NULL"),
    ),
    sa.Index("ix_runs_job_status", "job_id", "status"),
    sa.Index("ix_runs_status", "status", "created_at"),
    sa.Index("ix_runs_previous", "previous_run_id"),
    # apps that wait are found behind however many runs that wait
    sa.Index(
        "ix_runs_apps",
        "status",
        "created_at",
        sqlite_where=sa.text("is_app = 1"),
        postgresql_where=sa.text("is_app"),
    ),
    # one load at a time, whatever servers think: the lock is held by being placed
    sa.Index(
        "uq_runs_load_lock",
        "workspace_id",
        "profile",
        "load_lock",
        unique=True,
        sqlite_where=sa.text(_HOLDS_LOAD_LOCK),
        postgresql_where=sa.text(_HOLDS_LOAD_LOCK),
    ),
)


@dataclass(frozen=True)
class Run:
    id: UUID
    workspace_id: UUID
    job_id: UUID
    job_version_id: UUID
    deployment_id: UUID
    configuration_id: UUID
    number: int
    """Counts up per job."""
    status: str
    trigger: str
    profile: str
    refresh: bool
    interval_start: datetime
    interval_end: datetime
    previous_run_id: UUID | None
    """The run whose end started this one."""
    chain_depth: int
    """Runs before this one in such a chain."""
    triggered_by: UUID | None
    """Organization membership of the person who started it."""
    cancel_by: datetime | None
    """When a run that was asked to stop has had its grace."""
    end_cause: str | None
    end_detail: str | None
    """Why it ended so, in one line for people."""
    exit_code: int | None
    created_at: datetime
    started_at: datetime | None
    finished_at: datetime | None
    updated_at: datetime
    not_before: datetime | None = None
    """When the next attempt of a run that waits for one may begin."""
    load_lock: str | None = None
    """The pipeline that no other run of the workspace and profile may load meanwhile."""
    waits_for: str | None = None
    """What it waits for, or has waited for, in words."""
    instance: str | None = None
    """The size of instance that its job asks for by name."""
    is_app: bool = False

    @property
    def is_over(self) -> bool:
        return self.status in TERMINAL

    def seconds(self) -> float | None:
        """How long it took, once it is over."""
        if self.finished_at is None:
            return None
        return (self.finished_at - (self.started_at or self.finished_at)).total_seconds()


_columns = columns_of(Run, table)


def insert(tx: Tx, new: Sequence[Run]) -> None:
    if new:
        tx.execute(table.insert(), [run.__dict__ for run in new])


def apply(tx: Tx, run_id: UUID, transition: Transition, now: datetime, **columns: Any) -> bool:
    """One named step of the lifecycle, if the run is still where the step may start."""
    values = {f"new_{name}": value for name, value in columns.items()}
    done = tx.execute(_step(transition, tuple(columns)), {"of_run": run_id, "at": now, **values})
    return done.rowcount > 0


@lru_cache
def _step(transition: Transition, further: tuple[str, ...]) -> sa.Update:
    """A step that writes these further columns, too."""
    now = sa.bindparam("at", type_=Moment)
    values: dict[str, Any] = {"status": str(transition.target), "updated_at": now}
    values |= {name: sa.bindparam(f"new_{name}", type_=table.c[name].type) for name in further}
    if transition.cause is not None:
        values["end_cause"] = str(transition.cause)
        values["finished_at"] = now
        values["duration_ms"] = sa.func.millis_between(sa.func.coalesce(table.c.started_at, now), now)
    is_where_it_may_start = table.c.status.in_([str(status) for status in transition.sources])
    return table.update().where(table.c.id == sa.bindparam("of_run"), is_where_it_may_start).values(**values)


def set_started(tx: Tx, run_id: UUID, now: datetime) -> None:
    """When its process began, once."""
    tx.execute(table.update().where(table.c.id == run_id, table.c.started_at.is_(None)).values(started_at=now))


_GET = sa.select(*_columns).where(table.c.id == sa.bindparam("wanted"))


def get(tx: Tx, run_id: UUID, workspace_id: UUID | None = None) -> Run | None:
    query = _GET
    if workspace_id is not None:
        query = query.where(table.c.workspace_id == workspace_id)
    return one_or_none(tx, Run, query, wanted=run_id)


def lock(tx: Tx, run_id: UUID) -> Run:
    """The run, held until the transaction ends (SQLite: for any writer)."""
    return all_of(tx, Run, sa.select(*_columns).where(table.c.id == run_id).with_for_update(key_share=True))[0]


def by_ids(tx: Tx, workspace_id: UUID, ids: Sequence[UUID]) -> dict[UUID, Run]:
    query = sa.select(*_columns).where(table.c.workspace_id == workspace_id, table.c.id.in_(ids))
    return {run.id: run for run in all_of(tx, Run, query)}


def latest_of(tx: Tx, job_ids: Collection[UUID]) -> dict[UUID, Run]:
    """The newest run of each job that ever ran."""
    if not job_ids:
        return {}
    query = sa.select(*_columns).join(
        jobs.table,
        sa.and_(table.c.job_id == jobs.table.c.id, table.c.number == jobs.table.c.last_run_number),
    )
    return {run.job_id: run for run in all_of(tx, Run, query.where(jobs.table.c.id.in_(job_ids)))}


def active_of(tx: Tx, job_id: UUID) -> list[Run]:
    """Runs of a job that hold one of its slots, oldest first."""
    return active_of_each(tx, [job_id])


_ACTIVE = (
    sa.select(*_columns)
    .where(
        table.c.job_id.in_(sa.bindparam("job_ids", expanding=True)),
        table.c.status.in_([str(status) for status in ACTIVE]),
    )
    .order_by(table.c.created_at)
)


def active_of_each(tx: Tx, job_ids: Collection[UUID]) -> list[Run]:
    """As `active_of`, of any of these jobs."""
    return all_of(tx, Run, _ACTIVE, job_ids=list(job_ids))


def lock_places(tx: Tx) -> None:
    """Held until the transaction ends: of several servers, one counts and gives places at a time."""
    dialects.lock(tx, dialects.PLACES_LOCK)


_now = sa.bindparam("now", type_=Moment)
_is_placed = table.c.status.in_([str(status) for status in PLACED])
_may_go = sa.and_(
    table.c.status == RunStatus.PENDING, sa.or_(table.c.not_before.is_(None), table.c.not_before <= _now)
)
_holder = table.alias("holder")
_is_held = sa.and_(
    _holder.c.workspace_id == table.c.workspace_id,
    _holder.c.profile == table.c.profile,
    _holder.c.load_lock == table.c.load_lock,
    # as the index has it word for word, so that it is used
    _holder.c.load_lock.is_not(None),
    _holder.c.status.in_([str(status) for status in PLACED]),
)
_is_next = sa.and_(_may_go, ~sa.exists().where(_is_held))
_NEXT_PENDING = (
    sa.select(*_columns).where(_is_next).order_by(table.c.created_at, table.c.number, table.c.id).limit(1)
)
_is_light = table.c.instance.is_(None)
_WITH_SIZE = (
    sa.select(table.c.id, table.c.number, jobs.table.c.job_ref, table.c.instance, table.c.waits_for)
    .join(jobs.table, jobs.table.c.id == table.c.job_id)
    .where(table.c.instance.is_not(None))
    .order_by(table.c.created_at, table.c.number, table.c.id)
)
_PLACED_WITH_SIZE = _WITH_SIZE.where(
    _is_placed,
    sa.exists().where(
        attempts.table.c.run_id == table.c.id,
        attempts.table.c.machine == sa.bindparam("machine"),
        attempts.is_live,
    ),
)
_WAITING_WITH_SIZE = _WITH_SIZE.where(_is_next).limit(sa.bindparam("most", type_=sa.Integer))
_BLOCKED = (
    sa.select(
        table.c.id.label("run_id"),
        table.c.waits_for,
        _holder.c.number.label("holder_number"),
        jobs.table.c.job_ref.label("holder_job_ref"),
    )
    .join(_holder, _is_held)
    .join(jobs.table, jobs.table.c.id == _holder.c.job_id)
    .where(_may_go)
    .order_by(table.c.created_at, table.c.number)
    .limit(sa.bindparam("most", type_=sa.Integer))
)
_PLACED_BY_KIND = (
    sa.select(table.c.is_app, table.c.status, sa.func.count())
    .where(_is_placed)
    .group_by(table.c.is_app, table.c.status)
)


class Kind(StrEnum):
    """Which runs have a place: those of apps have places of their own."""

    ANY = "any"
    RUN = "run"
    APP = "app"

    def of(self, query: sa.Select[Any]) -> sa.Select[Any]:
        """The query for runs of this kind."""
        match self:
            case Kind.RUN:
                return query.where(sa.not_(table.c.is_app))
            case Kind.APP:
                return query.where(table.c.is_app)
            case _:
                return query


def next_pending(tx: Tx, now: datetime, kind: Kind = Kind.ANY, *, only_light: bool = False) -> Run | None:
    """Of the runs that may be given to an engine now, the one that was asked for first; of all, or of those whose
    job asks for no size.

    One whose pipeline is being loaded waits, and those behind it go on; of those that wait for one pipeline, the
    oldest is next. Nobody holds a lock while waiting for another, so nothing can wait in a circle.
    """
    query = kind.of(_NEXT_PENDING)
    return one_or_none(tx, Run, query.where(_is_light) if only_light else query, now=now)


def waiting_apps(tx: Tx, now: datetime, limit: int) -> list[Run]:
    """Apps that may be given to an engine but for a place, oldest first."""
    return all_of(tx, Run, Kind.APP.of(_NEXT_PENDING).limit(limit), now=now)


def count_active(tx: Tx) -> dict[tuple[str, str], int]:
    """How many runs there are that are not over, by status and type of job."""
    job_type = jobs.versions.c.definition["entry_point"]["job_type"].as_string().label("job_type")
    active = (
        sa.select(table.c.status, job_type)
        .join(jobs.versions, jobs.versions.c.id == table.c.job_version_id)
        .where(table.c.status.in_([str(status) for status in ACTIVE]))
        .subquery()
    )
    query = sa.select(active.c.status, active.c.job_type, sa.func.count()).group_by(*active.c)
    return {(status, job_type): count for status, job_type, count in tx.execute(query)}


def pending(tx: Tx, limit: int) -> list[UUID]:
    """Runs that wait for whatever it is, oldest first."""
    query = sa.select(table.c.id).where(table.c.status == str(RunStatus.PENDING)).order_by(table.c.created_at)
    return list(tx.execute(query.limit(limit)).scalars())


@dataclass(frozen=True)
class Sized:
    """A run whose job asks for a size of instance."""

    id: UUID
    number: int
    job_ref: str
    instance: str
    waits_for: str | None


def placed_with_size(tx: Tx, machine: str) -> list[Sized]:
    """Those that have, or may have, a runner on this machine, oldest first."""
    return all_of(tx, Sized, _PLACED_WITH_SIZE, machine=machine)


def waiting_with_size(tx: Tx, now: datetime, kind: Kind, limit: int) -> list[Sized]:
    """Those that may be given to an engine but for room, in their order."""
    return all_of(tx, Sized, kind.of(_WAITING_WITH_SIZE), now=now, most=limit)


@dataclass(frozen=True)
class Blocked:
    """A run that waits for another one to have loaded its pipeline."""

    run_id: UUID
    waits_for: str | None
    """As it was noted last."""
    holder_number: int
    holder_job_ref: str


def blocked(tx: Tx, now: datetime, limit: int) -> list[Blocked]:
    """Runs that could go but for the load of another, oldest first."""
    return all_of(tx, Blocked, _BLOCKED, now=now, most=limit)


def note_wait(tx: Tx, run_id: UUID, waits_for: str) -> None:
    is_pending = table.c.status == RunStatus.PENDING
    tx.execute(table.update().where(table.c.id == run_id, is_pending).values(waits_for=waits_for))


def over(tx: Tx, run_ids: Collection[UUID]) -> set[UUID]:
    """Which of these runs are over; unknown ones are not among them."""
    is_over = table.c.status.in_([str(status) for status in TERMINAL])
    return set(tx.execute(sa.select(table.c.id).where(table.c.id.in_(run_ids), is_over)).scalars())


@dataclass(frozen=True)
class Placed:
    """How many runs have a place, for a runner has or may have them."""

    runs: int = 0
    apps: int = 0
    leaving_apps: int = 0
    """Of the apps, those that were asked to stop."""


def count_placed(tx: Tx) -> Placed:
    counts = {(is_app, status): count for is_app, status, count in tx.execute(_PLACED_BY_KIND)}
    of_runs, of_apps = (sum(n for (is_app, _), n in counts.items() if is_app is kind) for kind in (False, True))
    return Placed(of_runs, of_apps, counts.get((True, RunStatus.CANCELLING), 0))


def started_by(tx: Tx, run_id: UUID) -> list[Run]:
    """Runs that this run's end started."""
    query = sa.select(*_columns).where(table.c.previous_run_id == run_id).order_by(table.c.created_at)
    return all_of(tx, Run, query)


_RECENT_FOLLOW_UPS = sa.select(table.c.job_id, table.c.id).where(
    table.c.job_id.in_(sa.bindparam("job_ids", expanding=True)),
    table.c.created_at > sa.bindparam("since", type_=Moment),
    table.c.previous_run_id.is_not(None),
)


def count_repeats(
    tx: Tx, last: Run, job_ids: Collection[UUID], since: datetime, *, exact_from: int
) -> dict[UUID, int]:
    """How often jobs were started since a moment by the chain of follow-ups that `last` belongs to, in any branch
    of it; none if a job is not among the runs that led to `last`: many branches that meet in it are no circle.

    Below `exact_from` it is an upper bound: telling chains apart costs a walk for each.
    """
    found: dict[UUID, list[UUID]] = {job_id: [] for job_id in job_ids}
    for job_id, run_id in tx.execute(_RECENT_FOLLOW_UPS, {"job_ids": list(job_ids), "since": since}):
        found[job_id].append(run_id)
    return {
        job_id: len(recent) if len(recent) < exact_from else _count_in_chain(tx, last, job_id, recent)
        for job_id, recent in found.items()
    }


def _count_in_chain(tx: Tx, last: Run, job_id: UUID, found: Sequence[UUID]) -> int:
    """How many of these runs of a job belong to the chain of `last`; none if no run before it was of the job."""
    way_here = _ways([last.id])
    if not tx.execute(sa.select(way_here.c.id).where(way_here.c.job_id == job_id).limit(1)).all():
        return 0
    ways = _ways([last.id, *found])
    firsts = sa.select(ways.c.start, ways.c.id).where(ways.c.previous_run_id.is_(None))
    first_of = {row[0]: row[1] for row in tx.execute(firsts)}
    return sum(1 for run_id in found if first_of[run_id] == first_of[last.id])


def _ways(run_ids: Sequence[UUID]) -> sa.CTE:
    """The runs that led to each of these (`start`), themselves among them, back to the first of the chain."""
    columns = (table.c.id, table.c.previous_run_id, table.c.job_id)
    way = sa.select(table.c.id.label("start"), *columns).where(table.c.id.in_(run_ids)).cte("way", recursive=True)
    before = sa.select(way.c.start, *columns).join(table, table.c.id == way.c.previous_run_id)
    return way.union_all(before)
