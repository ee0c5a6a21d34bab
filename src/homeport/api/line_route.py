"""The route on which runners send lines: what comes in the usual form is not taken apart
(`contract/line_blocks.py`)."""

from collections.abc import Callable, Coroutine
from typing import Any

from fastapi import Request
from starlette.concurrency import run_in_threadpool
from starlette.requests import ClientDisconnect
from starlette.responses import JSONResponse, Response
from starlette.types import Message

from homeport.api.asking import bearer_of, platform_of
from homeport.api.requests import ApiRoute
from homeport.contract import line_blocks
from homeport.contract.runner_protocol import LinesAnswer
from homeport.errors import BadRequest
from homeport.operations import run_attempts
from homeport.operations.platform import Platform


class LineRoute(ApiRoute):
    def get_route_handler(self) -> Callable[[Request], Coroutine[Any, Any, Response]]:
        usual = super().get_route_handler()

        async def handle(request: Request) -> Response:
            try:
                body = await request.body()
            except ClientDisconnect:
                raise BadRequest("The request ended before its body did.") from None
            attempt_id = str(request.path_params["attempt_id"])
            if body and len(attempt_id) <= 100 and attempt_id.isascii() and attempt_id.isprintable():
                platform, session = platform_of(request), bearer_of(request)
                answer = await run_in_threadpool(_take, platform, attempt_id, session, body)
                if answer is not None:
                    return JSONResponse(answer.model_dump())
            return await usual(_once_more(request, body))

        return handle


def _take(platform: Platform, attempt_id: str, session: str, body: bytes) -> LinesAnswer | None:
    block = line_blocks.read(body)
    return None if block is None else run_attempts.take_block(platform, attempt_id, session, block)


def _once_more(request: Request, body: bytes) -> Request:
    """The request, with its body to be read again."""

    async def receive() -> Message:
        return {"type": "http.request", "body": body, "more_body": False}

    return Request(request.scope, receive)
