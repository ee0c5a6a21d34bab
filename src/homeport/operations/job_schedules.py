"""Which triggers fire a job, and when next: written at deploys, and when a job or workspace comes back."""

from collections.abc import Mapping
from datetime import datetime

from homeport.scheduling.intervals import next_tick_within
from homeport.scheduling.start_decision import TriggerStatus
from homeport.scheduling.tick_outcomes import DecidedBy
from homeport.scheduling.triggers import Trigger, TriggerKind, parse_trigger
from homeport.store import job_triggers, jobs, run_starts, ticks
from homeport.store.schema import Tx


def is_recurring(version: jobs.JobVersion) -> bool:
    """Whether the job fires again and again by the clock: only then there is something to pause."""
    return any(trigger.is_recurring for trigger in run_starts.timed_triggers(version.definition["triggers"]))


def set_up(tx: Tx, current: jobs.CurrentJob, now: datetime, kept: Mapping[str, datetime] | None = None) -> None:
    """Write what fires the job from now on; triggers in `kept` keep their next moment."""
    next_at = {
        text: (kept or {}).get(text) or _first_moment(tx, current, parse_trigger(text), now)
        for text in current.version.triggers
    }
    job_triggers.replace(tx, current.job, next_at)


def take_down(tx: Tx, job: jobs.Job, now: datetime, status: TriggerStatus) -> None:
    """From now on nothing fires the job, and a tick of it that waits ends with `status`."""
    job_triggers.replace(tx, job, {})
    what = job.job_ref if status is TriggerStatus.SKIPPED_JOB_ARCHIVED else "the workspace"
    reason = f"{what} was archived while this tick waited"
    ticks.end_open(tx, job.id, str(status), reason, DecidedBy.CHANGE, now)


def _first_moment(tx: Tx, current: jobs.CurrentJob, trigger: Trigger, now: datetime) -> datetime | None:
    if not trigger.is_timed:
        return None
    # a moment that is named only once is over when the ledger has it, whatever is deployed after it
    if trigger.kind is TriggerKind.ONCE and ticks.has_any(tx, current.job.id, str(trigger)):
        return None
    zone = current.version.zone
    declared = run_starts.declared_interval(current.version.definition, zone)
    return next_tick_within(trigger, now, zone=zone, declared=declared)
