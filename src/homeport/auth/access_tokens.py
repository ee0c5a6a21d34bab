"""Access tokens of people: EdDSA (Ed25519) JWTs that name their login (wire contract §4.2).

Keys are in the database, so that all servers of an installation know them. The private half is sealed with a key
that hangs on the master key. A new key takes over every now and then, at once when somebody wants it, and when the
master key was replaced; tokens of the keys before it are good until they end.
"""

import re
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Any
from uuid import UUID

import jwt
from cryptography.hazmat.primitives import serialization
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey, Ed25519PublicKey

from homeport.auth import secrets
from homeport.auth.ciphers import Cipher
from homeport.errors import NotSignedIn, Unavailable
from homeport.store import refresh_tokens, signing_keys
from homeport.store.people import User
from homeport.store.schema import Tx
from homeport.store.signing_keys import SigningKey

LIFETIME = timedelta(hours=1)
KEY_LIFETIME = timedelta(days=90)
"""After this, a new key takes over by itself."""

_AUDIENCE = "homeport"
_KEY_ID = re.compile(r"[A-Za-z0-9_-]{1,100}")
_RAW = serialization.Encoding.Raw


@dataclass(frozen=True)
class Claims:
    user_id: UUID
    session_id: UUID
    """The login that the token was issued for."""


class AccessTokens:
    def __init__(self, master_key: bytes) -> None:
        self._cipher = Cipher(secrets.derive(master_key, "signing keys"))

    def issue(self, tx: Tx, user: User, session_id: UUID, now: datetime) -> str:
        key, private = self._signing_key(tx, now)
        claims = {
            "aud": _AUDIENCE,
            "sub": str(user.id),
            "email": user.email,
            "sid": str(session_id),
            "iat": int(now.timestamp()),
            "exp": int((now + LIFETIME).timestamp()),
            "feature_flags": [],
        }
        return jwt.encode(claims, private, algorithm="EdDSA", headers={"kid": key.id})

    def read(self, tx: Tx, token: str, now: datetime) -> Claims:
        """Whose token it is; `NotSignedIn` when it is forged, has ended or its login is over."""
        claims = _verified(tx, token, now)
        if not is_begun(claims, now):
            raise NotSignedIn("This access token is not valid yet.")
        if datetime.fromtimestamp(claims["exp"], UTC) <= now:
            raise NotSignedIn("This access token has expired: run `dlthub login`.", code="token_expired")
        found = Claims(UUID(claims["sub"]), UUID(claims["sid"]))
        if refresh_tokens.session_user(tx, found.session_id, now) != found.user_id:
            raise NotSignedIn("This login has ended: run `dlthub login`.", code="login_ended")
        return found

    def rotate(self, tx: Tx, now: datetime) -> SigningKey:
        """Sign with a new key from now on."""
        private = Ed25519PrivateKey.generate()
        key_id = secrets.new_token()
        raw = private.private_bytes(_RAW, serialization.PrivateFormat.Raw, serialization.NoEncryption())
        key = SigningKey(
            id=key_id,
            public_key=private.public_key().public_bytes(_RAW, serialization.PublicFormat.Raw),
            sealed_private_key=self._cipher.seal(raw, _place(key_id)),
            created_at=now,
            retired_at=None,
        )
        signing_keys.add(tx, key)
        return key

    def _signing_key(self, tx: Tx, now: datetime) -> tuple[SigningKey, Ed25519PrivateKey]:
        found = signing_keys.newest(tx)
        if found is not None and found.created_at + KEY_LIFETIME > now:
            try:
                return found, self._private(found)
            except Unavailable:
                pass  # sealed under a master key that was replaced: a new pair is as good
        fresh = self.rotate(tx, now)
        return fresh, self._private(fresh)

    def _private(self, key: SigningKey) -> Ed25519PrivateKey:
        return Ed25519PrivateKey.from_private_bytes(self._cipher.open(key.sealed_private_key, _place(key.id)))


def is_begun(claims: Mapping[str, Any], now: datetime) -> bool:
    """Whether a token's time has come. Ours say nothing of it; one that does is not taken before."""
    return float(claims.get("nbf", 0)) <= now.timestamp()


def is_one(token: str) -> bool:
    """Whether a bearer credential has the form of an access token; API keys have not."""
    return token.count(".") == 2


def _verified(tx: Tx, token: str, now: datetime) -> dict[str, Any]:
    try:
        key_id = str(jwt.get_unverified_header(token).get("kid"))
        # nothing is proven yet: a name that no database takes would be a fault of ours
        key = signing_keys.get(tx, key_id) if _KEY_ID.fullmatch(key_id) else None
        if key is None or (key.retired_at is not None and key.retired_at + LIFETIME <= now):
            raise NotSignedIn
        claims: dict[str, Any] = jwt.decode(
            token,
            Ed25519PublicKey.from_public_bytes(key.public_key),
            algorithms=["EdDSA"],
            audience=_AUDIENCE,
            # the clock is ours: the library would read its own
            options={
                "require": ["exp", "sub", "sid"],
                "verify_exp": False,
                "verify_iat": False,
                "verify_nbf": False,
            },
        )
    except jwt.InvalidTokenError as error:
        raise NotSignedIn("This access token is not valid here: run `dlthub login`.") from error
    return claims


def _place(key_id: str) -> str:
    return f"the signing key {key_id}"
