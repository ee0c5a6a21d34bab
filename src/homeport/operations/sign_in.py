"""Let somebody in: an API key, a data-plane token, a browser that brings a code or a key."""

from datetime import datetime
from uuid import UUID

from homeport.auth import principals, secrets
from homeport.auth.principals import SESSION_LIFETIME, SIGN_IN_LINK_LIFETIME, Principal
from homeport.errors import NotSignedIn
from homeport.operations.platform import Platform
from homeport.store import credentials
from homeport.store.schema import Tx
from homeport.telemetry import events


def by_api_key(platform: Platform, value: str) -> Principal:
    with platform.database.read() as tx:
        return principals.by_api_key(tx, value, platform.clock.now())


def by_dataplane_token(platform: Platform, value: str, workspace_id: UUID) -> Principal:
    """The holder of a data-plane token for this workspace."""
    with platform.database.read() as tx:
        principal = platform.dataplane_tokens.principal(tx, value, platform.clock.now())
    if principal.workspace_id != workspace_id:
        raise NotSignedIn("This data-plane token is for another workspace.")
    return principal


def by_browser_session(platform: Platform, value: str) -> Principal:
    with platform.database.read() as tx:
        return principals.by_browser_session(tx, value, platform.clock.now())


def open_session_with_key(platform: Platform, api_key: str) -> str:
    """A browser session for the holder of an API key; the answer is the cookie's value."""
    now = platform.clock.now()
    with platform.database.write() as tx:
        return _open_session(tx, principals.by_api_key(tx, api_key.strip(), now).member_id, now)


def open_session_with_code(platform: Platform, code: str) -> str:
    """A browser session for a one-use code, from a sign-in link."""
    now = platform.clock.now()
    with platform.database.write() as tx:
        found = credentials.use_up(tx, "sign_in_code", secrets.hash_of(code), now)
        if found is None:
            raise NotSignedIn("This sign-in link was used before, or has expired. Sign in with your API key.")
        return _open_session(tx, found.member_id, now)


def end_session(platform: Platform, value: str) -> None:
    now = platform.clock.now()
    with platform.database.write() as tx:
        found = credentials.find(tx, "browser_session", secrets.hash_of(value), now)
        if found is not None:
            credentials.revoke(tx, found.id, now)


def issue_sign_in_code(tx: Tx, member_id: UUID, now: datetime) -> str:
    """A code for one sign-in with a browser, good for a day."""
    code = secrets.new_token()
    credentials.add(
        tx, "sign_in_code", secrets.hash_of(code), member_id, "sign-in link", now, now + SIGN_IN_LINK_LIFETIME
    )
    return code


def _open_session(tx: Tx, member_id: UUID, now: datetime) -> str:
    value = secrets.new_token()
    credentials.add(
        tx, "browser_session", secrets.hash_of(value), member_id, "browser", now, now + SESSION_LIFETIME
    )
    events.emit(events.SIGNED_IN, member=str(member_id))
    return value
