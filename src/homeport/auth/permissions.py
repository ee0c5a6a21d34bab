"""Who may do what in a workspace (platform behaviour A18). Every operation asks here, in its first lines."""

from enum import StrEnum
from uuid import UUID

from homeport.auth.principals import Principal
from homeport.errors import NotAllowed, NotFound
from homeport.store import workspaces
from homeport.store.schema import Tx


class Permission(StrEnum):
    READ = "read"
    """See jobs, runs, logs, versions."""
    CREATE_RUN = "create_run"
    """Start jobs."""
    WRITE = "write"
    """Upload, deploy, cancel, pause."""
    MANAGE = "manage"
    """Rename, archive, members, variables."""


_GRANTS: dict[str, frozenset[Permission]] = {
    "viewer": frozenset({Permission.READ}),
    "developer": frozenset({Permission.READ, Permission.CREATE_RUN, Permission.WRITE}),
    "owner": frozenset(Permission),
}


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
    if permission not in _GRANTS[role]:
        raise NotAllowed(f"Your role in {workspace.name!r} is {role}; this needs the {permission} permission.")
    return workspace


def role_in(tx: Tx, principal: Principal, workspace: workspaces.Workspace) -> str | None:
    """The principal's role in a workspace: its own, or owner where it owns the organization."""
    if principal.organization_id != workspace.organization_id:
        return None
    if principal.workspace_id not in (None, workspace.id):
        return None
    if principal.organization_role == "owner":
        return "owner"
    membership = workspaces.membership(tx, workspace.id, principal.member_id)
    return None if membership is None else membership.role
