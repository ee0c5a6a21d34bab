"""Workspaces as commands on the server's machine name them, and for whom such a command acts in one."""

from dataclasses import replace
from uuid import UUID

from homeport.auth.principals import Principal
from homeport.errors import BadRequest, NotFound
from homeport.operations import sign_in
from homeport.operations.platform import Platform
from homeport.store import people, workspaces
from homeport.store.schema import Tx
from homeport.store.workspaces import Workspace


def acting_in(platform: Platform, name: str | None) -> tuple[Principal, UUID]:
    """The owner of a workspace's organization, and the workspace; without a name, the only one there is."""
    with platform.database.read() as tx:
        found = _only(tx) if name is None else find(tx, name)
        owner = people.owner_of(tx, found.organization_id)
    if owner is None:
        raise NotFound(f"Nobody owns the organization of {found.name!r}; make somebody an owner first.")
    return replace(sign_in.as_principal(owner, None), via="command"), found.id


def find(tx: Tx, name: str) -> Workspace:
    """By id, or by a name that only one has."""
    found = workspaces.named(tx, name)
    if not found:
        raise NotFound(f"There is no workspace {name!r} here.")
    if len(found) > 1:
        ids = ", ".join(str(item.id) for item in found)
        raise BadRequest(f"Several workspaces are named {name!r}; name one by its id: {ids}.")
    return found[0]


def _only(tx: Tx) -> Workspace:
    found = workspaces.all_live(tx)
    if len(found) == 1:
        return found[0]
    names = [item.name for item in found]
    raise BadRequest("Say which workspace, by its name or id: --workspace NAME.", reasons=names)
