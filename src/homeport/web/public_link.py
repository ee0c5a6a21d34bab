"""Publish the app of a job, take the link back, and set its terms; the job's page shows them."""

from datetime import datetime, timedelta, timezone
from typing import Annotated
from uuid import UUID

from fastapi import Form
from starlette.responses import RedirectResponse, Response

from homeport.auth import passwords
from homeport.contract.public_links import UpdatePublicLinkRequest
from homeport.errors import BadRequest
from homeport.operations import change_jobs, page_queries, public_links
from homeport.web.rows import job_url
from homeport.web.visiting import Visiting, Visitor

_DAYS = ("1", "7", "30")


def publish(visitor: Visiting, workspace_id: UUID, name: str) -> Response:
    change_jobs.publish(visitor.platform, visitor.principal, workspace_id, _job_id(visitor, workspace_id, name))
    return _back(workspace_id, name)


def unpublish(visitor: Visiting, workspace_id: UUID, name: str) -> Response:
    change_jobs.unpublish(visitor.platform, visitor.principal, workspace_id, _job_id(visitor, workspace_id, name))
    return _back(workspace_id, name)


def set_end(
    visitor: Visiting,
    workspace_id: UUID,
    name: str,
    ends: Annotated[str, Form()] = "",
    at: Annotated[str, Form()] = "",
    zone_minutes: Annotated[str, Form()] = "0",
) -> Response:
    if ends == "never":
        end = None
    elif ends in _DAYS:
        end = visitor.now + timedelta(days=int(ends))
    else:
        end = _moment(at, zone_minutes)
    return _change(visitor, workspace_id, name, UpdatePublicLinkRequest(expires_at=end))


def set_password(
    visitor: Visiting,
    workspace_id: UUID,
    name: str,
    password: Annotated[str, Form()] = "",
    remove: Annotated[str, Form()] = "",
) -> Response:
    given = None if remove == "yes" else passwords.check_form(password)
    return _change(visitor, workspace_id, name, UpdatePublicLinkRequest(password=given))


def _change(visitor: Visitor, workspace_id: UUID, name: str, request: UpdatePublicLinkRequest) -> Response:
    job_id = _job_id(visitor, workspace_id, name)
    public_links.change(visitor.platform, visitor.principal, workspace_id, job_id, request)
    return _back(workspace_id, name)


def _moment(reading: str, zone_minutes: str) -> datetime:
    """What a form's clock reads, in the zone that the browser says; without scripts that is UTC."""
    try:
        zone = timezone(timedelta(minutes=int(zone_minutes)))
        return datetime.fromisoformat(reading).replace(tzinfo=zone)
    except (ValueError, OverflowError):
        raise BadRequest("Say when the link is to end: a day and a time.") from None


def _job_id(visitor: Visitor, workspace_id: UUID, name: str) -> UUID:
    return page_queries.job_id(visitor.platform, visitor.principal, workspace_id, name)


def _back(workspace_id: UUID, name: str) -> Response:
    return RedirectResponse(job_url(workspace_id, name), 303)
