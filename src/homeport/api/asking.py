"""Who asks, and from where: what every endpoint takes from a request before anything else."""

from dataclasses import dataclass
from typing import Annotated
from uuid import UUID

from fastapi import Depends, Query, Request
from starlette.concurrency import run_in_threadpool

from homeport.auth.principals import Principal
from homeport.errors import NotSignedIn
from homeport.operations import sign_in
from homeport.operations.paging import Slice
from homeport.operations.platform import Platform


def platform_of(request: Request) -> Platform:
    platform: Platform = request.app.state.platform
    return platform


def bearer_of(request: Request) -> str:
    """The bearer credential of a request."""
    scheme, _, value = request.headers.get("authorization", "").partition(" ")
    if scheme.lower() != "bearer" or not value.strip():
        raise NotSignedIn(
            "No credential was sent. Set RUNTIME__API_KEY, or [runtime] api_key in .dlt/secrets.toml "
            "(`homeport connect` does it)."
        )
    return value.strip()


@dataclass(frozen=True)
class Asking:
    """A request's platform, principal and base address."""

    platform: Platform
    principal: Principal
    base_url: str
    """scheme://host of this server, as the client reaches it."""


def base_url_of(request: Request) -> str:
    platform = platform_of(request)
    return (platform.settings.public_url or str(request.base_url)).rstrip("/")


async def _by_api_key(request: Request) -> Asking:
    platform = platform_of(request)
    principal = await run_in_threadpool(sign_in.by_api_key, platform, bearer_of(request))
    return Asking(platform, principal, base_url_of(request))


async def _by_dataplane_token(request: Request, workspace_id: UUID) -> Asking:
    platform = platform_of(request)
    principal = await run_in_threadpool(sign_in.by_dataplane_token, platform, bearer_of(request), workspace_id)
    return Asking(platform, principal, base_url_of(request))


def _slice(
    limit: int = 100,
    offset: int = 0,
) -> Slice:
    return Slice(limit, offset)


ByKey = Annotated[Asking, Depends(_by_api_key)]
"""The control API: an API key (wire contract §4.1)."""

ByDataplaneToken = Annotated[Asking, Depends(_by_dataplane_token)]
"""Logs, files, telemetry: a data-plane token of the workspace in the path (wire contract §5)."""

Sliced = Annotated[Slice, Depends(_slice)]

Repeated = Annotated[list[str] | None, Query()]
"""A filter that may be given several times: any of."""

PlatformOf = Annotated[Platform, Depends(platform_of)]
