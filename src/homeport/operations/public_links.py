"""The terms of an app's public link: when it ends, and the password that it asks for. Its address stays."""

from dataclasses import replace
from datetime import datetime, timedelta
from typing import Any
from uuid import UUID

from homeport.auth import passwords
from homeport.auth.permissions import Permission, live_workspace_for, workspace_for
from homeport.auth.principals import Principal
from homeport.contract.public_links import PublicLinkResponse, UpdatePublicLinkRequest
from homeport.errors import BadRequest, Conflict, NotFound
from homeport.operations import answers, auditing
from homeport.operations.auditing import Action
from homeport.operations.platform import Platform
from homeport.store import apps, jobs
from homeport.store.apps import Link
from homeport.store.schema import Tx
from homeport.telemetry import events

LONGEST = timedelta(days=3650)
"""What is to end later than this was hardly meant so."""


def show(platform: Platform, principal: Principal, workspace_id: UUID, job_id: UUID) -> PublicLinkResponse:
    with platform.database.read() as tx:
        workspace_for(tx, principal, workspace_id, Permission.READ)
        return described(tx, platform, _job(tx, workspace_id, job_id))


def described(tx: Tx, platform: Platform, current: jobs.CurrentJob) -> PublicLinkResponse:
    """A job's link and its terms, for somebody who may see the job."""
    link = apps.link_of(tx, current.job)
    return PublicLinkResponse(
        job_id=current.job.id,
        job_ref=current.job.job_ref,
        public_url=answers.public_url(current.job, platform),
        expires_at=None if link is None else link.expires_at,
        has_password=link is not None and link.password_hash is not None,
        views=0 if link is None else link.views,
    )


def change(
    platform: Platform, principal: Principal, workspace_id: UUID, job_id: UUID, request: UpdatePublicLinkRequest
) -> PublicLinkResponse:
    """Set what the request names. Guests who came by other terms are out: see `app_visits`."""
    now = platform.clock.now()
    with platform.database.read() as tx:
        _changeable(tx, principal, workspace_id, job_id)
    # after the permission, for a hash is work; and outside of the transaction that others wait for
    wanted = _wanted(request, now)
    with platform.database.write() as tx:
        _changeable(tx, principal, workspace_id, job_id)
        current = jobs.lock(tx, job_id)
        before = _link(tx, current)
        after = replace(before, **wanted)
        if after != before:
            apps.put_link(tx, after)
            changes = _changes(before, after)
            auditing.record(tx, principal, Action.PUBLIC_LINK, current.job.job_ref, now, workspace_id, **changes)
        answer = described(tx, platform, current)
    if after != before:
        events.emit(events.JOB_CHANGED, job=current.job.job_ref, verb="public_link")
    return answer


def refuse_without_app(current: jobs.CurrentJob) -> None:
    """Only what can be visited has something to show behind a link."""
    job = current.job
    if job.archived_at is not None:
        raise Conflict(f"{job.job_ref} is archived; unarchive it first.", code="job_archived")
    if current.version.job_type != "interactive":
        raise Conflict(
            f"{job.job_ref} is a {current.version.job_type} job: only interactive ones (notebooks, dashboards, "
            "apps) have something to show behind a link.",
            code="job_not_interactive",
        )


def _changeable(tx: Tx, principal: Principal, workspace_id: UUID, job_id: UUID) -> None:
    live_workspace_for(tx, principal, workspace_id, Permission.WRITE)
    _link(tx, _job(tx, workspace_id, job_id))


def _link(tx: Tx, current: jobs.CurrentJob) -> Link:
    refuse_without_app(current)
    link = apps.link_of(tx, current.job)
    if link is None:
        raise Conflict(
            f"{current.job.job_ref} has no public link. Publish it first, with the button on its page or "
            f"`dlthub job publish {current.job.job_ref.removeprefix('jobs.')}`.",
            code="job_not_published",
        )
    return link


def _wanted(request: UpdatePublicLinkRequest, now: datetime) -> dict[str, Any]:
    wanted: dict[str, Any] = {}
    if "expires_at" in request.model_fields_set:
        wanted["expires_at"] = _checked_end(request.expires_at, now)
    if "password" in request.model_fields_set:
        given = request.password
        wanted["password_hash"] = None if given is None else passwords.hash_of(passwords.check_form(given))
    return wanted


def _checked_end(end: datetime | None, now: datetime) -> datetime | None:
    if end is not None and end <= now:
        raise BadRequest("The link would end in the past. To take it back at once, unpublish it.", code="bad_end")
    if end is not None and end > now + LONGEST:
        raise BadRequest(
            "The link would end in more than 10 years. Give a nearer day, or none for a link without an end.",
            code="bad_end",
        )
    return end


def _changes(before: Link, after: Link) -> dict[str, Any]:
    """For the audit log."""
    changes: dict[str, Any] = {}
    if after.expires_at != before.expires_at:
        changes["ends"] = "never" if after.expires_at is None else after.expires_at.isoformat()
    if after.password_hash != before.password_hash:
        changes["password"] = "removed" if after.password_hash is None else "set"
    return changes


def _job(tx: Tx, workspace_id: UUID, job_id: UUID) -> jobs.CurrentJob:
    found = jobs.get(tx, workspace_id, job_id)
    if found is None:
        raise NotFound(f"There is no job {job_id} in this workspace.")
    return found
