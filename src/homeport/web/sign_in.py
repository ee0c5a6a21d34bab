"""Signing in: with a one-use link, or with an API key."""

from dataclasses import dataclass
from typing import Annotated

from fastapi import Form, Request
from starlette.responses import RedirectResponse, Response

from homeport.errors import NotSignedIn
from homeport.operations import sign_in
from homeport.web import rendering
from homeport.web.frame import Frame
from homeport.web.visiting import let_in, platform_of, principal_of, safe_next


@dataclass(frozen=True)
class SignInPage:
    frame: Frame
    next: str
    """Where to go afterwards: a path of this server."""
    problem: str | None
    """Why the last try did not work."""


def show(request: Request, code: str | None = None, next: str = "/") -> Response:
    """A link that is opened from a terminal signs in at once; it is good for one time only."""
    address, problem = safe_next(next), None
    if code is not None:
        try:
            return let_in(request, sign_in.open_session_with_code(platform_of(request), code), address)
        except NotSignedIn as refused:
            problem = refused.message
    if principal_of(request) is not None:
        return RedirectResponse(address, 303)
    return _form(request, address, problem)


def submit(
    request: Request,
    api_key: Annotated[str, Form()] = "",
    next: Annotated[str, Form()] = "/",
) -> Response:
    address = safe_next(next)
    try:
        return let_in(request, sign_in.open_session_with_key(platform_of(request), api_key), address)
    except NotSignedIn:
        return _form(request, address, "This server does not know that key. Check that it is complete.")


def _form(request: Request, address: str, problem: str | None) -> Response:
    frame = Frame("Sign in", platform_of(request).clock.now())
    return rendering.answer(SignInPage(frame, address, problem), 200 if problem is None else 401)
