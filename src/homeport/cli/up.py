"""`homeport up`: server, scheduler, runners and web pages in one process."""

import gc
import signal
from contextlib import suppress
from pathlib import Path
from typing import Annotated

import typer
from rich.console import Console

from homeport.errors import SetupError


def up(
    host: Annotated[str | None, typer.Option(help="Address to listen on (default: 127.0.0.1).")] = None,
    port: Annotated[
        int | None, typer.Option(help="Port to listen on; 0 takes a free one (default: 4040).")
    ] = None,
    data_dir: Annotated[
        Path | None, typer.Option(help="Folder for everything Homeport keeps (default: ./homeport-data).")
    ] = None,
    database_url: Annotated[
        str | None, typer.Option(help="sqlite:///… or postgresql://… (default: SQLite in the data folder)")
    ] = None,
    storage_url: Annotated[
        str | None,
        typer.Option(help="Where code packages are kept: a folder, s3://, gs:// or az:// (default: data folder)"),
    ] = None,
    public_url: Annotated[
        str | None, typer.Option(help="Address that people and clients use, behind a proxy.")
    ] = None,
    max_runs: Annotated[
        int | None, typer.Option(help="Runs at once on this machine; further ones wait (default: 8).")
    ] = None,
    max_apps: Annotated[
        int | None,
        typer.Option(help="Apps at once, beside the runs; beyond that an idle one makes room (default: 8)."),
    ] = None,
    log_format: Annotated[str | None, typer.Option(help="auto, console or json (default: auto).")] = None,
) -> None:
    """Start Homeport: server, scheduler, runners and web pages in one process.

    Nothing has to be set up: the first start makes an organization, its owner, a workspace and the keys, and shows
    one sign-in link and one API key. Every setting is also a HOMEPORT_… variable and a key of homeport.toml.
    """
    try:
        from homeport.config import load_settings
        from homeport.server import Server
        from homeport.telemetry import log_format as log_formats
    except ModuleNotFoundError as error:
        if (error.name or "").startswith("homeport"):
            raise
        raise SetupError(
            f"The server's parts are not installed ({error.name} is missing): pip install 'homeport[server]'."
        ) from error
    settings = load_settings(
        host=host,
        port=port,
        data_dir=data_dir,
        database_url=database_url,
        storage_url=storage_url,
        public_url=public_url,
        max_runs=max_runs,
        max_apps=max_apps,
        log_format=log_format,
    )
    log_formats.configure(settings.log_format)
    # the server passes the signal that stopped it on to us: both mean a stop in good order
    signal.signal(signal.SIGTERM, signal.default_int_handler)
    server = Server(settings)
    server.open()
    # what a start has made stays; looking through it for garbage again and again takes a quarter of a second each
    # time, in which every thread stands still
    gc.collect()
    gc.freeze()
    try:
        _greet(server)
        with suppress(KeyboardInterrupt):
            server.serve()
    finally:
        server.close()


def _greet(server: "Server") -> None:  # type: ignore[name-defined] # noqa: F821 - imported when needed
    out = Console(highlight=False, soft_wrap=True)
    out.print(f"[bold]Homeport is up[/] at {server.url}   (data in {server.settings.data_dir.resolve()})")
    shown_once = server.first_start
    if shown_once is None:
        out.print("Sign in there with your API key. Stop with Ctrl+C; runs go on by themselves.")
        return
    out.print("\nThis is the first start. Shown once, so keep it:", style="bold")
    out.print(f"  sign in   {server.url}/sign-in?code={shown_once.sign_in_code}", markup=False)
    if shown_once.api_key is None:
        out.print("  API key   the one in HOMEPORT_BOOTSTRAP_API_KEY", markup=False)
    else:
        out.print(f"  API key   {shown_once.api_key}", markup=False)
    out.print("\nThen, in the folder of a dlt workspace:", style="bold")
    out.print(f"  homeport connect --url {server.url} --api-key … --create", markup=False)
    out.print("  dlthub deploy\n", markup=False)
