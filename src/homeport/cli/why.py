"""`homeport why`: why a job did, or did not, run."""

import json
from pathlib import Path
from typing import Annotated

import typer
from rich.console import Console

from homeport.cli.connection import (
    ApiKey,
    DatabaseUrl,
    DataDir,
    Folder,
    JobName,
    Url,
    WorkspaceId,
    find_job,
)
from homeport.cli.local_workspace import found_place


def why(
    job: JobName,
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
    data_dir: DataDir = None,
    database_url: DatabaseUrl = None,
) -> None:
    """Tell why a job ran, or did not, at a moment, and what to do about it."""
    with found_place(folder, url, api_key, workspace, data_dir, database_url) as place:
        found = find_job(place, job)
        answer = place.explain(found["id"], moment)
    if as_json:
        print(json.dumps(answer, indent=2))
        return
    out = Console(highlight=False, soft_wrap=True)
    for line in answer["lines"]:
        out.print(line, markup=False)
