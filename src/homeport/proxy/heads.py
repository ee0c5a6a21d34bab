"""Heads of requests and answers on their way through: what belongs to one connection only, and what is ours, stays
behind; who somebody is comes from us alone.
"""

from collections.abc import Iterable
from dataclasses import dataclass
from urllib.parse import quote

from homeport.auth import secrets
from homeport.operations.app_visits import Visitor

Headers = list[tuple[bytes, bytes]]

SESSION_COOKIE = "homeport_app"
LINK_COOKIE = "homeport_link"
STATE_COOKIE = "homeport_app_state"

_HOP_BY_HOP = frozenset(
    {
        b"connection",
        b"keep-alive",
        b"proxy-authenticate",
        b"proxy-authorization",
        b"proxy-connection",
        b"te",
        b"trailer",
        b"transfer-encoding",
        b"upgrade",
    }
)
_OURS = b"x-homeport-"
_FORWARDED = (b"x-forwarded-", b"forwarded", b"x-real-ip")
_OUR_COOKIES = ("homeport_", "__host-homeport_", "__secure-homeport_")
_OUR_KEYS = (secrets.PERSONAL_KEY_PREFIX, secrets.WORKSPACE_KEY_PREFIX)


@dataclass(frozen=True)
class Place:
    """Where a visitor is, as the app should see it."""

    scheme: str
    host: str
    address: str
    """Of the visitor's machine."""
    stripped: str = ""
    """The path that was taken off the beginning of the request's."""
    base_path: str = ""
    """The path that the app's cookies are for."""
    policy: str = ""
    """What browsers may do with what they get, beside what the app says of that (Content-Security-Policy)."""


def towards_app(
    headers: Iterable[tuple[bytes, bytes]], visitor: Visitor, place: Place, *, drops_bearer: bool
) -> Headers:
    """A request's headers as the app gets them. How its body is framed is for the connection to say."""
    kept, address = [], place.address
    named = _named_in_connection(headers)
    for name, value in headers:
        plain = name.replace(b"_", b"-")  # to WSGI the two are one
        if name in _HOP_BY_HOP or name in named or plain.startswith(_OURS) or name == b"expect":
            continue
        if plain.startswith(_FORWARDED):
            if plain == b"x-forwarded-for" and is_loopback(place.address):
                address = f"{value.decode('latin-1')}, {place.address}"
            continue
        if name == b"authorization" and (drops_bearer or is_our_key(value)):
            continue
        if name == b"cookie":
            value = _foreign_cookies(value)
            if not value:
                continue
        kept.append((name, value))
    return kept + _added(visitor, place, address)


def _added(visitor: Visitor, place: Place, address: str) -> Headers:
    said = {
        "x-forwarded-for": address,
        "x-forwarded-proto": place.scheme,
        "x-forwarded-host": place.host,
    }
    if place.stripped:
        said["x-forwarded-prefix"] = place.stripped
    if visitor.kind == "member":
        said |= {
            "x-homeport-user": quote(visitor.email, safe="@.+-_ "),
            "x-homeport-user-id": str(visitor.user_id),
            "x-homeport-role": visitor.role,
        }
    return [(name.encode(), value.encode("latin-1", "replace")) for name, value in said.items()]


def towards_visitor(headers: Iterable[tuple[bytes, bytes]], place: Place) -> Headers:
    """An answer's headers as the visitor gets them."""
    kept = []
    named = _named_in_connection(headers)
    for name, value in headers:
        if name in _HOP_BY_HOP or name in named or name == b"alt-svc":
            continue
        if place.base_path and name in (b"service-worker-allowed", b"clear-site-data"):
            continue  # would reach the other apps of this origin
        if name == b"set-cookie":
            own = _own_cookie(value, place.base_path)
            if own is None:
                continue
            value = own
        kept.append((name, value))
    if place.policy:
        kept.append((b"content-security-policy", place.policy.encode()))
    return kept


def cookies_in(headers: Iterable[tuple[bytes, bytes]]) -> dict[str, str]:
    """All cookies; of two with one name, the first: browsers send the one of the longer path first."""
    found: dict[str, str] = {}
    for name, value in headers:
        if name == b"cookie":
            for pair in value.decode("latin-1").split(";"):
                key, _, text = pair.strip().partition("=")
                found.setdefault(key, text)
    return found


def first(headers: Iterable[tuple[bytes, bytes]], wanted: bytes) -> str:
    return next((value.decode("latin-1") for name, value in headers if name == wanted), "")


def is_our_key(authorization: bytes) -> bool:
    _, _, value = authorization.decode("latin-1").strip().partition(" ")
    return value.strip().startswith(_OUR_KEYS)


def is_loopback(address: str) -> bool:
    return address.startswith("127.") or address == "::1"


def _named_in_connection(headers: Iterable[tuple[bytes, bytes]]) -> set[bytes]:
    return {
        token.strip().lower() for name, value in headers if name == b"connection" for token in value.split(b",")
    }


def _foreign_cookies(value: bytes) -> bytes:
    pairs = [pair.strip() for pair in value.split(b";")]
    return b"; ".join(pair for pair in pairs if pair and not _is_ours(pair.decode("latin-1")))


def _own_cookie(value: bytes, base_path: str) -> bytes | None:
    """A cookie of the app for the app alone: never for a whole domain, never with one of our names."""
    text, *attributes = value.decode("latin-1").split(";")
    if _is_ours(text):
        return None
    kept = [part for part in attributes if part.strip().partition("=")[0].strip().lower() != "domain"]
    if base_path:
        kept = [part for part in kept if part.strip().partition("=")[0].strip().lower() != "path"]
        kept.append(f" Path={base_path}/")
    return ";".join([text, *kept]).encode("latin-1")


def _is_ours(pair: str) -> bool:
    return pair.strip().lower().startswith(_OUR_COOKIES)
