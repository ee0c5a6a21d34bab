"""Signing out: the session ends on the server too."""

from fastapi import Request
from starlette.responses import Response

from homeport.operations import sign_in
from homeport.web.visiting import COOKIE, address_of, let_out, platform_of


def submit(request: Request) -> Response:
    value = request.cookies.get(COOKIE)
    if value:
        sign_in.end_session(platform_of(request), value, address_of(request))
    return let_out(request)
