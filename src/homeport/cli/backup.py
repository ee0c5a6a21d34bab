"""`homeport backup`: everything that an installation keeps, in one file; while the server runs, or not."""

import signal
from datetime import timedelta
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer
from rich.console import Console
from rich.markup import escape

from homeport.cli.server_parts import server_parts

if TYPE_CHECKING:
    from homeport.operations.backup import Made

_NOT_WHOLE = 3
"""Exit code: the backup is there, but something in it is not as it should be."""
_SHOWN = 10

_out = Console(highlight=False, soft_wrap=True)
_doing = Console(stderr=True, highlight=False)


def backup(
    target: Annotated[
        Path,
        typer.Argument(
            metavar="FILE", help="A .tar.gz file to make, or a folder: it is named after the moment there."
        ),
    ],
    data_dir: Annotated[
        Path | None, typer.Option(help="The server's data folder (default: ./homeport-data).")
    ] = None,
    database_url: Annotated[
        str | None, typer.Option(help="The server's database, if it is not in the data folder.")
    ] = None,
    storage_url: Annotated[
        str | None, typer.Option(help="The server's storage, if it is not in the data folder.")
    ] = None,
    with_key: Annotated[
        bool,
        typer.Option("--with-key", help="Put the master key in. Whoever has the file can read all secrets then."),
    ] = False,
    wait: Annotated[
        float, typer.Option(min=0, help="Seconds to wait, all in all, for files that runs are writing.")
    ] = 60,
) -> None:
    """Back up an installation into one file. The server may go on running.

    In it: the database, code, configurations, logs, and the files that outlive runs, such as DuckDB databases.
    Not in it: the master key, unless you say --with-key; environments; working folders of runs; homeport.toml.

    Ends with 0 when all is well, with 3 when the backup is there but something in it needs a look, with 1 when
    there is none.
    """
    with server_parts():
        from homeport.auth import master_keys
        from homeport.clock import SystemClock
        from homeport.config import load_settings
        from homeport.operations.backup import Making
    settings = load_settings(data_dir=data_dir, database_url=database_url, storage_url=storage_url)
    keys = master_keys.source_of(settings.data_dir / "keys", settings.master_key_command)
    # a service manager's way to end it: what is half done goes
    signal.signal(signal.SIGTERM, signal.default_int_handler)
    with _doing.status("database") as status:
        made = Making(
            settings,
            SystemClock(),
            timedelta(seconds=wait),
            keys if with_key else None,
            tell=lambda doing: status.update(escape(doing)),
        ).into(target)
    _tell(made, keys.name)
    if not made.is_whole:
        raise typer.Exit(_NOT_WHOLE)


def _tell(made: "Made", key_source: str) -> None:
    from homeport.web.words import size

    kind = "SQLite" if made.about.database == "sqlite" else "PostgreSQL"
    _line(f"Backed up into {made.path} ({size(made.size)}; only you can read it).")
    _line(f"  database    {_sum_of(made, 'database')[1]}, {kind}")
    for part, things in (("storage", "object"), ("workspaces", "file")):
        count, total = _sum_of(made, part)
        _line(f"  {part:<11} {total} in {count} {things}{'' if count == 1 else 's'}")
    _list(
        "These files were being written all the time; their copies may be of no use, and end in .torn", made.torn
    )
    _list("These were left out", made.left_out)
    _list("These archives of code or configuration are not in the storage", made.missing_packages)
    if made.missing_logs:
        _line(f"Logs that the storage does not have any more, maybe by retention: {len(made.missing_logs)}.")
    _tell_of_key(made, key_source)


def _tell_of_key(made: "Made", key_source: str) -> None:
    needed = ", ".join(made.about.master_keys)
    if made.about.has_key:
        _line("WARNING: the master key is in it. Whoever has this file can read every secret of the installation.")
    elif needed:
        _line(f"Not in it: the master key. Restoring needs the one with the fingerprint {needed}")
        _line(f"(here: {key_source}). Keep a copy of it somewhere else than this file.")
    else:
        _line("Not in it: the master key. Nothing is encrypted with it yet, so restoring needs none.")


def _sum_of(made: "Made", part: str) -> tuple[int, str]:
    from homeport.web.words import size

    sizes = [member.size for name, member in made.members.items() if name.partition("/")[0] == part]
    return len(sizes), size(sum(sizes))


def _list(heading: str, names: list[str]) -> None:
    if names:
        _line(f"WARNING: {heading}:")
        for name in names[:_SHOWN]:
            _line(f"  {name}")
        if len(names) > _SHOWN:
            _line(f"  … and {len(names) - _SHOWN} more")


def _line(text: str) -> None:
    _out.print(text, markup=False)
