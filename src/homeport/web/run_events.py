"""A run's log and status as they come, for the script of the run's page (server-sent events).

`log` is a line, `status` the run's status when it changes, `end` says that nothing follows. Every line's event
id is the number of the next line, so a browser that comes back goes on where it was.
"""

import asyncio
import json
from collections.abc import AsyncIterator
from typing import Annotated
from uuid import UUID

import anyio.to_thread
from fastapi import Query, Request
from starlette.responses import Response, StreamingResponse

from homeport import bells
from homeport.contract.log_lines import LogLine
from homeport.errors import HomeportError
from homeport.operations import looking, page_queries
from homeport.operations.platform import Platform
from homeport.web import words
from homeport.web.visiting import Visiting

_LOOK_AGAIN_SECONDS = 1.0
"""Without a ring, for lines that another server took in."""
_KEEP_ALIVE_SECONDS = 15.0
_LONGEST_SECONDS = 60.0
"""Then the browser has to come back, and whether it may still read is asked again."""


async def show(
    request: Request,
    visitor: Visiting,
    workspace_id: UUID,
    run_id: UUID,
    from_: Annotated[int, Query(alias="from", ge=0, le=2**53)] = 0,
) -> Response:
    platform = visitor.platform
    await anyio.to_thread.run_sync(looking.check_run, platform, visitor.principal, workspace_id, run_id)
    return StreamingResponse(
        _events(platform, run_id, _resumed(request, from_)),
        media_type="text/event-stream",
        headers={"X-Accel-Buffering": "no"},
    )


def _resumed(request: Request, from_line: int) -> int:
    seen = request.headers.get("last-event-id", "")
    return int(seen) if seen.isdecimal() and len(seen) < 16 else from_line


async def _events(platform: Platform, run_id: UUID, next_line: int) -> AsyncIterator[str]:
    yield "retry: 1000\n\n"
    loop = asyncio.get_running_loop()
    until = loop.time() + _LONGEST_SECONDS
    spoke_at, status = loop.time(), ""
    with platform.bells.heard(bells.log_of(run_id)) as bell:
        while loop.time() < until:
            try:
                progress = await anyio.to_thread.run_sync(page_queries.log_progress, platform, run_id, next_line)
            except HomeportError:
                return  # the browser comes back by itself
            next_line = progress.piece.next_line
            said = "".join(map(_log_event, progress.piece.lines))
            if progress.run.status != status:
                status = progress.run.status
                said += _event("status", {"status": status})
            if progress.piece.is_last:
                yield said + _event("end", {"status": status})
                return
            if not said and loop.time() - spoke_at > _KEEP_ALIVE_SECONDS:
                said = ": still here\n\n"
            if said:
                yield said
                spoke_at = loop.time()
            if not progress.piece.lines:
                await bell.wait(_LOOK_AGAIN_SECONDS)


def _log_event(line: LogLine) -> str:
    shown = line.model_copy(update={"content": words.plain(line.content)})
    return f"id: {line.line_num + 1}\nevent: log\ndata: {shown.model_dump_json()}\n\n"


def _event(name: str, data: dict[str, str]) -> str:
    return f"event: {name}\ndata: {json.dumps(data)}\n\n"
