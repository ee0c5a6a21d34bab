"""Who asks, and from where: what every endpoint takes from a request before anything else."""

from contextlib import suppress
from dataclasses import dataclass
from typing import Annotated
from uuid import UUID

from fastapi import Depends, Request
from starlette.concurrency import run_in_threadpool

from homeport.auth.principals import Place, Principal
from homeport.errors import NotSignedIn
from homeport.operations import sign_in
from homeport.operations.platform import Platform


def platform_of(request: Request) -> Platform:
    platform: Platform = request.app.state.platform
    return platform


def bearer_of(request: Request) -> str:
    """The bearer credential of a request."""
    scheme, _, value = request.headers.get("authorization", "").partition(" ")
    if scheme.lower() != "bearer" or not value.strip():
        raise NotSignedIn(
            "No credential was sent. Run `dlthub login`, or set RUNTIME__API_KEY or [runtime] api_key in "
            ".dlt/secrets.toml (`homeport connect` does it)."
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


def address_of(request: Request) -> str | None:
    """Where a request comes from; behind a proxy on this machine, what the proxy says."""
    return request.client.host[:64] if request.client else None


def place_of(request: Request) -> Place:
    """What the address of a request is about. An id that is none is complained about by the endpoint."""
    found: dict[str, UUID] = {}
    for name in ("organization_id", "workspace_id"):
        with suppress(KeyError, ValueError):
            found[name] = UUID(request.path_params[name])
    return Place(**found)


async def _by_bearer(request: Request) -> Asking:
    platform = platform_of(request)
    principal = await run_in_threadpool(
        sign_in.by_bearer, platform, bearer_of(request), place_of(request), address_of(request)
    )
    return Asking(platform, principal, base_url_of(request))


async def _by_access_token(request: Request) -> Asking:
    platform = platform_of(request)
    principal = await run_in_threadpool(
        sign_in.person_by_access_token, platform, bearer_of(request), address_of(request)
    )
    return Asking(platform, principal, base_url_of(request))


async def _by_dataplane_token(request: Request, workspace_id: UUID) -> Asking:
    platform = platform_of(request)
    principal = await run_in_threadpool(
        sign_in.by_dataplane_token, platform, bearer_of(request), workspace_id, address_of(request)
    )
    return Asking(platform, principal, base_url_of(request))


ByKey = Annotated[Asking, Depends(_by_bearer)]
"""The control API: an API key or a person's access token (wire contract §4.1)."""

ByAccessToken = Annotated[Asking, Depends(_by_access_token)]
"""What only people have who logged in; API keys are refused."""

ByDataplaneToken = Annotated[Asking, Depends(_by_dataplane_token)]
"""Logs, files, telemetry: a data-plane token of the workspace in the path (wire contract §5)."""

PlatformOf = Annotated[Platform, Depends(platform_of)]
