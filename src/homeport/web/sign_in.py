"""Signing in: with a one-use link, with e-mail and password, with an API key, or through a provider."""

from dataclasses import dataclass
from typing import Annotated
from urllib.parse import urlencode

from fastapi import Form, Request
from starlette.responses import RedirectResponse, Response

from homeport.errors import NotSignedIn, TooManyTries
from homeport.operations import provider_sign_in, sign_in
from homeport.operations.platform import Platform
from homeport.web import rendering
from homeport.web.frame import Frame
from homeport.web.visiting import address_of, let_in, platform_of, principal_of, safe_next


@dataclass(frozen=True)
class SignInPage:
    frame: Frame
    next: str
    """Where to go afterwards: a path of this server."""
    problem: str | None
    """Why the last try did not work."""
    email: str = ""
    """As it was typed."""
    providers: tuple[tuple[str, str], ...] = ()
    """Name and address of every provider that signs people in."""


def show(request: Request, code: str | None = None, next: str = "/") -> Response:
    """A link that is opened from a terminal signs in at once; it is good for one time only."""
    address, problem = safe_next(next), None
    if code is not None:
        try:
            session = sign_in.open_session_with_code(platform_of(request), code, address_of(request))
            return let_in(request, session, address)
        except NotSignedIn as refused:
            problem = refused.message
    if principal_of(request) is not None:
        return RedirectResponse(address, 303)
    return form(request, address, problem)


def submit(
    request: Request,
    email: Annotated[str, Form()] = "",
    password: Annotated[str, Form()] = "",
    api_key: Annotated[str, Form()] = "",
    next: Annotated[str, Form()] = "/",
) -> Response:
    address, platform, origin = safe_next(next), platform_of(request), address_of(request)
    try:
        if email:
            session = sign_in.open_session_with_password(platform, email, password, origin)
        else:
            session = sign_in.open_session_with_key(platform, api_key, origin)
        return let_in(request, session, address)
    except NotSignedIn as refused:
        unknown_key = "This server does not know that key. Check that it is complete."
        return form(request, address, refused.message if email else unknown_key, email)
    except TooManyTries as refused:
        return form(request, address, refused.message, email, 429, refused.retry_after)


def form(
    request: Request,
    address: str,
    problem: str | None,
    email: str = "",
    status: int = 401,
    retry_after: int | None = None,
) -> Response:
    """The page, with all ways in."""
    platform = platform_of(request)
    providers = through_providers(platform, address)
    page = SignInPage(Frame("Sign in", platform.clock.now()), address, problem, email, providers)
    return rendering.answer(page, 200 if problem is None else status, retry_after)


def through_providers(platform: Platform, address: str) -> tuple[tuple[str, str], ...]:
    """Name and address of every provider that signs people in; from there they come back to `address`."""
    return tuple(
        (name, f"/sign-in/{key}?{urlencode({'next': address})}")
        for key, name in provider_sign_in.offered(platform)
    )
