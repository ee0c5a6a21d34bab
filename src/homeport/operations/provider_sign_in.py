"""Let a browser in on the word of an identity provider.

1. begin: the browser goes to the provider, and keeps, sealed, what its sign-in hangs on
2. finish: it comes back with a code; the provider says whose code it is; that account there is somebody here

Whose account it is, is decided by issuer and subject. Only the first time, an e-mail address decides: one that the
provider has verified, of a person whose address is proven here too. Addresses that somebody just typed let nobody
into an account, on either side.
"""

import base64
import hmac
import json
from collections.abc import Sequence
from dataclasses import asdict, dataclass
from datetime import datetime, timedelta
from typing import Any

from homeport.auth import guessing, secrets
from homeport.auth.ciphers import Cipher
from homeport.auth.principals import Principal
from homeport.auth.providers import Flow, Identity, Provider
from homeport.auth.providers.configured import domain_of, domains_of
from homeport.errors import BadRequest, HomeportError, NotAllowed, NotFound, NotSignedIn, Unavailable
from homeport.operations import accounts, auditing, homes, invitations, sign_in
from homeport.operations.auditing import Action
from homeport.operations.platform import Platform
from homeport.store import external_identities, people
from homeport.store.schema import Tx
from homeport.telemetry import events

LIFETIME = timedelta(minutes=10)
"""As long as somebody may take at the provider."""
_LONGEST_NEXT = 2000
"""What is kept goes into a cookie, and browsers keep 4096 bytes of one."""


@dataclass(frozen=True)
class Begun:
    url: str
    """At the provider."""
    kept: str
    """For the browser to keep until it comes back; only this server can read it."""


@dataclass(frozen=True)
class Answer:
    """What the browser brings from the provider, in the address."""

    state: str
    code: str
    error: str
    issuer: str
    """Who answers, if the provider says so (RFC 9207)."""


@dataclass(frozen=True)
class Finished:
    session: str
    next: str
    """Where the person was going."""


def offered(platform: Platform) -> Sequence[tuple[str, str]]:
    """Key and name of every provider that is set up."""
    return tuple((provider.key, provider.name) for provider in platform.providers.values())


def connectable(platform: Platform, principal: Principal) -> Sequence[tuple[str, str]]:
    """Key and name of the providers that do not sign this person in yet."""
    if not principal.is_person or not platform.providers:
        return ()
    with platform.database.read() as tx:
        connected = external_identities.issuers_of(tx, principal.user_id)
    return tuple((p.key, p.name) for p in platform.providers.values() if p.issuer not in connected)


def begin(platform: Platform, key: str, next_: str, base_url: str) -> Begun:
    provider, now = _provider(platform, key), platform.clock.now()
    flow = Flow(
        state=secrets.new_token(),
        nonce=secrets.new_token(),
        verifier=secrets.new_token() + secrets.new_token(),
        redirect_uri=f"{base_url}/sign-in/{key}/callback",
    )
    kept = {
        "flow": asdict(flow),
        "next": next_ if len(next_) <= _LONGEST_NEXT else "/",
        "until": (now + LIFETIME).timestamp(),
    }
    return Begun(provider.authorization_url(flow, now), _seal(platform, key, kept))


def finish(
    platform: Platform, key: str, kept: str, answer: Answer, address: str | None, visitor: Principal | None
) -> Finished:
    """`NotSignedIn` or `NotAllowed` say why somebody is not let in, `Unavailable` that the provider is not well.

    `visitor` is who is signed in already: coming back with an account of theirs connects it to them.
    """
    provider, now = _provider(platform, key), platform.clock.now()
    flow, next_ = _open(platform, provider, kept, answer.state, now)
    with platform.database.write() as tx:
        trying = guessing.begin(tx, f"{key}:{flow.state}", address, now)
    try:
        _check_answer(provider, answer)
        identity = provider.identity(flow, answer.code, now)
        session = _let_in(platform, provider, identity, address, visitor)
    except Unavailable:
        with platform.database.write() as tx:  # nobody guessed
            guessing.was_right(tx, trying)
        raise
    with platform.database.write() as tx:
        guessing.was_right(tx, trying)
    return Finished(session, _still_good(platform, next_))


def next_of(platform: Platform, key: str, kept: str) -> str:
    """Where somebody was going who could not be let in; the start page, if that is not known."""
    found = _unsealed(platform, key, kept)
    return "/" if found is None else str(found["next"])


# between leaving and coming back


def _seal(platform: Platform, key: str, kept: dict[str, object]) -> str:
    return base64.urlsafe_b64encode(_cipher(platform).seal(json.dumps(kept).encode(), _place(key))).decode()


def _open(platform: Platform, provider: Provider, kept: str, state: str, now: datetime) -> tuple[Flow, str]:
    """What this browser left with, if it is this sign-in that it comes back from."""
    found = _unsealed(platform, provider.key, kept)
    is_ours = found is not None and found["until"] > now.timestamp()
    if found is None or not is_ours or not hmac.compare_digest(found["flow"]["state"].encode(), state.encode()):
        raise _refused(
            provider,
            NotSignedIn(
                f"This sign-in with {provider.name} was not begun in this browser, was used before, or took "
                f"longer than {LIFETIME.seconds // 60} minutes. Begin again.",
                code="unknown_state",
            ),
        )
    return Flow(**found["flow"]), str(found["next"])


def _unsealed(platform: Platform, key: str, kept: str) -> dict[str, Any] | None:
    try:
        found: dict[str, Any] = json.loads(_cipher(platform).open(base64.urlsafe_b64decode(kept), _place(key)))
    except (Unavailable, ValueError):
        return None
    return found


def _cipher(platform: Platform) -> Cipher:
    return Cipher(secrets.derive(platform.vault.master_key, "sign-in with providers"))


def _place(key: str) -> str:
    return f"the sign-in with {key}"


def _check_answer(provider: Provider, answer: Answer) -> None:
    if answer.issuer and answer.issuer.rstrip("/") != provider.issuer:
        raise _refused(
            provider, NotSignedIn(f"Somebody else than {provider.name} answered. Begin again.", code="mixed_up")
        )
    if answer.error == "access_denied":
        text = f"{provider.name} says that the sign-in was turned down there. Begin again, or sign in another way."
        raise _refused(provider, NotSignedIn(text, code="access_denied"))
    if answer.error or not answer.code:
        # its own words are not repeated: whoever makes a link could choose them
        text = f"{provider.name} could not sign you in. Begin again, or sign in another way."
        raise _refused(provider, NotSignedIn(text, code="provider_error"))


def _still_good(platform: Platform, next_: str) -> str:
    """Where to go; not to an invitation that signing in has just taken up."""
    path, _, code = next_.partition("?code=")
    if path == "/invitation":
        try:
            invitations.look(platform, code)
        except NotFound:
            return "/"
    return next_


# who it is


def _let_in(
    platform: Platform, provider: Provider, identity: Identity, address: str | None, visitor: Principal | None
) -> str:
    now = platform.clock.now()
    _check_domain(provider, identity)
    if not 0 < len(identity.subject) <= external_identities.SUBJECT_CHARS:
        raise _refused(provider, NotSignedIn(f"{provider.name} does not say who you are.", code="no_subject"))
    with platform.database.write() as tx:
        user_id = external_identities.user_of(tx, identity.issuer, identity.subject)
        if user_id is None:
            external_identities.wait_for_turn(tx)
            user_id = external_identities.user_of(tx, identity.issuer, identity.subject)
        user = None if user_id is None else people.user(tx, user_id)
        is_first = user is None
        if user is None:
            user = _connected(tx, platform, provider, identity, address, visitor)
        principal = sign_in.as_principal(homes.ensure(tx, user, now), address)
        if is_first:
            auditing.record(tx, principal, Action.IDENTITY_CONNECT, user.email, now, by=provider.label)
        return sign_in.open_session(tx, principal, provider.label, now)


def _check_domain(provider: Provider, identity: Identity) -> None:
    if provider.email_domains and domain_of(_verified_email(provider, identity)) not in provider.email_domains:
        allowed = ", ".join(sorted(provider.email_domains))
        raise _refused(
            provider,
            NotAllowed(f"With {provider.name}, only addresses of {allowed} are let in here.", code="wrong_domain"),
        )


def _verified_email(provider: Provider, identity: Identity) -> str:
    if identity.email is None or not identity.email_is_verified:
        raise _refused(
            provider,
            NotAllowed(
                f"{provider.name} does not say that your e-mail address is verified, and without that anybody "
                "could claim yours. Verify it there, or ask its administrator to pass it on (email, "
                "email_verified).",
                code="email_not_verified",
            ),
        )
    try:
        return accounts.checked_email(identity.email)
    except BadRequest as error:
        raise _refused(provider, NotAllowed(error.message, code="email_not_verified")) from None


def _connected(
    tx: Tx,
    platform: Platform,
    provider: Provider,
    identity: Identity,
    address: str | None,
    visitor: Principal | None,
) -> people.User:
    """The person that an account at a provider stands for from now on; a new one, if new ones are welcome."""
    email, now = _verified_email(provider, identity), platform.clock.now()
    user = people.user_by_email(tx, email)
    if user is None:
        user = _new_person(tx, platform, provider, identity, email, address)
    elif visitor is None or not visitor.is_person or visitor.user_id != user.id:
        _check_may_connect(tx, provider, user)
    external_identities.add(tx, identity.issuer, identity.subject, user.id, now)
    people.note_proven_email(tx, user.id)
    return user


def _check_may_connect(tx: Tx, provider: Provider, user: people.User) -> None:
    """An address alone connects an account that is there only if nobody else can be sitting in it."""
    way_out = (
        "Sign in here the way that you did so far, or with a link that an administrator makes with `homeport user "
        f"link`; then choose {provider.name} on the page of your account."
    )
    if user.kind != "human":
        raise _refused(provider, NotAllowed("This address is that of a service account.", code="no_person"))
    if not people.is_email_proven(tx, user.id):
        text = (
            f"There is an account of {user.email} already, made by somebody who did not prove that it is theirs."
        )
        raise _refused(provider, NotAllowed(f"{text} {way_out}", code="unproven_account"))
    # addresses are given to somebody new when people leave
    if external_identities.is_connected(tx, provider.issuer, user.id):
        text = f"Another account at {provider.name} signs {user.email} in."
        raise _refused(provider, NotAllowed(f"{text} {way_out}", code="other_account"))


def _new_person(
    tx: Tx, platform: Platform, provider: Provider, identity: Identity, email: str, address: str | None
) -> people.User:
    if not invitations.are_open_for(tx, platform, email) and not _is_welcome(platform.settings.sign_up, email):
        raise _refused(
            provider,
            NotAllowed(
                f"Nobody here goes by {email}, and nobody has invited that address. Ask for an invitation.",
                code="not_invited",
            ),
        )
    name = " ".join((identity.name or "").split())[:200] or None
    user = people.create_user(tx, email, name, platform.clock.now(), email_is_proven=True)
    invitations.take_up_all(tx, platform, user, address)
    return user


def _is_welcome(sign_up: str, email: str) -> bool:
    if sign_up in ("invited", "anyone"):
        return sign_up == "anyone"
    return domain_of(email) in domains_of(sign_up)


def _provider(platform: Platform, key: str) -> Provider:
    found = platform.providers.get(key)
    if found is None:
        raise NotFound("This server has no such way to sign in.")
    return found


def _refused(provider: Provider, error: HomeportError) -> HomeportError:
    events.emit(events.PROVIDER_SIGN_IN_REFUSED, provider=provider.key, reason=error.code)
    return error
