"""Organizations and workspaces: who am I, what may I use, a new workspace (wire contract §8.1)."""

from uuid import UUID

from homeport.auth.permissions import Permission, role_in, workspace_for
from homeport.auth.principals import Principal
from homeport.contract.base import TOTAL_CAP, Page
from homeport.contract.identity import (
    CreateWorkspaceRequest,
    DataplaneToken,
    OrganizationMeResponse,
    OrganizationResponse,
    OrganizationWorkspaceResponse,
    WorkspaceMemberResponse,
    WorkspaceMembershipResponse,
    WorkspaceMeResponse,
    WorkspaceResponse,
)
from homeport.errors import BadRequest, NotAllowed, NotFound
from homeport.operations import answers
from homeport.operations.paging import Slice, page_of
from homeport.operations.platform import Platform
from homeport.store import organizations, workspaces
from homeport.store.schema import Tx
from homeport.telemetry import events

_MAX_NAME_CHARS = 100


def list_organizations(platform: Platform, principal: Principal, slice_: Slice) -> Page[OrganizationResponse]:
    with platform.database.read() as tx:
        found = [_organization(tx, principal, principal.organization_id)]
    return page_of([answers.organization(item) for item in found][slice_.offset :], len(found), slice_)


def get_organization(platform: Platform, principal: Principal, organization_id: UUID) -> OrganizationResponse:
    with platform.database.read() as tx:
        return answers.organization(_organization(tx, principal, organization_id))


def organization_me(
    platform: Platform, principal: Principal, organization_id: UUID, base_url: str
) -> OrganizationMeResponse:
    """Role in the organization and every live workspace that may be used there."""
    with platform.database.read() as tx:
        organization = _organization(tx, principal, organization_id)
        usable, _ = workspaces.of_organization(
            tx, organization_id, include_archived=False, limit=TOTAL_CAP, offset=0, cap=TOTAL_CAP
        )
        with_role = [(item, role_in(tx, principal, item)) for item in usable]
    return OrganizationMeResponse(
        organization=answers.organization(organization),
        organization_membership_id=principal.member_id,
        user_id=principal.user_id,
        email=principal.email,
        role=principal.organization_role,  # type: ignore[arg-type] # the table's check holds it
        workspace_memberships=[
            WorkspaceMembershipResponse(workspace=answers.workspace(item, base_url), role=role)  # type: ignore[arg-type]
            for item, role in with_role
            if role is not None
        ],
    )


def list_workspaces(
    platform: Platform,
    principal: Principal,
    organization_id: UUID,
    slice_: Slice,
    base_url: str,
    *,
    include_archived: bool,
) -> Page[OrganizationWorkspaceResponse]:
    with platform.database.read() as tx:
        _organization(tx, principal, organization_id)
        found, total = workspaces.of_organization(
            tx,
            organization_id,
            include_archived=include_archived,
            limit=slice_.limit,
            offset=slice_.offset,
            cap=TOTAL_CAP,
        )
        items = [_with_members(tx, item, base_url) for item in found if role_in(tx, principal, item) is not None]
    return page_of(items, total, slice_)


def create_workspace(
    platform: Platform,
    principal: Principal,
    organization_id: UUID,
    request: CreateWorkspaceRequest,
    base_url: str,
) -> WorkspaceResponse:
    """A new workspace, owned by who asks. Names need not be unique."""
    name = request.name.strip()
    if not name or len(name) > _MAX_NAME_CHARS or not name.isprintable():
        raise BadRequest(f"A workspace's name has 1 to {_MAX_NAME_CHARS} printable characters.")
    now = platform.clock.now()
    with platform.database.write() as tx:
        _organization(tx, principal, organization_id)
        if principal.organization_role not in ("owner", "member") or principal.workspace_id is not None:
            raise NotAllowed("Only owners and members of the organization create workspaces.")
        created = workspaces.create(tx, organization_id, name, request.description, principal.member_id, now)
    events.emit(events.WORKSPACE_CREATED, workspace=str(created.id), name=name)
    return answers.workspace(created, base_url)


def get_workspace(
    platform: Platform, principal: Principal, workspace_id: UUID, base_url: str
) -> WorkspaceResponse:
    with platform.database.read() as tx:
        found = workspace_for(tx, principal, workspace_id, Permission.READ)
    return answers.workspace(found, base_url)


def workspace_me(
    platform: Platform, principal: Principal, workspace_id: UUID, base_url: str
) -> WorkspaceMeResponse:
    with platform.database.read() as tx:
        found = workspace_for(tx, principal, workspace_id, Permission.READ)
        organization = _organization(tx, principal, found.organization_id)
        role = role_in(tx, principal, found)
    return WorkspaceMeResponse(
        organization=answers.organization(organization),
        organization_membership_id=principal.member_id,
        organization_role=principal.organization_role,  # type: ignore[arg-type]
        user_id=principal.user_id,
        email=principal.email,
        workspace=answers.workspace(found, base_url),
        workspace_role=role,  # type: ignore[arg-type]
    )


def list_members(
    platform: Platform, principal: Principal, workspace_id: UUID, slice_: Slice
) -> Page[WorkspaceMemberResponse]:
    with platform.database.read() as tx:
        workspace_for(tx, principal, workspace_id, Permission.READ)
        found = workspaces.members_of(tx, workspace_id)
    shown = found[slice_.offset : slice_.offset + slice_.limit]
    return page_of([answers.workspace_member(item) for item in shown], len(found), slice_)


def issue_dataplane_token(platform: Platform, principal: Principal, workspace_id: UUID) -> DataplaneToken:
    """A short-lived token for the workspace's logs, files and telemetry (wire contract §5)."""
    now = platform.clock.now()
    with platform.database.read() as tx:
        workspace_for(tx, principal, workspace_id, Permission.READ)
    token, expires_at = platform.dataplane_tokens.issue(principal, workspace_id, now)
    return DataplaneToken(token=token, expires_at=int(expires_at.timestamp()))


def _organization(tx: Tx, principal: Principal, organization_id: UUID) -> organizations.Organization:
    found = organizations.get(tx, organization_id)
    if found is None or organization_id != principal.organization_id:
        raise NotFound(f"There is no organization {organization_id} here, or you may not see it.")
    return found


def _with_members(tx: Tx, found: workspaces.Workspace, base_url: str) -> OrganizationWorkspaceResponse:
    members = workspaces.members_of(tx, found.id)
    return OrganizationWorkspaceResponse(
        **answers.workspace(found, base_url).model_dump(),
        member_count=len(members),
        owner_members=[answers.workspace_member(item) for item in members if item.role == "owner"],
    )
