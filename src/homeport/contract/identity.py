"""Organizations, workspaces and the people in them (wire contract §11.1)."""

from datetime import datetime
from typing import Literal
from uuid import UUID

from pydantic import Field

from homeport.contract.base import MAX_DESCRIPTION_CHARS, MAX_NAME_CHARS, Model

OrganizationRole = Literal["owner", "member", "collaborator"]
WorkspaceRole = Literal["owner", "developer", "viewer"]

DATAPLANE_ID = "local"
"""A self-hosted server is its own, only data plane, so no region is ever asked for."""

PREDEFINED_PROFILES = {"DATA_WRITE": "prod", "DATA_READ": "access"}
"""Access level to profile (run contract §8)."""


class OrganizationResponse(Model):
    id: UUID
    name: str
    description: str | None
    dataplane_id: str | None = DATAPLANE_ID
    created_at: datetime
    updated_at: datetime


class OrganizationMembershipResponse(Model):
    id: UUID
    organization: OrganizationResponse
    role: OrganizationRole
    is_active: bool = True


class WorkspaceResponse(Model):
    id: UUID
    organization_id: UUID
    name: str
    description: str | None
    dataplane_id: str = DATAPLANE_ID
    dataplane_url: str
    """Where the client finds uploads, logs and telemetry: this server's own address."""
    created_at: datetime
    updated_at: datetime
    archived_at: datetime | None = None
    is_playground: bool = False
    predefined_profiles: dict[str, str] = PREDEFINED_PROFILES


class WorkspaceMemberResponse(Model):
    id: UUID
    organization_membership_id: UUID
    user_id: UUID
    email: str
    name: str | None = None
    role: WorkspaceRole


class OrganizationWorkspaceResponse(WorkspaceResponse):
    member_count: int
    owner_members: list[WorkspaceMemberResponse]


class WorkspaceMembershipResponse(Model):
    workspace: WorkspaceResponse
    role: WorkspaceRole


class MeResponse(Model):
    user_id: UUID
    email: str
    name: str | None = None
    organization_membership_id: UUID
    """In the latest organization."""
    primary_organization: OrganizationResponse
    latest_organization: OrganizationResponse
    latest_workspace: WorkspaceResponse | None = None
    organization_memberships: list[OrganizationMembershipResponse]


class OrganizationMeResponse(Model):
    organization: OrganizationResponse
    organization_membership_id: UUID
    user_id: UUID
    email: str
    role: OrganizationRole
    workspace_memberships: list[WorkspaceMembershipResponse]
    """Every live workspace the caller may use: the client un-pins what is missing here."""


class WorkspaceMeResponse(Model):
    organization: OrganizationResponse
    organization_membership_id: UUID
    organization_role: OrganizationRole
    user_id: UUID
    email: str
    workspace: WorkspaceResponse
    workspace_role: WorkspaceRole


class DataplaneResponse(Model):
    id: str = DATAPLANE_ID
    name: str = "This server"
    region: str = "local"
    description: str | None = "Your own Homeport"


class DataplaneList(Model):
    items: list[DataplaneResponse]


class SetRegionOrganizationRequest(Model):
    dataplane_id: str = Field(max_length=200)


class CreateWorkspaceRequest(Model):
    name: str = Field(max_length=MAX_NAME_CHARS)
    """What else a name must be, the operation says."""
    description: str | None = Field(default=None, max_length=MAX_DESCRIPTION_CHARS)


class UpdateWorkspaceRequest(Model):
    """A key that is left out keeps what is there."""

    name: str = Field(default="", max_length=MAX_NAME_CHARS)
    description: str | None = Field(default=None, max_length=MAX_DESCRIPTION_CHARS)
    """Null clears it."""


class DataplaneToken(Model):
    token: str
    expires_at: int
    """Unix seconds."""
