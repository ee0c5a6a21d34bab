"""Where apps are found: each at an origin of its own, so that none can act with what a browser keeps for another.

    origin per app      http://<name>.localhost:4040         out of the box
                        https://<name>.<apps domain>         HOMEPORT_APPS_DOMAIN
    path per app        https://apps.example.org/<name>/     HOMEPORT_APPS_URL, where wildcard names cannot be had

The second kind shares one origin among all apps, but never with the main pages.
"""

import re
from collections.abc import Iterator
from dataclasses import dataclass
from urllib.parse import urlsplit

from homeport.config import Settings
from homeport.contract.dlt_deployment import Definition
from homeport.errors import SetupError
from homeport.execution.launches import KNOW_BASE_PATH, launcher_name
from homeport.scheduling.triggers import TriggerKind, parse_trigger

_LONGEST_NAME = 40
_RESERVED = frozenset({"www", "api", "apps", "homeport", "localhost", "mail"})


@dataclass(frozen=True)
class AppAddresses:
    """One of `domain` and `shared` is set, or neither where apps have no address."""

    main_url: str
    scheme: str = "http"
    domain: str | None = None
    """Apps are at `<name>.<domain>`; with the port, if it is not the scheme's own."""
    shared: str | None = None
    """Apps are below this URL, which ends without a slash."""

    def url_of(self, name: str) -> str:
        """Of an app, ending with a slash."""
        if self.domain is not None:
            return f"{self.scheme}://{name}.{self.domain}/"
        if self.shared is not None:
            return f"{self.shared}/{name}/"
        return f"{self.main_url}/apps/{name}/"

    def base_path_of(self, name: str) -> str:
        """The path that all addresses of the app begin with; empty where it has an origin."""
        path: str = urlsplit(self.url_of(name)).path
        return path.rstrip("/")

    def is_of_apps(self, host: str) -> bool:
        """Whether a request with this Host is for apps, and not for the main pages."""
        name = _host_only(host)
        if self.domain is not None:
            return name.endswith("." + _host_only(self.domain)) and name != urlsplit(self.main_url).hostname
        return self.shared is not None and _normal(host, self.shared) == _normal(
            urlsplit(self.shared).netloc, self.shared
        )

    def name_in(self, host: str, path: str) -> str | None:
        """The app that a request for `path` at `host` means; none where there cannot be one."""
        if self.domain is not None:
            name = _host_only(host).removesuffix("." + _host_only(self.domain))
            return name if _is_name(name) else None
        if self.shared is None:
            return None
        base = urlsplit(self.shared).path
        first = path.removeprefix(base).removeprefix("/").split("/", 1)[0] if path.startswith(base) else ""
        return first if _is_name(first) else None


def addresses_of(settings: Settings, main_url: str) -> AppAddresses:
    """As the settings say; below `localhost` where nothing is set and the main pages are there."""
    main = urlsplit(main_url)
    if settings.apps_url:
        return AppAddresses(main_url, shared=settings.apps_url.rstrip("/"))
    if settings.apps_domain:
        return AppAddresses(main_url, main.scheme, settings.apps_domain.lower().strip("."))
    host = main.hostname or ""
    if host == "localhost" or host.endswith(".localhost"):
        port = f":{main.port}" if main.port else ""
        return AppAddresses(main_url, main.scheme, f"localhost{port}")
    return AppAddresses(main_url)


def check(addresses: AppAddresses, *own: str) -> None:
    """`SetupError` where apps would take an address that the server's pages, clients or runners use."""
    for url in own:
        if addresses.is_of_apps(urlsplit(url).netloc):
            raise SetupError(
                f"Apps cannot be at {addresses.shared or addresses.domain}, for {url} is this server's own. "
                "Give them another name of this machine with HOMEPORT_APPS_URL or HOMEPORT_APPS_DOMAIN, "
                "http://apps.localhost:4040 for example."
            )


def names_for(job_ref: str, workspace_name: str) -> Iterator[str]:
    """Names that an app may get, the nicest first."""
    name, workspace = _slug(job_ref.rpartition(".")[2]) or "app", _slug(workspace_name) or "workspace"
    if name not in _RESERVED:
        yield name
    both = f"{name}-{workspace}"[:_LONGEST_NAME].strip("-")
    yield both
    number = 2
    while True:
        yield f"{both}-{number}"
        number += 1


def path_hint(definition: Definition) -> str:
    """Where in the app a person should land: its own word, or where its launcher puts things."""
    for text in definition["triggers"]:
        trigger = parse_trigger(text)
        if trigger.kind is TriggerKind.HTTP and "/" in text:
            return str(text).partition("/")[2]
    # the launcher of functions serves a FastMCP at the same place as that of modules
    is_mcp = launcher_name(definition) == "mcp" or definition.get("expose", {}).get("interface") == "mcp"
    return "mcp" if is_mcp else ""


def base_path_for(addresses: AppAddresses, name: str, definition: Definition) -> str | None:
    """What the launcher is told of the path; none where it is at the top, or does not know of paths."""
    path = addresses.base_path_of(name)
    return path if path and launcher_name(definition) in KNOW_BASE_PATH else None


def path_note(addresses: AppAddresses, name: str, definition: Definition) -> str | None:
    """What should be known of an app whose address has a path that it is not told of."""
    if addresses.shared is None or launcher_name(definition) in {*KNOW_BASE_PATH, "mcp"}:
        return None
    return (
        f"This app is served below {addresses.base_path_of(name)}/ and does not know of it: links in its pages "
        "must be relative. With HOMEPORT_APPS_DOMAIN it would have an address of its own."
    )


def _slug(text: str) -> str:
    return re.sub(r"[^a-z0-9]+", "-", text.lower()).strip("-")[:_LONGEST_NAME].strip("-")


def _is_name(text: str) -> bool:
    return re.fullmatch(r"[a-z0-9](?:[a-z0-9-]{0,61}[a-z0-9])?", text) is not None


def _host_only(host: str) -> str:
    """Without the port, in lower case, without the dot at the end that DNS allows."""
    return host.lower().rsplit(":", 1)[0].rstrip(".")


def _normal(host: str, url: str) -> str:
    default = ":443" if url.startswith("https:") else ":80"
    return host.lower().removesuffix(default)
