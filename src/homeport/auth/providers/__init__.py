"""Identity providers: who somebody is, on the word of a server that this one trusts. Nothing here is stored.

browser ──▶ provider: authorization_url ──▶ back with a code ──▶ identity: asked for with the code
"""

import base64
import hashlib
from dataclasses import dataclass
from datetime import datetime
from typing import Protocol
from urllib.parse import urlencode


@dataclass(frozen=True)
class Identity:
    """Somebody, as their provider knows them."""

    issuer: str
    subject: str
    """Stays the same whatever becomes of name and address."""
    email: str | None
    email_is_verified: bool
    """The provider has seen that they get mail there; without, an address is only what somebody typed."""
    name: str | None


@dataclass(frozen=True)
class Flow:
    """What one sign-in hangs on; only the browser that began it has this."""

    state: str
    nonce: str
    verifier: str
    """The secret of PKCE: a code that leaks is of no use without it."""
    redirect_uri: str

    @property
    def challenge(self) -> str:
        digest = hashlib.sha256(self.verifier.encode()).digest()
        return base64.urlsafe_b64encode(digest).rstrip(b"=").decode()


class Provider(Protocol):
    @property
    def key(self) -> str:
        """In addresses of ours."""
        ...

    @property
    def name(self) -> str:
        """What people call it."""
        ...

    @property
    def issuer(self) -> str:
        """What its identities are kept under."""
        ...

    @property
    def label(self) -> str:
        """In the audit log."""
        ...

    @property
    def email_domains(self) -> frozenset[str]:
        """Whose addresses it may sign in; all, if empty."""
        ...

    def authorization_url(self, flow: Flow, now: datetime) -> str:
        """Where the browser goes. `Unavailable` when the provider does not say."""
        ...

    def identity(self, flow: Flow, code: str, now: datetime) -> Identity:
        """Whose code it is. `NotSignedIn` when it is not good, `Unavailable` when the provider is not well."""
        ...


def with_query(address: str, asked: dict[str, str]) -> str:
    return f"{address}{'&' if '?' in address else '?'}{urlencode(asked)}"
