"""The runners' side of the server (`src/homeport_runner/README.md`)."""

import asyncio
from typing import Annotated, Literal

from fastapi import Depends, Path, Query, Request, Response
from starlette.concurrency import run_in_threadpool
from starlette.requests import ClientDisconnect

from homeport import bells
from homeport.api.asking import PlatformOf, bearer_of
from homeport.contract.runner_protocol import (
    Accepted,
    ArtifactsAnswer,
    ClaimRequest,
    ControlAnswer,
    ExitRequest,
    Launch,
    LinesAnswer,
    LinesRequest,
    PipelineName,
    StartedRequest,
)
from homeport.errors import BadRequest, TooLarge
from homeport.execution.artifact_archives import MOST_ARCHIVE_BYTES
from homeport.operations import artifacts, run_attempts

_LONGEST_POLL_SECONDS = 60.0
_LOOK_AGAIN_SECONDS = 1.0
"""Without a ring, for orders that another server wrote."""
_LONGEST_AGE_SECONDS = 100 * 365 * 86_400.0

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


async def take_artifacts(
    request: Request,
    platform: PlatformOf,
    session: Session,
    attempt_id: AttemptId,
    pipeline: PipelineName,
    age: Annotated[float, Query(ge=0, le=_LONGEST_AGE_SECONDS)] = 0,
) -> Accepted:
    """A gzipped tar; `age` is how many seconds ago it was written."""
    await run_in_threadpool(artifacts.check, platform, attempt_id, session, pipeline)
    archive = await _archive(request)
    await run_in_threadpool(artifacts.take_in, platform, attempt_id, session, pipeline, archive, age)
    return Accepted()


async def _archive(request: Request) -> bytes:
    """Refused while it comes in, not after: a body may be of any length."""
    archive = bytearray()
    try:
        async for block in request.stream():
            archive += block
            if len(archive) > MOST_ARCHIVE_BYTES:
                raise TooLarge(
                    f"The artifacts of a pipeline are at most {MOST_ARCHIVE_BYTES} bytes when packed.",
                    code="artifacts_too_large",
                )
    except ClientDisconnect:
        raise BadRequest("The request ended before its body did.") from None
    return bytes(archive)


def list_artifacts(
    platform: PlatformOf,
    session: Session,
    attempt_id: AttemptId,
    known: Annotated[str | None, Query(max_length=100)] = None,
) -> ArtifactsAnswer:
    return artifacts.kept(platform, attempt_id, session, known)


def give_artifacts(
    platform: PlatformOf, session: Session, attempt_id: AttemptId, pipeline: PipelineName
) -> Response:
    return Response(artifacts.archive_of(platform, attempt_id, session, pipeline), media_type="application/gzip")


def finished(platform: PlatformOf, session: Session, attempt_id: AttemptId, request: ExitRequest) -> Accepted:
    run_attempts.finish(platform, attempt_id, session, request)
    return Accepted()
