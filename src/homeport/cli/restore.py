"""`homeport restore`: an installation made of a backup, where there is none."""

import signal
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer
from rich.console import Console

from homeport.cli.server_parts import server_parts

if TYPE_CHECKING:
    from homeport.operations.backup_archives import About
    from homeport.operations.restore import Restored

_out = Console(highlight=False, soft_wrap=True)
_doing = Console(stderr=True, highlight=False)


def restore(
    file: Annotated[Path, typer.Argument(help="What `homeport backup` made.", exists=True, dir_okay=False)],
    data_dir: Annotated[
        Path | None, typer.Option(help="The data folder to be; nothing may be in it (default: ./homeport-data).")
    ] = None,
    database_url: Annotated[
        str | None, typer.Option(help="An empty PostgreSQL database, for a backup of PostgreSQL.")
    ] = None,
    storage_url: Annotated[
        str | None, typer.Option(help="Where code and logs go, if not into the data folder.")
    ] = None,
    key: Annotated[
        Path | None,
        typer.Option(
            help="File with the master key, if it is not in force here yet.", exists=True, dir_okay=False
        ),
    ] = None,
    paused: Annotated[
        bool,
        typer.Option(
            "--paused", help="Nothing starts by itself afterwards: schedules are paused, waiting runs cancelled."
        ),
    ] = False,
    check: Annotated[
        bool, typer.Option("--check", help="Only read all of the backup and see that it is as it was written.")
    ] = False,
) -> None:
    """Restore a backup into an empty data folder, and database.

    All of the backup is checked before anything is changed. It needs the master key of its day: from
    HOMEPORT_MASTER_KEY, from keys/master.key in the data folder, or from --key. A backup of an older version is
    brought up to date.

    The copy is as alive as the original: once it is up, its schedules start runs. To try a backup out while the
    original goes on, restore it with --paused.
    """
    with server_parts():
        from homeport.clock import SystemClock
        from homeport.config import load_settings
        from homeport.operations.restore import Restoring
        from homeport.operations.restore import check as check_file
    # a service manager's way to end it: what is half done goes
    signal.signal(signal.SIGTERM, signal.default_int_handler)
    with _doing.status("reading and checking the backup") as status:
        if check:
            about, listing = check_file(file)
        else:
            settings = load_settings(data_dir=data_dir, database_url=database_url, storage_url=storage_url)
            restored = Restoring(settings, SystemClock(), key, paused, tell=status.update).of(file)
            about, listing = restored.about, restored.listing
    _line(f"The backup of {about.made_at:%Y-%m-%d %H:%M:%S} UTC, made by Homeport {about.homeport}, is whole.")
    _tell_of_key(about)
    _tell_of_torn(listing.torn)
    if not check:
        _tell(restored, settings.data_dir)


def _tell(restored: "Restored", data_dir: Path) -> None:
    settled = restored.settled
    _line(f"Restored into {data_dir.resolve()}.")
    if restored.key_path is not None:
        _line(f"The master key was put at {restored.key_path.resolve()}.")
    if settled.lost:
        _line(f"Runs that were going on when it was made, and are reported as lost: {settled.lost}.")
    if settled.paused or settled.cancelled:
        _line(f"Paused jobs: {settled.paused}; cancelled runs that waited: {settled.cancelled}.")
    _line("Start it with the settings that it had: `homeport up`.")


def _tell_of_key(about: "About") -> None:
    needed = ", ".join(about.master_keys)
    if needed:
        _line(f"Its master key has the fingerprint {needed}{', and is in it' if about.has_key else ''}.")


def _tell_of_torn(torn: list[str]) -> None:
    if torn:
        _line("WARNING: these files were being written when it was made. What there is of them ends in .torn:")
    for name in torn:
        _line(f"  {name}")


def _line(text: str) -> None:
    _out.print(text, markup=False)
