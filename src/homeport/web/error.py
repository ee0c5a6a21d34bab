"""What people see when something is not there, not allowed or broken: in plain words, never a stack trace."""

from dataclasses import dataclass

from fastapi import Request
from fastapi.exceptions import RequestValidationError
from starlette.exceptions import HTTPException
from starlette.responses import Response

from homeport import errors
from homeport.telemetry import events, faults
from homeport.web import rendering
from homeport.web.frame import Frame
from homeport.web.visiting import Visiting, Visitor, platform_of


@dataclass(frozen=True)
class ErrorPage:
    frame: Frame
    status: int
    heading: str
    message: str
    reasons: tuple[str, ...]
    back_url: str
    """Where to go from here."""


_ANSWER_OF: dict[type[errors.HomeportError], tuple[int, str]] = {
    errors.BadRequest: (400, "That cannot be done"),
    errors.NotAllowed: (403, "Not allowed"),
    errors.NotFound: (404, "Not found"),
    errors.Conflict: (409, "Not right now"),
    errors.TooLarge: (413, "Too large"),
    errors.TooManyTries: (429, "Not so fast"),
    errors.Unavailable: (503, "Homeport cannot answer right now"),
}

_NO_SUCH_ADDRESS = "There is nothing at this address. It may be mistyped, or what it named is gone."
_OUR_FAULT = "Homeport hit a fault of its own; the server's log has the details. Trying again may help."


def no_such_page(visitor: Visiting, rest: str) -> Response:
    raise errors.NotFound(_NO_SUCH_ADDRESS)


def answer(request: Request, error: Exception) -> Response:
    """The page for any error; the only place where the pages turn one into a status."""
    error = errors.out_of_room(error) or error
    status, heading, message, reasons = _explained(error)
    if status == 500:
        route = getattr(request.scope.get("route"), "path", "?")
        events.emit(events.REQUEST_FAILED, method=request.method, path=route, **faults.shown(error))
    visitor: Visitor | None = getattr(request.state, "visitor", None)
    frame = visitor.frame(heading) if visitor else Frame(heading, platform_of(request).clock.now())
    page = ErrorPage(frame, status, heading, message, reasons, _back_url(request))
    return rendering.answer(page, status, getattr(error, "retry_after", None))


def _explained(error: Exception) -> tuple[int, str, str, tuple[str, ...]]:
    if isinstance(error, errors.HomeportError):
        for kind in type(error).__mro__:
            if kind in _ANSWER_OF:
                return *_ANSWER_OF[kind], error.message, tuple(error.reasons)
    if isinstance(error, RequestValidationError):
        is_address = any(fault["loc"][:1] == ("path",) for fault in error.errors())
        if is_address:
            return 404, "Not found", _NO_SUCH_ADDRESS, ()
        return 400, "That cannot be done", "The request is not of the form it must have.", ()
    if isinstance(error, HTTPException) and error.status_code < 500:
        return error.status_code, "That cannot be done", str(error.detail), ()
    return 500, "Something broke", _OUR_FAULT, ()


def _back_url(request: Request) -> str:
    if request.method != "GET":
        return request.url.path.rpartition("/-")[0] or "/"
    return "/"
