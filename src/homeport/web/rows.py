"""Rows of the tables that several pages share, and how they are made from what the store knows."""

from collections.abc import Iterable
from dataclasses import dataclass
from datetime import datetime
from urllib.parse import quote
from uuid import UUID

from homeport.contract import dlt_deployment
from homeport.operations.page_queries import JobSeen, RunSeen, TickSeen
from homeport.scheduling.tick_outcomes import DEFERRED
from homeport.store.jobs import CurrentJob, JobVersion
from homeport.store.runs import Run
from homeport.web import words

_ON_DEMAND = ("manual:", "tag:", "pipeline_name:", "http:")


@dataclass(frozen=True)
class RunRow:
    """A run in a list."""

    url: str
    number: int
    job_label: str
    job_url: str
    status: str
    trigger: str
    """In plain words."""
    profile: str
    person: str | None
    """Who started it, if somebody did."""
    created_at: datetime
    started_at: datetime | None
    is_over: bool
    seconds: float | None
    """How long it took, or has taken so far."""
    why: str | None
    """Why it ended or is being stopped, in one line, where the status does not say it all."""


@dataclass(frozen=True)
class TickRow:
    """A moment of a schedule, or a range of them, and what became of it."""

    moment: datetime
    last_moment: datetime | None
    """Of a range; none when it is one moment."""
    outcome: str
    waits: bool
    why: str | None
    run_number: int | None
    run_url: str | None


@dataclass(frozen=True)
class LatestRun:
    """The newest run of a job."""

    url: str
    number: int
    status: str
    created_at: datetime


@dataclass(frozen=True)
class JobRow:
    """A job in a list."""

    url: str
    label: str
    ref: str
    category: str
    description: str | None
    triggers: tuple[str, ...]
    """What starts it by itself, in plain words; empty when only people do."""
    is_paused: bool
    latest: LatestRun | None
    next_at: datetime | None


def workspace_url(workspace_id: UUID) -> str:
    return f"/w/{workspace_id}"


def job_url(workspace_id: UUID, job_ref: str) -> str:
    return f"/w/{workspace_id}/jobs/{quote(job_ref, safe='')}"


def run_url(workspace_id: UUID, run_id: UUID) -> str:
    return f"/w/{workspace_id}/runs/{run_id}"


def pipeline_url(workspace_id: UUID, name: str) -> str:
    return f"/w/{workspace_id}/pipelines/{quote(name, safe='')}"


def label(job: CurrentJob) -> str:
    return dlt_deployment.label(job.version.definition)


def own_triggers(version: JobVersion) -> tuple[str, ...]:
    """What starts a job by itself, in plain words."""
    return tuple(
        words.trigger(text, version.zone)
        for text in version.definition["triggers"]
        if not text.startswith(_ON_DEMAND)
    )


def seconds_of(run: Run, now: datetime) -> float | None:
    """How long a run took, or has taken so far; none before its process began."""
    if run.started_at is None:
        return None
    return ((run.finished_at or now) - run.started_at).total_seconds()


def run_row(seen: RunSeen, now: datetime) -> RunRow:
    run, job = seen.run, seen.job
    return RunRow(
        url=run_url(run.workspace_id, run.id),
        number=run.number,
        job_label=label(job),
        job_url=job_url(run.workspace_id, job.job.job_ref),
        status=run.status,
        trigger=words.trigger(run.trigger, job.version.zone),
        profile=run.profile,
        person=seen.person,
        created_at=run.created_at,
        started_at=run.started_at,
        is_over=run.is_over,
        seconds=seconds_of(run, now),
        why=words.end(run.status, run.end_cause, (run.end_detail or "").partition("\n")[0]),
    )


def run_rows(seen: Iterable[RunSeen], now: datetime) -> tuple[RunRow, ...]:
    return tuple(run_row(item, now) for item in seen)


def job_row(seen: JobSeen) -> JobRow:
    job, definition, run = seen.current.job, seen.current.version.definition, seen.latest
    return JobRow(
        url=job_url(job.workspace_id, job.job_ref),
        label=label(seen.current),
        ref=job.job_ref,
        category=dlt_deployment.category(definition).replace("_", " "),
        description=definition.get("description"),
        triggers=own_triggers(seen.current.version),
        is_paused=job.paused_at is not None,
        latest=None
        if run is None
        else LatestRun(run_url(run.workspace_id, run.id), run.number, run.status, run.created_at),
        next_at=seen.next_at,
    )


def job_rows(seen: Iterable[JobSeen]) -> tuple[JobRow, ...]:
    """By name: a list that stays as it is while jobs run is found through faster."""
    return tuple(sorted(map(job_row, seen), key=lambda row: row.label.casefold()))


def tick_rows(seen: Iterable[TickSeen]) -> tuple[TickRow, ...]:
    return tuple(_tick_row(item) for item in seen)


def _tick_row(seen: TickSeen) -> TickRow:
    tick, run = seen.tick, seen.run
    return TickRow(
        moment=tick.moment,
        last_moment=tick.last_moment if tick.last_moment != tick.moment else None,
        outcome=words.outcome(tick.outcome),
        waits=tick.outcome == DEFERRED,
        why="; ".join(tick.reasons) or None,
        run_number=None if run is None else run.number,
        run_url=None if run is None else run_url(run.workspace_id, run.id),
    )
