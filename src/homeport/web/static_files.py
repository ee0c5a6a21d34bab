"""The few style sheets, scripts and pictures of the pages, under addresses that change with their content."""

import hashlib
import os
from functools import cache
from pathlib import Path
from urllib.parse import parse_qs

from starlette.responses import Response
from starlette.staticfiles import StaticFiles
from starlette.types import Scope

FOLDER = Path(__file__).parent / "static"

_FOR_EVER = "public, max-age=31536000, immutable"
_ASK_AGAIN = "no-cache"


@cache
def digest(name: str) -> str:
    """Names the content of a static file."""
    return hashlib.sha256((FOLDER / name).read_bytes()).hexdigest()[:12]


def address(name: str) -> str:
    """Where a page finds a static file."""
    return f"/static/{name}?v={digest(name)}"


class StaticFolder(StaticFiles):
    """Serves the folder; a file that is asked for by its digest is kept by browsers for good."""

    def __init__(self) -> None:
        super().__init__(directory=FOLDER)

    def file_response(
        self,
        full_path: "str | os.PathLike[str]",
        stat_result: os.stat_result,
        scope: Scope,
        status_code: int = 200,
    ) -> Response:
        response = super().file_response(full_path, stat_result, scope, status_code)
        asked = parse_qs(scope.get("query_string", b"").decode("latin-1")).get("v", [""])[0]
        is_current = asked == digest(Path(full_path).name)
        response.headers["Cache-Control"] = _FOR_EVER if is_current else _ASK_AGAIN
        response.headers["X-Content-Type-Options"] = "nosniff"
        return response
