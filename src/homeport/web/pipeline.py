"""A pipeline: the jobs that load it, and how they did."""

from dataclasses import dataclass
from uuid import UUID

from starlette.responses import Response

from homeport.operations import page_queries
from homeport.web import rendering
from homeport.web.frame import Crumb, Frame
from homeport.web.rows import JobRow, RunRow, job_rows, run_rows, workspace_url
from homeport.web.visiting import Visiting


@dataclass(frozen=True)
class PipelinePage:
    frame: Frame
    name: str
    jobs: tuple[JobRow, ...]
    runs: tuple[RunRow, ...]


def show(visitor: Visiting, workspace_id: UUID, name: str) -> Response:
    seen = page_queries.pipeline(visitor.platform, visitor.principal, workspace_id, name)
    way = Crumb(seen.workspace.name, workspace_url(workspace_id))
    return rendering.answer(
        PipelinePage(visitor.frame(name, way), name, job_rows(seen.jobs), run_rows(seen.runs, visitor.now))
    )
