"""Who and where: callers, organizations, data planes, workspaces and their members."""

from typing import Any
from uuid import uuid4

import dlthub_sdk as released
import pytest

from ..acceptance.servers import Homeport
from ..acceptance.workspaces import Workspace
from .ledger import Sdk

pytestmark = pytest.mark.acceptance
covers = pytest.mark.covers


@covers("Runtime.me", "Runtime.close")
def test_a_person_is_told_who_they_are_and_a_key_is_not(sdk: Sdk, server: Homeport, jwt: str) -> None:
    person = sdk.connect(token=jwt)
    me = sdk(person.me)
    assert me.email == "owner@localhost"
    assert me.primary_organization.id == server.organization_id()
    assert [(each.organization.id, each.role, each.is_active) for each in me.organization_memberships] == [
        (server.organization_id(), "owner", True)
    ]
    sdk(person.close)
    sdk.refused(released.NotAuthorized, sdk.runtime.me)
    stranger = sdk.connect(token="dlt_u_" + "a" * 40)
    sdk.refused(released.NotAuthenticated, stranger.organizations.list)
    sdk(stranger.close)


@covers("Organizations.get", "Organizations.count", "Organizations.list", "Organization.me")
def test_organizations(sdk: Sdk, server: Homeport, shop: Workspace) -> None:
    collection = sdk.runtime.organizations
    [listed] = sdk(collection.list)
    assert sdk(collection.count) == 1
    organization = sdk(collection.get, id=listed.id)
    assert (organization.id, organization.name) == (server.organization_id(), listed.name)
    me = sdk(organization.me)
    assert (me.email, me.role) == ("owner@localhost", "owner")
    assert (shop.id, "owner") in [(each.workspace.id, each.role) for each in me.workspace_memberships]
    sdk.refused(released.NotFound, collection.get, id=str(uuid4()))
    sdk.refused(released.BadRequest, collection.get, id="no uuid")


@covers("Dataplanes.list", "Organization.set_dataplane")
def test_a_data_plane_is_there_and_cannot_be_changed(sdk: Sdk, organization: Any) -> None:
    planes = sdk(sdk.runtime.dataplanes.list)
    assert organization.dataplane_id in [plane.id for plane in planes]
    sdk.refused(released.Conflict, organization.set_dataplane, dataplane_id=organization.dataplane_id)


@covers("Workspaces.create", "Workspaces.get", "Workspace.update")
def test_a_workspace_is_made_found_and_renamed(sdk: Sdk, server: Homeport) -> None:
    scoped = sdk.connect(token=server.api_key, organization_id=server.organization_id())
    made = sdk(scoped.workspaces.create, name="attic", description="old things")
    assert (made.name, made.description, made.archived_at) == ("attic", "old things", None)
    assert made.dashboard_url == f"{server.url}/w/{made.id}"
    renamed = sdk(made.update, name="cellar")
    assert (renamed.name, renamed.description) == ("cellar", "old things")
    assert sdk(made.update, description=None).description is None
    assert sdk(scoped.workspaces.get, id=made.id).name == "cellar"
    sdk.refused(released.NotFound, scoped.workspaces.get, id=str(uuid4()))
    sdk.refused(released.BadRequest, scoped.workspaces.get, id="attic")
    sdk(scoped.close)


@covers("Workspaces.list", "Workspaces.count")
def test_more_workspaces_than_a_page_holds_are_walked(sdk: Sdk, server: Homeport, organization: Any) -> None:
    here = organization.workspaces
    while sdk(here.count) <= 101:
        server.post(f"/organizations/{organization.id}/workspaces", {"name": "one of many"})
    found = [each.id for each in sdk(here.list)]
    assert len(found) == len(set(found)) == sdk(here.count, organization_id=organization.id)
    assert [each.id for each in sdk(here.list, limit=3, offset=99)] == found[99:102]
    assert sdk(here.list, limit=0) == []


@covers("Workspace.archive", "Workspace.unarchive")
def test_a_workspace_is_archived_and_back(sdk: Sdk, fresh: Any, organization: Any) -> None:
    assert sdk(fresh.archive).archived_at is not None
    sdk.refused(released.Conflict, fresh.archive)
    assert fresh.id not in [each.id for each in sdk(organization.workspaces.list)]
    sdk.refused(released.Conflict, fresh.deployments.upload, code=b"", requirements=b"")
    assert sdk(fresh.unarchive).archived_at is None
    sdk.refused(released.Conflict, fresh.unarchive)


@covers("Workspace.me", "Workspace.members")
def test_members_and_the_caller_among_them(sdk: Sdk, fresh: Any, server: Homeport) -> None:
    me = sdk(fresh.me)
    assert (me.email, me.workspace_role, me.organization_role) == ("owner@localhost", "owner", "owner")
    assert me.organization_id == server.organization_id()
    assert (me.user_id, "owner") in [(each.user_id, each.role) for each in sdk(fresh.members)]
    assert sdk(fresh.members, limit=0) == []
