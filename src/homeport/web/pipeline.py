"""A pipeline: the jobs that load it, and how they did."""

from dataclasses import dataclass
from datetime import datetime
from uuid import UUID

from starlette.responses import Response

from homeport.operations import page_queries
from homeport.web import rendering
from homeport.web.frame import Crumb, Frame
from homeport.web.rows import JobRow, RunRow, job_rows, run_row, run_rows, workspace_url
from homeport.web.visiting import Visiting


@dataclass(frozen=True)
class KeptRow:
    """State, schemas and trace, as apps find them."""

    profile: str
    run: RunRow
    written_at: datetime
    size_bytes: int


@dataclass(frozen=True)
class PipelinePage:
    frame: Frame
    name: str
    jobs: tuple[JobRow, ...]
    runs: tuple[RunRow, ...]
    kept: tuple[KeptRow, ...]


def show(visitor: Visiting, workspace_id: UUID, name: str) -> Response:
    seen = page_queries.pipeline(visitor.platform, visitor.principal, workspace_id, name)
    way = Crumb(seen.workspace.name, workspace_url(workspace_id))
    kept = tuple(
        KeptRow(item.profile, run_row(run, visitor.now), item.written_at, item.size_bytes)
        for item, run in seen.kept
    )
    jobs, runs = job_rows(seen.jobs), run_rows(seen.runs, visitor.now)
    return rendering.answer(PipelinePage(visitor.frame(name, way), name, jobs, runs, kept))
