"""Webhooks of jobs: what their people ask for, and what a call is answered with. Homeport's own."""

from datetime import datetime
from uuid import UUID

from homeport.contract.base import Model


class WebhookResponse(Model):
    """How a job can be called."""

    job_id: UUID
    job_ref: str
    urls: list[str]
    """One for each webhook trigger of the job, in their order; empty before the first secret was issued."""
    issued_at: datetime | None
    """When the secret was made; none before there is one."""


class IssueWebhookSecretRequest(Model):
    replace: bool = False
    """Whether to put a new secret in the place of the one that is there."""


class NewWebhookResponse(WebhookResponse):
    secret: str
    """Shown this once."""


class WebhookRunResponse(Model):
    """The run that a call has started, or that the same delivery had started before."""

    job_run_id: UUID
    number: int
    is_new: bool
    url: str
    """Its page."""
