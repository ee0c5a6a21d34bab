"""The runners' side of the server (`src/homeport_runner/README.md`)."""

import asyncio
from typing import Annotated, Literal

from fastapi import Depends, Path, Query, Request, Response
from starlette.concurrency import run_in_threadpool

from homeport import bells
from homeport.api.asking import PlatformOf, bearer_of
from homeport.contract.runner_protocol import (
    Accepted,
    ClaimRequest,
    ControlAnswer,
    ExitRequest,
    Launch,
    LinesAnswer,
    LinesRequest,
    StartedRequest,
)
from homeport.operations import run_attempts

_LONGEST_POLL_SECONDS = 60.0
_LOOK_AGAIN_SECONDS = 1.0
"""Without a ring, for orders that another server wrote."""

Session = Annotated[str, Depends(bearer_of)]
AttemptId = Annotated[str, Path(max_length=100)]


def claim(platform: PlatformOf, attempt_id: AttemptId, request: ClaimRequest) -> Launch:
    return run_attempts.claim(platform, attempt_id, request)


def package(
    platform: PlatformOf, session: Session, attempt_id: AttemptId, which: Literal["code", "configuration"]
) -> Response:
    content = run_attempts.package(platform, attempt_id, session, which)
    return Response(content, media_type="application/gzip")


def lines(platform: PlatformOf, session: Session, attempt_id: AttemptId, request: LinesRequest) -> LinesAnswer:
    return run_attempts.take_lines(platform, attempt_id, session, request.first, request.lines)


async def control(
    request: Request,
    platform: PlatformOf,
    session: Session,
    attempt_id: AttemptId,
    wait: Annotated[float, Query(ge=0, le=_LONGEST_POLL_SECONDS)] = 0,
) -> ControlAnswer:
    """Answers at once when there is an order, else after `wait` seconds."""
    loop = asyncio.get_running_loop()
    until = loop.time() + wait
    orders = await run_in_threadpool(run_attempts.orders, platform, attempt_id, session)
    with platform.bells.heard(bells.orders_for(orders.run_id)) as bell:
        while not orders.cancel and loop.time() < until and not await request.is_disconnected():
            orders = await run_in_threadpool(run_attempts.orders, platform, attempt_id, session)
            if not orders.cancel:
                await bell.wait(min(_LOOK_AGAIN_SECONDS, max(0.0, until - loop.time())))
    return ControlAnswer(cancel=orders.cancel)


def started(platform: PlatformOf, session: Session, attempt_id: AttemptId, request: StartedRequest) -> Accepted:
    run_attempts.begin(platform, attempt_id, session)
    return Accepted()


def finished(platform: PlatformOf, session: Session, attempt_id: AttemptId, request: ExitRequest) -> Accepted:
    run_attempts.finish(platform, attempt_id, session, request)
    return Accepted()
