"""Organizations and workspaces: who am I, what may I use, a new workspace (wire contract §8.1)."""

from datetime import datetime
from uuid import UUID

from homeport.auth.permissions import (
    OrganizationPermission,
    Permission,
    organization_for,
    role_in,
    workspace_for,
)
from homeport.auth.principals import Principal
from homeport.contract.base import TOTAL_CAP, Page
from homeport.contract.identity import (
    DATAPLANE_ID,
    CreateWorkspaceRequest,
    DataplaneToken,
    OrganizationMeResponse,
    OrganizationResponse,
    OrganizationWorkspaceResponse,
    SetRegionOrganizationRequest,
    WorkspaceMemberResponse,
    WorkspaceMembershipResponse,
    WorkspaceMeResponse,
    WorkspaceResponse,
)
from homeport.contract.lists import MembersQuery, OrganizationsQuery, WorkspacesQuery
from homeport.errors import BadRequest, Conflict
from homeport.operations import answers, auditing
from homeport.operations.auditing import Action
from homeport.operations.paging import page_of, part_of
from homeport.operations.platform import Platform
from homeport.store import organizations, people, workspaces
from homeport.store.schema import Tx
from homeport.telemetry import events

_MAX_NAME_CHARS = 100


def list_organizations(
    platform: Platform, principal: Principal, query: OrganizationsQuery
) -> Page[OrganizationResponse]:
    with platform.database.read() as tx:
        memberships = people.memberships_of(tx, principal.user_id)
        found = [org for item in memberships if (org := organizations.get(tx, item.organization_id))]
    keys = {"created_at": _created_at, "name": _name}
    shown, total, cursor = part_of(found, query, keys)
    return page_of([answers.organization(item) for item in shown], total, query, cursor)


def get_organization(platform: Platform, principal: Principal, organization_id: UUID) -> OrganizationResponse:
    with platform.database.read() as tx:
        return answers.organization(_organization(tx, principal, organization_id))


def set_region(
    platform: Platform, principal: Principal, organization_id: UUID, request: SetRegionOrganizationRequest
) -> OrganizationResponse:
    """An organization's region is set once; here it was when the organization was made."""
    with platform.database.read() as tx:
        found = organization_for(tx, principal, organization_id, OrganizationPermission.MANAGE)
    if request.dataplane_id != DATAPLANE_ID:
        raise BadRequest(
            f"There is no data plane of that name here; the only one is {DATAPLANE_ID!r}.",
            code="unknown_dataplane",
        )
    raise Conflict(f"The region of {found.name!r} is set already: {DATAPLANE_ID!r}.", code="region_is_set")


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
    query: WorkspacesQuery,
    base_url: str,
) -> Page[OrganizationWorkspaceResponse]:
    with platform.database.read() as tx:
        _organization(tx, principal, organization_id)
        found, _ = workspaces.of_organization(
            tx, organization_id, include_archived=query.include_archived, limit=TOTAL_CAP, offset=0, cap=1
        )
        seen = [item for item in found if role_in(tx, principal, item) is not None]
        shown, total, cursor = part_of(seen, query, {"created_at": _created_at, "name": _name})
        items = [_with_members(tx, item, base_url) for item in shown]
    return page_of(items, total, query, cursor)


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
        organization_for(tx, principal, organization_id, OrganizationPermission.CREATE_WORKSPACE)
        created = workspaces.create(tx, organization_id, name, request.description, principal.member_id, now)
        auditing.record(tx, principal, Action.WORKSPACE_CREATE, name, now, created.id)
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
    platform: Platform, principal: Principal, workspace_id: UUID, query: MembersQuery
) -> Page[WorkspaceMemberResponse]:
    with platform.database.read() as tx:
        workspace_for(tx, principal, workspace_id, Permission.READ)
        found = workspaces.members_of(tx, workspace_id)
    wanted = [item for item in found if not query.kind or item.kind in query.kind]
    shown, total, cursor = part_of(wanted, query, {"created_at": _created_at, "email": lambda item: item.email})
    return page_of([answers.workspace_member(item) for item in shown], total, query, cursor)


def issue_dataplane_token(platform: Platform, principal: Principal, workspace_id: UUID) -> DataplaneToken:
    """A short-lived token for the workspace's logs, files and telemetry (wire contract §5)."""
    now = platform.clock.now()
    with platform.database.read() as tx:
        workspace_for(tx, principal, workspace_id, Permission.READ)
    token, expires_at = platform.dataplane_tokens.issue(principal, workspace_id, now)
    return DataplaneToken(token=token, expires_at=int(expires_at.timestamp()))


def _created_at(item: organizations.Organization | workspaces.Workspace | workspaces.WorkspaceMember) -> datetime:
    return item.created_at


def _name(item: organizations.Organization | workspaces.Workspace) -> str:
    return item.name.casefold()


def _organization(tx: Tx, principal: Principal, organization_id: UUID) -> organizations.Organization:
    return organization_for(tx, principal, organization_id, OrganizationPermission.READ)


def _with_members(tx: Tx, found: workspaces.Workspace, base_url: str) -> OrganizationWorkspaceResponse:
    members = workspaces.members_of(tx, found.id)
    return OrganizationWorkspaceResponse(
        **answers.workspace(found, base_url).model_dump(),
        member_count=len(members),
        owner_members=[answers.workspace_member(item) for item in members if item.role == "owner"],
    )
