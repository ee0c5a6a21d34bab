"""A request to an app's address, read and taken apart."""

from dataclasses import dataclass
from functools import cached_property
from urllib.parse import parse_qsl, quote, urlencode

import h11

from homeport.operations.app_addresses import AppAddresses
from homeport.operations.app_visits import Shown
from homeport.proxy import heads

OURS = "/-homeport/"
"""Below this path of an app, addresses are the proxy's."""
_SAFE = frozenset({"GET", "HEAD", "OPTIONS"})


@dataclass(frozen=True)
class Asking:
    request: h11.Request
    name: str
    """Of the app."""
    place: heads.Place
    base_path: str
    """What all paths of the app begin with; empty where it has an origin."""
    app_url: str

    @cached_property
    def method(self) -> str:
        return self.request.method.decode("ascii")

    @cached_property
    def target(self) -> str:
        """Path and query below the app's address."""
        return self.request.target.decode("latin-1").removeprefix(self.base_path) or "/"

    @cached_property
    def path(self) -> str:
        return self.target.partition("?")[0]

    @cached_property
    def query(self) -> list[tuple[str, str]]:
        return parse_qsl(self.target.partition("?")[2], keep_blank_values=True)

    def parameter(self, name: str) -> str:
        return next((value for key, value in self.query if key == name), "")

    @cached_property
    def cookies(self) -> dict[str, str]:
        return heads.cookies_in(self.request.headers)

    @cached_property
    def shown(self) -> Shown:
        scheme, _, value = heads.first(self.request.headers, b"authorization").partition(" ")
        bearer = value.strip() if scheme.lower() == "bearer" else ""
        return Shown(
            session=self.cookies.get(heads.SESSION_COOKIE),
            bearer=bearer or None,
            link=self.cookies.get(heads.LINK_COOKIE),
        )

    @cached_property
    def fetch_mode(self) -> str:
        """What browsers say of a request; empty for programs."""
        return heads.first(self.request.headers, b"sec-fetch-mode").lower()

    @property
    def is_navigation(self) -> bool:
        """A person goes to a page."""
        if self.method != "GET" or self.wants_upgrade:
            return False
        if self.fetch_mode:
            return self.fetch_mode == "navigate"
        return "text/html" in heads.first(self.request.headers, b"accept")

    @property
    def is_program(self) -> bool:
        """Not a page's own doing, so that it may start the app: a forgotten tab must not."""
        return not self.fetch_mode and not heads.first(self.request.headers, b"origin")

    @property
    def wants_upgrade(self) -> bool:
        """A WebSocket."""
        return heads.first(self.request.headers, b"upgrade").lower() == "websocket"

    @property
    def changes_things(self) -> bool:
        return self.method not in _SAFE or self.wants_upgrade

    @property
    def is_from_elsewhere(self) -> bool:
        """Sent by a page of another origin."""
        origin = heads.first(self.request.headers, b"origin").lower()
        return bool(origin) and origin != f"{self.place.scheme}://{self.place.host}".lower()

    def without(self, name: str) -> str:
        """The target without a parameter."""
        others = [(key, value) for key, value in self.query if key != name]
        return quote(self.path, safe="/%:@!$&'()*+,;=~-._") + (f"?{urlencode(others)}" if others else "")


def asking_of(request: h11.Request, addresses: AppAddresses, peer: str) -> Asking | None:
    """None where there can be no app at that address."""
    host = heads.first(request.headers, b"host")
    path = request.target.decode("latin-1").partition("?")[0]
    name = addresses.name_in(host, path)
    if name is None:
        return None
    url = addresses.url_of(name)
    scheme = url.partition(":")[0]
    base_path = addresses.base_path_of(name)
    return Asking(request, name, heads.Place(scheme, host, peer, base_path=base_path), base_path, url)


def safe_next(text: str) -> str:
    """A path of the app to go on to; browsers read `//host` and `/\\host` as another server."""
    if not text.startswith("/") or text.startswith("//") or "\\" in text or not text.isprintable():
        return "/"
    return quote(text, safe="/%:@!$&'()*+,;=~-._?")
