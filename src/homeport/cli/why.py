"""`homeport why`: why a job did, or did not, run."""

import difflib
import json
from pathlib import Path
from typing import Annotated, Any

import typer
from rich.console import Console

from homeport.cli.connection import ApiKey, Connected, Folder, Url, WorkspaceId, connected
from homeport.errors import NotFound

_NEAR = 5


def why(
    job: Annotated[str, typer.Argument(help="The job: load_commits, github.load_commits or its full reference.")],
    moment: Annotated[
        str | None,
        typer.Argument(
            help="When, such as 2026-11-23T04:00 in the job's time zone, or 2026-11-23T04:00Z."
            " Without it: what happened last, and what comes next."
        ),
    ] = None,
    as_json: Annotated[bool, typer.Option("--json", help="Print the server's whole answer.")] = False,
    folder: Folder = Path(),
    url: Url = None,
    api_key: ApiKey = None,
    workspace: WorkspaceId = None,
) -> None:
    """Tell why a job ran, or did not, at a moment, and what to do about it."""
    with connected(folder, url, api_key, workspace) as place:
        found = _find(place, job)
        answer = place.get(f"/jobs/{found['id']}/-explain", moment=moment)
    if as_json:
        print(json.dumps(answer, indent=2))
        return
    out = Console(highlight=False, soft_wrap=True)
    for line in answer["lines"]:
        out.print(line, markup=False)


def _find(place: Connected, name: str) -> dict[str, Any]:
    """The job that is meant: by its reference, or by the end of it if only one has that."""
    everything = list(place.jobs())
    wanted = name.strip().removeprefix("jobs.")
    exact = [job for job in everything if job["job_ref"] == f"jobs.{wanted}" or job["id"] == wanted]
    if exact:
        return exact[0]
    ending = [job for job in everything if job["job_ref"].endswith(f".{wanted}")]
    matching = [job for job in ending if not job["is_archived"]] or ending
    if len(matching) == 1:
        return matching[0]
    names = {job["job_ref"].removeprefix("jobs.") for job in everything}
    if matching:
        reasons = [job["job_ref"] for job in matching]
        raise NotFound(f"Several jobs are named {name}; say which one:", reasons=reasons)
    short = {known.rpartition(".")[2]: known for known in names}
    near = [
        *difflib.get_close_matches(wanted, sorted(names), _NEAR),
        *(short[known] for known in difflib.get_close_matches(wanted, sorted(short), _NEAR)),
    ]
    hint = "Near names:" if near else "It has:" if names else "Nothing was deployed to it yet."
    shown = list(dict.fromkeys(near)) or sorted(names)[:_NEAR]
    raise NotFound(f"The workspace has no job {name}. {hint}", reasons=[f"jobs.{known}" for known in shown])
