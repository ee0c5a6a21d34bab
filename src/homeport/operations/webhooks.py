"""Webhooks: the address and secret of a job, the calls that start it, and what its run is given of a call."""

import json
from collections.abc import Mapping
from dataclasses import dataclass, replace
from datetime import datetime
from typing import Any
from uuid import UUID

from homeport import bells
from homeport.auth import guessing, secrets, webhook_signatures
from homeport.auth.ciphers import Cipher
from homeport.auth.permissions import Permission, live_workspace_for, workspace_for
from homeport.auth.principals import Principal
from homeport.contract.webhooks import NewWebhookResponse, WebhookResponse, WebhookRunResponse
from homeport.errors import BadRequest, Conflict, NotFound, NotSignedIn, StartDeclined
from homeport.execution.launches import WebhookCall
from homeport.operations import auditing
from homeport.operations.auditing import Action
from homeport.operations.platform import Platform
from homeport.scheduling.triggers import TriggerKind, parse_trigger
from homeport.store import declined_starts, jobs, run_starts, runs, webhooks
from homeport.store.run_starts import Asked, Declined
from homeport.store.schema import Tx
from homeport.telemetry import events

PREFIX = "/hooks/v1"

_HEADERS = frozenset(
    {
        "content-type",
        "content-encoding",
        "user-agent",
        "idempotency-key",
        "x-request-id",
        "traceparent",
        "webhook-id",
        "webhook-timestamp",
    }
)
_HEADER_PREFIXES = ("ce-", "x-github-")
"""Of CloudEvents and GitHub."""
_MAX_HEADERS_BYTES = 16 * 1024


@dataclass(frozen=True)
class Call:
    """A request to a webhook, before anybody knows whether to believe it."""

    token: str
    path: str
    headers: Mapping[str, str]
    """Names in lower case."""
    body: bytes
    address: str | None


# its people


def show(platform: Platform, principal: Principal, workspace_id: UUID, job_id: UUID) -> WebhookResponse:
    with platform.database.read() as tx:
        workspace_for(tx, principal, workspace_id, Permission.WRITE)
        current = _job(tx, workspace_id, job_id)
        return WebhookResponse(**_described(platform, current, webhooks.of_job(tx, job_id)))


def of_page(tx: Tx, platform: Platform, current: jobs.CurrentJob) -> WebhookResponse | None:
    """How a job is called, for somebody who may know; none for a job without webhook trigger."""
    if not _paths(current):
        return None
    return WebhookResponse(**_described(platform, current, webhooks.of_job(tx, current.job.id)))


def issue_secret(
    platform: Platform, principal: Principal, workspace_id: UUID, job_id: UUID, replace_it: bool
) -> NewWebhookResponse:
    """A secret for the job's webhook. With the first one it gets its address, which stays."""
    now = platform.clock.now()
    secret = webhook_signatures.new_secret()
    with platform.database.write() as tx:
        live_workspace_for(tx, principal, workspace_id, Permission.WRITE)
        _job(tx, workspace_id, job_id)
        current = jobs.lock(tx, job_id)
        if not _paths(current):
            raise BadRequest(
                f"{current.job.job_ref} has no webhook trigger: give it `trigger=trigger.webhook()` and deploy.",
                code="no_webhook_trigger",
            )
        sealed = platform.vault.cipher_for_new(tx, workspace_id, now).seal(secret.encode(), _secret_place(job_id))
        before = webhooks.of_job(tx, job_id)
        if before is not None and not replace_it:
            raise Conflict(
                f"{current.job.job_ref} has a secret already, which is not shown again; replace it to get one.",
                code="webhook_secret_exists",
            )
        if before is None:
            after = webhooks.Webhook(
                job_id, workspace_id, secrets.new_token(), sealed, now, now, principal.member_id
            )
            webhooks.add(tx, after)
        else:
            after = replace(before, sealed_secret=sealed, issued_at=now, issued_by=principal.member_id)
            webhooks.replace_secret(tx, after)
        auditing.record(tx, principal, Action.WEBHOOK_SECRET, current.job.job_ref, now, workspace_id)
        described = _described(platform, current, after)
    return NewWebhookResponse(**described, secret=secret)


def _described(platform: Platform, current: jobs.CurrentJob, webhook: webhooks.Webhook | None) -> dict[str, Any]:
    paths = [] if webhook is None else [f"/{path}" if path else "" for path in _paths(current)]
    token = "" if webhook is None else webhook.token
    return {
        "job_id": current.job.id,
        "job_ref": current.job.job_ref,
        "urls": [f"{platform.url}{PREFIX}/{token}{path}" for path in paths],
        "issued_at": None if webhook is None else webhook.issued_at,
    }


# its senders


def receive(platform: Platform, call: Call) -> WebhookRunResponse:
    """The run of a call: a new one, or that which the same delivery has started before.

    `NotSignedIn` for whom we do not believe, `StartDeclined` with the reasons where no run may start now.
    """
    now = platform.clock.now()
    with platform.database.read() as tx:
        webhook = webhooks.by_token(tx, call.token)
        cipher = None if webhook is None else platform.vault.cipher(tx, webhook.workspace_id)
    try:
        if webhook is None or cipher is None:
            raise webhook_signatures.refused("there is no webhook at this address")
        secret = cipher.open(webhook.sealed_secret, _secret_place(webhook.job_id)).decode()
        key = webhook_signatures.check(secret, call.headers, call.body, now)
    except NotSignedIn:
        with platform.database.write() as tx:
            guessing.count_failure(tx, call.address, now)
        raise
    with platform.database.write() as tx:
        outcome, is_new = _start(tx, cipher, webhook, key, call, now)
        current = jobs.lock(tx, webhook.job_id)
    if isinstance(outcome, Declined):
        events.emit(events.RUN_NOT_STARTED, job=current.job.job_ref, after="a webhook", reasons=outcome.reasons)
        raise StartDeclined(
            f"{current.job.job_ref} was not started: {'; '.join(outcome.reasons)}",
            code=outcome.status,
            reasons=outcome.reasons,
        )
    if is_new:
        events.emit(events.RUN_CREATED, run=str(outcome.id), trigger=outcome.trigger, number=outcome.number)
        platform.bells.ring(bells.RUNS_PENDING)
    url = f"{platform.url}/w/{outcome.workspace_id}/runs/{outcome.id}"
    return WebhookRunResponse(job_run_id=outcome.id, number=outcome.number, is_new=is_new, url=url)


def _start(
    tx: Tx, cipher: Cipher, webhook: webhooks.Webhook, key: str | None, call: Call, now: datetime
) -> tuple[runs.Run | Declined, bool]:
    """The run and whether it is new. A declined start is written down, and may be tried again."""
    # held from the look at earlier deliveries on: of two that come at once, the second finds the first one's run
    current = jobs.lock(tx, webhook.job_id)
    before = None if key is None else webhooks.delivered(tx, webhook.job_id, key)
    if before is not None and (run := runs.get(tx, before)) is not None:
        return run, False
    trigger = _paths(current).get(_normal(call.path))
    if trigger is None:
        raise NotFound(
            f"{current.job.job_ref} has no webhook trigger for this path; `homeport webhook` shows its addresses.",
            code="no_webhook_trigger",
        )
    outcome = run_starts.start(tx, Asked(webhook.job_id, trigger, now))
    if isinstance(outcome, runs.Run):
        webhooks.keep(tx, _delivery(cipher, outcome, key, call, now))
        return outcome, True
    assert isinstance(outcome, Declined)
    declined_starts.record(tx, webhook.workspace_id, webhook.job_id, trigger, outcome.status, outcome.reasons, now)
    return outcome, False


def _delivery(cipher: Cipher, run: runs.Run, key: str | None, call: Call, now: datetime) -> webhooks.Delivery:
    document = json.dumps({"path": _normal(call.path), "headers": _passed_on(call.headers)}).encode()
    return webhooks.Delivery(
        run_id=run.id,
        job_id=run.job_id,
        key=key,
        received_at=now,
        size_bytes=len(call.body),
        sealed_body=cipher.seal(call.body, _place("body", run.id)),
        sealed_headers=cipher.seal(document, _place("headers", run.id)),
    )


def _passed_on(headers: Mapping[str, str]) -> dict[str, str]:
    """What a run may know: nothing that proves anything, such as signatures, cookies and authorization."""
    found = {
        name: value
        for name, value in headers.items()
        if (name in _HEADERS or name.startswith(_HEADER_PREFIXES)) and "signature" not in name
    }
    return found if len(json.dumps(found)) <= _MAX_HEADERS_BYTES else {}


# its runs


def of_run(tx: Tx, platform: Platform, run: runs.Run) -> WebhookCall | None:
    """What the call brought that started a run, if one did and it is still kept."""
    found = webhooks.of_run(tx, run.id)
    if found is None:
        return None
    cipher = platform.vault.cipher(tx, run.workspace_id)
    document = json.loads(cipher.open(found.sealed_headers, _place("headers", run.id)))
    body = cipher.open(found.sealed_body, _place("body", run.id))
    return WebhookCall(body, json.dumps(document["headers"]), document["path"])


def _paths(current: jobs.CurrentJob) -> dict[str, str]:
    """Path to webhook trigger of a job."""
    parsed = [parse_trigger(text) for text in current.version.definition["triggers"]]
    return {_normal(found.expr): str(found) for found in parsed if found.kind is TriggerKind.WEBHOOK}


def _normal(path: str) -> str:
    return path.strip().strip("/")


def _job(tx: Tx, workspace_id: UUID, job_id: UUID) -> jobs.CurrentJob:
    found = jobs.get(tx, workspace_id, job_id)
    if found is None:
        raise NotFound(f"There is no job {job_id} in this workspace.")
    return found


def _secret_place(job_id: UUID) -> str:
    return f"the webhook secret of job {job_id}"


def _place(part: str, run_id: UUID) -> str:
    """What is sealed for one run opens for no other."""
    return f"the {part} of the webhook call that started run {run_id}"
