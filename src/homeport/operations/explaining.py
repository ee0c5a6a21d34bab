"""Why a job did, or did not, run at a moment: the ledger and the schedule, put into sentences for people."""

from collections.abc import Iterator
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from uuid import UUID
from zoneinfo import ZoneInfo

from homeport.auth.permissions import Permission, workspace_for
from homeport.auth.principals import Principal
from homeport.contract.ticks import ComingTickResponse, ExplanationResponse
from homeport.errors import BadRequest, NotFound
from homeport.operations import ledger
from homeport.operations.platform import Platform
from homeport.operations.tick_words import Words
from homeport.scheduling.look_ahead import around, first_within
from homeport.scheduling.tick_outcomes import COVERED, DEFERRED
from homeport.scheduling.triggers import Trigger, TriggerKind, parse_trigger
from homeport.scheduling.zones import moments_of
from homeport.store import declined_starts, job_triggers, jobs, run_starts, runs, ticks, workspaces
from homeport.store.schema import Tx
from homeport.store.ticks import Tick

_LOOK_AHEAD = timedelta(days=366 * 5)
_ROWS_SHOWN = 20
_YEARS = range(1970, 2300)
"""No schedule of ours was before, and arithmetic near the end of the calendar fails."""
_MICROSECOND = timedelta(microseconds=1)


@dataclass
class _Case:
    """What is known of a job, and the answer as it grows."""

    tx: Tx
    current: jobs.CurrentJob
    workspace: workspaces.Workspace
    now: datetime
    words: Words
    next: ComingTickResponse | None
    kept_days: float
    """How long rows are kept; 0: for ever."""
    lines: list[str] = field(default_factory=list)
    ticks: list[Tick] = field(default_factory=list)

    @property
    def ref(self) -> str:
        return self.current.job.job_ref

    def timed(self) -> list[Trigger]:
        return run_starts.timed_triggers(self.current.version.definition["triggers"])

    def anchor(self, trigger: Trigger) -> datetime | None:
        """Some tick of a trigger: the next one, or the last that was."""
        following = job_triggers.timed_of(self.tx, self.current.job.id).get(str(trigger))
        newest = ticks.newest(self.tx, self.current.job.id, str(trigger), until=self.now)
        return following or (None if newest is None else newest.last_moment)


def explain(
    platform: Platform, principal: Principal, workspace_id: UUID, job_id: UUID, moment: str | None
) -> ExplanationResponse:
    """What happened to a job at a moment; without one, what happened last and what comes next."""
    now = platform.clock.now()
    with platform.database.read() as tx:
        workspace = workspace_for(tx, principal, workspace_id, Permission.READ)
        current = jobs.get(tx, workspace_id, job_id)
        if current is None:
            raise NotFound(f"There is no job {job_id} in this workspace.")
        words = Words(current.version.zone)
        coming, kept_days = ledger.next_of(tx, current, now + _LOOK_AHEAD), platform.settings.tick_retention_days
        case = _Case(tx, current, workspace, now, words, coming, kept_days)
        asked = None if moment is None else _moment(case, moment)
        if asked is None:
            _tell_latest(case)
        else:
            _tell_of(case, *asked)
        _tell_state(case)
        return ExplanationResponse(
            job_id=job_id,
            job_ref=case.ref,
            zone=current.version.zone,
            moment=None if asked is None else asked[0],
            lines=case.lines,
            ticks=[ledger.answer_of(row, case.ref) for row in case.ticks],
            next=case.next,
        )


def _moment(case: _Case, text: str) -> tuple[datetime, timedelta]:
    """The moment that somebody means, and how exactly they said it."""
    try:
        # a plus sign that nobody encoded has become a blank on its way here
        head, blank, offset = text.strip().rpartition(" ")
        is_offset = bool(blank) and "T" in head and offset[:2].isdigit()
        reading = datetime.fromisoformat(f"{head}+{offset}" if is_offset else text.strip())
        if reading.year not in _YEARS:
            raise ValueError
        span = _MICROSECOND if reading.microsecond else timedelta(seconds=1 if reading.second else 60)
        if reading.tzinfo is not None:
            return case.words.in_utc(reading), span
        found = moments_of(reading, ZoneInfo(case.current.version.zone))
    except (ValueError, OverflowError):
        raise BadRequest(
            f"{text!r} is no date and time: write one such as 2026-11-23T04:00, read in the job's time zone "
            f"({case.current.version.zone}), or with an offset, such as 2026-11-23T04:00Z.",
            code="invalid_moment",
        ) from None
    if len(found) > 1:
        case.lines.append(
            f"Clocks in {case.current.version.zone} show {reading:%Y-%m-%d %H:%M} twice; this is about the first "
            f"time, {case.words.at(found[0])}. The second is {case.words.at(found[1])}."
        )
    return found[0], span


# about one moment


def _tell_of(case: _Case, moment: datetime, span: timedelta) -> None:
    rows = ticks.over(case.tx, case.current.job.id, moment, moment + span, _ROWS_SHOWN)
    fitting = [row for row in rows if _stands_for(case, row, moment, span)]
    if fitting:
        for row in fitting:
            _tell_row(case, row)
        return
    found = [
        (trigger, tick)
        for trigger in case.timed()
        if (tick := first_within(trigger, moment, span, case.words.zone, case.anchor(trigger))) is not None
    ]
    for trigger, tick in found:
        _tell_unwritten(case, trigger, tick)
    if not found:
        _tell_no_tick(case, moment)


def _stands_for(case: _Case, row: Tick, moment: datetime, span: timedelta) -> bool:
    if row.moment == row.last_moment:
        return True
    start = max(moment, row.moment)
    tick = first_within(
        parse_trigger(row.trigger), start, moment + span - start, case.words.zone, anchor=row.moment
    )
    return tick is not None and tick <= row.last_moment


def _tell_unwritten(case: _Case, trigger: Trigger, tick: datetime) -> None:
    """A tick by the schedule of today that the ledger does not have."""
    at = case.words.at(tick)
    version, following = case.current.version, job_triggers.timed_of(case.tx, case.current.job.id)
    next_at = following.get(str(trigger))
    if next_at is not None and tick == next_at <= case.now:
        case.lines.append(
            f"The tick of {at} ({trigger}) is due and was not decided yet: the scheduler does it within seconds. "
            "If this stays so, look at the server's log."
        )
    elif case.kept_days and tick < case.now - timedelta(days=case.kept_days):
        case.lines.append(
            f"Nothing is kept about {at}, a moment of {trigger}: it was more than {case.kept_days:g} days ago "
            "(HOMEPORT_TICK_RETENTION_DAYS)."
        )
    elif tick <= case.now:
        case.lines.append(
            f"Nothing is written about {at}, a moment of {trigger}: {case.ref} was deployed with it on "
            f"{case.words.at(version.created_at)} or came back from the archive later, or it fires only from its "
            "next moment on."
        )
    elif next_at is None:
        case.lines.append(f"{case.ref} would fire at {at} ({trigger}), but nothing fires it now.")
    elif case.next is not None and case.next.moment == tick:
        case.lines.append(f"{case.ref} will be due at {at} ({trigger}). {_window_to_come(case, case.next)}")
    elif _is_outside(case, tick):
        case.lines.append(f"{case.ref} will not fire at {at}: that is outside the interval that it declares.")
    else:
        before, _ = around(trigger, tick - _MICROSECOND, case.words.zone, case.anchor(trigger))
        window = "" if before is None else f" Its window is {case.words.window(before, tick)} if all goes well."
        case.lines.append(f"{case.ref} will be due at {at} ({trigger}).{window}")


def _is_outside(case: _Case, tick: datetime) -> bool:
    declared = run_starts.declared_interval(case.current.version.definition, case.words.zone)
    return declared is not None and (tick <= declared.start or (declared.end is not None and tick > declared.end))


def _tell_no_tick(case: _Case, moment: datetime) -> None:
    at = case.words.at(moment)
    timed = case.timed()
    if not timed:
        case.lines.append(f"{case.ref} has no trigger that fires by the clock, so not at {at} either.")
        _tell_untimed(case)
        return
    pairs = [around(trigger, moment, case.words.zone, case.anchor(trigger)) for trigger in timed]
    near = [
        max((before for before, _ in pairs if before is not None), default=None),
        min((later for _, later in pairs if later is not None), default=None),
    ]
    nearest = " and ".join(case.words.at(tick) for tick in near if tick is not None)
    told = f"; the nearest are {nearest}" if all(near) else f"; the nearest is {nearest}" if nearest else ""
    case.lines.append(f"No trigger of {case.ref} fires at {at}{told}.")
    active = [
        run for run in runs.active_of(case.tx, case.current.job.id) if run.created_at <= moment and not run.is_over
    ]
    case.lines += [f"Run #{run.number} was under way ({run.trigger})." for run in active]


# about the latest


def _tell_latest(case: _Case) -> None:
    if not case.timed():
        _tell_untimed(case)
        return
    newest = ticks.latest_of(case.tx, case.current.job.id, 1)
    waiting = [
        row
        for row in ticks.open_in(case.tx, case.current.job.workspace_id)
        if row.job_id == case.current.job.id and row not in newest
    ]
    for row in [*waiting, *newest]:
        _tell_row(case, row)
    if not newest:
        deployed = case.words.at(case.current.version.created_at)
        case.lines.append(f"{case.ref} has had no moment of its schedule yet (deployed {deployed}).")
        _tell_last_run(case)
    if case.next is not None:
        case.lines.append(f"Next: {case.words.at(case.next.moment)}. {_window_to_come(case, case.next)}")
    elif not _is_archived(case):
        case.lines.append("Nothing is to come by the clock.")


def _tell_untimed(case: _Case) -> None:
    """A job that other jobs or people start."""
    version = case.current.version
    events = [trigger for trigger in map(parse_trigger, version.definition["triggers"]) if trigger.is_job_event]
    if not events:
        case.lines.append(f"{case.ref} starts on demand: `dlthub job trigger` or the web page starts it.")
    found = jobs.by_refs(case.tx, case.current.job.workspace_id, {trigger.expr for trigger in events})
    latest = runs.latest_of(case.tx, {item.job.id for item in found.values()})
    for trigger in events:
        end = "completes" if trigger.kind is TriggerKind.JOB_SUCCESS else "fails"
        upstream = found.get(trigger.expr)
        run = None if upstream is None else latest.get(upstream.job.id)
        known = "is not deployed" if upstream is None else "has not run yet"
        if run is not None:
            known = f"last ran as {case.words.run(run)}"
        case.lines.append(f"{case.ref} starts when {trigger.expr} {end}; {trigger.expr} {known}.")
    _tell_declined(case)
    _tell_last_run(case)


def _tell_declined(case: _Case) -> None:
    """The latest start by another job, a deploy or a call that was declined, if there was one."""
    for declined in declined_starts.of_job(case.tx, case.current.job.id, 1):
        why = "; ".join(declined.reasons)
        case.lines.append(
            f"The last start that was declined: {declined.trigger} at {case.words.at(declined.at)} "
            f"({declined.status}), because {why}."
        )


def _tell_last_run(case: _Case) -> None:
    run = runs.latest_of(case.tx, [case.current.job.id]).get(case.current.job.id)
    if run is None:
        case.lines.append("It has not run yet.")
        return
    case.lines.append(f"Its last run: {case.words.run(run)}, started by {run.trigger}.")


# parts of both


def _tell_row(case: _Case, row: Tick) -> None:
    case.ticks.append(row)
    run_id, later = row.run_id, None
    if row.outcome == COVERED and run_id is None:
        later = ticks.which_took_over(case.tx, row, COVERED)
        run_id = None if later is None else later.run_id
    run = None if run_id is None else runs.get(case.tx, run_id)
    case.lines += case.words.row(case.ref, row, run)
    if later is not None:
        case.lines.append(f"  {case.words.taken_over(later, run)}")
    if row.outcome == DEFERRED:
        case.lines += _way_out_of_waiting(case, row)


def _way_out_of_waiting(case: _Case, row: Tick) -> Iterator[str]:
    stale = [item for item in row.inputs.get("upstreams", []) if not item["is_fresh"] or item["started_together"]]
    names = [item["job_ref"] for item in stale]
    found = jobs.by_refs(case.tx, case.current.job.workspace_id, names)
    latest = runs.latest_of(case.tx, {item.job.id for item in found.values()})
    for name in names:
        upstream = found.get(name)
        run = None if upstream is None else latest.get(upstream.job.id)
        if run is not None:
            yield f"  The last run of {name} is {case.words.run(run)}."
        elif upstream is not None:
            yield f"  {name} has not run yet."
    if case.current.job.paused_at is not None:
        yield f"  It will be looked at again when {case.ref} is resumed."
    elif names:
        yield f"  It will be started when {' and '.join(names)} {'has' if len(names) == 1 else 'have'} completed."
    if case.next is not None:
        yield f"  Otherwise the tick of {case.words.at(case.next.moment)} takes it over, and reaches back over it."


def _window_to_come(case: _Case, tick: ComingTickResponse) -> str:
    if tick.interval_start is None or tick.interval_end is None:
        return "That is outside the interval that it declares, so no run will start."
    if tick.is_paused:
        return "It is paused, so no run will start then."
    kept = f"Its window: {case.words.window(tick.interval_start, tick.interval_end)}."
    if not tick.waits_for:
        return kept
    are = "is" if len(tick.waits_for) == 1 else "are"
    return f"{kept} It waits until {' and '.join(tick.waits_for)} {are} fresh."


def _is_archived(case: _Case) -> bool:
    return case.current.job.archived_at is not None or case.workspace.archived_at is not None


def _tell_state(case: _Case) -> None:
    job, at = case.current.job, case.words.at
    if case.workspace.archived_at is not None:
        case.lines.append(
            f"The workspace {case.workspace.name!r} is archived since {at(case.workspace.archived_at)}: nothing "
            "in it fires. Unarchive it to go on."
        )
    if job.archived_at is not None:
        case.lines.append(
            f"{case.ref} is archived since {at(job.archived_at)}: nothing fires it. Deploy or unarchive it to go "
            "on."
        )
    if job.paused_at is not None:
        case.lines.append(
            f"{case.ref} is paused since {at(job.paused_at)}: its schedule starts nothing. Resume it with "
            f"`dlthub job resume {job.job_ref.removeprefix('jobs.')}`; its next run then covers the whole pause."
        )
