"""The token with which the code of a run asks the API (run contract §7.1), and what it lets the run do.

A JWT, for the command line reads whom it stands for out of it; and one without an end, for nothing inside of a
run renews it. It is signed with a key that is thrown away: the server knows it by its hash, which stands with the
attempt that it was made for, and takes it while that attempt is the live one of its run.
"""

import os
import re
from dataclasses import dataclass
from datetime import datetime
from typing import Any
from uuid import UUID

import jwt

from homeport.auth import secrets
from homeport.contract.dlt_deployment import Definition
from homeport.errors import NotSignedIn
from homeport.store import attempts, jobs, runs
from homeport.store.people import Member
from homeport.store.schema import Tx

_AUDIENCE = "homeport-run"
_ATTEMPT = re.compile(r"hp-[0-9a-f]{32}-[0-9]{1,9}")


@dataclass(frozen=True)
class RunIdentity:
    """The run that asks."""

    run_id: UUID
    attempt_id: str
    workspace_id: UUID
    profile: str
    context: frozenset[str]
    """What its job declares in `access.context`: read, write, execute, deploy, all (run contract §11.1)."""
    is_agent: bool


def new(attempt_id: str, account: Member, now: datetime) -> str:
    """A token for an attempt; `account` is what runs of its workspace act as."""
    claims = {
        "aud": _AUDIENCE,
        "sub": str(account.user_id),
        "email": account.email,
        "attempt": attempt_id,
        "jti": secrets.new_token(),
        "iat": int(now.timestamp()),
        "feature_flags": [],
    }
    return jwt.encode(claims, os.urandom(secrets.KEY_BYTES), algorithm="HS256")


def attempt_of(token: str) -> str | None:
    """The attempt that a token says it was made for, whether that is true or not; none for other tokens."""
    try:
        claims: dict[str, Any] = jwt.decode(token, options={"verify_signature": False})
    except jwt.InvalidTokenError:
        return None
    attempt_id = claims.get("attempt")
    if claims.get("aud") != _AUDIENCE or not isinstance(attempt_id, str):
        return None
    return attempt_id if _ATTEMPT.fullmatch(attempt_id) else None


def read(tx: Tx, token: str, attempt_id: str) -> RunIdentity:
    """Whose token it is; `NotSignedIn` when it is forged, or its attempt is over."""
    if not attempts.has_token(tx, attempt_id, secrets.hash_of(token)):
        raise NotSignedIn("This token of a run is not valid here.")
    return identity(tx, attempt_id)


def identity(tx: Tx, attempt_id: str) -> RunIdentity:
    """The run whose live attempt this is; `NotSignedIn` when it is over."""
    attempt = attempts.get(tx, attempt_id)
    run = None if attempt is None or attempt.ended_at is not None else runs.get(tx, attempt.run_id)
    if run is None or run.is_over:
        raise NotSignedIn("The run that this token was made for is over, and so is the token.", code="run_over")
    definition = jobs.version(tx, run.job_version_id).definition
    return RunIdentity(
        run_id=run.id,
        attempt_id=attempt_id,
        workspace_id=run.workspace_id,
        profile=run.profile,
        context=_context(definition),
        is_agent=definition.get("agent") is not None,
    )


def _context(definition: Definition) -> frozenset[str]:
    access = definition.get("access") or {}
    return frozenset(access.get("context") or ())
