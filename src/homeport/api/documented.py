"""What the OpenAPI document says of answers beside the usual one: errors, all of one shape (wire contract §3).

Every status that an endpoint can answer with is named, and no `default`, which would allow any.
`tests/openapi` holds the endpoints to it.
"""

from typing import Any

from fastapi import FastAPI
from fastapi.openapi.utils import get_openapi

from homeport.contract.base import ErrorBody
from homeport.contract.run_details import DetailedJobRunResponse
from homeport.contract.webhooks import WebhookRunResponse

_MEANING = {
    400: "The request cannot be carried out as written; nothing was changed.",
    401: "No credential was sent, or it is not known here.",
    403: "Not permitted.",
    404: "No such thing here, or not yours to see.",
    409: "A fine request at the wrong moment.",
    413: "More bytes than are taken or served.",
    426: "The client is too old.",
    429: "Too many tries.",
    500: "A fault of the server.",
    503: "The server cannot answer right now; try again shortly.",
}
_EVERYWHERE = (400, 401, 403, 426, 500, 503)
_BINARY = {"schema": {"type": "string", "format": "binary"}}
_STREAMS = {
    "/-download": "application/gzip",
    "/packages/{which}": "application/gzip",
    "/logs": "application/x-ndjson",
    "/log-stream": "text/event-stream",
}
_SECONDS = {"description": "Seconds until trying again makes sense.", "schema": {"type": "integer"}}
_PLAIN = ("/healthz", "/readyz")
"""Not of the contract: they answer in their own shape."""


def answers_of(method: str, path: str) -> dict[int | str, dict[str, Any]]:
    """The answers of an endpoint that its function's type does not tell."""
    if path in _PLAIN:
        return {503: {"description": "Not ready; the checks say why."}} if path == "/readyz" else {}
    statuses = {*_EVERYWHERE}
    if "{" in path:
        statuses.add(404)
    if method != "GET":
        statuses |= {409, 413}
    if path.endswith("result-trace"):
        statuses.add(413)
    if "/packages/" in path or path.endswith("/control") or "/artifacts" in path:
        statuses.add(409)
    if path.startswith(("/auth/", "/hooks/")) or (method == "POST" and path.endswith("/invitations")):
        statuses.add(429)
    answers: dict[int | str, dict[str, Any]] = {
        status: {"model": ErrorBody, "description": _MEANING[status]} for status in sorted(statuses)
    }
    if 429 in answers:
        answers[429]["headers"] = {"Retry-After": _SECONDS}
    if path.startswith("/hooks/"):
        answers[200] = {"model": WebhookRunResponse, "description": "The run that this delivery had started."}
    if method == "POST" and path.endswith("/job-runs"):
        answers[200] = {"model": DetailedJobRunResponse, "description": "The run that is under way already."}
    return answers


def install(app: FastAPI) -> None:
    """The framework's document, without the 422 that it promises and nobody answers."""

    def document() -> dict[str, Any]:
        if app.openapi_schema is None:
            found = get_openapi(title=app.title, version=app.version, summary=app.summary, routes=app.routes)
            for path, operations in found["paths"].items():
                for method, operation in operations.items():
                    _correct(path, method, operation)
            for name in ("HTTPValidationError", "ValidationError"):
                found["components"]["schemas"].pop(name, None)
            app.openapi_schema = found
        return app.openapi_schema

    app.openapi = document  # type: ignore[method-assign]


def _correct(path: str, method: str, operation: dict[str, Any]) -> None:
    operation["responses"].pop("422", None)
    kind = next((kind for ending, kind in _STREAMS.items() if path.endswith(ending)), None)
    if kind is not None:
        operation["responses"]["200"]["content"] = {kind: {} if kind == "text/event-stream" else _BINARY}
    if path.endswith("/-upload"):
        parts = {"file": _BINARY["schema"], "requirements_file": _BINARY["schema"]}
        form = {"schema": {"type": "object", "properties": parts, "required": ["file"]}}
        operation["requestBody"] = {"required": True, "content": {"multipart/form-data": form}}
    if path.startswith("/beacon/"):
        operation["requestBody"] = {
            "required": True,
            "content": {"application/json": {"schema": {"type": "object"}}},
        }
    if path.endswith("/artifacts/{pipeline}"):
        archive = {"application/gzip": _BINARY}
        if method == "put":
            operation["requestBody"] = {"required": True, "content": archive}
        else:
            operation["responses"]["200"]["content"] = archive
    if path.startswith("/hooks/"):
        operation["requestBody"] = {"required": False, "content": {"*/*": _BINARY}}
