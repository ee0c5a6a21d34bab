"""`homeport doctor`: is what an installation keeps as it should be?"""

from pathlib import Path
from typing import Annotated

import typer
from rich.console import Console

from homeport.cli.user import open_platform


def doctor(
    data_dir: Annotated[
        Path | None, typer.Option(help="The server's data folder (default: ./homeport-data).")
    ] = None,
    database_url: Annotated[
        str | None, typer.Option(help="The server's database, if it is not in the data folder.")
    ] = None,
) -> None:
    """Check an installation: is the audit log as it was written? The server may go on running."""
    out = Console(highlight=False, soft_wrap=True)
    with open_platform(data_dir, database_url) as platform:
        from homeport.operations import auditing

        faults = auditing.faults(platform)
    for fault in faults:
        out.print(f"audit log: {fault}", markup=False)
    if faults:
        out.print("Somebody or something changed the audit log outside of Homeport; compare it with a backup.")
        raise typer.Exit(1)
    out.print("audit log: as it was written")
