"""`homeport status`: does the server answer, and how does it stand?"""

import os
import shutil
from collections.abc import Iterator
from contextlib import suppress
from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer
from rich.console import Console

from homeport.cli.connection import ApiKey, Connected, Folder, Url, WorkspaceId, connected
from homeport.cli.server_questions import Server
from homeport.cli.settings_files import HOSTED, Pin, TomlFile
from homeport.errors import CannotConnect, HomeportError, SetupError

if TYPE_CHECKING:
    from homeport.config import Settings

_NOT_READY, _NO_ANSWER = 1, 2
"""Exit codes."""
_GOING_ON = ("starting", "running", "cancelling")
_MONTH_HOURS = 24 * 31


def status(
    url: Url = None,
    data_dir: Annotated[
        Path | None,
        typer.Option(help="On the server's machine: its data folder (default: ./homeport-data, if it is there)."),
    ] = None,
    database_url: Annotated[
        str | None, typer.Option(help="On the server's machine: its database, if it is not in the data folder.")
    ] = None,
    folder: Folder = Path(),
    api_key: ApiKey = None,
    workspace: WorkspaceId = None,
) -> None:
    """Tell whether the server answers, and how it stands.

    On its own machine it looks into the data folder, too; elsewhere it asks about the workspace that the folder is
    connected to.

    Ends with 0 when the server is ready, with 1 when it is not, and with 2 when there is no answer.
    """
    here = None if url and data_dir is None and database_url is None else _installation(data_dir, database_url)
    address = _address(url, here, folder)
    out = Console(highlight=False, soft_wrap=True)
    try:
        # nothing of what is asked here needs a key
        with Server(address, "", "", Pin(address, "", "", "")) as server:
            found = server.readiness()
    except CannotConnect as error:
        out.print(error.message, markup=False)
        raise typer.Exit(_NO_ANSWER) from None
    word = "is ready" if found.is_ready else "is not ready"
    out.print(f"Homeport {found.version} {word} at {address}", markup=False)
    more = _of_workspace(address, folder, api_key, workspace) if here is None else _of_installation(here)
    for name, text in (*found.checks.items(), *more):
        out.print(f"  {name:<12} {text}", markup=False)
    if not found.is_ready:
        raise typer.Exit(_NOT_READY)


def _installation(data_dir: Path | None, database_url: str | None) -> "Settings | None":
    """The settings of the server of this machine; none where there is no sign of one."""
    try:
        from homeport.config import load_settings
    except ModuleNotFoundError:
        return None  # a workspace's own environment does not have the server's parts
    settings = load_settings(data_dir=data_dir, database_url=database_url)
    if (settings.data_dir / "server.lock").exists():
        return settings
    if data_dir is not None or database_url is not None:
        raise SetupError(
            f"There is no installation in {settings.data_dir.resolve()}. Name the server's folder with --data-dir."
        )
    return None


def _address(url: str | None, here: "Settings | None", folder: Path) -> str:
    if url is not None:
        return (url if "://" in url else f"http://{url}").rstrip("/")
    if here is not None:
        is_any = here.host in ("127.0.0.1", "0.0.0.0", "::", "::1")  # noqa: S104 - compared, not bound
        host = "localhost" if is_any else f"[{here.host}]" if ":" in here.host else here.host
        return f"http://{host}:{here.port}"
    pinned = Pin.read(TomlFile(folder.resolve(), "config.toml")).base_url
    found = os.environ.get("RUNTIME__API_BASE_URL") or (pinned if pinned != HOSTED else "http://localhost:4040")
    return found.rstrip("/")


def _of_installation(settings: "Settings") -> Iterator[tuple[str, str]]:
    from homeport.operations import standing
    from homeport.store.database import Database
    from homeport.web.words import size

    database = Database(settings.effective_database_url)
    try:
        found = standing.of(database)
    except Exception as error:  # it is said above how the server finds its database
        yield "runs", f"cannot be told: {type(error).__name__}"
    else:
        yield "kept in", found.database
        yield "runs", f"{found.going_on} going on, {found.waiting} waiting"
        yield "apps", str(found.apps)
        yield "next start", "nothing is to come by the clock" if found.next_at is None else _moment(found.next_at)
    finally:
        database.close()
    free = shutil.disk_usage(settings.data_dir).free
    yield "data folder", f"{settings.data_dir.resolve()}: {size(_taken(settings.data_dir))}; {size(free)} are free"


def _of_workspace(address: str, folder: Path, key: str | None, workspace: str | None) -> Iterator[tuple[str, str]]:
    try:
        with connected(folder, address, key, workspace) as place:
            yield "runs", f"{_count(place, *_GOING_ON)} going on, {_count(place, 'pending')} waiting"
            coming = place.get("/schedule", hours=_MONTH_HOURS, limit=1)["items"]
    except HomeportError as error:
        yield "runs", f"not told: {error.message}"
    else:
        next_at = datetime.fromisoformat(coming[0]["moment"]) if coming else None
        yield "next start", "nothing within a month" if next_at is None else _moment(next_at)


def _count(place: Connected, *statuses: str) -> int:
    return int(place.get("/job-runs", status=list(statuses), limit=1)["total"])


def _moment(at: datetime) -> str:
    return f"{at.astimezone(UTC):%Y-%m-%d %H:%M:%S} UTC"


def _taken(folder: Path) -> int:
    """Bytes on the disk of all that is below a folder, each file once."""
    found: dict[tuple[int, int], int] = {}
    for place, _, names in os.walk(folder):
        for name in names:
            with suppress(OSError):
                look = (Path(place) / name).lstat()
                found[look.st_dev, look.st_ino] = look.st_blocks * 512
    return sum(found.values())
