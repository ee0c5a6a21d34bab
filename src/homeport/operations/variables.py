"""Variables of a workspace: read and change them (wire contract §8.2), and what a run gets (run contract §7.1).

For owners of the workspace only. An archived workspace is no exception: secrets can be taken out of it.
"""

from dataclasses import dataclass, field
from datetime import datetime
from itertools import groupby
from uuid import UUID

from homeport.auth.ciphers import Cipher
from homeport.auth.permissions import Permission, workspace_for
from homeport.auth.principals import Principal
from homeport.contract.variables import (
    PublicVariable,
    ScopeVariablesResponse,
    UpdatedVariablesResponse,
    UpdateWorkspaceVariablesRequest,
    VariableChangeResult,
    WorkspaceVariablesResponse,
)
from homeport.errors import BadRequest, NotAllowed
from homeport.operations import auditing
from homeport.operations.auditing import Action
from homeport.operations.platform import Platform
from homeport.operations.variable_checks import check_change, check_profile, check_room
from homeport.store import variables, workspaces
from homeport.store.schema import Tx
from homeport.store.variables import WORKSPACE_SCOPE, Variable
from homeport.telemetry import events


def show(
    platform: Platform, principal: Principal, workspace_id: UUID, profile: str | None, is_workspace_scope: bool
) -> WorkspaceVariablesResponse:
    """One scope, or all of them: the whole workspace first, then each profile that has any."""
    with platform.database.read() as tx:
        workspace_for(tx, principal, workspace_id, Permission.READ_VARIABLES)
        _check_scope(principal, profile)
        scopes = _seen_by(principal, _selected(tx, workspace_id, profile, is_workspace_scope))
        cipher = platform.vault.cipher(tx, workspace_id) if any(scopes.values()) else None
    return WorkspaceVariablesResponse(
        scopes=[
            ScopeVariablesResponse(profile=scope or None, variables=[_public(cipher, item) for item in found])
            for scope, found in scopes.items()
        ]
    )


def _check_scope(principal: Principal, profile: str | None) -> None:
    if principal.run is not None and profile not in (None, principal.run.profile):
        raise NotAllowed(
            f"A run sees variables of the workspace and of its own profile, {principal.run.profile!r}; no others."
        )


def _seen_by(principal: Principal, scopes: dict[str, list[Variable]]) -> dict[str, list[Variable]]:
    """An agent in a run sees what its run was given, not what is set for other profiles."""
    if principal.run is None:
        return scopes
    own = (WORKSPACE_SCOPE, principal.run.profile)
    return {scope: found for scope, found in scopes.items() if scope in own}


def _selected(
    tx: Tx, workspace_id: UUID, profile: str | None, is_workspace_scope: bool
) -> dict[str, list[Variable]]:
    if profile is not None and is_workspace_scope:
        raise BadRequest("Give scope_profile or is_workspace_scope, not both.", code="two_scopes")
    check_profile(profile)
    if profile is None and not is_workspace_scope:
        found = variables.of_workspace(tx, workspace_id)
        scopes = {scope: list(items) for scope, items in groupby(found, lambda item: item.profile)}
        return {WORKSPACE_SCOPE: []} | scopes
    scope = profile or WORKSPACE_SCOPE
    return {scope: variables.of_scope(tx, workspace_id, scope)}


def change(
    platform: Platform, principal: Principal, workspace_id: UUID, request: UpdateWorkspaceVariablesRequest
) -> UpdatedVariablesResponse:
    """Set and delete variables of one scope, all or nothing. Deleting what is not there is no fault."""
    now = platform.clock.now()
    with platform.database.write() as tx:
        workspace_for(tx, principal, workspace_id, Permission.MANAGE)
        check_change(request)
        workspaces.lock(tx, workspace_id)  # two changes at once would not see each other's names
        scope = _Scope(tx, workspace_id, request.profile or WORKSPACE_SCOPE)
        if request.upserts:
            cipher = platform.vault.cipher_for_new(tx, workspace_id, now)
        for upsert in request.upserts:
            scope.put(cipher, upsert.name, upsert.type, upsert.value, principal.member_id, now)
        results = [VariableChangeResult(name=upsert.name, status="upserted") for upsert in request.upserts]
        for name in dict.fromkeys(request.deletes):
            is_gone = scope.remove(name)
            results.append(VariableChangeResult(name=name, status="removed" if is_gone else "not_found"))
        check_room(len(item.name) + len(item.sealed) for item in scope.items.values())
        names = _names_by_status(results)
        what = "the workspace" if request.profile is None else f"the profile {request.profile}"
        auditing.record(tx, principal, Action.VARIABLES_CHANGE, what, now, workspace_id, **names)
    events.emit(
        events.VARIABLES_CHANGED,
        workspace=str(workspace_id),
        profile=request.profile,
        by=str(principal.member_id),
        **names,
    )
    return UpdatedVariablesResponse(results=results)


@dataclass(frozen=True)
class VariablesOfRun:
    values: dict[str, str] = field(default_factory=dict, repr=False)
    secret: frozenset[str] = frozenset()
    """Names of those that are secret."""


def of_run(tx: Tx, platform: Platform, workspace_id: UUID, profile: str) -> VariablesOfRun:
    """What a run under this profile gets: the workspace's variables, and over them those of the profile."""
    found = variables.of_run(tx, workspace_id, profile)
    if not found:
        return VariablesOfRun()
    cipher = platform.vault.cipher(tx, workspace_id)
    kinds = {item.name: item.kind for item in found}
    return VariablesOfRun(
        {item.name: _opened(cipher, item) for item in found},
        frozenset(name for name, kind in kinds.items() if kind == "secret"),
    )


class _Scope:
    """The variables of one scope while they are changed."""

    def __init__(self, tx: Tx, workspace_id: UUID, profile: str) -> None:
        self._tx, self._workspace_id, self._profile = tx, workspace_id, profile
        self.items = {item.name: item for item in variables.of_scope(tx, workspace_id, profile)}

    def put(self, cipher: Cipher, name: str, kind: str, value: str, by: UUID, now: datetime) -> None:
        before = self.items.get(name)
        place = _place(self._workspace_id, self._profile, name, kind)
        sealed = cipher.seal(value.encode(), place)
        created_by, created_at = (before.created_by, before.created_at) if before else (by, now)
        after = Variable(self._workspace_id, self._profile, name, kind, sealed, created_by, created_at, by, now)
        (variables.change if before else variables.add)(self._tx, after)
        self.items[name] = after

    def remove(self, name: str) -> bool:
        found = self.items.pop(name, None)
        if found is not None:
            variables.delete(self._tx, found)
        return found is not None


def _public(cipher: Cipher | None, item: Variable) -> PublicVariable:
    assert cipher is not None
    is_secret = item.kind == "secret"
    value = None if is_secret else _opened(cipher, item)
    return PublicVariable(
        name=item.name,
        type="secret" if is_secret else "plain",
        value=value,
        created_at=item.created_at,
        created_by=item.created_by,
        updated_at=item.updated_at,
        updated_by=item.updated_by,
    )


def _opened(cipher: Cipher, item: Variable) -> str:
    return cipher.open(item.sealed, _place(item.workspace_id, item.profile, item.name, item.kind)).decode()


def _place(workspace_id: UUID, profile: str, name: str, kind: str) -> str:
    """What a value is sealed for: a secret that somebody marks as plain in the database is not shown either."""
    return f"the {kind} variable {name} of workspace {workspace_id}, profile {profile!r}"


def _names_by_status(results: list[VariableChangeResult]) -> dict[str, list[str]]:
    return {
        status: [result.name for result in results if result.status == status]
        for status in ("upserted", "removed")
    }
