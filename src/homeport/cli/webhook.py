"""`homeport webhook`: how a job of this folder's workspace is called from outside, over the HTTP API."""

from pathlib import Path
from typing import Annotated, Any

import typer
from rich.console import Console

from homeport.cli.server_questions import Server
from homeport.cli.settings_files import Pin, TomlFile
from homeport.errors import CannotConnect


def webhook(
    job: Annotated[str, typer.Argument(help="The job: its name, section.name, or full reference.")],
    rotate: Annotated[
        bool, typer.Option("--rotate", help="Make a new secret; calls signed with the old one are refused.")
    ] = False,
    api_key: Annotated[
        str | None,
        typer.Option(
            help="API key; default: the one in the folder.", envvar=["HOMEPORT_API_KEY", "RUNTIME__API_KEY"]
        ),
    ] = None,
    folder: Annotated[
        Path, typer.Option("--dir", help="The workspace's folder.", exists=True, file_okay=False)
    ] = Path(),
) -> None:
    """Show the addresses of a job's webhook; its secret is shown once, when it is made."""
    root = folder.resolve()
    pinned = Pin.read(TomlFile(root, "config.toml"))
    key = api_key or str(TomlFile(root, "secrets.toml").get(("runtime", "api_key")) or "")
    if not pinned.workspace_id or not key:
        raise CannotConnect(
            f"{root} is not connected to a server: run `homeport connect` in the workspace's folder."
        )
    with Server(pinned.base_url, key, "in .dlt/secrets.toml or the environment", pinned) as server:
        workspace = f"/api/v1/workspaces/{pinned.workspace_id}"
        found = _job(server.answer("GET", f"{workspace}/jobs?limit=1000&is_archived=false")["items"], job)
        address = f"{workspace}/jobs/{found['id']}/webhook"
        answer = server.answer("GET", address)
        if rotate or answer["issued_at"] is None:
            answer = server.answer("POST", f"{address}/-issue-secret", json={"replace": rotate})
    _tell(answer)


def _job(items: list[dict[str, Any]], name: str) -> dict[str, Any]:
    """The job that is meant; a plain name will do where only one job has it."""
    refs = {str(item["job_ref"]): item for item in items}
    meant = [ref for ref in (name, f"jobs.{name}") if ref in refs]
    meant = meant[:1] or [ref for ref in refs if ref.endswith(f".{name}")]
    if len(meant) != 1:
        known = ", ".join(sorted(meant or refs)) or "none; run `dlthub deploy` first"
        reason = "Several jobs are" if meant else "No job is"
        raise CannotConnect(f"{reason} called {name}. Name one of: {known}.")
    return refs[meant[0]]


def _tell(answer: dict[str, Any]) -> None:
    out = Console(highlight=False, soft_wrap=True)
    out.print(f"{answer['job_ref']} starts when one of these is called, signed, with POST:", markup=False)
    for url in answer["urls"]:
        out.print(f"  {url}", markup=False)
    if "secret" in answer:
        out.print("The secret to sign with, shown this once:", markup=False)
        out.print(f"  {answer['secret']}", markup=False)
    else:
        made = f"made {answer['issued_at'][:10]}"
        out.print(f"The secret was shown when it was {made}; --rotate makes a new one.", markup=False)
