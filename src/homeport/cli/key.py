"""`homeport key`: the keys of an installation."""

from contextlib import ExitStack
from pathlib import Path
from typing import Annotated

import typer
from rich.console import Console

from homeport.errors import SetupError

key = typer.Typer(name="key", add_completion=False, no_args_is_help=True)


@key.callback()
def _key() -> None:
    """The keys of this installation."""


@key.command("rotate-master")
def rotate_master(
    data_dir: Annotated[
        Path | None, typer.Option(help="The installation's data folder (default: ./homeport-data).")
    ] = None,
    database_url: Annotated[
        str | None, typer.Option(help="sqlite:///… or postgresql://… (default: SQLite in the data folder)")
    ] = None,
) -> None:
    """Replace the master key of a stopped server.

    Stored configurations and variables stay as they are: only the keys they are encrypted with are wrapped anew,
    all of them or none. If this is cut short, run it again; the server starts in any case.
    """
    try:
        from homeport.auth import key_rotation, master_keys
        from homeport.config import load_settings
        from homeport.data_folder import lock
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
        rotated = key_rotation.rotate(database, source)
    _tell(rotated.old, rotated.new, rotated.data_keys, source.after_rotation)


def _tell(old: str, new: str, data_keys: int, what_next: str) -> None:
    out = Console(highlight=False, soft_wrap=True)
    out.print(f"The master key was replaced: fingerprint {old} before, {new} now.", markup=False)
    out.print(f"Data keys wrapped with the new one: {data_keys}.", markup=False)
    out.print(what_next, markup=False)
    out.print("Backups of the database from before need the old key: keep its own backup as long.", markup=False)
