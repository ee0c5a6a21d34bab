"""`homeport webhook`: how a job of this folder's workspace is called from outside, over the HTTP API."""

from pathlib import Path
from typing import Annotated, Any

import typer
from rich.console import Console

from homeport.cli.connection import ApiKey, Folder, JobName, Url, WorkspaceId, connected, find_job


def webhook(
    job: JobName,
    rotate: Annotated[
        bool, typer.Option("--rotate", help="Make a new secret; calls signed with the old one are refused.")
    ] = False,
    folder: Folder = Path(),
    url: Url = None,
    api_key: ApiKey = None,
    workspace: WorkspaceId = None,
) -> None:
    """Show the addresses of a job's webhook; its secret is shown once, when it is made."""
    with connected(folder, url, api_key, workspace) as place:
        address = f"/jobs/{find_job(place, job)['id']}/webhook"
        answer = place.get(address)
        if rotate or answer["issued_at"] is None:
            answer = place.post(f"{address}/-issue-secret", {"replace": rotate})
    _tell(answer)


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
