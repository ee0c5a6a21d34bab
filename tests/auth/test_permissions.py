"""Alice owns, Bob is a member of the workspace, Charlie is a stranger."""

from dataclasses import replace

import pytest

from homeport.auth.permissions import Permission, workspace_for
from homeport.auth.principals import Principal
from homeport.errors import NotAllowed, NotFound
from homeport.store import workspaces

from ..conftest import NOW
from ..world import World

READ, CREATE_RUN, WRITE = Permission.READ, Permission.CREATE_RUN, Permission.WRITE


def allowed(world: World, principal: Principal) -> set[Permission]:
    found = set()
    for permission in Permission:
        try:
            with world.database.read() as tx:
                workspace_for(tx, principal, world.workspace.id, permission)
        except NotAllowed:
            continue
        found.add(permission)
    return found


@pytest.mark.parametrize(
    ("role", "grants"),
    [
        ("owner", set(Permission)),
        ("developer", {READ, CREATE_RUN, WRITE}),
        ("viewer", {READ, CREATE_RUN}),
    ],
)
def test_what_a_role_in_the_workspace_allows(world: World, role: str, grants: set[Permission]) -> None:
    assert allowed(world, world.invite("bob@here", role)) == grants


def test_an_owner_of_the_organization_owns_all_its_workspaces(world: World) -> None:
    assert allowed(world, world.invite("olga@here", None, "owner")) == set(Permission)


@pytest.mark.parametrize("organization_role", ["member", "collaborator"])
def test_a_colleague_without_a_role_sees_nothing(world: World, organization_role: str) -> None:
    with pytest.raises(NotFound):
        allowed(world, world.invite("carl@here", None, organization_role))


def test_a_stranger_sees_nothing_though_an_owner_elsewhere(world: World) -> None:
    charlie, _ = world.stranger()
    with pytest.raises(NotFound):
        allowed(world, charlie)


def test_a_credential_of_one_workspace_opens_no_other(world: World) -> None:
    bound = replace(world.alice, workspace_id=world.workspace.id)
    with world.database.write() as tx:
        other = workspaces.create(tx, world.alice.organization_id, "other", None, world.alice.member_id, NOW)
        with pytest.raises(NotFound):
            workspace_for(tx, bound, other.id, READ)
    assert allowed(world, bound) == set(Permission)


def test_the_refusal_names_role_and_permission(world: World) -> None:
    bob = world.invite("bob@here", "viewer")
    with world.database.read() as tx, pytest.raises(NotAllowed, match=r"viewer.*write"):
        workspace_for(tx, bob, world.workspace.id, WRITE)
