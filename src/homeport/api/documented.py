"""What the OpenAPI document says of answers beside the usual one: errors, all of one shape (wire contract §3)."""

from typing import Any

from homeport.contract.base import ErrorBody
from homeport.contract.run_details import DetailedJobRunResponse

_MEANING = {
    400: "The request cannot be carried out as written; nothing was changed.",
    401: "No credential was sent, or it is not known here.",
    403: "Not permitted.",
    404: "No such thing here, or not yours to see.",
    409: "A fine request at the wrong moment.",
    413: "More bytes than are taken or served.",
    500: "A fault of the server.",
}
_TAKES_BYTES = ("-upload", "/beacon/", "result-trace")


def answers_of(method: str, path: str) -> dict[int | str, dict[str, Any]]:
    """The answers of an endpoint that its function's type does not tell."""
    statuses = [400, 401, 403, 500]
    if "{" in path:
        statuses.append(404)
    if method != "GET":
        statuses.append(409)
    if any(part in path for part in _TAKES_BYTES):
        statuses.append(413)
    answers: dict[int | str, dict[str, Any]] = {
        status: {"model": ErrorBody, "description": _MEANING[status]} for status in sorted(statuses)
    }
    # too old a client, a database that is away; it also keeps the framework from promising its own 422
    answers["default"] = {"model": ErrorBody, "description": "Any other error."}
    if method == "POST" and path.endswith("/job-runs"):
        answers[200] = {"model": DetailedJobRunResponse, "description": "The run that is under way already."}
    return answers
