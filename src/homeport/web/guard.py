"""What holds for every page and action: who may post, `?swap=` codes, errors as pages, headers."""

from collections.abc import Callable, Coroutine
from typing import Any
from urllib.parse import quote, urlencode, urlsplit

from fastapi import Request
from fastapi.routing import APIRoute
from starlette.concurrency import run_in_threadpool
from starlette.responses import RedirectResponse, Response

from homeport.contract.storable_text import is_whole
from homeport.errors import BadRequest, NotAllowed, NotSignedIn, TooLarge
from homeport.operations import sign_in
from homeport.web import error as errors
from homeport.web.visiting import address_of, base_url_of, let_in, platform_of, principal_of

Handler = Callable[[Request], Coroutine[Any, Any, Response]]

HEADERS = {
    "Content-Security-Policy": "; ".join(
        [
            "default-src 'none'",
            "style-src 'self'",
            "script-src 'self'",
            "img-src 'self'",
            "connect-src 'self'",
            "font-src 'self'",
            "form-action 'self'",
            "frame-ancestors 'none'",
            "base-uri 'none'",
        ]
    ),
    "X-Content-Type-Options": "nosniff",
    # not `no-referrer`: with it, browsers send `Origin: null` with our own forms
    "Referrer-Policy": "same-origin",
    "Cross-Origin-Opener-Policy": "same-origin",
    "Cache-Control": "no-store",
}

_LARGEST_FORM = 64 * 1024


class PageRoute(APIRoute):
    """The class of all routes of the pages."""

    def get_route_handler(self) -> Handler:
        handle = super().get_route_handler()

        async def guarded(request: Request) -> Response:
            response = await _answer(request, handle)
            for name, value in HEADERS.items():
                response.headers.setdefault(name, value)
            return response

        return guarded


async def _answer(request: Request, handle: Handler) -> Response:
    try:
        if request.method == "POST":
            _check_post(request)
        await _check_text(request)
        if request.method != "POST" and "swap" in request.query_params:
            return await run_in_threadpool(_swap, request)
        return await handle(request)
    except NotSignedIn:
        return RedirectResponse(f"/sign-in?next={quote(_way_back(request), safe='')}", 303)
    except Exception as error:
        return await run_in_threadpool(errors.answer, request, error)


def _check_post(request: Request) -> None:
    """Only our own pages may post: the cookie alone would let any page act in a visitor's name."""
    origin = request.headers.get("origin", "")
    if origin.lower() not in (base_url_of(request).lower(), _own_origin(request, origin)):
        raise NotAllowed("This form was sent from another site. Open the page here and send it again.")
    if not request.headers.get("content-length", "0").isdecimal() or "transfer-encoding" in request.headers:
        raise TooLarge("The form's length is not known.")
    if int(request.headers.get("content-length", "0")) > _LARGEST_FORM:
        raise TooLarge("The form is longer than any of ours.")


async def _check_text(request: Request) -> None:
    """Refuse what no browser sends from our forms, and no database keeps."""
    sent = [*request.path_params.values(), *request.query_params.values()]
    if request.method == "POST":
        sent += (await request.form()).values()  # kept by the request: the action reads it once more
    if any("\x00" in text or not is_whole(text) for text in sent if isinstance(text, str)):
        raise BadRequest("There is a character in this that is no text (NUL, or half of one). Type it again.")


def _own_origin(request: Request, origin: str) -> str:
    # the scheme is taken as the browser has it: a proxy in front of us may speak https where we hear http
    scheme = urlsplit(origin).scheme.lower()
    return f"{scheme if scheme in ('http', 'https') else 'http'}://{request.headers.get('host', '').lower()}"


def _swap(request: Request) -> Response:
    """Sign in with the code that the command line adds to addresses, and go on to the address without it.

    Whoever is signed in stays who they are: a link must not turn them into somebody else.
    """
    others = [(name, value) for name, value in request.query_params.multi_items() if name != "swap"]
    address = quote(request.url.path) + (f"?{urlencode(others)}" if others else "")
    if principal_of(request) is None:
        try:
            session = sign_in.open_session_with_code(
                platform_of(request), request.query_params["swap"], address_of(request)
            )
            return let_in(request, session, address)
        except NotSignedIn:
            pass
    return RedirectResponse(address, 303)


def _way_back(request: Request) -> str:
    if request.method != "GET":
        return request.url.path.rpartition("/-")[0]
    return request.url.path + (f"?{request.url.query}" if request.url.query else "")
