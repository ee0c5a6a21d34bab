"""Signing out: the session ends on the server too."""

from fastapi import Request
from starlette.responses import Response

from homeport.operations import sign_in
from homeport.web.visiting import address_of, let_out, platform_of, session_cookie_of


def submit(request: Request) -> Response:
    value = session_cookie_of(request)
    if value:
        sign_in.end_session(platform_of(request), value, address_of(request))
    return let_out(request)
