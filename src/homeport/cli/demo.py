"""`homeport demo`: a real workspace deployed and run by the official command line, from nothing, in a minute.

Everything happens in one folder: the copy of the example, and the data of a server of its own.
"""

import os
import secrets
import shutil
import signal
import subprocess
import sys
import threading
import time
from contextlib import ExitStack, suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Annotated, Any

import httpx
import typer
from rich.console import Console

from homeport.errors import SetupError

_INGEST = "load_fruitshop"
_INGEST_REF = "jobs.fruitshop_pipeline.load_fruitshop"
_FOLLOWER = "report_revenue"
_FOLLOWER_REF = "jobs.fruitshop_report.report_revenue"
_DATASET = "fruitshop_data"
_SERVER_START_SECONDS = 60
_FOLLOWER_SECONDS = 300

_out = Console(highlight=False, soft_wrap=True)


@dataclass(frozen=True)
class _Demo:
    """A running server, and the connected copy of the example."""

    url: str
    api_key: str
    workspace: Path
    data: Path
    environment: dict[str, str]


def demo(
    folder: Annotated[Path, typer.Option("--dir", help="Folder for the demo; emptied first.")] = Path(".demo"),
    stop: Annotated[bool, typer.Option("--exit", help="Stop and clean up instead of staying up.")] = False,
) -> None:
    """See it work: start a server, deploy an example workspace with `dlthub`, run it, look at the rows."""
    folder = folder.resolve()
    _empty(folder)
    with ExitStack() as cleaning:
        if stop:
            cleaning.callback(shutil.rmtree, folder, ignore_errors=True)
        running, server, code = _start(folder, cleaning)
        _deploy_and_run(running)
        workspace_id = _await_follower(running)
        _show_rows(running, workspace_id)
        _step(f"The web page of the workspace: {running.url}/w/{workspace_id}")
        _out.print(f"  sign in with one click (once): {running.url}/sign-in?code={code}&next=/w/{workspace_id}")
        if not stop:
            _stay(running, server)
    if stop:
        _step("Stopped and cleaned up.")


def _empty(folder: Path) -> None:
    marker = folder / ".homeport-demo"
    if folder.exists() and any(folder.iterdir()) and not marker.exists():
        raise SetupError(f"{folder} is not empty and was not made by the demo. Give another folder with --dir.")
    shutil.rmtree(folder, ignore_errors=True)
    folder.mkdir(parents=True)
    marker.touch()


def _start(folder: Path, cleaning: ExitStack) -> tuple[_Demo, "subprocess.Popen[str]", str]:
    """The server, on a free port, and the example beside it."""
    _step(f"homeport up --port 0 --data-dir {folder / 'data'}")
    workspace = folder / "fruitshop"
    shutil.copytree(_example(), workspace, ignore=shutil.ignore_patterns("data", "state", ".venv", "__pycache__"))
    api_key = "dlt_u_" + secrets.token_urlsafe(30)
    environment = _environment()
    log = cleaning.enter_context((folder / "server.log").open("w"))
    server = subprocess.Popen(
        [_beside_us("homeport"), "up", "--port", "0", "--data-dir", str(folder / "data")],
        env=environment | {"HOMEPORT_BOOTSTRAP_API_KEY": api_key},
        stdout=subprocess.PIPE,
        stderr=log,
        text=True,
        start_new_session=True,  # Ctrl+C is for us: we stop the server in good order
    )
    cleaning.callback(_stop, server)
    words = _greeting(server, folder / "server.log")
    url = next(word for word in words if word.startswith("http://") and "/sign-in" not in word)
    code = next(word for word in words if "/sign-in?code=" in word).partition("code=")[2]
    _out.print(f"  up at {url}")
    return _Demo(url, api_key, workspace, folder / "data", environment), server, code


def _greeting(server: "subprocess.Popen[str]", log: Path) -> list[str]:
    """The words of the server's first lines, up to the last one that is needed."""
    assert server.stdout is not None
    words: list[str] = []
    guard = threading.Timer(_SERVER_START_SECONDS, server.kill)
    guard.start()
    try:
        for line in server.stdout:
            words += line.split()
            if line.strip() == "dlthub deploy":
                return words
    finally:
        guard.cancel()
    raise SetupError(f"The server did not start:\n{log.read_text().strip() or ' '.join(words)}")


def _deploy_and_run(running: _Demo) -> None:
    key = {"HOMEPORT_API_KEY": running.api_key}
    _run(running, ["homeport", "connect", "--url", running.url, "--workspace", "fruitshop", "--create"], key)
    _run(running, ["dlthub", "deploy"])
    _run(running, ["dlthub", "run", _INGEST, "-f"])


def _await_follower(running: _Demo) -> str:
    """Wait for the job that follows the ingest, show its log; the answer is the workspace's id."""
    _step(f"{_FOLLOWER} follows {_INGEST} on success; its log:")
    headers = {"Authorization": f"Bearer {running.api_key}"}
    with httpx.Client(base_url=running.url, headers=headers, timeout=30) as client:
        workspace_id = _workspace_id(client)
        until = time.monotonic() + _FOLLOWER_SECONDS
        while (status := _follower_status(client, workspace_id)) != "completed":
            if status in ("failed", "cancelled") or time.monotonic() > until:
                raise SetupError(f"{_FOLLOWER} is {status}; see {running.url}/w/{workspace_id}")
            time.sleep(0.2)
    _run(running, ["dlthub", "job", "logs", _FOLLOWER])
    return workspace_id


def _workspace_id(client: httpx.Client) -> str:
    organization = _get(client, "/api/v1/organizations")["items"][0]["id"]
    found = _get(client, f"/api/v1/organizations/{organization}/workspaces")["items"]
    return next(str(item["id"]) for item in found if item["name"] == "fruitshop")


def _follower_status(client: httpx.Client, workspace_id: str) -> str:
    """Of the run that the ingest started; `missing` until there is one."""
    runs = _get(client, f"/api/v1/workspaces/{workspace_id}/job-runs")["items"]
    return next((str(run["status"]) for run in runs if run["job"]["job_ref"] == _FOLLOWER_REF), "missing")


def _get(client: httpx.Client, path: str) -> Any:
    answer = client.get(path)
    answer.raise_for_status()
    return answer.json()


def _show_rows(running: _Demo, workspace_id: str) -> None:
    """Rows per table, read back from the file that the run wrote."""
    file = running.data / "node" / "workspaces" / workspace_id / "prod" / "warehouse.duckdb"
    _step(f"Rows in {file}")
    for table, rows in _count_rows(file):
        _out.print(f"  {table:<12} {rows:>6}")


def _count_rows(file: Path) -> list[tuple[str, int]]:
    import duckdb

    for _ in range(100):
        # a scheduled run may hold the file just now; DuckDB lets one process in at a time
        with suppress(duckdb.IOException), duckdb.connect(str(file), read_only=True) as connection:
            tables = connection.execute(
                "SELECT table_name FROM information_schema.tables WHERE table_schema = ? "
                "AND table_name NOT LIKE '\\_dlt%' ESCAPE '\\' ORDER BY table_name",
                [_DATASET],
            ).fetchall()
            return [(table, _count(connection, table)) for (table,) in tables]
        time.sleep(0.1)
    raise SetupError(f"{file} stayed locked by a run.")


def _count(connection: Any, table: str) -> int:
    name = table.replace('"', '""')
    query = f'SELECT count(*) FROM "{_DATASET}"."{name}"'  # noqa: S608 - a name that DuckDB told us, quoted
    return int(connection.execute(query).fetchone()[0])


def _stay(running: _Demo, server: "subprocess.Popen[str]") -> None:
    _step("Homeport stays up, and the schedules of the example fire. Stop with Ctrl+C.")
    _out.print(f"  try: cd {running.workspace} && {_beside_us('dlthub')} job runs list")
    with suppress(KeyboardInterrupt):
        server.wait()


def _run(running: _Demo, command: list[str], extra: dict[str, str] | None = None) -> None:
    _step(" ".join(command))
    completed = subprocess.run(
        [_beside_us(command[0]), *command[1:]],
        cwd=running.workspace,
        env=running.environment | (extra or {}),
        stdin=subprocess.DEVNULL,
    )
    if completed.returncode != 0:
        raise SetupError(f"`{' '.join(command)}` ended with exit code {completed.returncode}.")


def _stop(server: "subprocess.Popen[str]") -> None:
    if server.poll() is None:
        server.send_signal(signal.SIGINT)
        try:
            server.wait(15)
        except subprocess.TimeoutExpired:
            server.kill()
            server.wait()


def _environment() -> dict[str, str]:
    """Ours, without settings that would lead the demo's commands elsewhere, and without usage data being sent."""
    kept = {
        name: value
        for name, value in os.environ.items()
        if not name.startswith(("HOMEPORT_", "RUNTIME__", "WORKSPACE__"))
    }
    return kept | {"RUNTIME__DLTHUB_TELEMETRY": "false"}


def _beside_us(command: str) -> str:
    """A command of the environment that we run in."""
    return str(Path(sys.executable).with_name(command))


def _example() -> Path:
    """The example workspace: part of the wheel, or of the checkout."""
    here = Path(__file__).resolve()
    for folder in (here.parents[1] / "examples" / "fruitshop", here.parents[3] / "examples" / "fruitshop"):
        if folder.is_dir():
            return folder
    raise SetupError("The example workspace is not part of this installation.")


def _step(text: str) -> None:
    _out.print(f"\n[bold cyan]==>[/] [bold]{text}[/]")
