"""Signing out: the session ends on the server too."""

from fastapi import Request
from starlette.responses import Response

from homeport.operations import sign_in
from homeport.web.visiting import COOKIE, let_out, platform_of


def submit(request: Request) -> Response:
    value = request.cookies.get(COOKIE)
    if value:
        sign_in.end_session(platform_of(request), value)
    return let_out(request)
