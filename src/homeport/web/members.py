"""The people of an organization: their roles there and in its workspaces, and invitations."""

from dataclasses import dataclass
from typing import Annotated, Any
from uuid import UUID

from fastapi import Form
from pydantic import ValidationError
from starlette.responses import RedirectResponse, Response

from homeport.contract.lists import ListQuery
from homeport.contract.people import (
    ChangeMemberRequest,
    InvitationResponse,
    InviteRequest,
    NewInvitationResponse,
    OrganizationMemberResponse,
    SetDefaultAccessRequest,
    SetWorkspaceMemberRequest,
)
from homeport.errors import BadRequest
from homeport.operations import invitations, members, page_queries, workspaces
from homeport.web import rendering
from homeport.web.frame import Frame
from homeport.web.visiting import Visiting, Visitor

_SHOWN = 1000


@dataclass(frozen=True)
class MemberRow:
    member: OrganizationMemberResponse
    change_action: str
    remove_action: str


@dataclass(frozen=True)
class InvitationRow:
    invitation: InvitationResponse
    revoke_action: str


@dataclass(frozen=True)
class WorkspacePart:
    """Who may use one workspace."""

    name: str
    default_access: str
    default_action: str
    set_action: str
    members: tuple[tuple[str, str, str], ...]
    """E-mail, role, and the action that takes the role away."""


@dataclass(frozen=True)
class MembersPage:
    frame: Frame
    organization: str
    members: tuple[MemberRow, ...]
    invitations: tuple[InvitationRow, ...]
    invite_action: str
    """Empty for those who may only look."""
    audit_log_url: str
    new_link: str | None
    """Of an invitation; shown this once."""
    mail_note: str | None
    """What became of the mail with it, if there was to be one."""
    workspaces: tuple[WorkspacePart, ...]


def show(visitor: Visiting, organization_id: UUID) -> Response:
    return _page(visitor, organization_id)


def invite(
    visitor: Visiting,
    organization_id: UUID,
    email: Annotated[str, Form()] = "",
    role: Annotated[str, Form()] = "collaborator",
) -> Response:
    request = _checked(InviteRequest, email=email.strip() or None, role=role)
    made = invitations.invite(visitor.platform, visitor.principal, organization_id, request, visitor.base_url)
    return _page(visitor, organization_id, made.url, _note(made))


def _note(made: NewInvitationResponse) -> str | None:
    if made.mail_sent is None:
        return None
    if made.mail_sent:
        return f"It was mailed to {made.email}."
    return f"The mail to {made.email} could not be sent; the invitation is good all the same."


def revoke_invitation(visitor: Visiting, organization_id: UUID, invitation_id: UUID) -> Response:
    invitations.revoke(visitor.platform, visitor.principal, organization_id, invitation_id)
    return _back(organization_id)


def change(
    visitor: Visiting, organization_id: UUID, member_id: UUID, role: Annotated[str, Form()] = ""
) -> Response:
    request = _checked(ChangeMemberRequest, role=role)
    members.change_member(visitor.platform, visitor.principal, organization_id, member_id, request.role)
    return _back(organization_id)


def remove(visitor: Visiting, organization_id: UUID, member_id: UUID) -> Response:
    members.remove_member(visitor.platform, visitor.principal, organization_id, member_id)
    return _back(organization_id)


def set_in_workspace(
    visitor: Visiting,
    workspace_id: UUID,
    member_id: Annotated[str, Form()] = "",
    role: Annotated[str, Form()] = "",
) -> Response:
    request = _checked(SetWorkspaceMemberRequest, organization_membership_id=member_id, role=role)
    members.set_workspace_member(visitor.platform, visitor.principal, workspace_id, request)
    return _back(visitor.principal.organization_id)


def remove_from_workspace(visitor: Visiting, workspace_id: UUID, member_id: UUID) -> Response:
    members.remove_workspace_member(visitor.platform, visitor.principal, workspace_id, member_id)
    return _back(visitor.principal.organization_id)


def set_default_access(
    visitor: Visiting, workspace_id: UUID, default_access: Annotated[str, Form()] = ""
) -> Response:
    request = _checked(SetDefaultAccessRequest, default_access=default_access)
    members.set_default_access(visitor.platform, visitor.principal, workspace_id, request.default_access)
    return _back(visitor.principal.organization_id)


def _page(
    visitor: Visitor, organization_id: UUID, new_link: str | None = None, mail_note: str | None = None
) -> Response:
    platform, principal = visitor.platform, visitor.principal
    organization = workspaces.get_organization(platform, principal, organization_id)
    found = members.list_members(platform, principal, organization_id, ListQuery(limit=_SHOWN, offset=0)).items
    address = f"/organizations/{organization_id}"
    may_manage = principal.organization_role == "owner" and principal.is_person
    still_open = invitations.list_open(platform, principal, organization_id) if may_manage else []
    seen = page_queries.people_of_managed_workspaces(platform, principal)
    return rendering.answer(
        MembersPage(
            frame=visitor.frame(f"People of {organization.name}"),
            organization=organization.name,
            members=tuple(
                MemberRow(item, *_actions(f"{address}/members/{item.id}", may_manage)) for item in found
            ),
            invitations=tuple(
                InvitationRow(item, f"{address}/invitations/{item.id}/-revoke") for item in still_open
            ),
            invite_action=f"{address}/invitations/-create" if may_manage else "",
            audit_log_url=f"{address}/audit-log" if may_manage else "",
            new_link=new_link,
            mail_note=mail_note,
            workspaces=tuple(
                WorkspacePart(
                    workspace.name,
                    workspace.default_access,
                    f"/w/{workspace.id}/-default-access",
                    f"/w/{workspace.id}/members/-set",
                    tuple(
                        (item.email, item.role, f"/w/{workspace.id}/members/{item.member_id}/-remove")
                        for item in inside
                    ),
                )
                for workspace, inside in seen
            ),
        )
    )


def _actions(address: str, may_manage: bool) -> tuple[str, str]:
    return (f"{address}/-change", f"{address}/-remove") if may_manage else ("", "")


def _back(organization_id: UUID) -> Response:
    return RedirectResponse(f"/organizations/{organization_id}/members", 303)


def _checked(model: Any, **values: str | None) -> Any:
    try:
        return model.model_validate(values)
    except ValidationError as error:
        raise BadRequest("The form has a value that is none of those to choose from.") from error
