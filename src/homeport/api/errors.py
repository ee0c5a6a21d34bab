"""From errors to answers: the only place where a `HomeportError` becomes a status (wire contract §3)."""

from collections.abc import Mapping, Sequence
from typing import Any

from fastapi import FastAPI, Request
from fastapi.exceptions import RequestValidationError
from fastapi.responses import JSONResponse
from starlette.exceptions import HTTPException
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from homeport import errors
from homeport.contract.base import ErrorBody
from homeport.telemetry import events, faults

_STATUS_OF: dict[type[errors.HomeportError], int] = {
    errors.BadRequest: 400,
    errors.NotSignedIn: 401,
    errors.NotAllowed: 403,
    errors.NotFound: 404,
    errors.Conflict: 409,
    errors.TooLarge: 413,
    errors.ClientTooOld: 426,
    errors.TooManyTries: 429,
    errors.Unavailable: 503,
}


def status_of(error: errors.HomeportError) -> int:
    """The HTTP status of an error, by the nearest class that has one."""
    return next((_STATUS_OF[kind] for kind in type(error).__mro__ if kind in _STATUS_OF), 500)


def answer(error: errors.HomeportError) -> JSONResponse:
    headers = None if error.retry_after is None else {"Retry-After": str(error.retry_after)}
    return _response(status_of(error), error.code, error.message, error.reasons, headers)


def install(app: FastAPI) -> None:
    """Every error of the API leaves in the one shape, also those of the framework."""

    @app.exception_handler(errors.HomeportError)
    def _ours(request: Request, error: errors.HomeportError) -> JSONResponse:
        if status_of(error) >= 500:
            _tell(request.scope, error)
        return answer(error)

    @app.exception_handler(RequestValidationError)
    def _malformed(_request: Request, error: RequestValidationError) -> JSONResponse:
        # 400, which every operation declares: an undeclared 422 would lose its code in the client. What was
        # sent is not repeated: it may hold a secret.
        reasons = [f"{'.'.join(map(str, fault['loc']))}: {_reason(fault)}" for fault in error.errors()]
        return _response(400, "malformed_request", "The request is not of the form it must have.", reasons)

    @app.exception_handler(HTTPException)
    def _of_framework(_request: Request, error: HTTPException) -> JSONResponse:
        code = {404: "no_such_address", 405: "method_not_allowed"}.get(error.status_code, "http_error")
        return _response(error.status_code, code, str(error.detail))

    app.add_middleware(_LastResort)


def _tell(scope: Scope, error: errors.HomeportError) -> None:
    """Runners come again by themselves: without this line, nobody would know what a run waits for."""
    # the pattern, not the address: that may hold a token
    route = getattr(scope.get("route"), "path", "?")
    events.emit(events.CANNOT_ANSWER, method=scope["method"], path=route, reason=error.message)


def _reason(fault: Mapping[str, Any]) -> str:
    if fault["type"] == "union_tag_invalid":  # the usual words repeat the tag that was sent
        return f"This is none of {fault['ctx']['expected_tags']}"
    return str(fault["msg"])


class _LastResort:
    """Answers for faults of ours. A handler of `Exception` would be called outside of all middleware, and its
    answer would lack what that adds to every other one."""

    def __init__(self, app: ASGIApp) -> None:
        self._app = app

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        has_begun = False

        async def noting(message: Message) -> None:
            nonlocal has_begun
            has_begun = True
            await send(message)

        try:
            await self._app(scope, receive, noting)
        except Exception as error:
            if has_begun or scope["type"] != "http":
                raise  # an answer that breaks off is all that can still be told
            if (full := errors.out_of_room(error)) is not None:
                _tell(scope, full)
                await answer(full)(scope, receive, send)
                return
            # the pattern, not the address: that may hold a token
            route = getattr(scope.get("route"), "path", "?")
            events.emit(events.REQUEST_FAILED, method=scope["method"], path=route, **faults.shown(error))
            told = _response(500, "internal_error", "Homeport hit a fault of its own; its log has the details.")
            await told(scope, receive, send)


def _response(
    status: int,
    code: str,
    detail: str,
    reasons: Sequence[str] = (),
    headers: Mapping[str, str] | None = None,
) -> JSONResponse:
    extra = {"reasons": list(reasons)} if reasons else {}
    body = ErrorBody(status_code=status, code=code, detail=detail, extra=extra)
    return JSONResponse(body.model_dump(), status_code=status, headers=headers)
