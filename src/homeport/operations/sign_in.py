"""Let somebody in: a key, a token, a browser that brings a password, a code or a key."""

from contextlib import suppress
from dataclasses import replace
from datetime import datetime, timedelta
from uuid import UUID

from homeport.auth import access_tokens, guessing, passwords, principals, run_tokens, secrets
from homeport.auth.access_tokens import AccessTokens
from homeport.auth.principals import (
    ANYWHERE,
    SESSION_LIFETIME,
    SIGN_IN_LINK_LIFETIME,
    Place,
    Principal,
)
from homeport.errors import NotAllowed, NotSignedIn, Unavailable
from homeport.operations import auditing, homes
from homeport.operations.auditing import Action
from homeport.operations.platform import Platform
from homeport.store import credentials, people
from homeport.store import passwords as stored_passwords
from homeport.store.schema import Tx
from homeport.telemetry import events

_USE_NOTED_EVERY = timedelta(minutes=1)
"""A key's last use is written at most this often: a write for every request would make readers wait."""


def by_bearer(platform: Platform, value: str, place: Place = ANYWHERE, address: str | None = None) -> Principal:
    """Whom a bearer credential of the control API lets in: an access token or an API key (wire contract §4.1), or
    the token of a run."""
    attempt_id = run_tokens.attempt_of(value)
    if attempt_id is not None:
        with platform.database.read() as tx:
            principal = principals.by_run_token(tx, value, attempt_id)
    elif access_tokens.is_one(value):
        with platform.database.read() as tx:
            tokens = AccessTokens(platform.vault.master_key)
            principal = principals.by_access_token(tx, tokens, value, platform.clock.now(), place)
    else:
        principal = by_api_key(platform, value, place)
    return replace(principal, address=address)


def person_by_access_token(platform: Platform, value: str, address: str | None) -> Principal:
    """A person who logged in; one who is in no organization gets their own (wire contract §8.1, `/me`)."""
    if run_tokens.attempt_of(value) is not None:
        by_bearer(platform, value)
        raise NotAllowed("A run has no profile of its own; ask for its workspace.", code="human_only")
    if not access_tokens.is_one(value):
        by_api_key(platform, value)
        raise NotAllowed("An API key has no profile of its own; run `dlthub login` for that.", code="human_only")
    now, tokens = platform.clock.now(), AccessTokens(platform.vault.master_key)
    with platform.database.read() as tx:
        claims = tokens.read(tx, value, now)
        is_at_home = bool(people.memberships_of(tx, claims.user_id))
    if not is_at_home:
        with platform.database.write() as tx:
            user = people.user(tx, claims.user_id)
            assert user is not None
            homes.ensure(tx, user, now)
    return by_bearer(platform, value, address=address)


def by_api_key(platform: Platform, value: str, place: Place = ANYWHERE) -> Principal:
    now = platform.clock.now()
    with platform.database.read() as tx:
        principal = principals.by_api_key(tx, value, now, place)
        assert principal.credential_id is not None
        key = credentials.get(tx, principal.credential_id)
    if key is not None and (key.used_at is None or now - key.used_at >= _USE_NOTED_EVERY):
        with suppress(Unavailable), platform.database.write() as tx:
            credentials.note_use(tx, key.id, now, not_since=now - _USE_NOTED_EVERY)
    return principal


def by_dataplane_token(
    platform: Platform, value: str, workspace_id: UUID, address: str | None = None
) -> Principal:
    """The holder of a data-plane token for this workspace."""
    with platform.database.read() as tx:
        principal = platform.dataplane_tokens.principal(tx, value, platform.clock.now())
    if principal.workspace_id != workspace_id:
        raise NotSignedIn("This data-plane token is for another workspace.")
    return replace(principal, address=address)


def by_browser_session(
    platform: Platform, value: str, place: Place = ANYWHERE, address: str | None = None
) -> Principal:
    with platform.database.read() as tx:
        principal = principals.by_browser_session(tx, value, platform.clock.now(), place)
    return replace(principal, address=address)


def in_organization(platform: Platform, principal: Principal, organization_id: UUID) -> Principal:
    """The same person as a member of another of their organizations, if they are in it."""
    with platform.database.read() as tx:
        member = people.membership(tx, organization_id, principal.user_id)
    return principal if member is None else principals.as_member(principal, member)


def open_session_with_key(platform: Platform, api_key: str, address: str | None = None) -> str:
    """A browser session for the holder of an API key; the answer is the cookie's value. It ends with the key."""
    now = platform.clock.now()
    with platform.database.write() as tx:
        principal = principals.by_api_key(tx, api_key.strip(), now)
        return open_session(tx, replace(principal, address=address), "key", now)


def open_session_with_code(platform: Platform, code: str, address: str | None = None) -> str:
    """A browser session for a one-use code, from a sign-in link or from the command line."""
    now = platform.clock.now()
    with platform.database.write() as tx:
        found = credentials.use_up(tx, "sign_in_code", secrets.hash_of(code), now)
        member = None if found is None else people.member(tx, found.member_id)
        if found is None or member is None:
            raise NotSignedIn(
                "This sign-in link was used before, or has expired. Sign in with your password or an API key."
            )
        return open_session(tx, as_principal(member, address), found.name, now)


def open_session_with_password(platform: Platform, email: str, password: str, address: str | None) -> str:
    """A browser session for somebody who knows a password. An account that is not there takes as long, and gets
    the same answer, as one whose password was not right."""
    now = platform.clock.now()
    email = people.normal_email(email)
    with platform.database.write() as tx:
        way_out = ", or sign in with a link from `homeport user link` on the server"
        trying = guessing.begin(tx, email, address, now, way_out=way_out)
        user = people.user_by_email(tx, email)
        hash_ = None if user is None else stored_passwords.hash_of(tx, user.id)
    if not passwords.is_right(password, hash_) or user is None or hash_ is None:
        events.emit(events.SIGN_IN_REFUSED, address=address)
        raise NotSignedIn("That is not the e-mail and password of anybody here.", code="wrong_password")
    with platform.database.write() as tx:
        guessing.was_right(tx, trying)
        if passwords.is_outdated(hash_):
            stored_passwords.put(tx, user.id, passwords.hash_of(password), now)
        member = homes.ensure(tx, user, now)
        return open_session(tx, as_principal(member, address), "password", now)


def end_session(platform: Platform, value: str, address: str | None = None) -> None:
    now = platform.clock.now()
    with platform.database.write() as tx:
        found = credentials.find(tx, "browser_session", secrets.hash_of(value), now)
        member = None if found is None else people.member(tx, found.member_id)
        if found is not None:
            credentials.revoke(tx, found.id, now)
        if member is not None:
            auditing.record(tx, as_principal(member, address), Action.SIGN_OUT, member.email, now)


def issue_sign_in_code(
    tx: Tx,
    member_id: UUID,
    now: datetime,
    name: str = "sign-in link",
    lifetime: timedelta = SIGN_IN_LINK_LIFETIME,
) -> str:
    """A code for one sign-in with a browser, good for a day unless said otherwise."""
    code = secrets.new_token()
    credentials.add(tx, "sign_in_code", secrets.hash_of(code), member_id, name, now, now + lifetime)
    return code


def open_session(tx: Tx, principal: Principal, by: str, now: datetime) -> str:
    """A browser session; the answer is the cookie's value."""
    value = secrets.new_token()
    expires_at = now + SESSION_LIFETIME
    credentials.add(
        tx,
        "browser_session",
        secrets.hash_of(value),
        principal.member_id,
        "browser",
        now,
        expires_at,
        parent_id=principal.credential_id,
    )
    auditing.record(tx, principal, Action.SIGN_IN, principal.email, now, by=by)
    events.emit(events.SIGNED_IN, member=str(principal.member_id))
    return value


def as_principal(member: people.Member, address: str | None) -> Principal:
    """Somebody who is about to be let in by a browser."""
    return Principal(
        member_id=member.id,
        organization_id=member.organization_id,
        user_id=member.user_id,
        email=member.email,
        name=member.name,
        organization_role=member.role,
        via="browser_session",
        kind=member.kind,
        address=address,
    )
