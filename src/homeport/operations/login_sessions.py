"""Keep a login of the command line going, or end it; sign its person's browser in (wire contract §4.3)."""

from datetime import timedelta

from homeport.auth import secrets
from homeport.auth.access_tokens import AccessTokens
from homeport.contract.sessions import RefreshedResponse, SwapCodeResponse
from homeport.errors import NotSignedIn
from homeport.operations import auditing, homes, sign_in
from homeport.operations.auditing import Action
from homeport.operations.login import LOGIN_LIFETIME
from homeport.operations.platform import Platform
from homeport.store import people, refresh_tokens
from homeport.store.refresh_tokens import RefreshToken
from homeport.store.schema import Tx
from homeport.telemetry import events

GRACE = timedelta(seconds=30)
"""Two processes of one person may refresh at once: the client has no lock. Later, a used token means theft."""
SWAP_CODE_LIFETIME = timedelta(seconds=60)

_OVER = "This login has ended: run `dlthub login`."


def refresh(platform: Platform, refresh_token: str) -> RefreshedResponse:
    """A new pair of tokens; the old refresh token is used up. Using it again ends the login."""
    now = platform.clock.now()
    hash_ = secrets.hash_of(refresh_token)
    with platform.database.write() as tx:
        found = refresh_tokens.get(tx, hash_)
        if found is None or not found.is_live(now):
            raise NotSignedIn(_OVER, code="login_ended")
        is_first = refresh_tokens.replace(tx, hash_, now)
        # of two at once, the later one has not seen yet when the earlier one replaced the token: just now
        is_theft = not is_first and now - (found.replaced_at or now) > GRACE
        if is_theft:
            _end(tx, found, platform, why="a used refresh token came again")
        else:
            fresh = _renew(tx, found, platform)
    if is_theft:
        events.emit(events.REFRESH_TOKEN_REUSED, user=str(found.user_id))
        raise NotSignedIn("This refresh token was used before, so the login was ended: run `dlthub login`.")
    return fresh


def revoke(platform: Platform, refresh_token: str) -> None:
    """End the login of a token; one that is not known has nothing to end."""
    with platform.database.write() as tx:
        found = refresh_tokens.get(tx, secrets.hash_of(refresh_token))
        if found is not None and found.is_live(platform.clock.now()):
            _end(tx, found, platform, why="logged out")


def issue_swap_code(platform: Platform, refresh_token: str) -> SwapCodeResponse:
    """A code that signs the person's browser in once, soon."""
    now = platform.clock.now()
    with platform.database.write() as tx:
        found = refresh_tokens.get(tx, secrets.hash_of(refresh_token))
        is_used = found is not None and found.replaced_at is not None and now - found.replaced_at > GRACE
        user = None if found is None else people.user(tx, found.user_id)
        if found is None or user is None or is_used or not found.is_live(now):
            raise NotSignedIn(_OVER, code="login_ended")
        member = homes.ensure(tx, user, now)
        code = sign_in.issue_sign_in_code(tx, member.id, now, "swap code", SWAP_CODE_LIFETIME)
    return SwapCodeResponse(swap_code=code, expires_in=int(SWAP_CODE_LIFETIME.total_seconds()))


def _renew(tx: Tx, found: RefreshToken, platform: Platform) -> RefreshedResponse:
    now, value = platform.clock.now(), secrets.new_token()
    user = people.user(tx, found.user_id)
    assert user is not None
    refresh_tokens.add(tx, found.session_id, secrets.hash_of(value), now)
    refresh_tokens.prolong(tx, found.session_id, now + LOGIN_LIFETIME)
    token = AccessTokens(platform.vault.master_key).issue(tx, user, found.session_id, now)
    return RefreshedResponse(jwt=token, refresh_token=value)


def _end(tx: Tx, found: RefreshToken, platform: Platform, why: str) -> None:
    now = platform.clock.now()
    refresh_tokens.revoke(tx, found.session_id, now)
    for member in people.memberships_of(tx, found.user_id)[:1]:
        principal = sign_in.as_principal(member, None)
        auditing.record(tx, principal, Action.LOGIN_REVOKE, str(found.session_id), now, why=why)
