"""Who looks at a page, and how a browser is let in and stays in."""

from contextlib import suppress
from dataclasses import dataclass
from datetime import datetime
from typing import Annotated
from urllib.parse import urlsplit
from uuid import UUID

from fastapi import Depends, Request
from starlette.responses import RedirectResponse, Response

from homeport.auth.principals import SESSION_LIFETIME, Place, Principal
from homeport.errors import NotSignedIn
from homeport.operations import sign_in
from homeport.operations.platform import Platform
from homeport.web.frame import Crumb, Frame

COOKIE = "homeport_session"
_HOST_ONLY = "__Host-"
"""What browsers let nobody set for a whole domain: not an app at another name below the one of these pages."""


@dataclass(frozen=True)
class Visitor:
    """A person who is signed in, and the one moment that their page is about."""

    platform: Platform
    principal: Principal
    now: datetime
    base_url: str
    """scheme://host of this server, as the person reaches it."""

    def at(self, organization_id: UUID) -> Principal:
        """The person as a member of one of their organizations."""
        return sign_in.in_organization(self.platform, self.principal, organization_id)

    def frame(self, title: str, *crumbs: Crumb) -> Frame:
        return Frame(title, self.now, self.principal.name or self.principal.email, crumbs)


def platform_of(request: Request) -> Platform:
    platform: Platform = request.app.state.platform
    return platform


def principal_of(request: Request) -> Principal | None:
    """Who the browser's cookie stands for, if it is a good one."""
    value = session_cookie_of(request)
    if not value:
        return None
    try:
        return sign_in.by_browser_session(platform_of(request), value, place_of(request), address_of(request))
    except NotSignedIn:
        return None


def _visitor(request: Request) -> Visitor:
    principal = principal_of(request)
    if principal is None:
        raise NotSignedIn
    platform = platform_of(request)
    visitor = Visitor(platform, principal, platform.clock.now(), base_url_of(request))
    request.state.visitor = visitor
    return visitor


Visiting = Annotated[Visitor, Depends(_visitor)]
"""A page for people who are signed in; others are sent to sign in first."""


def address_of(request: Request) -> str | None:
    """Where a request comes from; behind a proxy on this machine, what the proxy says."""
    return request.client.host[:64] if request.client else None


def place_of(request: Request) -> Place:
    """What a page is about, by its address. An id that is none is complained about by the page."""
    found: dict[str, UUID] = {}
    for name in ("organization_id", "workspace_id"):
        with suppress(KeyError, ValueError):
            found[name] = UUID(request.path_params[name])
    return Place(**found)


def base_url_of(request: Request) -> str:
    return (platform_of(request).settings.public_url or str(request.base_url)).rstrip("/")


def safe_next(address: str) -> str:
    """Where to go after signing in: a path of this server, else the start page.

    Browsers read `//host` and `/\\host` as another server, and drop tabs and line ends before they look.
    """
    is_local = address.startswith("/") and not address.startswith("//")
    if not is_local or "\\" in address or not address.isprintable() or address.startswith("/sign-"):
        return "/"
    return address


def let_in(request: Request, session: str, address: str) -> Response:
    """Give the browser its session and send it on."""
    response = RedirectResponse(address, 303)
    response.set_cookie(
        _cookie_name(request),
        session,
        max_age=int(SESSION_LIFETIME.total_seconds()),
        path="/",
        secure=is_https(request),
        httponly=True,
        samesite="lax",
    )
    return response


def let_out(request: Request) -> Response:
    """Take the session from the browser."""
    response = RedirectResponse("/sign-in", 303)
    response.delete_cookie(
        _cookie_name(request), path="/", secure=is_https(request), httponly=True, samesite="lax"
    )
    return response


def session_cookie_of(request: Request) -> str | None:
    """What the browser shows for being signed in."""
    return request.cookies.get(_cookie_name(request))


def _cookie_name(request: Request) -> str:
    # browsers take the prefix over https only
    return _HOST_ONLY + COOKIE if is_https(request) else COOKIE


def is_https(request: Request) -> bool:
    return urlsplit(base_url_of(request)).scheme == "https"
