"""Where a public link leads: to an app, without signing in."""

from uuid import UUID

from fastapi import Request
from starlette.responses import RedirectResponse, Response

from homeport.errors import Unavailable
from homeport.operations import app_visits
from homeport.web.visiting import platform_of


def show(request: Request, secret: UUID) -> Response:
    platform = platform_of(request)
    name = app_visits.address_of_link(platform, secret)
    if platform.apps.domain is None and platform.apps.shared is None:
        raise Unavailable("This app has no address to be shown at; whoever runs the server can give it one.")
    return RedirectResponse(f"{platform.apps.url_of(name)}-homeport/p/{secret}", 303)
