"""Accounts of people: their own password, and what an administrator does with commands on the server."""

import re
from dataclasses import replace

from homeport.auth import passwords
from homeport.auth.access_tokens import AccessTokens
from homeport.auth.permissions import require_person
from homeport.auth.principals import Principal
from homeport.errors import BadRequest, Conflict, NotFound
from homeport.operations import auditing, homes, sign_in
from homeport.operations.auditing import Action
from homeport.operations.platform import Platform
from homeport.store import credentials, organizations, people, refresh_tokens
from homeport.store import passwords as stored_passwords
from homeport.store.people import User
from homeport.store.schema import Tx

_EMAIL = re.compile(r"[^@\s]+@[^@\s]+")


def checked_email(email: str) -> str:
    email = people.normal_email(email)
    if not _EMAIL.fullmatch(email) or len(email) > 320 or not email.isprintable():
        raise BadRequest(f"{email[:100]!r} is not an e-mail address.")
    return email


def has_password(platform: Platform, principal: Principal) -> bool:
    with platform.database.read() as tx:
        return stored_passwords.hash_of(tx, principal.user_id) is not None


def set_own_password(platform: Platform, principal: Principal, current: str, new: str) -> None:
    """Whoever has a password must know it: a browser that was left open is not enough to take an account over."""
    require_person(principal, "A password")
    with platform.database.read() as tx:
        known = stored_passwords.hash_of(tx, principal.user_id)
    if known is not None and not passwords.is_right(current, known):
        raise BadRequest("That is not your current password; nothing was changed.", code="wrong_password")
    hash_, now = passwords.hash_of(passwords.check_form(new)), platform.clock.now()
    with platform.database.write() as tx:
        stored_passwords.put(tx, principal.user_id, hash_, now)
        auditing.record(tx, principal, Action.PASSWORD_SET, principal.email, now)


# with commands on the server


def add_user(platform: Platform, email: str, name: str | None, role: str, password: str | None) -> User:
    """A new person in the installation's first organization."""
    email, now = checked_email(email), platform.clock.now()
    hash_ = None if password is None else passwords.hash_of(passwords.check_form(password))
    with platform.database.write() as tx:
        organization = _organization(tx)
        if people.user_by_email(tx, email) is not None:
            raise Conflict(f"There is an account of {email} already: `homeport user list` shows all.")
        user = people.create_user(tx, email, name, now, email_is_proven=True)
        people.join(tx, user, organization.id, role, now)
        if hash_ is not None:
            stored_passwords.put(tx, user.id, hash_, now)
        auditing.record_command(tx, organization.id, Action.MEMBER_ADD, email, now, role=role)
    return user


def set_password(platform: Platform, email: str, password: str) -> None:
    """Set somebody's password, and sign them out everywhere: it may have been done because others knew it."""
    hash_, now = passwords.hash_of(passwords.check_form(password)), platform.clock.now()
    with platform.database.write() as tx:
        user = user_of(tx, email)
        stored_passwords.put(tx, user.id, hash_, now)
        credentials.end_sessions_of(tx, user.id, now)
        refresh_tokens.revoke_all_of(tx, user.id, now)
        organization_id = homes.ensure(tx, user, now).organization_id
        auditing.record_command(tx, organization_id, Action.PASSWORD_SET, user.email, now)


def list_users(platform: Platform) -> list[tuple[User, bool]]:
    """Everybody, and whether they have a password."""
    with platform.database.read() as tx:
        return people.all_users(tx)


def sign_in_code(platform: Platform, email: str) -> str:
    """A code for one sign-in as somebody, good for a day."""
    now = platform.clock.now()
    with platform.database.write() as tx:
        member = homes.ensure(tx, user_of(tx, email), now)
        return sign_in.issue_sign_in_code(tx, member.id, now)


def principal_on_server(platform: Platform, email: str) -> Principal:
    """Somebody for whom a command on the server acts."""
    now = platform.clock.now()
    with platform.database.write() as tx:
        principal = sign_in.as_principal(homes.ensure(tx, user_of(tx, email), now), None)
    return replace(principal, via="command")


def rotate_signing_key(platform: Platform) -> str:
    """Sign access tokens with a new key; nobody is logged out. The answer is the key's id."""
    with platform.database.write() as tx:
        key_id = AccessTokens(platform.vault.master_key).rotate(tx, platform.clock.now()).id
        auditing.record_for_all(tx, Action.SIGNING_KEY_ROTATE, key_id, platform.clock.now())
    return key_id


def _organization(tx: Tx) -> organizations.Organization:
    found = organizations.first(tx)
    if found is None:
        raise NotFound("There is nothing here yet: start the server once with `homeport up`.")
    return found


def user_of(tx: Tx, email: str) -> User:
    """The person with this address; `NotFound` where there is none."""
    found = people.user_by_email(tx, email)
    if found is None or found.kind != "human":
        raise NotFound(f"There is no account of {email.strip()}: `homeport user list` shows all.")
    return found
