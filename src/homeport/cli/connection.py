"""The server and workspace that a folder is connected to: where `homeport connect` and dlt keep them."""

import difflib
import os
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Annotated, Any, Protocol

import typer

from homeport.cli.server_questions import Server
from homeport.cli.settings_files import Pin, TomlFile
from homeport.errors import CannotConnect, NotFound

_PAGE = 1000
_NEAR = 5
"""Names that are shown to somebody who mistyped one."""

JobName = Annotated[str, typer.Argument(help="The job: load_commits, github.load_commits or its full reference.")]
Folder = Annotated[Path, typer.Option("--dir", help="The workspace's folder.", exists=True, file_okay=False)]
Url = Annotated[str | None, typer.Option(help="Address of the server; default: what the folder is connected to.")]
ApiKey = Annotated[str | None, typer.Option(help="API key; default: the one that `homeport connect` wrote.")]
WorkspaceId = Annotated[
    str | None, typer.Option("--workspace", help="Id of the workspace; default: what the folder is connected to.")
]
DataDir = Annotated[
    Path | None,
    typer.Option(
        help="On the server's machine: its data folder. Then neither a key nor a running server is needed."
    ),
]
DatabaseUrl = Annotated[
    str | None, typer.Option(help="On the server's machine: its database, if it is not in the data folder.")
]


class Place(Protocol):
    """A workspace that can be asked; the answers are those of the HTTP API."""

    def jobs(self) -> Iterator[dict[str, Any]]:
        """All jobs, archived ones too."""
        ...

    def explain(self, job_id: str, moment: str | None) -> dict[str, Any]: ...

    def schedule(self, hours: float, limit: int) -> dict[str, Any]: ...


@dataclass(frozen=True)
class Connected:
    """A workspace on a server, ready to be asked."""

    server: Server
    workspace_id: str

    def get(self, path: str, **params: Any) -> dict[str, Any]:
        return self.server.get(f"/api/v1/workspaces/{self.workspace_id}{path}", **params)

    def post(self, path: str, body: dict[str, Any]) -> dict[str, Any]:
        return self.server.answer("POST", f"/api/v1/workspaces/{self.workspace_id}{path}", json=body)

    def explain(self, job_id: str, moment: str | None) -> dict[str, Any]:
        return self.get(f"/jobs/{job_id}/-explain", moment=moment)

    def schedule(self, hours: float, limit: int) -> dict[str, Any]:
        return self.get("/schedule", hours=hours, limit=limit)

    def jobs(self) -> Iterator[dict[str, Any]]:
        cursor: str | None = None
        while True:
            page = self.get("/jobs", limit=_PAGE, cursor=cursor)
            yield from page["items"]
            cursor = page.get("next_cursor")
            if cursor is None:
                return


@contextmanager
def connected(folder: Path, url: str | None, api_key: str | None, workspace: str | None) -> Iterator[Connected]:
    """Options win over the environment, and that over the files, as in the `dlthub` command."""
    config, secrets = TomlFile(folder.resolve(), "config.toml"), TomlFile(folder.resolve(), "secrets.toml")
    pinned = Pin.read(config)
    base_url = (url or os.environ.get("RUNTIME__API_BASE_URL") or pinned.base_url).rstrip("/")
    base_url = base_url if "://" in base_url else f"http://{base_url}"
    workspace_id = workspace or os.environ.get("RUNTIME__WORKSPACE_ID") or pinned.workspace_id
    from_environment = os.environ.get("HOMEPORT_API_KEY") or os.environ.get("RUNTIME__API_KEY")
    key, origin = api_key or from_environment, "from --api-key or the environment"
    if not key and base_url == pinned.base_url:
        # the key of one server is not shown to another
        key, origin = secrets.get(("runtime", "api_key")), f"in {secrets.label}"
    missing = "workspace" if not workspace_id else "API key" if not key else None
    if missing:
        option = "--workspace" if missing == "workspace" else "--api-key"
        raise CannotConnect(
            f"{folder.resolve()} names no {missing} for {base_url}. Run `homeport connect` there first, pass "
            f"{option}, or on the server's own machine --data-dir."
        )
    with Server(base_url, str(key).strip(), origin, pinned) as server:
        yield Connected(server, workspace_id)


def find_job(place: Place, name: str) -> dict[str, Any]:
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
