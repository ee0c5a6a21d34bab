"""Pause, archive and publish a job, and undo it (wire contract §8.1). All can be repeated: what is so stays so."""

from collections.abc import Callable
from dataclasses import replace
from datetime import datetime
from typing import Literal
from uuid import UUID, uuid4

from homeport import bells
from homeport.auth.permissions import Permission, live_workspace_for, workspace_for
from homeport.auth.principals import Principal
from homeport.contract.jobs import JobResponse
from homeport.errors import BadRequest, NotFound
from homeport.operations import answers, auditing, job_schedules, public_links
from homeport.operations.auditing import Action
from homeport.operations.platform import Platform
from homeport.scheduling.start_decision import TriggerStatus
from homeport.store import job_triggers, jobs, ticks, workspaces
from homeport.store.schema import Tx
from homeport.telemetry import events

Verb = Literal["pause", "resume", "archive", "unarchive", "publish", "unpublish"]


def pause(platform: Platform, principal: Principal, workspace_id: UUID, job_id: UUID) -> JobResponse:
    """The clock starts the job no more; people and other jobs still do.

    Its next moment goes on advancing meanwhile, and the first run after `resume` covers the whole gap.
    """
    return _change(platform, principal, workspace_id, job_id, "pause", _paused)


def resume(platform: Platform, principal: Principal, workspace_id: UUID, job_id: UUID) -> JobResponse:
    return _change(platform, principal, workspace_id, job_id, "resume", _resumed)


def archive(platform: Platform, principal: Principal, workspace_id: UUID, job_id: UUID) -> JobResponse:
    """Nobody and nothing starts the job any more; its runs stay to be looked at."""
    return _change(platform, principal, workspace_id, job_id, "archive", _archived)


def unarchive(platform: Platform, principal: Principal, workspace_id: UUID, job_id: UUID) -> JobResponse:
    return _change(platform, principal, workspace_id, job_id, "unarchive", _unarchived)


def publish(platform: Platform, principal: Principal, workspace_id: UUID, job_id: UUID) -> JobResponse:
    """Give the job's app a link that needs no sign-in: a new one each time, without terms. Others are void."""
    return _change(platform, principal, workspace_id, job_id, "publish", _published)


def unpublish(platform: Platform, principal: Principal, workspace_id: UUID, job_id: UUID) -> JobResponse:
    """Take the link back; without one there is nothing to do (wire contract §16)."""
    return _change(platform, principal, workspace_id, job_id, "unpublish", _unpublished)


def _change(
    platform: Platform,
    principal: Principal,
    workspace_id: UUID,
    job_id: UUID,
    verb: Verb,
    change: Callable[[Tx, jobs.CurrentJob, datetime], jobs.Job],
) -> JobResponse:
    now = platform.clock.now()
    with platform.database.write() as tx:
        workspace_for(tx, principal, workspace_id, Permission.WRITE)
        # a deploy or the archiving of the workspace may be under way: after it, things are different
        workspaces.lock(tx, workspace_id)
        live_workspace_for(tx, principal, workspace_id, Permission.WRITE)
        _job(tx, workspace_id, job_id)
        before = jobs.lock(tx, job_id)
        after = change(tx, before, now)
        if after != before.job:
            jobs.save(
                tx,
                after,
                paused_at=after.paused_at,
                archived_at=after.archived_at,
                public_secret=after.public_secret,
                updated_at=now,
            )
            auditing.record(tx, principal, Action.JOB_CHANGE, after.job_ref, now, workspace_id, verb=verb)
        answer = _answer(tx, _job(tx, workspace_id, job_id), platform)
    if after != before.job:
        events.emit(events.JOB_CHANGED, job=after.job_ref, verb=verb)
        platform.bells.ring(bells.SCHEDULES_CHANGED)
    return answer


def _paused(tx: Tx, current: jobs.CurrentJob, now: datetime) -> jobs.Job:
    job = current.job
    if job.archived_at is not None:
        raise BadRequest(
            f"{job.job_ref} is archived, so nothing starts it anyway; unarchive it first.", code="job_archived"
        )
    if job.paused_at is not None:
        return job
    if job_triggers.next_at_by_job(tx, {job.id}).get(job.id) is None:
        raise BadRequest(
            f"{job.job_ref} has no scheduled run to come, so there is nothing to pause; archive it to keep "
            "people and other jobs from starting it.",
            code="job_not_scheduled",
        )
    return replace(job, paused_at=now, updated_at=now)


def _resumed(tx: Tx, current: jobs.CurrentJob, now: datetime) -> jobs.Job:
    job = current.job
    if job.paused_at is None:
        return job
    # upstreams may have completed meanwhile, and the pause kept their completion from starting what waits
    ticks.look_again(tx, job.workspace_id, now, job.id)
    return replace(job, paused_at=None, updated_at=now)


def _archived(tx: Tx, current: jobs.CurrentJob, now: datetime) -> jobs.Job:
    job = current.job
    if job.archived_at is not None:
        return job
    job_schedules.take_down(tx, job, now, TriggerStatus.SKIPPED_JOB_ARCHIVED)
    return replace(job, archived_at=now, paused_at=None, updated_at=now)


def _unarchived(tx: Tx, current: jobs.CurrentJob, now: datetime) -> jobs.Job:
    job = current.job
    if job.archived_at is None:
        return job
    job_schedules.set_up(tx, current, now)
    ticks.look_again(tx, job.workspace_id, now)  # of jobs that have this one upstream
    return replace(job, archived_at=None, updated_at=now)


def _published(_tx: Tx, current: jobs.CurrentJob, now: datetime) -> jobs.Job:
    public_links.refuse_without_app(current)
    return replace(current.job, public_secret=uuid4(), updated_at=now)


def _unpublished(_tx: Tx, current: jobs.CurrentJob, now: datetime) -> jobs.Job:
    job = current.job
    return job if job.public_secret is None else replace(job, public_secret=None, updated_at=now)


def _job(tx: Tx, workspace_id: UUID, job_id: UUID) -> jobs.CurrentJob:
    found = jobs.get(tx, workspace_id, job_id)
    if found is None:
        raise NotFound(f"There is no job {job_id} in this workspace.")
    return found


def _answer(tx: Tx, current: jobs.CurrentJob, platform: Platform) -> JobResponse:
    return answers.job(current, job_triggers.next_at_by_job(tx, {current.job.id}).get(current.job.id), platform)
