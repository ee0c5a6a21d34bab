"""Who asks: from a bearer token, a data-plane token or a browser's cookie to a principal."""

from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Literal
from uuid import UUID

import jwt

from homeport.auth import secrets
from homeport.errors import NotSignedIn
from homeport.store import credentials, people
from homeport.store.schema import Tx

DATAPLANE_TOKEN_LIFETIME = timedelta(minutes=10)
SESSION_LIFETIME = timedelta(days=30)
SIGN_IN_LINK_LIFETIME = timedelta(days=1)


@dataclass(frozen=True)
class Principal:
    """A person who was let in, in one organization."""

    member_id: UUID
    """The organization membership: `created_by` and `triggered_by` carry it."""
    organization_id: UUID
    user_id: UUID
    email: str
    name: str | None
    organization_role: str
    via: Literal["api_key", "dataplane_token", "browser_session"]
    workspace_id: UUID | None = None
    """The only workspace this credential is good for, if it is bound to one."""


def by_api_key(tx: Tx, value: str, now: datetime) -> Principal:
    return _holder(tx, credentials.find(tx, "api_key", secrets.hash_of(value), now), "api_key")


def by_browser_session(tx: Tx, value: str, now: datetime) -> Principal:
    found = credentials.find(tx, "browser_session", secrets.hash_of(value), now)
    return _holder(tx, found, "browser_session")


def _holder(
    tx: Tx, credential: credentials.Credential | None, via: Literal["api_key", "browser_session"]
) -> Principal:
    member = None if credential is None else people.member(tx, credential.member_id)
    if member is None:
        raise NotSignedIn
    return _principal(member, via)


def _principal(
    member: people.Member,
    via: Literal["api_key", "dataplane_token", "browser_session"],
    workspace_id: UUID | None = None,
) -> Principal:
    return Principal(
        member_id=member.id,
        organization_id=member.organization_id,
        user_id=member.user_id,
        email=member.email,
        name=member.name,
        organization_role=member.role,
        via=via,
        workspace_id=workspace_id,
    )


class DataplaneTokens:
    """Short-lived tokens for one workspace's logs, files and telemetry (wire contract §5)."""

    _AUDIENCE = "homeport-dataplane"

    def __init__(self, key: bytes) -> None:
        self._key = key

    def issue(self, principal: Principal, workspace_id: UUID, now: datetime) -> tuple[str, datetime]:
        """The token and when it ends."""
        expires_at = now + DATAPLANE_TOKEN_LIFETIME
        claims = {
            "aud": self._AUDIENCE,
            "sub": str(principal.member_id),
            "ws": str(workspace_id),
            "exp": int(expires_at.timestamp()),
        }
        return jwt.encode(claims, self._key, algorithm="HS256"), expires_at

    def principal(self, tx: Tx, token: str, now: datetime) -> Principal:
        """Whom the token was issued to, if they are still there."""
        try:
            claims = jwt.decode(
                token,
                self._key,
                algorithms=["HS256"],
                audience=self._AUDIENCE,
                # the clock is ours: the library would read its own
                options={"require": ["exp", "sub", "ws"], "verify_exp": False},
            )
        except jwt.InvalidTokenError as error:
            raise NotSignedIn("This data-plane token is not valid here.") from error
        if datetime.fromtimestamp(claims["exp"], UTC) <= now:
            raise NotSignedIn("This data-plane token has expired.", code="token_expired")
        member = people.member(tx, UUID(claims["sub"]))
        if member is None:
            raise NotSignedIn
        return _principal(member, "dataplane_token", UUID(claims["ws"]))
