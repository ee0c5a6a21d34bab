"""Bodies of the auth service (wire contract §4.3)."""

from typing import Annotated
from uuid import UUID

from pydantic import Field

from homeport.contract.base import Model

Code = Annotated[str, Field(min_length=1, max_length=500)]


class DeviceCodeResponse(Model):
    device_code: str
    user_code: str
    verification_uri: str
    verification_uri_complete: str
    interval: int


class RedeemDeviceCodeRequest(Model):
    device_code: Code


class AuthorizationUrlRequest(Model):
    redirect_uri: Annotated[str, Field(max_length=200)]
    code_challenge: Annotated[str, Field(max_length=200)]
    state: Annotated[str, Field(max_length=1000)]


class AuthorizationUrlResponse(Model):
    authorization_url: str


class RedeemAuthorizationCodeRequest(Model):
    code: Code
    code_verifier: Code


class RefreshTokenRequest(Model):
    refresh_token: Code


class UserSessionResponse(Model):
    id: UUID
    """The user's."""
    email: str
    jwt: str
    refresh_token: str


class RefreshedResponse(Model):
    jwt: str
    refresh_token: str


class SwapCodeResponse(Model):
    swap_code: str
    expires_in: int
    """Seconds."""
