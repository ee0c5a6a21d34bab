"""Who may do what in a workspace and in an organization (platform behaviour A18).

Every operation asks here, in its first lines; `api/access.py` says what each endpoint needs.
"""

from enum import StrEnum
from typing import Any
from uuid import UUID

from homeport.auth.principals import Principal
from homeport.auth.run_tokens import RunIdentity
from homeport.errors import Conflict, NotAllowed, NotFound
from homeport.store import organizations, workspaces
from homeport.store.schema import Tx


class Permission(StrEnum):
    """In a workspace."""

    READ = "read"
    """See jobs, runs, logs, versions."""
    CREATE_RUN = "create_run"
    """Start jobs; `may_start` says which."""
    WRITE = "write"
    """Upload, deploy, cancel, pause."""
    READ_VARIABLES = "read_variables"
    """See variables; of secrets only that they are there."""
    MANAGE = "manage"
    """Rename, archive, members, keys, variables."""


class OrganizationPermission(StrEnum):
    """In an organization."""

    READ = "read_organization"
    """See it, its people and the workspaces that one may use."""
    CREATE_WORKSPACE = "create_workspace"
    MANAGE = "manage_organization"
    """People, invitations, the audit log."""


_GRANTS: dict[str, frozenset[Permission]] = {
    "viewer": frozenset({Permission.READ, Permission.CREATE_RUN}),
    "developer": frozenset({Permission.READ, Permission.CREATE_RUN, Permission.WRITE}),
    "owner": frozenset(Permission),
}

_ORGANIZATION_GRANTS: dict[str, frozenset[OrganizationPermission]] = {
    "collaborator": frozenset({OrganizationPermission.READ}),
    "member": frozenset({OrganizationPermission.READ, OrganizationPermission.CREATE_WORKSPACE}),
    "owner": frozenset(OrganizationPermission),
}

_RANK = ["viewer", "developer", "owner"]

ACCESS_PROFILE = "access"
"""The profile that only reads: its jobs may be started by viewers."""


def grants(role: str) -> frozenset[Permission]:
    return _GRANTS[role]


def organization_grants(role: str) -> frozenset[OrganizationPermission]:
    return _ORGANIZATION_GRANTS[role]


def workspace_for(
    tx: Tx, principal: Principal, workspace_id: UUID, permission: Permission
) -> workspaces.Workspace:
    """The workspace, if the principal may do this in it.

    A workspace that one may not even read is answered like one that does not exist.
    """
    workspace = workspaces.get(tx, workspace_id)
    role = None if workspace is None else role_in(tx, principal, workspace)
    if workspace is None or role is None:
        raise NotFound(f"There is no workspace {workspace_id} here, or you may not see it.")
    if principal.run is not None:
        _check_run(principal.run, permission)
    elif permission not in _GRANTS[role]:
        raise NotAllowed(f"Your role in {workspace.name!r} is {role}; this needs the {permission} permission.")
    return workspace


def run_grants(run: RunIdentity) -> frozenset[Permission]:
    """What the code of a run may do: look, and what its job declares in `access.context` beside that.

    An agent also sees variables (wire contract §5).
    """
    found = {Permission.READ}
    if run.context & {"execute", "deploy", "all"}:
        found.add(Permission.CREATE_RUN)
    if run.context & {"deploy", "all"}:
        found.add(Permission.WRITE)
    if run.is_agent:
        found.add(Permission.READ_VARIABLES)
    return frozenset(found)


def _check_run(run: RunIdentity, permission: Permission) -> None:
    if permission in run_grants(run):
        return
    wanted = {Permission.CREATE_RUN: "'execute'", Permission.WRITE: "'deploy'"}.get(permission)
    way_out = f"; its job would have to declare {wanted} in access.context" if wanted else ""
    raise NotAllowed(f"A run may not do this: it needs the {permission} permission{way_out}.")


def live_workspace_for(
    tx: Tx, principal: Principal, workspace_id: UUID, permission: Permission
) -> workspaces.Workspace:
    """The same for a change: an archived workspace is read-only, all but its return (platform behaviour A18.4)."""
    workspace = workspace_for(tx, principal, workspace_id, permission)
    if workspace.archived_at is not None:
        raise Conflict(
            f"The workspace {workspace.name!r} is archived and cannot be changed; unarchive it first.",
            code="workspace_archived",
        )
    return workspace


def role_in(tx: Tx, principal: Principal, workspace: workspaces.Workspace) -> str | None:
    """The principal's role in a workspace: its own, the one that all members of the organization have there, or
    owner where it owns the organization; the greatest of these."""
    if principal.organization_id != workspace.organization_id:
        return None
    if principal.workspace_id not in (None, workspace.id):
        return None
    if principal.run is not None:
        # the nearest of the roles that people have: `run_grants` says what it may
        return "developer" if Permission.WRITE in run_grants(principal.run) else "viewer"
    if principal.organization_role == "owner":
        return "owner"
    membership = workspaces.membership(tx, workspace.id, principal.member_id)
    roles = [] if membership is None else [membership.role]
    if principal.organization_role == "member" and workspace.default_access != "restricted":
        roles.append(workspace.default_access)
    return max(roles, key=_RANK.index, default=None)


def may_start(role: str, definition: dict[str, Any], profile: str, *, is_own_profile: bool) -> bool:
    """Whether this role may start a job with a profile: a viewer interactive jobs as they are, and whatever runs
    with the profile that only reads."""
    if Permission.WRITE in _GRANTS[role] or profile == ACCESS_PROFILE:
        return True
    return is_own_profile and definition["entry_point"]["job_type"] == "interactive"


def run_may_start(run: RunIdentity, profile: str, *, is_own_profile: bool) -> bool:
    """Whether the code of a run may start a job with this profile: with the job's own, or with that of the run."""
    return is_own_profile or profile == run.profile


def organization_for(
    tx: Tx, principal: Principal, organization_id: UUID, permission: OrganizationPermission
) -> organizations.Organization:
    """The organization if this may be done in it; one of others is answered like one that is not there."""
    found = organizations.get(tx, organization_id)
    if found is None or organization_id != principal.organization_id:
        raise NotFound(f"There is no organization {organization_id} here, or you may not see it.")
    is_bound = principal.workspace_id is not None and permission != OrganizationPermission.READ
    if is_bound or permission not in _ORGANIZATION_GRANTS[principal.organization_role]:
        role = principal.organization_role
        raise NotAllowed(f"Your role in {found.name!r} is {role}; this needs the {permission} permission.")
    return found


def require_person(principal: Principal, what: str) -> None:
    """`NotAllowed` for a workspace's key where a person must act."""
    if not principal.is_person:
        raise NotAllowed(f"{what} is for people; a workspace's key cannot do it.", code="human_only")
