"""One's account: password and personal keys, and the keys of the workspaces that one manages."""

from dataclasses import dataclass
from typing import Annotated, TypeVar
from uuid import UUID

from fastapi import Form
from pydantic import ValidationError
from starlette.responses import RedirectResponse, Response

from homeport.contract.lists import OrganizationsQuery
from homeport.contract.people import CreateKeyRequest, CreateWorkspaceKeyRequest, KeyResponse
from homeport.errors import BadRequest
from homeport.operations import accounts, keys, page_queries, provider_sign_in, workspaces
from homeport.web import rendering
from homeport.web.frame import Frame
from homeport.web.visiting import Visiting, Visitor

ADDRESS = "/keys"

Request = TypeVar("Request", bound=CreateKeyRequest)


@dataclass(frozen=True)
class KeyRow:
    key: KeyResponse
    revoke_action: str


@dataclass(frozen=True)
class KeyList:
    """The keys of one workspace, or one's own."""

    title: str
    create_action: str
    has_roles: bool
    """Whether a key is given a role: those of a workspace are."""
    rows: tuple[KeyRow, ...]


@dataclass(frozen=True)
class KeysPage:
    frame: Frame
    has_password: bool
    lists: tuple[KeyList, ...]
    new_key: str | None
    """Shown this once."""
    done: str | None
    organizations: tuple[tuple[str, str], ...]
    """Name and address of the page of its people."""
    providers: tuple[tuple[str, str], ...]
    """Name and address of those that could sign this person in and do not yet."""


def show(visitor: Visiting) -> Response:
    return _page(visitor)


def create(
    visitor: Visiting, name: Annotated[str, Form()] = "", expires_in_days: Annotated[str, Form()] = "90"
) -> Response:
    request = _checked(CreateKeyRequest, name=name, expires_in_days=expires_in_days)
    made = keys.create_key(visitor.platform, visitor.principal, request)
    return _page(visitor, made.api_key)


def revoke(visitor: Visiting, key_id: UUID) -> Response:
    keys.revoke_key(visitor.platform, visitor.principal, key_id)
    return RedirectResponse(ADDRESS, 303)


def create_for_workspace(
    visitor: Visiting,
    workspace_id: UUID,
    name: Annotated[str, Form()] = "",
    expires_in_days: Annotated[str, Form()] = "90",
    role: Annotated[str, Form()] = "developer",
) -> Response:
    request = _checked(CreateWorkspaceKeyRequest, name=name, expires_in_days=expires_in_days, role=role)
    made = keys.create_workspace_key(visitor.platform, visitor.principal, workspace_id, request)
    return _page(visitor, made.api_key)


def revoke_of_workspace(visitor: Visiting, workspace_id: UUID, key_id: UUID) -> Response:
    keys.revoke_workspace_key(visitor.platform, visitor.principal, workspace_id, key_id)
    return RedirectResponse(ADDRESS, 303)


def set_password(
    visitor: Visiting, current: Annotated[str, Form()] = "", new: Annotated[str, Form()] = ""
) -> Response:
    accounts.set_own_password(visitor.platform, visitor.principal, current, new)
    return _page(visitor, done="Your password is set.")


def _page(visitor: Visitor, new_key: str | None = None, done: str | None = None) -> Response:
    platform, principal = visitor.platform, visitor.principal
    lists = []
    if principal.is_person:
        lists.append(_list("Your keys", ADDRESS, keys.list_keys(platform, principal).items, has_roles=False))
    for workspace in page_queries.managed_workspaces(platform, principal):
        address = f"/w/{workspace.id}/keys"
        found = keys.list_workspace_keys(platform, visitor.at(workspace.organization_id), workspace.id).items
        lists.append(_list(f"Keys of the workspace {workspace.name}", address, found, has_roles=True))
    has_password = accounts.has_password(platform, principal)
    found_organizations = workspaces.list_organizations(
        platform, principal, OrganizationsQuery(limit=100, offset=0)
    ).items
    organizations = tuple((item.name, f"/organizations/{item.id}/members") for item in found_organizations)
    providers = tuple(
        (name, f"/sign-in/{key}?next={ADDRESS}") for key, name in provider_sign_in.connectable(platform, principal)
    )
    frame = visitor.frame("Your account")
    return rendering.answer(KeysPage(frame, has_password, tuple(lists), new_key, done, organizations, providers))


def _list(title: str, address: str, found: list[KeyResponse], *, has_roles: bool) -> KeyList:
    rows = tuple(KeyRow(key, f"{address}/{key.id}/-revoke") for key in found)
    return KeyList(title, f"{address}/-create", has_roles, rows)


def _checked(model: type[Request], **values: str) -> Request:
    try:
        return model.model_validate(values)
    except ValidationError as error:
        raise BadRequest("A key needs a name, and ends after 1 to 365 days.") from error
