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
from homeport.errors import TooLarge
from homeport.operations import webhooks
from homeport.operations.webhooks import MAX_BODY_BYTES, Call


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
    body = await _body(request)
    headers = {name.lower(): value for name, value in request.headers.items()}
    call = Call(token, path, headers, body, address_of(request))
    found = await run_in_threadpool(webhooks.receive, platform, call)
    response.status_code = 201 if found.is_new else 200
    return found


async def _body(request: Request) -> bytes:
    """Refused while it comes in, not after: whoever sends it has proved nothing yet."""
    blocks: list[bytes] = []
    size = 0
    async for block in request.stream():
        size += len(block)
        if size > MAX_BODY_BYTES:
            raise TooLarge(
                f"A webhook takes at most {MAX_BODY_BYTES} bytes; send where the data is, not the data.",
                code="webhook_too_large",
            )
        blocks.append(block)
    return b"".join(blocks)
