"""The ledger of scheduled moments, and the look ahead."""

from collections.abc import Iterator
from datetime import datetime, timedelta
from heapq import merge
from itertools import islice
from uuid import UUID
from zoneinfo import ZoneInfo

from homeport.auth.permissions import Permission, workspace_for
from homeport.auth.principals import Principal
from homeport.contract.base import TOTAL_CAP, Page
from homeport.contract.lists import ScheduleQuery, TicksQuery
from homeport.contract.ticks import ComingTickResponse, ScheduleResponse, TickResponse
from homeport.errors import NotFound
from homeport.operations.paging import cursor, cursor_values, page_of
from homeport.operations.platform import Platform
from homeport.scheduling.freshness import parse_freshness
from homeport.scheduling.look_ahead import Coming, coming
from homeport.scheduling.triggers import parse_trigger
from homeport.store import job_triggers, jobs, run_starts, ticks
from homeport.store.listing import Start
from homeport.store.schema import Tx


def list_ticks(
    platform: Platform, principal: Principal, workspace_id: UUID, query: TicksQuery
) -> Page[TickResponse]:
    """Moments and what became of them, newest first."""
    filters = ticks.Filters(query.job_id, query.outcome, query.start_at, query.end_at)
    descends = all(way for _, way in query.sorted_by)
    start = (
        Start(offset=query.offset) if query.cursor is None else Start(after=cursor_values(query, ticks.KEY_KINDS))
    )
    with platform.database.read() as tx:
        workspace_for(tx, principal, workspace_id, Permission.READ)
        found = ticks.find(tx, workspace_id, filters, start, query.limit + 1, descends)
        total = ticks.count(tx, workspace_id, filters, TOTAL_CAP)
        shown = found[: query.limit]
        refs = {item.job.id: item.job.job_ref for item in jobs.by_ids(tx, {row.job_id for row, _ in shown})}
    next_cursor = cursor(query, shown[-1][1]) if len(found) > query.limit else None
    return page_of([answer_of(row, refs[row.job_id]) for row, _ in shown], total, query, next_cursor)


def schedule(
    platform: Platform, principal: Principal, workspace_id: UUID, query: ScheduleQuery
) -> ScheduleResponse:
    """The coming moments of a workspace, in order, as they will be if every run completes in time."""
    now = platform.clock.now()
    until = now + timedelta(hours=query.hours)
    with platform.database.read() as tx:
        workspace_for(tx, principal, workspace_id, Permission.READ)
        if query.job_id is not None and jobs.get(tx, workspace_id, query.job_id) is None:
            raise NotFound(f"There is no job {query.job_id} in this workspace.")
        # each of them has a moment before `until`: more of them than are wanted cannot be among the first
        firing = job_triggers.coming(tx, workspace_id, until, query.limit + 1, query.job_id)
        by_id = {item.job.id: item for item in jobs.by_ids(tx, {item.job_id for item in firing})}
    walks = [_walk(by_id[item.job_id], item, until) for item in firing]
    found = list(islice(merge(*walks, key=lambda item: (item.moment, item.job_ref)), query.limit + 1))
    return ScheduleResponse(
        now=now, until=until, items=found[: query.limit], is_complete=len(found) <= query.limit
    )


def next_of(tx: Tx, current: jobs.CurrentJob, until: datetime) -> ComingTickResponse | None:
    """The next moment of a job, if it comes before `until`."""
    firing = job_triggers.coming(tx, current.job.workspace_id, until, 1, current.job.id)
    return next((tick for item in firing for tick in _walk(current, item, until)), None)


def answer_of(row: ticks.Tick, job_ref: str) -> TickResponse:
    return TickResponse(job_ref=job_ref, **row.__dict__)


def _walk(
    current: jobs.CurrentJob, firing: job_triggers.TimedTrigger, until: datetime
) -> Iterator[ComingTickResponse]:
    facts, trigger = run_starts.window_facts_of(current), parse_trigger(firing.trigger)
    for tick in coming(facts, trigger, firing.next_at, until):
        yield _coming_answer(current, firing.trigger, tick)


def _coming_answer(current: jobs.CurrentJob, trigger: str, tick: Coming) -> ComingTickResponse:
    job, zone = current.job, current.version.zone
    return ComingTickResponse(
        job_id=job.id,
        job_ref=job.job_ref,
        trigger=trigger,
        moment=tick.moment,
        local_moment=tick.moment.astimezone(ZoneInfo(zone)).isoformat(),
        zone=zone,
        interval_start=None if tick.interval is None else tick.interval.start,
        interval_end=None if tick.interval is None else tick.interval.end,
        is_paused=job.paused_at is not None,
        waits_for=[parse_freshness(text).job_ref for text in current.version.definition.get("freshness") or []],
    )
