"""Files and logs of a workspace, with a data-plane token (wire contract §8.2, §8.4)."""

import asyncio
import json
from collections.abc import AsyncIterator
from uuid import UUID

from fastapi.responses import StreamingResponse
from starlette.concurrency import run_in_threadpool

from homeport import bells
from homeport.api.asking import ByDataplaneToken
from homeport.contract.packages import ManifestFilesResponse
from homeport.errors import HomeportError, NotFound
from homeport.logs.sharing import Ready
from homeport.operations import looking, versions
from homeport.operations.platform import Platform

_EVENT = "event: log\ndata: %s\n\n"
_KEEP_ALIVE_SECONDS = 15.0
"""Over 1 s on purpose: a replay that does not follow ends at a second of silence (wire contract §8.4)."""
_LOOK_AGAIN_SECONDS = 1.0
"""Without a ring, for lines that another server took in."""


def deployment_files(asking: ByDataplaneToken, workspace_id: UUID, package_id: UUID) -> ManifestFilesResponse:
    return versions.files(asking.platform, asking.principal, workspace_id, "deployments", package_id)


def configuration_files(asking: ByDataplaneToken, workspace_id: UUID, package_id: UUID) -> ManifestFilesResponse:
    return versions.files(asking.platform, asking.principal, workspace_id, "configurations", package_id)


async def stored_log(asking: ByDataplaneToken, workspace_id: UUID, run_id: UUID) -> StreamingResponse:
    """The whole log of a run that is over, one JSON line each; 404 before that."""
    run = await run_in_threadpool(looking.check_run, asking.platform, asking.principal, workspace_id, run_id)
    if not run.is_over:
        raise NotFound("The run is not over yet: read its log-stream.", code="log_not_stored")
    lines = _stored_lines(asking.platform, run_id)
    return StreamingResponse(lines, media_type="application/x-ndjson")


async def _stored_lines(platform: Platform, run_id: UUID) -> AsyncIterator[str]:
    next_line, is_last = 0, False
    while not is_last:
        piece = await run_in_threadpool(_read, platform, run_id, next_line, "%s\n")
        next_line, is_last = piece.next_line, piece.is_last
        yield piece.text


def _read(platform: Platform, run_id: UUID, from_line: int, form: str) -> Ready:
    """Some lines as they are sent; made in a thread, for they may be many."""

    def make() -> Ready:
        piece = looking.read_log(platform, run_id, from_line)
        before, _, after = form.partition("%s")
        text = "".join([f"{before}{line}{after}" for line in piece.as_json()])
        return Ready(text, piece.next_line, piece.is_last)

    return platform.pieces.get((run_id, from_line, form), make)


async def log_stream(asking: ByDataplaneToken, workspace_id: UUID, run_id: UUID) -> StreamingResponse:
    """The log from its first line on, and then as it comes; ends when the run is over and all is sent."""
    await run_in_threadpool(looking.check_run, asking.platform, asking.principal, workspace_id, run_id)
    return StreamingResponse(
        _events(asking.platform, run_id),
        media_type="text/event-stream",
        headers={"Cache-Control": "no-store", "X-Accel-Buffering": "no"},
    )


async def _events(platform: Platform, run_id: UUID) -> AsyncIterator[str]:
    # at once: a client that only replays gives up when nothing comes within a second
    yield ": the log of a run\n\n"
    loop = asyncio.get_running_loop()
    next_line, quiet_since = 0, loop.time()
    with platform.bells.heard(bells.log_of(run_id)) as bell:
        while True:
            try:
                piece = await run_in_threadpool(_read, platform, run_id, next_line, _EVENT)
            except HomeportError as error:
                yield _failure(error.message)
                return
            if piece.is_last:
                return
            next_line = piece.next_line
            if piece.text:
                yield piece.text
                quiet_since = loop.time()
                continue
            if loop.time() - quiet_since > _KEEP_ALIVE_SECONDS:
                yield ": still here\n\n"
                quiet_since = loop.time()
            await bell.wait(_LOOK_AGAIN_SECONDS)
    yield _failure("The server is stopping; the run goes on. Follow its log again when the server is back.")


def _failure(message: str) -> str:
    return f"event: error\ndata: {json.dumps({'error': message})}\n\n"
