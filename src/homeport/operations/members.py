"""People's places: their role in the organization, in its workspaces, and what all members may do in those."""

from uuid import UUID

from homeport.auth.permissions import (
    OrganizationPermission,
    Permission,
    live_workspace_for,
    organization_for,
    workspace_for,
)
from homeport.auth.principals import Principal
from homeport.contract.base import Page
from homeport.contract.lists import ListQuery
from homeport.contract.people import OrganizationMemberResponse, SetWorkspaceMemberRequest
from homeport.errors import BadRequest, Conflict, NotFound
from homeport.operations import auditing
from homeport.operations.auditing import Action
from homeport.operations.paging import page_of, part_of
from homeport.operations.platform import Platform
from homeport.store import credentials, organizations, people, workspaces
from homeport.store.people import Member
from homeport.store.schema import Tx
from homeport.telemetry import events


def list_members(
    platform: Platform, principal: Principal, organization_id: UUID, query: ListQuery
) -> Page[OrganizationMemberResponse]:
    with platform.database.read() as tx:
        organization_for(tx, principal, organization_id, OrganizationPermission.READ)
        found = people.of_organization(tx, organization_id)
    shown, total, cursor = part_of(found, query, {})
    return page_of([_response(item) for item in shown], total, query, cursor)


def change_member(
    platform: Platform, principal: Principal, organization_id: UUID, member_id: UUID, role: str
) -> OrganizationMemberResponse:
    now = platform.clock.now()
    with platform.database.write() as tx:
        organization_for(tx, principal, organization_id, OrganizationPermission.MANAGE)
        # of two owners who demote each other at once, the second must see what the first did
        organizations.lock(tx, organization_id)
        member = _person(tx, organization_id, member_id)
        if role != "owner":
            _check_another_owner(tx, member)
        people.set_role(tx, member.id, role)
        auditing.record(tx, principal, Action.MEMBER_CHANGE, member.email, now, role=role, before=member.role)
        after = _person(tx, organization_id, member_id)
    events.emit(events.MEMBERS_CHANGED, member=str(member_id), role=role)
    return _response(after)


def remove_member(platform: Platform, principal: Principal, organization_id: UUID, member_id: UUID) -> None:
    """Out of the organization and all its workspaces, at once: their keys and sessions there end."""
    now = platform.clock.now()
    with platform.database.write() as tx:
        organization_for(tx, principal, organization_id, OrganizationPermission.MANAGE)
        # of two owners who demote each other at once, the second must see what the first did
        organizations.lock(tx, organization_id)
        member = _person(tx, organization_id, member_id)
        _check_another_owner(tx, member)
        workspaces.remove_from_all(tx, member.id)
        credentials.revoke_all_of(tx, member.id, now)
        people.remove(tx, member.id, now)
        auditing.record(tx, principal, Action.MEMBER_REMOVE, member.email, now)
    events.emit(events.MEMBERS_CHANGED, member=str(member_id), role=None)


def set_workspace_member(
    platform: Platform, principal: Principal, workspace_id: UUID, request: SetWorkspaceMemberRequest
) -> None:
    """Give somebody of the organization a role in a workspace."""
    now = platform.clock.now()
    with platform.database.write() as tx:
        workspace = live_workspace_for(tx, principal, workspace_id, Permission.MANAGE)
        if workspace.is_playground:
            raise BadRequest("A playground is for one person; make a workspace to work in together.")
        member = _person(tx, workspace.organization_id, request.organization_membership_id)
        workspaces.set_member(tx, workspace_id, member.id, request.role, now)
        auditing.record(
            tx, principal, Action.WORKSPACE_MEMBER_SET, member.email, now, workspace_id, role=request.role
        )
    events.emit(events.MEMBERS_CHANGED, member=str(member.id), workspace=str(workspace_id), role=request.role)


def remove_workspace_member(platform: Platform, principal: Principal, workspace_id: UUID, member_id: UUID) -> None:
    now = platform.clock.now()
    with platform.database.write() as tx:
        workspace = workspace_for(tx, principal, workspace_id, Permission.MANAGE)
        member = _person(tx, workspace.organization_id, member_id)
        if not workspaces.remove_member(tx, workspace_id, member_id):
            raise NotFound(f"{member.email} has no role of their own in this workspace.")
        auditing.record(tx, principal, Action.WORKSPACE_MEMBER_REMOVE, member.email, now, workspace_id)
    events.emit(events.MEMBERS_CHANGED, member=str(member_id), workspace=str(workspace_id), role=None)


def set_default_access(platform: Platform, principal: Principal, workspace_id: UUID, access: str) -> None:
    """What members of the organization may do in a workspace without being members of it."""
    now = platform.clock.now()
    with platform.database.write() as tx:
        workspace = live_workspace_for(tx, principal, workspace_id, Permission.MANAGE)
        if workspace.is_playground:
            raise BadRequest("A playground is for one person; make a workspace to work in together.")
        workspaces.set_default_access(tx, workspace_id, access, now)
        what = f"default access of {workspace.name}"
        detail = {"default_access": access, "before": workspace.default_access}
        auditing.record(tx, principal, Action.WORKSPACE_CHANGE, what, now, workspace_id, **detail)


def _person(tx: Tx, organization_id: UUID, member_id: UUID) -> Member:
    found = people.member(tx, member_id)
    if found is None or found.organization_id != organization_id or found.kind != "human":
        raise NotFound(f"There is no member {member_id} in this organization.")
    return found


def _check_another_owner(tx: Tx, member: Member) -> None:
    """An organization without an owner could not be managed by anybody."""
    owners = [item for item in people.of_organization(tx, member.organization_id) if item.role == "owner"]
    if owners == [member]:
        raise Conflict(f"{member.email} is the only owner. Make somebody else an owner first.", code="last_owner")


def _response(member: Member) -> OrganizationMemberResponse:
    return OrganizationMemberResponse.model_validate(member)
