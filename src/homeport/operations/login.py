"""Let the command line in, with the consent of a person who is signed in with a browser (wire contract §4.3).

    device code     terminal: code ──▶ person: confirms it on /device ──▶ terminal: tokens
    authorization   terminal: address ──▶ person: confirms on /authorize ──▶ back to the terminal: code ──▶ tokens

Codes are good once; a code and what it was asked with are compared before a token is issued.
"""

import base64
import hashlib
import hmac
import re
import secrets as randomness
from dataclasses import dataclass
from datetime import datetime, timedelta
from urllib.parse import urlencode

from homeport.auth import guessing, secrets
from homeport.auth.access_tokens import AccessTokens
from homeport.auth.permissions import require_person
from homeport.auth.principals import Principal
from homeport.contract.sessions import DeviceCodeResponse, UserSessionResponse
from homeport.errors import BadRequest, NotAllowed
from homeport.operations import auditing
from homeport.operations.auditing import Action
from homeport.operations.platform import Platform
from homeport.store import device_codes, failed_tries, people, refresh_tokens
from homeport.store.device_codes import AuthorizationCode, DeviceCode
from homeport.store.schema import Tx
from homeport.telemetry import events

DEVICE_CODE_LIFETIME = timedelta(minutes=15)
AUTHORIZATION_CODE_LIFETIME = timedelta(minutes=2)
LOGIN_LIFETIME = timedelta(days=30)
"""A login that is not refreshed for so long is over."""
INTERVAL_SECONDS = 5
_TOO_SOON = timedelta(seconds=INTERVAL_SECONDS - 1)
"""A second less than the interval: clocks and networks are not exact."""
_CODES_PER_ADDRESS = 60

_LETTERS = "BCDFGHJKLMNPQRSTVWXZ"
"""No vowels, so no words, and nothing that reads like a digit."""
_CALLBACK = re.compile(r"http://(?:127\.0\.0\.1|localhost|\[::1\]):[0-9]{1,5}/callback")
"""A program on the person's own machine; codes go nowhere else."""
_CHALLENGE = re.compile(r"[A-Za-z0-9_-]{43}")


@dataclass(frozen=True)
class Client:
    """The program that wants to be let in."""

    name: str
    """What it says it is."""
    address: str | None


# device codes


def issue_device_code(platform: Platform, client: Client, base_url: str) -> DeviceCodeResponse:
    now = platform.clock.now()
    code, user_code = secrets.new_token(), "".join(randomness.choice(_LETTERS) for _ in range(8))
    waiting = DeviceCode(
        hash=secrets.hash_of(code),
        state="pending",
        user_id=None,
        client=client.name,
        address=client.address,
        created_at=now,
        expires_at=now + DEVICE_CODE_LIFETIME,
        asked_at=None,
    )
    with platform.database.write() as tx:
        _check_not_too_many(tx, client, now)
        device_codes.add(tx, waiting, secrets.hash_of(user_code))
    shown = f"{user_code[:4]}-{user_code[4:]}"
    return DeviceCodeResponse(
        device_code=code,
        user_code=shown,
        verification_uri=f"{base_url}/device",
        verification_uri_complete=f"{base_url}/device?user_code={shown}",
        interval=INTERVAL_SECONDS,
    )


def look_at_device(platform: Platform, principal: Principal, user_code: str) -> DeviceCode:
    """The terminal that shows this code, for the person to look at before they answer."""
    require_person(principal, "Letting a terminal in")
    now = platform.clock.now()
    with platform.database.write() as tx:
        trying = guessing.begin(tx, f"device:{principal.user_id}", principal.address, now)
        found = _waiting(tx, user_code, now)
        if found is not None:
            guessing.was_right(tx, trying)
    if found is None:
        raise BadRequest(
            "No terminal waits with this code. Codes are good for 15 minutes and for one login: compare it with "
            "the one in the terminal, or start again with `dlthub login`.",
            code="unknown_code",
        )
    return found


def answer_device(platform: Platform, principal: Principal, user_code: str, *, is_welcome: bool) -> None:
    """Let the terminal with this code in as the person who says so, or turn it away."""
    found = look_at_device(platform, principal, user_code)
    now = platform.clock.now()
    with platform.database.write() as tx:
        state = "approved" if is_welcome else "rejected"
        if not device_codes.decide(tx, found.hash, state, principal.user_id):
            raise BadRequest("This code was answered already.", code="unknown_code")
        if is_welcome:
            auditing.record(tx, principal, Action.LOGIN, found.client, now, by="device", terminal=found.address)


def redeem_device_code(platform: Platform, device_code: str) -> UserSessionResponse:
    """The tokens, once; `NotAllowed` (403) while nobody has answered, which the client polls on."""
    now = platform.clock.now()
    hash_ = secrets.hash_of(device_code)
    with platform.database.write() as tx:
        found = device_codes.get(tx, hash_)
        if found is None or found.state in ("rejected", "redeemed") or found.expires_at <= now:
            raise _refused(found, now)
        if found.state == "approved" and found.user_id is not None and device_codes.redeem(tx, hash_):
            user = people.user(tx, found.user_id)
            assert user is not None
            return _open_login(tx, platform, user, found.client, now)
        device_codes.asked(tx, hash_, now)
    if found.asked_at is not None and now - found.asked_at < _TOO_SOON:
        raise NotAllowed(f"Ask every {INTERVAL_SECONDS} seconds, not more often.", code="slow_down")
    raise NotAllowed("Nobody has confirmed the code yet.", code="authorization_pending")


def _waiting(tx: Tx, user_code: str, now: datetime) -> DeviceCode | None:
    letters = "".join(letter for letter in user_code.upper() if letter.isalpha())[:20]
    found = device_codes.by_user_code(tx, secrets.hash_of(letters))
    return found if found and found.state == "pending" and found.expires_at > now else None


def _refused(found: DeviceCode | None, now: datetime) -> BadRequest:
    if found is not None and found.state == "rejected":
        return BadRequest("The login was turned down in the browser.", code="access_denied")
    if found is not None and found.expires_at <= now:
        return BadRequest("The code has expired. Start again with `dlthub login`.", code="expired_token")
    return BadRequest("This device code is not known, or was used before.", code="invalid_device_code")


def _check_not_too_many(tx: Tx, client: Client, now: datetime) -> None:
    """Anybody may ask for a code, so nobody may fill the database with them."""
    subject = f"codes:{client.address}"[:80]
    why = "Too many logins were started from your address."
    guessing.check_share(tx, subject, _CODES_PER_ADDRESS, now, why)
    failed_tries.add(tx, [subject], now)


# authorization with PKCE


def check_authorization(redirect_uri: str, code_challenge: str, state: str) -> None:
    """Whether a program on the person's machine asks in the right form; `BadRequest` says what is not."""
    if not _CALLBACK.fullmatch(redirect_uri):
        raise BadRequest("redirect_uri must be http://127.0.0.1:<port>/callback.", code="invalid_redirect_uri")
    if not _CHALLENGE.fullmatch(code_challenge):
        raise BadRequest("code_challenge must be an S256 challenge: 43 characters of base64url.")
    if not state or not state.isascii() or not state.isprintable():
        raise BadRequest("state must be printable ASCII.")


def authorization_url(base_url: str, redirect_uri: str, code_challenge: str, state: str) -> str:
    """Where the person confirms the login. Nothing is kept: the page gets all it needs with the address."""
    check_authorization(redirect_uri, code_challenge, state)
    asked = {"redirect_uri": redirect_uri, "code_challenge": code_challenge, "state": state}
    return f"{base_url}/authorize?{urlencode(asked)}"


def authorize(platform: Platform, principal: Principal, redirect_uri: str, code_challenge: str, state: str) -> str:
    """The person agrees: the address that takes a code back to their terminal."""
    require_person(principal, "Letting a terminal in")
    check_authorization(redirect_uri, code_challenge, state)
    now, code = platform.clock.now(), secrets.new_token()
    stored = AuthorizationCode(
        secrets.hash_of(code), principal.user_id, code_challenge, now + AUTHORIZATION_CODE_LIFETIME, None
    )
    with platform.database.write() as tx:
        device_codes.add_authorization(tx, stored, now)
        auditing.record(tx, principal, Action.LOGIN, redirect_uri, now, by="browser")
    return f"{redirect_uri}?{urlencode({'code': code, 'state': state})}"


def turned_down(redirect_uri: str, code_challenge: str, state: str) -> str:
    """The person does not agree: the address that tells their terminal."""
    check_authorization(redirect_uri, code_challenge, state)
    return f"{redirect_uri}?{urlencode({'error': 'access_denied', 'state': state})}"


def redeem_authorization_code(
    platform: Platform, code: str, code_verifier: str, client: Client
) -> UserSessionResponse:
    """The tokens, for the program that started the login: only it knows the verifier."""
    now = platform.clock.now()
    hash_ = secrets.hash_of(code)
    with platform.database.write() as tx:
        found = device_codes.get_authorization(tx, hash_)
        # used up whatever comes: whoever brings a wrong verifier has a code that is not theirs
        is_first = device_codes.use_up_authorization(tx, hash_, now)
        if found is not None and is_first and found.expires_at > now and _fits(found, code_verifier):
            user = people.user(tx, found.user_id)
            assert user is not None
            return _open_login(tx, platform, user, client.name, now)
    raise BadRequest("This code is not known, was used before or has expired.", code="invalid_code")


def _fits(found: AuthorizationCode, code_verifier: str) -> bool:
    digest = hashlib.sha256(code_verifier.encode()).digest()
    challenge = base64.urlsafe_b64encode(digest).rstrip(b"=").decode()
    return hmac.compare_digest(challenge, found.code_challenge)


def _open_login(tx: Tx, platform: Platform, user: people.User, client: str, now: datetime) -> UserSessionResponse:
    session_id = refresh_tokens.open_session(tx, user.id, client, now, now + LOGIN_LIFETIME)
    refresh_token = secrets.new_token()
    refresh_tokens.add(tx, session_id, secrets.hash_of(refresh_token), now)
    token = AccessTokens(platform.vault.master_key).issue(tx, user, session_id, now)
    events.emit(events.LOGGED_IN, user=str(user.id))
    return UserSessionResponse(id=user.id, email=user.email, jwt=token, refresh_token=refresh_token)
