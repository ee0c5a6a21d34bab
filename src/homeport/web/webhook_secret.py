"""Make the secret of a job's webhook, or a new one; the job's page shows it this once."""

from typing import Annotated
from uuid import UUID

from fastapi import Form
from starlette.responses import Response

from homeport.operations import page_queries, webhooks
from homeport.web import job
from homeport.web.visiting import Visiting


def submit(visitor: Visiting, workspace_id: UUID, name: str, replace: Annotated[str, Form()] = "") -> Response:
    job_id = page_queries.job_id(visitor.platform, visitor.principal, workspace_id, name)
    made = webhooks.issue_secret(visitor.platform, visitor.principal, workspace_id, job_id, replace == "yes")
    return job.answer(visitor, workspace_id, name, webhook_secret=made.secret)
