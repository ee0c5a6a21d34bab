"""A run: how it stands, what belongs to it, and its log as it comes."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Annotated
from uuid import UUID

from fastapi import Query
from starlette.responses import Response

from homeport.contract.log_lines import LogLine
from homeport.operations import page_queries
from homeport.operations.page_queries import RunDetails
from homeport.scheduling.run_lifecycle import CANCELLABLE, EndCause, RunStatus
from homeport.store.attempts import Attempt
from homeport.web import rendering, words
from homeport.web.frame import Crumb, Frame
from homeport.web.rows import (
    RunRow,
    job_url,
    label,
    run_row,
    run_rows,
    run_url,
    seconds_of,
    workspace_url,
)
from homeport.web.visiting import Visiting, Visitor

LINES_AT_ONCE = 2_000


@dataclass(frozen=True)
class LogRow:
    """A line of the log; `words.plain` has taken terminal codes out."""

    number: int
    """From 0, as in the log itself."""
    at: datetime
    source: str
    is_stderr: bool
    text: str


@dataclass(frozen=True)
class LogPart:
    """The part of a log that the page shows at first."""

    rows: tuple[LogRow, ...]
    earlier_url: str | None
    later_url: str | None
    follow_url: str | None
    """Where a script reads on; none when the log is over, or the part is not its end."""
    reload_url: str
    text_url: str
    """The whole log as a text file."""


@dataclass(frozen=True)
class NotStartedItem:
    """A job that its end did not start, although a trigger said so."""

    label: str
    url: str
    reasons: tuple[str, ...]


@dataclass(frozen=True)
class AttemptRow:
    """One attempt of a run that was tried more than once."""

    number: int
    host: str | None
    started_at: datetime | None
    seconds: float | None
    is_over: bool
    why: str | None
    log_url: str
    """Where its lines begin."""


@dataclass(frozen=True)
class UsageItem:
    """What all processes of an attempt took; none is what was not measured."""

    peak_memory_bytes: int | None
    cpu_seconds: float | None
    read_bytes: int | None
    written_bytes: int | None


@dataclass(frozen=True)
class RunPage:
    frame: Frame
    status: str
    is_over: bool
    number: int
    job_label: str
    job_url: str
    trigger: str
    trigger_text: str
    """As it was fired."""
    person: str | None
    profile: str
    is_refresh: bool
    interval_start: datetime
    interval_end: datetime
    created_at: datetime
    started_at: datetime | None
    finished_at: datetime | None
    seconds: float | None
    time_limit: float | None
    instance: str | None
    """The size of its instance."""
    memory_limit_bytes: int | None
    usage: UsageItem | None
    """Of the latest attempt that has ended."""
    job_version: int
    code_version: int | None
    configuration_version: int | None
    why: str | None
    """Why it ended or is being stopped, where the status does not say it all."""
    waits: str | None
    """What a pending run waits for, where that can be said."""
    not_before: datetime | None
    """When the next attempt may begin."""
    attempts: tuple[AttemptRow, ...]
    """None where there was no more than one."""
    exit_code: int | None
    cancel_action: str | None
    """Where to post to cancel it; none when it is over or the person may not."""
    previous: RunRow | None
    started: tuple[RunRow, ...]
    not_started: tuple[NotStartedItem, ...]
    log: LogPart


def show(
    visitor: Visiting,
    workspace_id: UUID,
    run_id: UUID,
    from_: Annotated[int | None, Query(alias="from", ge=0, le=2**53)] = None,
) -> Response:
    seen = page_queries.run(visitor.platform, visitor.principal, workspace_id, run_id)
    # of a long log its end: that is where the reason stands
    first = max(0, seen.line_count - LINES_AT_ONCE) if from_ is None else min(from_, seen.line_count)
    lines, next_line = page_queries.log_lines(visitor.platform, run_id, first, LINES_AT_ONCE)
    return rendering.answer(_page(visitor, seen, _log_part(seen, first, lines, next_line)))


def log_row(line: LogLine) -> LogRow:
    return LogRow(
        number=line.line_num,
        at=line.reported_at,
        source=line.source,
        is_stderr=line.io_stream == "stderr",
        text=words.plain(line.content),
    )


def _log_part(seen: RunDetails, first: int, lines: Sequence[LogLine], next_line: int) -> LogPart:
    run = seen.seen.run
    url = run_url(run.workspace_id, run.id)
    is_end = next_line >= seen.line_count
    return LogPart(
        rows=tuple(map(log_row, lines)),
        earlier_url=f"{url}?from={max(0, first - LINES_AT_ONCE)}#log" if first else None,
        later_url=None if is_end else f"{url}?from={next_line}#log",
        follow_url=f"{url}/events?from={next_line}" if is_end and not run.is_over else None,
        reload_url=url,
        text_url=f"{url}/log.txt",
    )


def _page(visitor: Visitor, seen: RunDetails, log: LogPart) -> RunPage:
    run, job, workspace = seen.seen.run, seen.seen.job, seen.workspace
    name, job_address = label(job), job_url(workspace.id, job.job.job_ref)
    return RunPage(
        frame=visitor.frame(
            f"{name} #{run.number}", Crumb(workspace.name, workspace_url(workspace.id)), Crumb(name, job_address)
        ),
        status=run.status,
        is_over=run.is_over,
        number=run.number,
        job_label=name,
        job_url=job_address,
        trigger=words.trigger(run.trigger, seen.version.zone),
        trigger_text=run.trigger,
        person=seen.seen.person,
        profile=run.profile,
        is_refresh=run.refresh,
        interval_start=run.interval_start,
        interval_end=run.interval_end,
        created_at=run.created_at,
        started_at=run.started_at,
        finished_at=run.finished_at,
        seconds=seconds_of(run, visitor.now),
        time_limit=seen.limits.timeout,
        instance=seen.size.name if seen.size else None,
        memory_limit_bytes=seen.size.memory_bytes if seen.size else None,
        usage=_usage(seen.attempts),
        job_version=seen.version.version,
        code_version=seen.code.version if seen.code else None,
        configuration_version=seen.configuration.version if seen.configuration else None,
        why=words.end(run.status, run.end_cause, run.end_detail),
        waits=_waits(seen),
        not_before=run.not_before if run.status == RunStatus.PENDING else None,
        attempts=_attempt_rows(seen, visitor.now),
        exit_code=run.exit_code,
        cancel_action=f"{run_url(workspace.id, run.id)}/-cancel"
        if seen.may_cancel and run.status in CANCELLABLE
        else None,
        previous=None if seen.previous is None else run_row(seen.previous, visitor.now),
        started=run_rows(seen.started, visitor.now),
        not_started=tuple(
            NotStartedItem(label(item.job), job_url(workspace.id, item.job.job.job_ref), tuple(item.reasons))
            for item in seen.not_started
        ),
        log=log,
    )


def _waits(seen: RunDetails) -> str | None:
    run = seen.seen.run
    if run.status != RunStatus.PENDING:
        return None
    if run.waits_for is not None:
        return f"Waits for {run.waits_for}."
    if run.not_before is not None:
        return f"Attempt {len(seen.attempts) + 1} of {seen.max_attempts} follows."
    return None


def _usage(tried: Sequence[Attempt]) -> UsageItem | None:
    measured = [
        UsageItem(found.peak_memory_bytes, found.cpu_seconds, found.read_bytes, found.written_bytes)
        for found in tried
    ]
    return next((found for found in reversed(measured) if found != UsageItem(None, None, None, None)), None)


def _attempt_rows(seen: RunDetails, now: datetime) -> tuple[AttemptRow, ...]:
    if len(seen.attempts) < 2 and seen.seen.run.not_before is None:
        return ()
    run, rows, line = seen.seen.run, [], 0
    for attempt in seen.attempts:
        end = attempt.ended_at or now
        rows.append(
            AttemptRow(
                number=attempt.number,
                host=attempt.host,
                started_at=attempt.started_at,
                seconds=None if attempt.started_at is None else (end - attempt.started_at).total_seconds(),
                is_over=attempt.ended_at is not None,
                why=words.end("failed", attempt.end_cause, attempt.end_detail)
                if attempt.end_cause is not None
                and (attempt.exit_code != 0 or attempt.end_cause != EndCause.EXITED)
                else None,
                log_url=f"{run_url(run.workspace_id, run.id)}?from={line}#log",
            )
        )
        line += attempt.next_line
    return tuple(rows)
