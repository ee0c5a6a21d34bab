"""People, keys, invitations and the audit log: Homeport's own part of the API."""

from typing import Annotated
from uuid import UUID

from fastapi import Query

from homeport.api.asking import ByKey
from homeport.contract.base import Page
from homeport.contract.lists import FixedOrderQuery
from homeport.contract.people import (
    AuditEntryResponse,
    ChangeMemberRequest,
    CreateKeyRequest,
    CreateWorkspaceKeyRequest,
    InvitationResponse,
    InviteRequest,
    KeysResponse,
    NewInvitationResponse,
    NewKeyResponse,
    OrganizationMemberResponse,
    SetDefaultAccessRequest,
    SetWorkspaceMemberRequest,
)
from homeport.operations import auditing, invitations, keys, members

Listing = Annotated[FixedOrderQuery, Query()]


def list_keys(asking: ByKey) -> KeysResponse:
    return keys.list_keys(asking.platform, asking.principal)


def create_key(asking: ByKey, request: CreateKeyRequest) -> NewKeyResponse:
    return keys.create_key(asking.platform, asking.principal, request)


def revoke_key(asking: ByKey, key_id: UUID) -> None:
    keys.revoke_key(asking.platform, asking.principal, key_id)


def list_workspace_keys(asking: ByKey, workspace_id: UUID) -> KeysResponse:
    return keys.list_workspace_keys(asking.platform, asking.principal, workspace_id)


def create_workspace_key(asking: ByKey, workspace_id: UUID, request: CreateWorkspaceKeyRequest) -> NewKeyResponse:
    return keys.create_workspace_key(asking.platform, asking.principal, workspace_id, request)


def revoke_workspace_key(asking: ByKey, workspace_id: UUID, key_id: UUID) -> None:
    keys.revoke_workspace_key(asking.platform, asking.principal, workspace_id, key_id)


def list_members(asking: ByKey, organization_id: UUID, query: Listing) -> Page[OrganizationMemberResponse]:
    return members.list_members(asking.platform, asking.principal, organization_id, query)


def change_member(
    asking: ByKey, organization_id: UUID, member_id: UUID, request: ChangeMemberRequest
) -> OrganizationMemberResponse:
    return members.change_member(asking.platform, asking.principal, organization_id, member_id, request.role)


def remove_member(asking: ByKey, organization_id: UUID, member_id: UUID) -> None:
    members.remove_member(asking.platform, asking.principal, organization_id, member_id)


def set_workspace_member(asking: ByKey, workspace_id: UUID, request: SetWorkspaceMemberRequest) -> None:
    members.set_workspace_member(asking.platform, asking.principal, workspace_id, request)


def remove_workspace_member(asking: ByKey, workspace_id: UUID, member_id: UUID) -> None:
    members.remove_workspace_member(asking.platform, asking.principal, workspace_id, member_id)


def set_default_access(asking: ByKey, workspace_id: UUID, request: SetDefaultAccessRequest) -> None:
    members.set_default_access(asking.platform, asking.principal, workspace_id, request.default_access)


def invite(asking: ByKey, organization_id: UUID, request: InviteRequest) -> NewInvitationResponse:
    return invitations.invite(asking.platform, asking.principal, organization_id, request, asking.base_url)


def list_invitations(asking: ByKey, organization_id: UUID) -> list[InvitationResponse]:
    return invitations.list_open(asking.platform, asking.principal, organization_id)


def revoke_invitation(asking: ByKey, organization_id: UUID, invitation_id: UUID) -> None:
    invitations.revoke(asking.platform, asking.principal, organization_id, invitation_id)


def audit_log(asking: ByKey, organization_id: UUID, query: Listing) -> Page[AuditEntryResponse]:
    return auditing.page(asking.platform, asking.principal, organization_id, query)
