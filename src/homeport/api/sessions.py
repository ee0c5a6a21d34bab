"""The auth service: how the command line gets, keeps and ends its tokens (wire contract §4.3)."""

from collections.abc import Callable
from typing import Annotated, TypeVar

from fastapi import Depends, Request

from homeport.api.asking import PlatformOf, address_of, base_url_of
from homeport.contract.sessions import (
    AuthorizationUrlRequest,
    AuthorizationUrlResponse,
    DeviceCodeResponse,
    RedeemAuthorizationCodeRequest,
    RedeemDeviceCodeRequest,
    RefreshedResponse,
    RefreshTokenRequest,
    SwapCodeResponse,
    UserSessionResponse,
)
from homeport.errors import HomeportError, Unavailable
from homeport.operations import login, login_sessions
from homeport.operations.login import Client
from homeport.telemetry import events, faults

Answer = TypeVar("Answer")

_LONGEST_NAME = 200


def _client_of(request: Request) -> Client:
    agent = request.headers.get("user-agent", "") or "an unknown program"
    return Client("".join(filter(str.isprintable, agent))[:_LONGEST_NAME], address_of(request))


ClientOf = Annotated[Client, Depends(_client_of)]
BaseUrl = Annotated[str, Depends(base_url_of)]


def issue_device_code(platform: PlatformOf, client: ClientOf, base_url: BaseUrl) -> DeviceCodeResponse:
    return login.issue_device_code(platform, client, base_url)


def redeem_device_code(platform: PlatformOf, request: RedeemDeviceCodeRequest) -> UserSessionResponse:
    return login.redeem_device_code(platform, request.device_code)


def issue_authorization_url(request: AuthorizationUrlRequest, base_url: BaseUrl) -> AuthorizationUrlResponse:
    url = login.authorization_url(base_url, request.redirect_uri, request.code_challenge, request.state)
    return AuthorizationUrlResponse(authorization_url=url)


def redeem_authorization_code(
    platform: PlatformOf, client: ClientOf, request: RedeemAuthorizationCodeRequest
) -> UserSessionResponse:
    return login.redeem_authorization_code(platform, request.code, request.code_verifier, client)


def refresh(platform: PlatformOf, request: RefreshTokenRequest) -> RefreshedResponse:
    return _or_later(lambda: login_sessions.refresh(platform, request.refresh_token))


def issue_swap_code(platform: PlatformOf, request: RefreshTokenRequest) -> SwapCodeResponse:
    return _or_later(lambda: login_sessions.issue_swap_code(platform, request.refresh_token))


def revoke(platform: PlatformOf, request: RefreshTokenRequest) -> None:
    login_sessions.revoke(platform, request.refresh_token)


def _or_later(ask: Callable[[], Answer]) -> Answer:
    """503 for faults of ours: a 500 would make the client throw its tokens away (wire contract §15)."""
    try:
        return ask()
    except HomeportError:
        raise
    except Exception as fault:
        events.emit(events.REQUEST_FAILED, method="POST", path="/auth/v1", **faults.shown(fault))
        raise Unavailable from fault
