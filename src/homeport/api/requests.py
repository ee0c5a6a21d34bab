"""What holds for every request before an endpoint sees it: bodies end, and text can be kept.

Both databases and every encoder stumble over NUL and half a character (a lone surrogate), which JSON and
percent-encoding can write; JSON's NaN and Infinity are no JSON. Found here, they are a fault of the request; found
later, they would be one of ours.
"""

import json
import math
from collections.abc import Callable, Coroutine, Iterable, Iterator
from typing import Any

from fastapi import Request
from fastapi.exceptions import RequestValidationError
from fastapi.routing import APIRoute
from starlette.datastructures import Headers
from starlette.responses import Response
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from homeport.api import errors
from homeport.contract.storable_text import is_whole, repaired
from homeport.errors import TooLarge

_MIB = 1024 * 1024
DEFAULT_LIMIT = 1 * _MIB
_LIMITS = {
    # a manifest of thousands of jobs
    "/-deploy": 16 * _MIB,
    # half a MiB of lines, each of its bytes written as \u00..; one line alone may be longer than the half
    "/lines": 8 * _MIB,
    # a thousand values; what a scope may hold is looked at later, and told in its own words
    "/variables": 8 * _MIB,
}
_COUNT_THEMSELVES = ("/-upload", "/trace", "/state", "/job_result")
"""They have limits of their own, and take in more than is held in memory."""

_DEEPEST = 100
"""Levels of a document; what is read by recursion must not run out of it."""

_NUL = "a NUL character, which cannot be stored"
_HALF = "half a character (a lone surrogate), which is no text"
_NO_NUMBER = "a number that is not finite, which JSON does not have"

Handler = Callable[[Request], Coroutine[Any, Any, Response]]


class BodyLimit:
    """ASGI middleware: refuses a body while it comes in, as soon as it is known to be too long."""

    def __init__(self, app: ASGIApp) -> None:
        self._app = app

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        limit = _limit_of(scope)
        if limit is None:
            await self._app(scope, receive, send)
            return
        refusal = errors.answer(TooLarge(f"This request may have at most {limit} bytes.", code="body_too_large"))
        announced = Headers(scope=scope).get("content-length", "")
        if announced.isdecimal() and int(announced) > limit:
            await refusal(scope, receive, send)
            return
        received, is_too_long, has_begun = 0, False, False

        async def counted() -> Message:
            nonlocal received, is_too_long
            message = await receive()
            received += len(message.get("body", b""))
            if received > limit:
                is_too_long = True
                # whoever reads, ends; what they answer is replaced below
                raise TooLarge
            return message

        async def noting(message: Message) -> None:
            nonlocal has_begun
            if is_too_long and not has_begun:
                return
            has_begun = True
            await send(message)

        try:
            await self._app(scope, counted, noting)
        except TooLarge:
            if has_begun:
                raise
        if is_too_long and not has_begun:
            await refusal(scope, receive, send)


def _limit_of(scope: Scope) -> int | None:
    if scope["type"] != "http" or scope["method"] in ("GET", "HEAD"):
        return None
    path: str = scope["path"]
    if scope["method"] == "PUT" and path.startswith("/runner/"):
        return None
    if path.endswith(_COUNT_THEMSELVES) and path.startswith(("/api/", "/beacon/")):
        return None
    return next((limit for ending, limit in _LIMITS.items() if path.endswith(ending)), DEFAULT_LIMIT)


class ApiRoute(APIRoute):
    """The class of all routes of the API."""

    def get_route_handler(self) -> Handler:
        handle = super().get_route_handler()
        # what a run says is repaired, not refused: nobody is there who could say it better
        reading = _RepairedJson if self.path.startswith("/runner/") else _CheckedJson

        async def checked(request: Request) -> Response:
            _check("path", request.path_params.items())
            _check("query", request.query_params.multi_items())
            reader = reading(request.scope, request.receive)
            if self.body_field is not None and _is_json(request):
                # before the framework does, which would hide why it cannot be read
                await reader.json()
            return await handle(reader)

        return checked


def _check(place: str, parameters: Iterable[tuple[str, str]]) -> None:
    for name, value in parameters:
        fault = _fault_of(name) or _fault_of(value)
        if fault:
            raise _malformed((place, "?" if _fault_of(name) else name), f"there is {fault}")


def _is_json(request: Request) -> bool:
    kind = request.headers.get("content-type", "").partition(";")[0].strip().lower()
    return kind == "application/json" or (kind.startswith("application/") and kind.endswith("+json"))


class _CheckedJson(Request):
    async def json(self) -> Any:
        if not hasattr(self, "_document"):
            self._document = _parsed(await self.body())
            for place, fault in _faults(self._document, ("body",)):
                raise _malformed(place, fault)
        return self._document


class _RepairedJson(Request):
    async def json(self) -> Any:
        if not hasattr(self, "_document"):
            self._document = repaired(_parsed(await self.body()))
        return self._document


def _parsed(body: bytes) -> Any:
    if not body:
        return None
    try:
        return json.loads(body.decode(), parse_constant=_refuse_constant)
    except (ValueError, RecursionError):
        # without the cause: it carries what was read
        raise _malformed(("body",), "this is not JSON in UTF-8") from None


def _refuse_constant(_name: str) -> None:
    raise ValueError(_NO_NUMBER)


def _faults(value: Any, place: tuple[str | int, ...]) -> Iterator[tuple[tuple[str | int, ...], str]]:
    """Everything in a document that cannot be kept, each with its place."""
    if len(place) > _DEEPEST:
        yield ("body",), f"there are more than {_DEEPEST} levels"
    elif isinstance(value, dict):
        for key, inner in value.items():
            fault = _fault_of(key)
            if fault:
                yield (*place, "?"), f"a key has {fault}"
            yield from _faults(inner, (*place, key))
    elif isinstance(value, list):
        for number, inner in enumerate(value):
            yield from _faults(inner, (*place, number))
    else:
        fault = _fault_of(value)
        if fault:
            yield place, f"there is {fault}"


def _fault_of(value: Any) -> str | None:
    if isinstance(value, str):
        if "\x00" in value:
            return _NUL
        return None if is_whole(value) else _HALF
    if isinstance(value, float) and not math.isfinite(value):
        return _NO_NUMBER
    return None


def _malformed(place: tuple[str | int, ...], fault: str) -> RequestValidationError:
    return RequestValidationError([{"type": "text", "loc": place, "msg": fault}])
