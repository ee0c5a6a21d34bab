"""What the contract has and this version does not: a clear answer instead of "no such address"."""

from fastapi import Request

from homeport.errors import NotYet

_WHAT = {
    "/auth/": "Signing in with `dlthub login` is",
    "variables": "Variables are",
    "-pause": "Pausing a schedule is",
    "-resume": "Pausing a schedule is",
    "publish": "Public links are",
    "archive": "Archiving by hand is",
    "/telemetry/": "Telemetry of pipelines is",
}


def not_yet(request: Request) -> None:
    """501, which the client shows with the text."""
    path = request.url.path
    what = next((words for part, words in _WHAT.items() if part in path), "This is")
    way_out = " Use an API key: `homeport connect` writes it." if "/auth/" in path else ""
    raise NotYet(f"{what} not part of this version of Homeport yet.{way_out}")
