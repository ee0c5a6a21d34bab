"""Who asks: from a bearer token, a data-plane token or a browser's cookie to a principal."""

from dataclasses import dataclass, replace
from datetime import UTC, datetime, timedelta
from typing import Any, Literal
from uuid import UUID

import jwt

from homeport.auth import run_tokens, secrets
from homeport.auth.access_tokens import AccessTokens, is_begun
from homeport.auth.run_tokens import RunIdentity
from homeport.errors import NotAllowed, NotSignedIn
from homeport.store import credentials, people, refresh_tokens, run_accounts, workspaces
from homeport.store.schema import Tx

DATAPLANE_TOKEN_LIFETIME = timedelta(minutes=10)
SESSION_LIFETIME = timedelta(days=30)
SIGN_IN_LINK_LIFETIME = timedelta(days=1)

Via = Literal[
    "api_key", "access_token", "dataplane_token", "browser_session", "upload_token", "run_token", "command"
]


@dataclass(frozen=True)
class Principal:
    """A person or a service account who was let in, in one organization."""

    member_id: UUID
    """The organization membership: `created_by` and `triggered_by` carry it."""
    organization_id: UUID
    user_id: UUID
    email: str
    name: str | None
    organization_role: str
    via: Via
    workspace_id: UUID | None = None
    """The only workspace this credential is good for, if it is bound to one."""
    kind: str = "human"
    """human, or service_account: a workspace's key, or a run."""
    credential_id: UUID | None = None
    """The key, browser session or login that let them in: what is given out for it ends with it."""
    address: str | None = None
    """Where they ask from."""
    run: RunIdentity | None = None
    """The run whose code asks: it says what may be done, in place of roles."""

    @property
    def is_person(self) -> bool:
        return self.kind == "human"


@dataclass(frozen=True)
class Place:
    """What a request is about, by its address: somebody in several organizations asks as a member of that one."""

    organization_id: UUID | None = None
    workspace_id: UUID | None = None


ANYWHERE = Place()


def by_api_key(tx: Tx, value: str, now: datetime, place: Place = ANYWHERE) -> Principal:
    return _holder(tx, credentials.find(tx, "api_key", secrets.hash_of(value), now), "api_key", place)


def by_browser_session(tx: Tx, value: str, now: datetime, place: Place = ANYWHERE) -> Principal:
    found = credentials.find(tx, "browser_session", secrets.hash_of(value), now)
    return _holder(tx, found, "browser_session", place)


def by_access_token(tx: Tx, tokens: AccessTokens, value: str, now: datetime, place: Place = ANYWHERE) -> Principal:
    claims = tokens.read(tx, value, now)
    homes = people.memberships_of(tx, claims.user_id)
    if not homes:
        raise NotAllowed(
            "You are in no organization any more. Ask an owner to invite you, or run `dlthub login` again for one "
            "of your own.",
            code="no_organization",
        )
    principal = _principal(tx, _member_at(tx, homes[0], place), "access_token")
    return replace(principal, credential_id=claims.session_id)


def by_run_token(tx: Tx, value: str, attempt_id: str) -> Principal:
    """The run that a token was made for; `place` plays no part: it is good for one workspace."""
    return _of_run(tx, run_tokens.read(tx, value, attempt_id), "run_token")


def _of_run(tx: Tx, run: RunIdentity, via: Via) -> Principal:
    account = run_accounts.of_workspace(tx, run.workspace_id)
    if account is None:
        raise NotSignedIn
    return replace(_principal(tx, account, via, run.workspace_id), run=run)


def _holder(tx: Tx, credential: credentials.Credential | None, via: Via, place: Place) -> Principal:
    member = None if credential is None else people.member(tx, credential.member_id)
    if credential is None or member is None:
        raise NotSignedIn
    return replace(_principal(tx, _member_at(tx, member, place), via), credential_id=credential.id)


def _member_at(tx: Tx, member: people.Member, place: Place) -> people.Member:
    """The person's membership in the organization that is asked about, if they have one."""
    organization_id = place.organization_id
    if place.workspace_id is not None:
        workspace = workspaces.get(tx, place.workspace_id)
        organization_id = None if workspace is None else workspace.organization_id
    if organization_id in (None, member.organization_id):
        return member
    assert organization_id is not None
    return people.membership(tx, organization_id, member.user_id) or member


def _principal(tx: Tx, member: people.Member, via: Via, workspace_id: UUID | None = None) -> Principal:
    if member.kind == "service_account" and workspace_id is None:
        workspace_id = workspaces.bound_to(tx, member.id)
        if workspace_id is None:
            raise NotSignedIn
    return Principal(
        member_id=member.id,
        organization_id=member.organization_id,
        user_id=member.user_id,
        email=member.email,
        name=member.name,
        organization_role=member.role,
        via=via,
        workspace_id=workspace_id,
        kind=member.kind,
    )


def as_member(principal: Principal, member: people.Member) -> Principal:
    """The same person in another of their organizations."""
    return replace(
        principal,
        member_id=member.id,
        organization_id=member.organization_id,
        organization_role=member.role,
    )


def of_upload(member: people.Member, address: str | None) -> Principal:
    """Who makes an upload, by the token that they asked for."""
    return Principal(
        member.id,
        member.organization_id,
        member.user_id,
        member.email,
        member.name,
        member.role,
        "upload_token",
        kind=member.kind,
        address=address,
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
        if principal.run is not None:
            claims["attempt"] = principal.run.attempt_id
        elif principal.credential_id is not None:
            claims["login" if principal.via == "access_token" else "key"] = str(principal.credential_id)
        return jwt.encode(claims, self._key, algorithm="HS256"), expires_at

    def principal(self, tx: Tx, token: str, now: datetime) -> Principal:
        """Whom the token was issued to, if they are still there and so is what they had it issued for."""
        try:
            claims = jwt.decode(
                token,
                self._key,
                algorithms=["HS256"],
                audience=self._AUDIENCE,
                # the clock is ours: the library would read its own
                options={
                    "require": ["exp", "sub", "ws"],
                    "verify_exp": False,
                    "verify_iat": False,
                    "verify_nbf": False,
                },
            )
        except jwt.InvalidTokenError as error:
            raise NotSignedIn("This data-plane token is not valid here.") from error
        if not is_begun(claims, now):
            raise NotSignedIn("This data-plane token is not valid yet.")
        if datetime.fromtimestamp(claims["exp"], UTC) <= now:
            raise NotSignedIn("This data-plane token has expired.", code="token_expired")
        if "attempt" in claims:
            return _of_run(tx, run_tokens.identity(tx, claims["attempt"]), "dataplane_token")
        member = people.member(tx, UUID(claims["sub"]))
        if member is None or not _is_still_good(tx, claims, now):
            raise NotSignedIn
        principal = _principal(tx, member, "dataplane_token", UUID(claims["ws"]))
        origin = claims.get("key") or claims.get("login")
        return replace(principal, credential_id=None if origin is None else UUID(origin))


def _is_still_good(tx: Tx, claims: dict[str, Any], now: datetime) -> bool:
    """A data-plane token ends with the key or the login that it was issued for."""
    if "key" in claims:
        return credentials.is_good(tx, UUID(claims["key"]), now)
    return "login" not in claims or refresh_tokens.session_user(tx, UUID(claims["login"]), now) is not None
