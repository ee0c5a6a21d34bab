"""`homeport key`: API keys of people and workspaces, and the master key; on the server, like `homeport user`."""

from contextlib import ExitStack
from pathlib import Path
from typing import Annotated
from uuid import UUID

import typer
from rich.console import Console

from homeport.cli.user import open_platform
from homeport.errors import BadRequest, SetupError

key = typer.Typer(
    name="key",
    add_completion=False,
    no_args_is_help=True,
    help="Make, list and revoke API keys; replace the master key. On the server's machine.",
)

DataDir = Annotated[Path | None, typer.Option(help="The server's data folder (default: ./homeport-data).")]
DatabaseUrl = Annotated[str | None, typer.Option(help="The server's database, if it is not in the data folder.")]
For = Annotated[str | None, typer.Option("--for", metavar="EMAIL", help="A personal key of this person.")]
Of = Annotated[
    str | None, typer.Option("--workspace", metavar="NAME", help="A key of this workspace (name or id).")
]

_out = Console(highlight=False, soft_wrap=True)


@key.command()
def create(
    person: For = None,
    workspace: Of = None,
    name: Annotated[str, typer.Option(help="What the key is for.")] = "made on the server",
    role: Annotated[str, typer.Option(help="developer or viewer; for keys of a workspace.")] = "developer",
    days: Annotated[int, typer.Option(min=1, max=365, help="Days until it ends.")] = 90,
    data_dir: DataDir = None,
    database_url: DatabaseUrl = None,
) -> None:
    """Make a key and print it; it is shown once."""
    if (person is None) == (workspace is None):
        raise BadRequest("Say whose key it is: --for EMAIL for a person, or --workspace NAME for a workspace.")
    if role not in ("developer", "viewer"):
        raise BadRequest(f"{role} is no role of a key: use developer or viewer.")
    with open_platform(data_dir, database_url) as platform:
        from homeport.operations import server_keys

        made = server_keys.create(platform, person, workspace, name, role, days)
        _out.print(made, markup=False)


@key.command(name="list")
def list_(
    person: For = None, workspace: Of = None, data_dir: DataDir = None, database_url: DatabaseUrl = None
) -> None:
    """Keys that are good: all, or somebody's, or a workspace's."""
    with open_platform(data_dir, database_url) as platform:
        from homeport.operations import server_keys

        for item in server_keys.listed(platform, person, workspace):
            ends = "never ends" if item.expires_at is None else f"ends {item.expires_at:%Y-%m-%d}"
            used = "never used" if item.used_at is None else f"used {item.used_at:%Y-%m-%d %H:%M} UTC"
            _out.print(f"{item.id}  {item.holder}  {item.name}  {ends}  {used}", markup=False)


@key.command()
def revoke(
    key_id: Annotated[UUID, typer.Argument(help="From `homeport key list`.")],
    data_dir: DataDir = None,
    database_url: DatabaseUrl = None,
) -> None:
    """Revoke a key, at once."""
    with open_platform(data_dir, database_url) as platform:
        from homeport.operations import server_keys

        _out.print(f"Revoked: {server_keys.revoke(platform, key_id)}", markup=False)


@key.command("rotate-master")
def rotate_master(
    data_dir: DataDir = None,
    database_url: DatabaseUrl = None,
) -> None:
    """Replace the master key of a stopped server.

    Stored configurations and variables stay as they are: only the keys they are encrypted with are wrapped anew,
    all of them or none. If this is cut short, run it again; the server starts in any case.
    """
    try:
        from homeport.auth import key_rotation, master_keys
        from homeport.clock import SystemClock
        from homeport.config import load_settings
        from homeport.data_folder import lock
        from homeport.operations import auditing
        from homeport.store.database import Database
    except ModuleNotFoundError as error:
        if (error.name or "").startswith("homeport"):
            raise
        raise SetupError(
            f"The server's parts are not installed ({error.name} is missing): pip install 'homeport[server]'."
        ) from error
    settings = load_settings(data_dir=data_dir, database_url=database_url)
    if not (settings.data_dir / "server.lock").exists():
        raise SetupError(
            f"There is no Homeport installation in {settings.data_dir.resolve()}. Name its data folder with "
            "--data-dir."
        )
    with ExitStack() as closing:
        lock(settings.data_dir, closing, "Stop the server first: runs that are going on continue meanwhile.")
        database = Database(settings.effective_database_url)
        closing.callback(database.close)
        database.migrate()
        source = master_keys.source_of(settings.data_dir / "keys", settings.master_key_command)
        now = SystemClock().now()
        rotated = key_rotation.rotate(
            database,
            source,
            lambda tx, new: auditing.record_for_all(tx, auditing.Action.MASTER_KEY_ROTATE, new, now),
        )
    _tell(rotated.old, rotated.new, rotated.data_keys, source.after_rotation)


def _tell(old: str, new: str, data_keys: int, what_next: str) -> None:
    _out.print(f"The master key was replaced: fingerprint {old} before, {new} now.", markup=False)
    _out.print(f"Data keys wrapped with the new one: {data_keys}.", markup=False)
    _out.print(what_next, markup=False)
    _out.print("Backups of the database from before need the old key: keep its own backup as long.", markup=False)
