"""Whether a call of a webhook was signed with its secret, in any of the three ways that senders know.

    X-Homeport-Signature: t=<seconds>,v1=<hex>          HMAC-SHA256 of "<t>.<body>"
    X-Hub-Signature-256: sha256=<hex>                   GitHub: of the body
    webhook-id, webhook-timestamp, webhook-signature    Standard Webhooks: v1,<base64> of "<id>.<timestamp>.<body>"

The key is the secret as it is shown, but for Standard Webhooks: there it is what follows `whsec_`, base64 decoded.
"""

import base64
import binascii
import hashlib
import hmac
import re
import secrets as system_random
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta

from homeport.errors import NotSignedIn

TOLERANCE = timedelta(minutes=5)
"""How far a sender's clock may be off. What somebody has overheard is worth nothing afterwards."""
SECRET_PREFIX = "whsec_"  # noqa: S105 - what secrets start with
_SECRET_BYTES = 32
_MAX_SIGNATURES = 10
"""Of one header: a sender that changes its key signs with both for a while."""


@dataclass(frozen=True)
class _Claim:
    """What a request says of itself; it counts if one of the signatures is right."""

    key: bytes
    signed: bytes
    signatures: list[bytes]
    at: str | None
    """Seconds since 1970, where the signature covers them."""
    delivery_id: str | None


def new_secret() -> str:
    return SECRET_PREFIX + base64.b64encode(system_random.token_bytes(_SECRET_BYTES)).decode()


def check(secret: str, headers: Mapping[str, str], body: bytes, now: datetime) -> str | None:
    """What tells this delivery from others, as a SHA-256, or none where nothing does. Names of headers are in
    lower case. `NotSignedIn` for a call that was not signed with the secret, or too long ago."""
    claims = [
        claim
        for claim in (
            _standard(secret, headers, body),
            _homeport(secret, headers, body),
            _github(secret, headers, body),
        )
        if claim is not None
    ]
    if not claims:
        raise refused("it has none of X-Homeport-Signature, X-Hub-Signature-256 and webhook-signature")
    found = next((claim for claim in claims if _is_right(claim)), None)
    if found is None:
        raise refused("the signature is not that of this body with this webhook's secret")
    if found.at is not None:
        _check_age(found.at, now)
    return None if found.delivery_id is None else hashlib.sha256(found.delivery_id.encode()).hexdigest()


def refused(reason: str) -> NotSignedIn:
    return NotSignedIn(
        f"This call is not signed for a webhook here: {reason}. Check the address and the secret; "
        "`homeport webhook <job> --rotate` makes a new one.",
        code="webhook_not_signed",
    )


def _is_right(claim: _Claim) -> bool:
    expected = hmac.digest(claim.key, claim.signed, "sha256")
    # all of them, so that the time it takes tells nothing
    matches = [hmac.compare_digest(expected, signature) for signature in claim.signatures]
    return any(matches)


def _standard(secret: str, headers: Mapping[str, str], body: bytes) -> _Claim | None:
    given, delivery_id, at = (headers.get(f"webhook-{name}") for name in ("signature", "id", "timestamp"))
    if not given or not delivery_id or not at:
        return None
    key = base64.b64decode(secret.removeprefix(SECRET_PREFIX))
    signatures = [_unbase64(text[3:]) for text in given.split()[:_MAX_SIGNATURES] if text.startswith("v1,")]
    signed = f"{delivery_id}.{at}.".encode("latin-1") + body
    return _Claim(key, signed, signatures, at, f"webhook-id {delivery_id}")


def _homeport(secret: str, headers: Mapping[str, str], body: bytes) -> _Claim | None:
    given = headers.get("x-homeport-signature")
    if not given:
        return None
    parts = list(_parts(given))
    at = next((value for name, value in parts if name == "t"), "")
    signatures = [_unhex(value) for name, value in parts if name == "v1"]
    # sent twice, it is the same to the letter: a repetition, or somebody who has overheard it
    delivery_id = _named_id(headers) or f"signature {at} {hashlib.sha256(body).hexdigest()}"
    return _Claim(secret.encode(), f"{at}.".encode("latin-1") + body, signatures, at, delivery_id)


def _github(secret: str, headers: Mapping[str, str], body: bytes) -> _Claim | None:
    given = headers.get("x-hub-signature-256")
    if not given:
        return None
    signatures = [_unhex(given.removeprefix("sha256="))] if given.startswith("sha256=") else []
    return _Claim(secret.encode(), body, signatures, None, _named_id(headers))


def _named_id(headers: Mapping[str, str]) -> str | None:
    """What the sender calls this delivery. It is not signed: whoever may send may also repeat."""
    for name in ("idempotency-key", "x-github-delivery"):
        if headers.get(name):
            return f"{name} {headers[name]}"
    return None


def _parts(text: str) -> Iterator[tuple[str, str]]:
    for part in text.split(",")[: _MAX_SIGNATURES + 1]:
        name, _, value = part.strip().partition("=")
        yield name, value


def _unhex(text: str) -> bytes:
    try:
        return binascii.unhexlify(text)
    except ValueError:
        return b""


def _unbase64(text: str) -> bytes:
    try:
        return base64.b64decode(text, validate=True)
    except ValueError:
        return b""


def _check_age(text: str, now: datetime) -> None:
    if not re.fullmatch(r"\d{1,11}", text, re.ASCII):
        raise refused("its timestamp is no number of seconds since 1970")
    off = abs(now - datetime.fromtimestamp(int(text), UTC))
    if off > TOLERANCE:
        raise refused(
            f"it was signed {off.total_seconds():.0f} seconds away from this server's time, and "
            f"{TOLERANCE.total_seconds():.0f} are allowed; set the clocks, or sign it anew"
        )
