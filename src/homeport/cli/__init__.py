"""`homeport` at a terminal.

A command lives in the file of its name and is imported when it is asked for, so that one command's needs
are not another's: `homeport connect` works, and starts fast, where the server's parts are not installed.
"""

from importlib import import_module
from typing import Any

import typer
from rich.console import Console
from typer.core import TyperGroup

from homeport import __version__
from homeport.errors import HomeportError

COMMANDS = {
    "up": "homeport.cli.up",
    "connect": "homeport.cli.connect",
    "demo": "homeport.cli.demo",
    "status": "homeport.cli.status",
    "why": "homeport.cli.why",
    "schedule": "homeport.cli.schedule",
    "webhook": "homeport.cli.webhook",
    "key": "homeport.cli.key",
    "user": "homeport.cli.user",
    "doctor": "homeport.cli.doctor",
    "backup": "homeport.cli.backup",
    "restore": "homeport.cli.restore",
}
"""Commands in the order of the help, and the module that has a function, or a group of commands, of that name."""


class _Commands(TyperGroup):
    """Finds commands in `COMMANDS`, and tells people what went wrong without a traceback."""

    def list_commands(self, ctx: Any) -> list[str]:
        return list(COMMANDS)

    def get_command(self, ctx: Any, cmd_name: str) -> Any:
        if cmd_name not in COMMANDS:
            return None
        found = getattr(import_module(COMMANDS[cmd_name]), cmd_name)
        if isinstance(found, typer.Typer):
            return typer.main.get_group(found)
        alone = typer.Typer(add_completion=False)
        alone.command(cmd_name)(found)
        return typer.main.get_command(alone)

    def invoke(self, ctx: Any) -> Any:
        try:
            return super().invoke(ctx)
        except HomeportError as error:
            stderr = Console(stderr=True, highlight=False, soft_wrap=True)
            stderr.print("[bold red]Error:[/] ", end="")
            stderr.print(error.message, markup=False)
            for reason in error.reasons:
                stderr.print(f"  {reason}", markup=False)
            raise typer.Exit(1) from None


app = typer.Typer(cls=_Commands, add_completion=False, no_args_is_help=True)


def _print_version(wanted: bool) -> None:
    if wanted:
        print(f"homeport {__version__}")
        raise typer.Exit


@app.callback()
def homeport(
    version: bool = typer.Option(
        False, "--version", callback=_print_version, is_eager=True, help="Print the version and stop."
    ),
) -> None:
    """The open, self-hosted home for dlt pipelines."""


def main() -> None:
    app(prog_name="homeport")


__all__ = ["COMMANDS", "app", "main"]
