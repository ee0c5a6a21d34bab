"""Where a public link leads: to an app, without signing in."""

from uuid import UUID

from fastapi import Request
from starlette.responses import Response

from homeport.errors import Unavailable
from homeport.operations import change_jobs
from homeport.web.visiting import platform_of


def show(request: Request, secret: UUID) -> Response:
    name = change_jobs.name_of_published(platform_of(request), secret)
    raise Unavailable(f"{name} is not running: this version of Homeport keeps links to apps, and serves none yet.")
