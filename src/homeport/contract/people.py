"""People, keys, invitations and the audit log: Homeport's own part of the API, beside the platform's."""

from datetime import datetime
from typing import Annotated, Any, Literal
from uuid import UUID

from pydantic import Field

from homeport.contract.base import Model
from homeport.contract.identity import OrganizationRole, WorkspaceRole

DEFAULT_KEY_DAYS = 90
MAX_KEY_DAYS = 365

Name = Annotated[str, Field(min_length=1, max_length=200)]
Email = Annotated[str, Field(min_length=3, max_length=320, pattern=r"^[^@\s]+@[^@\s]+$")]
DefaultAccess = Literal["restricted", "viewer", "developer"]
KeyRole = Literal["developer", "viewer"]


class OrganizationMemberResponse(Model):
    id: UUID
    """The organization membership: `created_by` and `triggered_by` carry it."""
    user_id: UUID
    email: str
    name: str | None = None
    role: OrganizationRole


class ChangeMemberRequest(Model):
    role: OrganizationRole


class SetWorkspaceMemberRequest(Model):
    organization_membership_id: UUID
    role: WorkspaceRole


class SetDefaultAccessRequest(Model):
    default_access: DefaultAccess
    """What members of the organization may do without being members of the workspace."""


class InviteRequest(Model):
    email: Email | None = None
    """Whom it is for; whoever has the link, if none."""
    role: OrganizationRole = "collaborator"
    workspace_id: UUID | None = None
    workspace_role: WorkspaceRole | None = None


class InvitationResponse(Model):
    id: UUID
    email: str | None = None
    role: OrganizationRole
    workspace_id: UUID | None = None
    workspace_role: WorkspaceRole | None = None
    created_at: datetime
    expires_at: datetime


class NewInvitationResponse(InvitationResponse):
    url: str
    """To be passed on; shown once."""
    mail_sent: bool | None = None
    """Whether the link went out by mail; none if it names no e-mail, or the server sends none."""


class CreateKeyRequest(Model):
    name: Name
    expires_in_days: Annotated[int, Field(ge=1, le=MAX_KEY_DAYS)] = DEFAULT_KEY_DAYS


class CreateWorkspaceKeyRequest(CreateKeyRequest):
    role: KeyRole = "developer"


class KeyResponse(Model):
    id: UUID
    name: str
    role: WorkspaceRole | None = None
    """Of a workspace's key; a personal one may do what its person may."""
    created_at: datetime
    expires_at: datetime | None
    last_used_at: datetime | None


class KeysResponse(Model):
    items: list[KeyResponse]


class NewKeyResponse(KeyResponse):
    api_key: str
    """The key itself; shown once."""


class AuditEntryResponse(Model):
    number: int
    at: datetime
    actor: str
    """E-mail, as it was then."""
    actor_id: UUID | None = None
    via: str
    """api_key, access_token, browser_session, dataplane_token or command."""
    address: str | None = None
    action: str
    target: str
    workspace_id: UUID | None = None
    detail: dict[str, Any]
    hash: str
