"""API keys as an administrator at the server's terminal handles them: of anybody, and of any workspace."""

from dataclasses import dataclass
from datetime import datetime
from uuid import UUID

from homeport.contract.people import CreateKeyRequest, CreateWorkspaceKeyRequest
from homeport.errors import NotFound
from homeport.operations import accounts, auditing, keys, server_workspaces
from homeport.operations.auditing import Action
from homeport.operations.platform import Platform
from homeport.store import credentials, people, workspaces
from homeport.store.schema import Tx
from homeport.telemetry import events


@dataclass(frozen=True)
class Listed:
    """A key that is good."""

    id: UUID
    holder: str
    """The person's e-mail, or the workspace's name and the role of its key."""
    name: str
    expires_at: datetime | None
    used_at: datetime | None


def create(platform: Platform, email: str | None, workspace: str | None, name: str, role: str, days: int) -> str:
    """A key of the person, or of the workspace if one is named; shown this once."""
    if workspace is None:
        assert email is not None
        request = CreateKeyRequest(name=name, expires_in_days=days)
        return keys.create_key(platform, accounts.principal_on_server(platform, email), request).api_key
    acting, workspace_id = server_workspaces.acting_in(platform, workspace)
    asked = CreateWorkspaceKeyRequest(name=name, role=role, expires_in_days=days)  # type: ignore[arg-type]
    return keys.create_workspace_key(platform, acting, workspace_id, asked).api_key


def listed(platform: Platform, email: str | None, workspace: str | None) -> list[Listed]:
    """Keys that are good, oldest first: all, somebody's, or a workspace's."""
    now = platform.clock.now()
    with platform.database.read() as tx:
        wanted = None if workspace is None else server_workspaces.find(tx, workspace)
        user = None if email is None else accounts.user_of(tx, email)
        found = [
            (key, holder) for key in credentials.all_keys(tx, now) if (holder := people.member(tx, key.member_id))
        ]
        shown = []
        for key, holder in found:
            at = workspaces.bound_to(tx, holder.id) if holder.kind == "service_account" else None
            is_wanted = (user is None or holder.user_id == user.id) and (wanted is None or at == wanted.id)
            if is_wanted and (holder.kind == "human" or at is not None):
                shown.append(Listed(key.id, _holder(tx, holder, at), key.name, key.expires_at, key.used_at))
    return shown


def revoke(platform: Platform, key_id: UUID) -> str:
    """End a key at once; the answer is its name."""
    now = platform.clock.now()
    with platform.database.write() as tx:
        found = next((key for key in credentials.all_keys(tx, now) if key.id == key_id), None)
        holder = None if found is None else people.member(tx, found.member_id)
        if found is None or holder is None:
            raise NotFound(
                f"There is no key {key_id} here, or it was revoked or has expired: `homeport key list`."
            )
        credentials.revoke(tx, key_id, now)
        auditing.record_command(tx, holder.organization_id, Action.KEY_REVOKE, found.name, now, key=str(key_id))
    events.emit(events.KEY_REVOKED, key=str(key_id))
    return found.name


def _holder(tx: Tx, holder: people.Member, workspace_id: UUID | None) -> str:
    workspace = None if workspace_id is None else workspaces.get(tx, workspace_id)
    if workspace is None:
        return holder.email
    membership = workspaces.membership(tx, workspace.id, holder.id)
    return f"{workspace.name} ({membership.role if membership else 'no role'})"
