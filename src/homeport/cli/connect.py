"""`homeport connect`: points a dlt workspace at a Homeport server.

1. Ask the server who the API key belongs to and which workspaces it may use.
2. Pick the workspace, or create it.
3. Write server, workspace and organization into `.dlt/config.toml` and the key into `.dlt/secrets.toml`,
   where the `dlthub` command reads them under every profile, and leave everything else as it is.

Nothing is written before all questions have an answer and both files could be read.
"""

import re
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Annotated
from urllib.parse import urlsplit

import typer
from rich.console import Console

from homeport.cli.connect_warnings import old_client, overrides
from homeport.cli.secret_files import ignore_secrets, tracked_secrets
from homeport.cli.server_questions import WORKSPACE_KEY, KnownWorkspace, Server
from homeport.cli.settings_files import Pin, TomlFile
from homeport.errors import CannotConnect

KEY_PREFIXES = ("dlt_u_", WORKSPACE_KEY)
"""The `dlthub` command refuses any other key before it asks a server."""


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
    config = TomlFile(root, "config.toml")
    secrets = TomlFile(root, "secrets.toml", mode=0o600)
    pinned = Pin.read(config)

    key, key_from = _api_key(api_key, secrets if pinned.base_url == base_url else None)
    with Server(base_url, key, key_from, pinned) as server:
        server.check_is_homeport()
        reachable = server.reachable_workspaces()
        chosen, created = _choose(server, reachable, workspace, create, pinned, root)

    changes = _write(root, config, secrets, base_url, chosen, key)

    say = Console(highlight=False, soft_wrap=True)
    if created:
        say.print(f"Created workspace {chosen.name} on {base_url}.", markup=False)
    for line in [*_no_longer(pinned, base_url, reachable), *_connected(root, chosen, base_url, changes)]:
        say.print(line, markup=False)
    warn = Console(stderr=True, highlight=False, soft_wrap=True)
    for warning in [*overrides(root, config, secrets), *tracked_secrets(root), *old_client()]:
        warn.print(f"Warning: {warning}", markup=False, style="yellow")


def _write(
    root: Path, config: TomlFile, secrets: TomlFile, base_url: str, chosen: KnownWorkspace, key: str
) -> list[str]:
    """Write both files; the answer says what changed, a line each."""
    config.put(("runtime", "api_base_url"), base_url)
    config.put(("runtime", "workspace_id"), chosen.id)
    config.put(("runtime", "organization_id"), chosen.organization_id)
    config.put(("workspace", "settings", "name"), chosen.name)
    secrets.put(("runtime", "api_key"), key)
    # the key last: a folder that has it but still points elsewhere would send it there
    return [*_make_workspace(root), *config.write(), *ignore_secrets(root), *secrets.write()]


def _no_longer(pinned: Pin, base_url: str, reachable: list[KnownWorkspace]) -> Iterator[str]:
    """What the folder was connected to, if that has changed."""
    if pinned.workspace_id and pinned.base_url != base_url:
        yield f"This folder was connected to {pinned.base_url}; it no longer is."
    elif pinned.workspace_id and pinned.workspace_id not in {known.id for known in reachable}:
        yield f"Workspace {pinned.workspace_id} is not (or no longer) yours on this server."


def _connected(root: Path, chosen: KnownWorkspace, base_url: str, changes: list[str]) -> Iterator[str]:
    state = "is connected" if changes else "was connected already, nothing changed"
    yield f"{root.name} {state}: workspace {chosen.name} on {base_url}"
    yield f"  workspace      {chosen.id}"
    yield f"  organization   {chosen.organization_name} ({chosen.organization_id})"
    yield f"  signed in as   {chosen.email}, {chosen.role}"
    yield from (f"  {change}" for change in changes)


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


def _api_key(given: str | None, secrets: "TomlFile | None") -> tuple[str, str]:
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


def _choose(
    server: Server,
    reachable: list[KnownWorkspace],
    asked: str | None,
    create: bool,
    pinned: Pin,
    root: Path,
) -> tuple[KnownWorkspace, bool]:
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
