"""`homeport connect`: points a dlt workspace at a Homeport server.

1. Ask the server who the API key belongs to and which workspaces it may use.
2. Pick the workspace, or create it.
3. Write server, workspace and organization into `.dlt/config.toml` and the key into `.dlt/secrets.toml`,
   where the `dlthub` command reads them under every profile, and leave everything else as it is.

Nothing is written before all questions have an answer and both files could be read.
"""

import os
import re
import stat
import subprocess
import sys
import tempfile
import tomllib
from collections.abc import Iterator, MutableMapping
from contextlib import suppress
from dataclasses import dataclass
from fnmatch import fnmatch
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path
from typing import Annotated, Any, NoReturn
from urllib.parse import urlsplit

import httpx
import tomlkit
import tomlkit.exceptions
import typer
from rich.console import Console

from homeport.errors import HomeportError

OLDEST_CLIENT = (0, 28, 7)
HOSTED = "https://api.dlthub.com"
"""Where the `dlthub` command goes when `api_base_url` is not set."""
WORKSPACE_KEY = "dlt_sa_"
KEY_PREFIXES = ("dlt_u_", WORKSPACE_KEY)
"""The `dlthub` command refuses any other key before it asks a server."""
IGNORED = ".dlt/*secrets.toml"


class CannotConnect(HomeportError):
    """The workspace could not be connected; nothing was changed."""

    code = "cannot_connect"


def connect(
    url: Annotated[
        str, typer.Option(help="Address of the server.", envvar="HOMEPORT_URL")
    ] = "http://localhost:4040",
    api_key: Annotated[
        str | None,
        typer.Option(
            help="API key; asked for when it is not given and not in the folder yet.",
            envvar=["HOMEPORT_API_KEY", "RUNTIME__API_KEY"],
        ),
    ] = None,
    workspace: Annotated[
        str | None,
        typer.Option(help="Name or id. Default: the one in config.toml, else the folder's own name."),
    ] = None,
    create: Annotated[
        bool, typer.Option("--create", help="Create the workspace on the server if it is missing.")
    ] = False,
    folder: Annotated[
        Path, typer.Option("--dir", help="The workspace's folder.", exists=True, file_okay=False)
    ] = Path(),
) -> None:
    """Point a dlt workspace at a Homeport server: address, workspace and API key."""
    base_url = _base_url(url)
    root = folder.resolve()
    _refuse_home_folder(root)
    config = _TomlFile(root, "config.toml")
    secrets = _TomlFile(root, "secrets.toml", mode=0o600)
    pinned = _Pin.read(config)

    key, key_from = _api_key(api_key, secrets if pinned.base_url == base_url else None)
    with _Server(base_url, key, key_from, pinned) as server:
        server.check_is_homeport()
        reachable = server.reachable_workspaces()
        chosen, created = _choose(server, reachable, workspace, create, pinned, root)

    config.put(("runtime", "api_base_url"), base_url)
    config.put(("runtime", "workspace_id"), chosen.id)
    config.put(("runtime", "organization_id"), chosen.organization_id)
    config.put(("workspace", "settings", "name"), chosen.name)
    secrets.put(("runtime", "api_key"), key)
    # the key last: a folder that has it but still points elsewhere would send it there
    changes = [*_make_workspace(root), *config.write(), *_ignore_secrets(root), *secrets.write()]

    say = Console(highlight=False, soft_wrap=True)
    if created:
        say.print(f"Created workspace {chosen.name} on {base_url}.", markup=False)
    if pinned.workspace_id and pinned.base_url != base_url:
        say.print(f"This folder was connected to {pinned.base_url}; it no longer is.", markup=False)
    elif pinned.workspace_id and pinned.workspace_id not in {known.id for known in reachable}:
        say.print(f"Workspace {pinned.workspace_id} is not (or no longer) yours on this server.", markup=False)
    state = "is connected" if changes else "was connected already, nothing changed"
    say.print(f"{root.name} {state}: workspace {chosen.name} on {base_url}", markup=False)
    say.print(f"  workspace      {chosen.id}", markup=False)
    say.print(f"  organization   {chosen.organization_name} ({chosen.organization_id})", markup=False)
    say.print(f"  signed in as   {chosen.email}, {chosen.role}", markup=False)
    for change in changes:
        say.print(f"  {change}", markup=False)
    warn = Console(stderr=True, highlight=False, soft_wrap=True)
    for warning in [*_overrides(root, config, secrets), *_tracked_secrets(root), *_old_client()]:
        warn.print(f"Warning: {warning}", markup=False, style="yellow")


# What is asked of the user


def _base_url(text: str) -> str:
    parts = urlsplit(text if "://" in text else f"http://{text}")
    try:
        _ = parts.port
    except ValueError as wrong:
        raise typer.BadParameter(f"{text}: {wrong}", param_hint="--url") from None
    extras = (parts.path.strip("/"), parts.query, parts.fragment, parts.username)
    if parts.scheme not in ("http", "https") or not parts.hostname or any(extras):
        raise typer.BadParameter(
            f"{text} is not an address like http://localhost:4040: scheme, host and port, nothing after it.",
            param_hint="--url",
        )
    return f"{parts.scheme}://{parts.netloc}"


def _refuse_home_folder(root: Path) -> None:
    if root == Path.home().resolve() and not (root / ".dlt" / ".workspace").exists():
        raise CannotConnect(
            f"{root} is your home folder, and its .dlt holds dlt's own settings for all workspaces."
            " Go to the workspace's folder, or name it with --dir."
        )


def _api_key(given: str | None, secrets: "_TomlFile | None") -> tuple[str, str]:
    """The key and where it is from. One that is in the folder is only good for the server it was for."""
    key, origin = given, "from --api-key or the environment"
    if not key and secrets:
        key, origin = secrets.get(("runtime", "api_key")), f"in {secrets.label}"
    if not key and sys.stdin.isatty():
        key, origin = typer.prompt("API key", hide_input=True, err=True), "you typed"
    if not key:
        raise CannotConnect(
            "No API key. Set HOMEPORT_API_KEY, pass --api-key, or run this at a terminal to be asked for it."
            " `homeport up` printed the first key when it started for the first time."
        )
    key = str(key).strip()
    if not key.startswith(KEY_PREFIXES):
        raise CannotConnect(f"The API key {origin} is none of ours: keys start with {' or '.join(KEY_PREFIXES)}.")
    return key, origin


# What is asked of the server


@dataclass(frozen=True)
class _Workspace:
    id: str
    name: str
    role: str
    organization_id: str
    organization_name: str
    email: str


class _Server:
    """The few questions that connecting asks, each with an answer for people when it goes wrong."""

    def __init__(self, base_url: str, key: str, key_from: str, pinned: "_Pin") -> None:
        self.base_url = base_url
        self.service_account = key.startswith(WORKSPACE_KEY)
        self._authorization = {"Authorization": f"Bearer {key}"}
        self._key_from = key_from
        self._elsewhere = pinned.base_url if pinned.workspace_id and pinned.base_url != base_url else None
        self._http = httpx.Client(
            base_url=base_url,
            timeout=15,
            # the switch of the `dlthub` command, so that both reach the same servers
            verify=os.environ.get("DLT_RUNTIME_INSECURE", "").strip().lower() not in ("1", "true", "yes"),
        )
        self._organizations: list[dict[str, Any]] = []

    def __enter__(self) -> "_Server":
        return self

    def __exit__(self, *_: object) -> None:
        self._http.close()

    def check_is_homeport(self) -> None:
        # without the key: whoever answers there has not been introduced yet
        answer = self._ask("GET", "/healthz")
        if answer.status_code != 200:
            self._not_homeport(f"GET /healthz answers {answer.status_code}")

    def reachable_workspaces(self) -> list[_Workspace]:
        try:
            self._organizations = list(self._answer("GET", "/api/v1/organizations?limit=1000")["items"])
            reachable = [found for organization in self._organizations for found in self._in(organization)]
        except (KeyError, TypeError):
            self._not_homeport("its list of organizations reads differently")
        if not self._organizations:
            raise CannotConnect(
                f"The API key {self._key_from} belongs to no organization on {self.base_url}."
                " Ask an owner to add you, or use another key."
            )
        return reachable

    def create_workspace(self, name: str, organization_id: str | None) -> _Workspace:
        homes = [org for org in self._organizations if org["id"] == organization_id] or self._organizations
        if len(homes) > 1:
            raise CannotConnect(
                f"Workspace {name} could go to several organizations:"
                f" {', '.join(org['name'] for org in homes)}. Create it on {self.base_url},"
                " then pass its id with --workspace."
            )
        created = self._answer(
            "POST",
            f"/api/v1/organizations/{homes[0]['id']}/workspaces",
            expected=201,
            json={"name": name, "description": None},
        )
        for found in self._in(homes[0]):
            if found.id == created["id"]:
                return found
        raise CannotConnect(f"Workspace {name} was created as {created['id']}, but this key may not use it.")

    def _in(self, organization: dict[str, Any]) -> Iterator[_Workspace]:
        me = self._answer("GET", f"/api/v1/organizations/{organization['id']}/me")
        for membership in me.get("workspace_memberships", []):
            found = membership["workspace"]
            yield _Workspace(
                id=found["id"],
                name=found["name"],
                role=membership["role"],
                organization_id=organization["id"],
                organization_name=organization["name"],
                email=me["email"],
            )

    def _answer(self, method: str, path: str, *, expected: int = 200, **request: Any) -> dict[str, Any]:
        answer = self._ask(method, path, headers=self._authorization, **request)
        try:
            body = answer.json()
        except ValueError:
            body = None
        if not isinstance(body, dict):
            self._not_homeport(f"{method} {path} answers {answer.status_code} without JSON")
        if answer.status_code == expected:
            return body
        detail = f"{body.get('detail') or answer.reason_phrase} [{body.get('code') or answer.status_code}]"
        if answer.status_code == 401:
            raise CannotConnect(
                f"{self.base_url} does not accept the API key {self._key_from}: {detail}"
                " Use a key of this server: the one that `homeport up` printed first, or a new one."
            )
        raise CannotConnect(f"{self.base_url} declined {method} {path}: {detail}")

    def _ask(self, method: str, path: str, **request: Any) -> httpx.Response:
        try:
            return self._http.request(method, path, **request)
        except httpx.HTTPError as failure:
            hint = f" This folder is connected to {self._elsewhere}." if self._elsewhere else ""
            raise CannotConnect(
                f"Nothing answers at {self.base_url} ({str(failure) or type(failure).__name__})."
                f" Start it with `homeport up`, or pass the right address with --url.{hint}"
            ) from None

    def _not_homeport(self, reason: str) -> NoReturn:
        raise CannotConnect(
            f"What answers at {self.base_url} is not a Homeport server: {reason}."
            " Pass the address that `homeport up` printed with --url."
        )


def _choose(
    server: _Server,
    reachable: list[_Workspace],
    asked: str | None,
    create: bool,
    pinned: "_Pin",
    root: Path,
) -> tuple[_Workspace, bool]:
    """The workspace to connect to, and whether it was created for this."""
    by_id = {known.id: known for known in reachable}
    if asked is None and server.service_account and len(reachable) == 1:
        return reachable[0], False
    if asked is None and pinned.workspace_id in by_id:
        return by_id[pinned.workspace_id], False
    name = (asked or pinned.name or root.name).strip()
    if name in by_id:
        return by_id[name], False
    same_name = [known for known in reachable if known.name == name]
    if len(same_name) > 1:
        raise CannotConnect(
            f"Several workspaces are named {name}. Pass the id of one with --workspace:",
            reasons=[f"{known.id} in {known.organization_name}" for known in same_name],
        )
    if same_name:
        return same_name[0], False

    names = ", ".join(sorted({known.name for known in reachable})) or "none"
    missing = f"There is no workspace {name} on {server.base_url} that this key may use."
    if server.service_account:
        raise CannotConnect(f"{missing} A workspace's key opens that workspace only: {names}.")
    if re.fullmatch(r"[0-9a-fA-F]{8}(-[0-9a-fA-F]{4}){3}-[0-9a-fA-F]{12}", name):
        raise CannotConnect(f"{missing} Existing workspaces: {names}.")
    if not create and sys.stdin.isatty():
        create = typer.confirm(f"{missing} Existing: {names}. Create {name}?", default=True, err=True)
    if not create:
        raise CannotConnect(
            f"{missing} Pass --create to create it, or one of the existing with --workspace: {names}."
        )
    return server.create_workspace(name, pinned.organization_id), True


# What is in the folder


@dataclass(frozen=True)
class _Pin:
    """What the folder is connected to so far."""

    base_url: str
    workspace_id: str
    organization_id: str
    name: str

    @classmethod
    def read(cls, config: "_TomlFile") -> "_Pin":
        return cls(
            base_url=str(config.get(("runtime", "api_base_url")) or HOSTED).rstrip("/"),
            workspace_id=str(config.get(("runtime", "workspace_id")) or ""),
            organization_id=str(config.get(("runtime", "organization_id")) or ""),
            name=str(config.get(("workspace", "settings", "name")) or ""),
        )


class _TomlFile:
    """A settings file in `.dlt`, changed value by value: comments, order and spacing stay."""

    def __init__(self, root: Path, name: str, mode: int | None = None) -> None:
        self.label = f".dlt/{name}"
        self._mode = mode
        # a linked settings file stays a link
        self._path = (root / ".dlt" / name).resolve()
        self._written: list[str] = []
        mend = "Mend the file and connect again; nothing was changed."
        try:
            self._before = self._path.read_bytes().decode() if self._path.exists() else None
            self._toml = tomlkit.parse(self._before or "")
        except tomlkit.exceptions.ParseError as broken:
            raise CannotConnect(f"{self._path}, line {broken.line}: {broken}. {mend}") from None
        except (OSError, ValueError) as broken:
            raise CannotConnect(f"{self._path} cannot be read: {broken}. {mend}") from None
        for keys in (("runtime",), ("workspace",), ("workspace", "settings")):
            if not isinstance(self.get(keys), MutableMapping | None):
                raise CannotConnect(f"{self._path}: `{'.'.join(keys)}` is a value, not a table. {mend}")

    def get(self, keys: tuple[str, ...]) -> Any:
        value: Any = self._toml
        for key in keys:
            value = value.get(key) if isinstance(value, MutableMapping) else None
        return value

    def put(self, keys: tuple[str, ...], value: str) -> None:
        if self.get(keys) == value:
            return
        wanted = self._toml.unwrap()
        table: Any = self._toml
        wanted_table = wanted
        for key in keys[:-1]:
            if key not in table:
                table[key] = tomlkit.table(is_super_table=key == "workspace")
            table = table[key]
            wanted_table = wanted_table.setdefault(key, {})
        table[keys[-1]] = wanted_table[keys[-1]] = value
        # an unusual layout must not cost anyone a setting
        if tomllib.loads(tomlkit.dumps(self._toml)) != wanted:
            shown = "the API key" if keys[-1] == "api_key" else value
            raise CannotConnect(
                f"{self._path} cannot be changed without harming it. Set `{'.'.join(keys)}` in it to {shown}"
                " by hand and connect again; the file is as it was."
            )
        self._written.append(keys[-1])

    def write(self) -> Iterator[str]:
        """Put the changes on disk, whole or not at all, and say what they are."""
        if not self._written:
            if self._mode is not None and stat.S_IMODE(self._path.stat().st_mode) != self._mode:
                self._path.chmod(self._mode)
                yield f"{self.label}: only you can read it now"
            return
        mode = self._mode
        if mode is None:
            mode = stat.S_IMODE(self._path.stat().st_mode) if self._before is not None else 0o644
        _write_whole(self._path, tomlkit.dumps(self._toml), mode)
        verb = "created with" if self._before is None else "set"
        yield f"{self.label}: {verb} {', '.join(self._written)}"


def _write_whole(path: Path, text: str, mode: int) -> None:
    try:
        descriptor, scratch = tempfile.mkstemp(dir=path.parent, prefix=f".{path.name}.")
    except OSError as failure:
        raise CannotConnect(f"{path} cannot be written: {failure.strerror}.") from None
    try:
        with os.fdopen(descriptor, "wb") as file:
            os.fchmod(file.fileno(), mode)
            file.write(text.encode())
            file.flush()
            os.fsync(file.fileno())
        Path(scratch).replace(path)
    except OSError as failure:
        with suppress(OSError):
            Path(scratch).unlink()
        raise CannotConnect(f"{path} cannot be written: {failure.strerror}.") from None


def _make_workspace(root: Path) -> Iterator[str]:
    """dlt takes a folder for a workspace when this empty file is there."""
    marker = root / ".dlt" / ".workspace"
    if marker.exists():
        return
    try:
        marker.parent.mkdir(exist_ok=True)
        marker.touch()
    except OSError as failure:
        raise CannotConnect(f"{marker} cannot be written: {failure.strerror}.") from None
    yield ".dlt/.workspace: created, the folder is a dlt workspace now"


def _ignore_secrets(root: Path) -> Iterator[str]:
    """Keep the key out of git.

    A new `.gitignore` at the top would do harm: where there is none, the `dlthub` command leaves virtual
    environments, caches and the like out of a deploy by itself. The one in `.dlt` only git reads.
    """
    top, inner = root / ".gitignore", root / ".dlt" / ".gitignore"
    if any(
        _ignores_secrets(place.read_text(), depth)
        for place, depth in ((top, ".dlt/"), (inner, ""))
        if place.is_file()
    ):
        return
    place, line = (top, IGNORED) if top.is_file() else (inner, Path(IGNORED).name)
    text = place.read_text() if place.is_file() else ""
    if text and not text.endswith("\n"):
        text += "\n"
    _write_whole(place, f"{text}{line}\n", stat.S_IMODE(place.stat().st_mode) if text else 0o644)
    yield f"{place.relative_to(root)}: added {line}"


def _ignores_secrets(gitignore: str, folder: str) -> bool:
    """Whether git's last word on `secrets.toml` in these lines is to ignore it."""
    ignored = False
    for line in map(str.strip, gitignore.splitlines()):
        pattern = line.removeprefix("!").rstrip("/")
        names = {f"{folder}secrets.toml", folder.rstrip("/")}
        if "/" not in pattern or pattern.startswith("**/"):
            names.add("secrets.toml")
        pattern = pattern.removeprefix("**/").removeprefix("/")
        if pattern and not line.startswith("#") and any(fnmatch(name, pattern) for name in names):
            ignored = not line.startswith("!")
    return ignored


# What may go wrong later


def _overrides(root: Path, config: _TomlFile, secrets: _TomlFile) -> Iterator[str]:
    """Places that the `dlthub` command believes more than the two files."""
    written = {key: config.get(("runtime", key)) for key in ("api_base_url", "workspace_id", "organization_id")}
    written["api_key"] = secrets.get(("runtime", "api_key"))
    for key, value in written.items():
        if os.environ.get(f"RUNTIME__{key.upper()}", value) != value:
            yield f"RUNTIME__{key.upper()} is set to something else in this shell and wins: unset it."
    for path in sorted((root / ".dlt").glob("*.toml")):
        is_profile = re.fullmatch(r".+\.(config|secrets)\.toml", path.name)
        if not is_profile and path.name != "secrets.toml":
            continue
        with suppress(OSError, ValueError):
            runtime = tomllib.loads(path.read_text()).get("runtime", {})
            for key, value in written.items():
                if runtime.get(key, value) != value:
                    yield f".dlt/{path.name} has another `runtime.{key}`, which wins: remove it there."


def _tracked_secrets(root: Path) -> Iterator[str]:
    with suppress(OSError, subprocess.SubprocessError):
        listed = subprocess.run(
            ["git", "ls-files", "--", ".dlt/secrets.toml"],
            cwd=root,
            capture_output=True,
            timeout=10,
            check=False,
        )
        if listed.stdout.strip():
            yield "git keeps track of .dlt/secrets.toml, key included: git rm --cached .dlt/secrets.toml"


def _old_client() -> Iterator[str]:
    oldest = ".".join(map(str, OLDEST_CLIENT))
    try:
        installed = version("dlthub-client")
    except PackageNotFoundError:
        yield f"The `dlthub` command is not installed here: pip install 'dlthub-client>={oldest}'"
        return
    numbers = tuple(int(number) for number in re.findall(r"\d+", installed)[:3])
    if numbers < OLDEST_CLIENT:
        yield f"dlthub-client {installed} is older than {oldest}: pip install -U dlthub-client"
