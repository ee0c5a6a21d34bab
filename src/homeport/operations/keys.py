"""API keys: personal ones, which may do what their person may, and those of a workspace, with a role of their own.

A key is shown once; only its hash is kept. Revoking one ends at once what was given out for it, too.
"""

import re
from datetime import datetime, timedelta
from uuid import UUID

from homeport.auth import secrets
from homeport.auth.permissions import Permission, live_workspace_for, require_person, workspace_for
from homeport.auth.principals import Principal
from homeport.contract.people import (
    CreateKeyRequest,
    CreateWorkspaceKeyRequest,
    KeyResponse,
    KeysResponse,
    NewKeyResponse,
)
from homeport.errors import BadRequest, NotFound
from homeport.operations import auditing
from homeport.operations.auditing import Action
from homeport.operations.platform import Platform
from homeport.store import credentials, people, workspaces
from homeport.store.credentials import Credential
from homeport.store.schema import Tx
from homeport.telemetry import events


def list_keys(platform: Platform, principal: Principal) -> KeysResponse:
    """The person's own keys that are good."""
    require_person(principal, "A list of personal keys")
    with platform.database.read() as tx:
        found = credentials.keys_of(tx, _memberships(tx, principal), platform.clock.now())
    return KeysResponse(items=[_response(key) for key in found])


def create_key(platform: Platform, principal: Principal, request: CreateKeyRequest) -> NewKeyResponse:
    require_person(principal, "A personal key")
    now, name = platform.clock.now(), _checked_name(request.name)
    with platform.database.write() as tx:
        key, value = _add(tx, principal.member_id, secrets.new_api_key(), name, request.expires_in_days, now)
        auditing.record(tx, principal, Action.KEY_CREATE, name, now, key=str(key.id), kind="personal")
    events.emit(events.KEY_CREATED, key=str(key.id))
    return NewKeyResponse(**_response(key).model_dump(), api_key=value)


def revoke_key(platform: Platform, principal: Principal, key_id: UUID) -> None:
    require_person(principal, "Revoking a personal key")
    now = platform.clock.now()
    with platform.database.write() as tx:
        key = _good_key(tx, _memberships(tx, principal), key_id, now)
        credentials.revoke(tx, key.id, now)
        auditing.record(tx, principal, Action.KEY_REVOKE, key.name, now, key=str(key.id), kind="personal")
    events.emit(events.KEY_REVOKED, key=str(key_id))


def list_workspace_keys(platform: Platform, principal: Principal, workspace_id: UUID) -> KeysResponse:
    with platform.database.read() as tx:
        workspace_for(tx, principal, workspace_id, Permission.MANAGE)
        roles = _service_accounts(tx, workspace_id)
        found = credentials.keys_of(tx, roles.keys(), platform.clock.now())
    return KeysResponse(items=[_response(key, roles[key.member_id]) for key in found])


def create_workspace_key(
    platform: Platform, principal: Principal, workspace_id: UUID, request: CreateWorkspaceKeyRequest
) -> NewKeyResponse:
    """A service account for the workspace alone, and its key."""
    now, name = platform.clock.now(), _checked_name(request.name)
    with platform.database.write() as tx:
        workspace = live_workspace_for(tx, principal, workspace_id, Permission.MANAGE)
        value = secrets.new_workspace_key()
        account = people.create_user(tx, _address_of(name, value), name, now, kind="service_account")
        member = people.join(tx, account, workspace.organization_id, "collaborator", now)
        workspaces.set_member(tx, workspace.id, member.id, request.role, now)
        key, value = _add(tx, member.id, value, name, request.expires_in_days, now)
        detail = {"key": str(key.id), "kind": "workspace", "role": request.role}
        auditing.record(tx, principal, Action.KEY_CREATE, name, now, workspace_id, **detail)
    events.emit(events.KEY_CREATED, key=str(key.id), workspace=str(workspace_id))
    return NewKeyResponse(**_response(key, request.role).model_dump(), api_key=value)


def revoke_workspace_key(platform: Platform, principal: Principal, workspace_id: UUID, key_id: UUID) -> None:
    now = platform.clock.now()
    with platform.database.write() as tx:
        workspace_for(tx, principal, workspace_id, Permission.MANAGE)
        key = _good_key(tx, list(_service_accounts(tx, workspace_id)), key_id, now)
        credentials.revoke(tx, key.id, now)
        workspaces.remove_member(tx, workspace_id, key.member_id)
        detail = {"key": str(key.id), "kind": "workspace"}
        auditing.record(tx, principal, Action.KEY_REVOKE, key.name, now, workspace_id, **detail)
    events.emit(events.KEY_REVOKED, key=str(key_id), workspace=str(workspace_id))


def _add(tx: Tx, member_id: UUID, value: str, name: str, days: int, now: datetime) -> tuple[Credential, str]:
    expires_at = now + timedelta(days=days)
    key_id = credentials.add(tx, "api_key", secrets.hash_of(value), member_id, name, now, expires_at)
    key = credentials.get(tx, key_id)
    assert key is not None
    return key, value


def _good_key(tx: Tx, member_ids: list[UUID], key_id: UUID, now: datetime) -> Credential:
    found = next((key for key in credentials.keys_of(tx, member_ids, now) if key.id == key_id), None)
    if found is None:
        raise NotFound(f"There is no key {key_id} here, or it was revoked or has expired.")
    return found


def _memberships(tx: Tx, principal: Principal) -> list[UUID]:
    return [member.id for member in people.memberships_of(tx, principal.user_id)]


def _service_accounts(tx: Tx, workspace_id: UUID) -> dict[UUID, str]:
    """Members of the workspace that stand for keys, with their role."""
    found = workspaces.members_of(tx, workspace_id)
    kinds = {item.member_id: people.member(tx, item.member_id) for item in found}
    return {
        item.member_id: item.role
        for item in found
        if (member := kinds[item.member_id]) is not None and member.kind == "service_account"
    }


def _checked_name(name: str) -> str:
    name = name.strip()
    if not name or not name.isprintable():
        raise BadRequest("A key needs a name of printable characters, to be told from others by.")
    return name


def _address_of(name: str, value: str) -> str:
    """People have addresses, so a service account gets one too; nobody can be written to there."""
    words = re.sub(r"[^a-z0-9]+", "-", name.lower()).strip("-")[:40] or "key"
    return f"{words}-{secrets.hash_of(value)[:12]}@service-account.invalid"


def _response(key: Credential, role: str | None = None) -> KeyResponse:
    return KeyResponse(
        id=key.id,
        name=key.name,
        role=role,  # type: ignore[arg-type] # the table's check holds it
        created_at=key.created_at,
        expires_at=key.expires_at,
        last_used_at=key.used_at,
    )
