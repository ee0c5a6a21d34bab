"""The log of a run so far, as plain text."""

from collections.abc import Iterator
from uuid import UUID

from starlette.responses import Response, StreamingResponse

from homeport.operations import looking, page_queries
from homeport.operations.platform import Platform
from homeport.web import words
from homeport.web.visiting import Visiting

_LINES_AT_ONCE = 5_000


def show(visitor: Visiting, workspace_id: UUID, run_id: UUID) -> Response:
    run = looking.check_run(visitor.platform, visitor.principal, workspace_id, run_id)
    return StreamingResponse(
        _text(visitor.platform, run_id),
        media_type="text/plain; charset=utf-8",
        headers={"Content-Disposition": f'inline; filename="run-{run.number}-{run_id}.txt"'},
    )


def _text(platform: Platform, run_id: UUID) -> Iterator[str]:
    next_line = 0
    while True:
        lines, next_line = page_queries.log_lines(platform, run_id, next_line, _LINES_AT_ONCE)
        if not lines:
            return
        yield "".join(f"{words.iso(line.reported_at)} {words.plain(line.content)}\n" for line in lines)
