"""Sign in through a provider: there, and back. Whatever goes wrong, the page shows the other ways in."""

from fastapi import Request
from starlette.responses import RedirectResponse, Response

from homeport.errors import HomeportError, NotAllowed, NotSignedIn, TooManyTries, Unavailable
from homeport.operations import provider_sign_in
from homeport.operations.provider_sign_in import LIFETIME, Answer
from homeport.web import sign_in
from homeport.web.visiting import (
    address_of,
    base_url_of,
    is_https,
    let_in,
    platform_of,
    principal_of,
    safe_next,
)

COOKIE = "homeport_sign_in"
_PATH = "/sign-in/"
_STATUS_OF: dict[type[HomeportError], int] = {
    NotSignedIn: 401,
    NotAllowed: 403,
    TooManyTries: 429,
    Unavailable: 503,
}


def begin(request: Request, provider: str, next: str = "/") -> Response:
    address = safe_next(next)
    try:
        begun = provider_sign_in.begin(platform_of(request), provider, address, base_url_of(request))
    except Unavailable as failed:
        return sign_in.form(request, address, failed.message, status=503)
    response = RedirectResponse(begun.url, 303)
    response.set_cookie(
        COOKIE,
        begun.kept,
        max_age=int(LIFETIME.total_seconds()),
        path=_PATH,
        secure=is_https(request),
        httponly=True,
        samesite="lax",  # strict would keep it back when the provider sends the browser here
    )
    return response


def finish(
    request: Request, provider: str, state: str = "", code: str = "", error: str = "", iss: str = ""
) -> Response:
    platform, visitor, kept = platform_of(request), principal_of(request), request.cookies.get(COOKIE, "")
    answer = Answer(state=state, code=code, error=error, issuer=iss)
    try:
        done = provider_sign_in.finish(platform, provider, kept, answer, address_of(request), visitor)
        response = let_in(request, done.session, safe_next(done.next))
    except (NotSignedIn, NotAllowed, TooManyTries, Unavailable) as refused:
        status = next(number for kind, number in _STATUS_OF.items() if isinstance(refused, kind))
        going_to = safe_next(provider_sign_in.next_of(platform, provider, kept))
        response = sign_in.form(request, going_to, refused.message, status=status, retry_after=refused.retry_after)
    # good for one return: the next one begins anew
    response.delete_cookie(COOKIE, path=_PATH, secure=is_https(request), httponly=True, samesite="lax")
    return response
