"""Webhooks of jobs: for their people, and for those who call them (`docs/webhooks.md`)."""

from uuid import UUID

from fastapi import Request, Response
from starlette.concurrency import run_in_threadpool

from homeport.api.asking import ByKey, PlatformOf, address_of
from homeport.contract.webhooks import (
    IssueWebhookSecretRequest,
    NewWebhookResponse,
    WebhookResponse,
    WebhookRunResponse,
)
from homeport.operations import webhooks
from homeport.operations.webhooks import Call


def get_webhook(asking: ByKey, workspace_id: UUID, job_id: UUID) -> WebhookResponse:
    return webhooks.show(asking.platform, asking.principal, workspace_id, job_id)


def issue_secret(
    asking: ByKey, workspace_id: UUID, job_id: UUID, request: IssueWebhookSecretRequest
) -> NewWebhookResponse:
    return webhooks.issue_secret(asking.platform, asking.principal, workspace_id, job_id, request.replace)


async def receive(request: Request, response: Response, platform: PlatformOf, token: str) -> WebhookRunResponse:
    return await _receive(request, response, platform, token, "")


async def receive_at(
    request: Request, response: Response, platform: PlatformOf, token: str, path: str
) -> WebhookRunResponse:
    return await _receive(request, response, platform, token, path)


async def _receive(
    request: Request, response: Response, platform: PlatformOf, token: str, path: str
) -> WebhookRunResponse:
    body = await request.body()
    headers = {name.lower(): value for name, value in request.headers.items()}
    call = Call(token, path, headers, body, address_of(request))
    found = await run_in_threadpool(webhooks.receive, platform, call)
    response.status_code = 201 if found.is_new else 200
    return found
