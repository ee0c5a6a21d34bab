"""Take an invitation up: as the person who is signed in, or with a new account."""

from dataclasses import dataclass
from typing import Annotated
from urllib.parse import quote

from fastapi import Form, Request
from starlette.responses import RedirectResponse, Response

from homeport.errors import BadRequest, Conflict
from homeport.operations import invitations
from homeport.web import rendering
from homeport.web.frame import Frame
from homeport.web.sign_in import through_providers
from homeport.web.visiting import address_of, let_in, platform_of, principal_of


@dataclass(frozen=True)
class InvitationPage:
    frame: Frame
    code: str
    organization: str
    invited_by: str
    email: str | None
    """Whom it is for; whoever has the link, if none."""
    problem: str | None
    sign_in_url: str
    """For those who have an account already."""
    providers: tuple[tuple[str, str], ...] = ()
    """Name and address of every provider that can take this invitation up."""


def show(request: Request, code: str = "") -> Response:
    return _form(request, code, None)


def submit(
    request: Request,
    code: Annotated[str, Form()] = "",
    email: Annotated[str, Form()] = "",
    name: Annotated[str, Form()] = "",
    password: Annotated[str, Form()] = "",
) -> Response:
    platform, principal = platform_of(request), principal_of(request)
    if principal is not None:
        invitations.accept(platform, principal, code)
        return RedirectResponse("/", 303)
    try:
        session = invitations.accept_as_new(platform, code, email, name, password, address_of(request))
    except (BadRequest, Conflict) as refused:
        return _form(request, code, refused.message)
    return let_in(request, session, "/")


def _form(request: Request, code: str, problem: str | None) -> Response:
    platform, principal = platform_of(request), principal_of(request)
    seen = invitations.look(platform, code)
    person = None if principal is None else principal.name or principal.email
    back = f"/invitation?code={quote(code, safe='')}"
    page = InvitationPage(
        Frame("Invitation", platform.clock.now(), person),
        code,
        seen.organization,
        seen.invited_by,
        seen.email,
        problem,
        f"/sign-in?next={quote(back, safe='')}",
        # a provider's word is for an address; a link for whoever has it names none
        () if seen.email is None else through_providers(platform, back),
    )
    return rendering.answer(page, 200 if problem is None else 400)
