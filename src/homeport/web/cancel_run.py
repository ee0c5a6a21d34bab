"""Ask a run to stop."""

from uuid import UUID

from starlette.responses import RedirectResponse, Response

from homeport.operations import cancel_runs
from homeport.web.rows import run_url
from homeport.web.visiting import Visiting


def submit(visitor: Visiting, workspace_id: UUID, run_id: UUID) -> Response:
    cancel_runs.cancel_run(visitor.platform, visitor.principal, workspace_id, run_id)
    return RedirectResponse(run_url(workspace_id, run_id), 303)
