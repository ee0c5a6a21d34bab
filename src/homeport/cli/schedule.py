"""`homeport schedule`: what the clock will start."""

import json
from datetime import UTC, datetime
from pathlib import Path
from typing import Annotated, Any

import typer
from rich.console import Console

from homeport.cli.connection import ApiKey, DatabaseUrl, DataDir, Folder, Url, WorkspaceId
from homeport.cli.local_workspace import found_place


def schedule(
    hours: Annotated[float, typer.Option(help="How far to look ahead.", min=0.01, max=24 * 366)] = 24,
    limit: Annotated[int, typer.Option(help="Moments to show at most.", min=1, max=1000)] = 100,
    as_json: Annotated[bool, typer.Option("--json", help="Print the server's whole answer.")] = False,
    folder: Folder = Path(),
    url: Url = None,
    api_key: ApiKey = None,
    workspace: WorkspaceId = None,
    data_dir: DataDir = None,
    database_url: DatabaseUrl = None,
) -> None:
    """Show the coming moments of all schedules, with the windows that their runs will get."""
    with found_place(folder, url, api_key, workspace, data_dir, database_url) as place:
        answer = place.schedule(hours, limit)
    if as_json:
        print(json.dumps(answer, indent=2))
        return
    out = Console(highlight=False, soft_wrap=True)
    for item in answer["items"]:
        out.print(_line(item), markup=False)
    until = _utc(answer["until"])
    if not answer["items"]:
        out.print(f"Nothing is to come by the clock until {until} UTC.", markup=False)
    elif not answer["is_complete"]:
        out.print(f"… and more until {until} UTC: pass --limit to see them.", markup=False)


def _line(item: dict[str, Any]) -> str:
    local = datetime.fromisoformat(item["local_moment"])
    there = "" if item["zone"] == "UTC" else f" ({local:%Y-%m-%d %H:%M} {item['zone']})"
    parts = [f"{_utc(item['moment'])} UTC{there}  {item['job_ref']}  {item['trigger']}"]
    if item["is_paused"]:
        parts.append("paused")
    elif item["interval_end"] is None:
        parts.append("outside its interval")
    elif item["interval_start"] == item["interval_end"]:
        parts.append("empty window")
    else:
        parts.append(f"window {_utc(item['interval_start'])} to {_utc(item['interval_end'])} UTC")
    if item["waits_for"]:
        parts.append(f"waits for {', '.join(item['waits_for'])}")
    return "  ".join(parts)


def _utc(text: str) -> str:
    moment = datetime.fromisoformat(text).astimezone(UTC)
    return f"{moment:%Y-%m-%d %H:%M:%S}" if moment.second else f"{moment:%Y-%m-%d %H:%M}"
