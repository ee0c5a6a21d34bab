"""What every part needs: a real server process, and the bench workspace deployed to it by the real commands."""

import os
import shutil
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

HERE = Path(__file__).parent
KEY = "dlt_u_" + "b" * 40
ENVIRONMENT = os.environ | {
    "RUNTIME__DLTHUB_TELEMETRY": "false",
    "HOMEPORT_BOOTSTRAP_API_KEY": KEY,
    # a build in the background would be measured along with everything else
    "HOMEPORT_BUILD_AHEAD": "off",
}


@dataclass(frozen=True)
class Serving:
    url: str
    process: subprocess.Popen[str]


@contextmanager
def a_folder() -> Iterator[Path]:
    """For everything of one measurement; gone afterwards."""
    folder = Path(tempfile.mkdtemp(prefix="homeport-bench-"))
    try:
        yield folder
    finally:
        shutil.rmtree(folder, ignore_errors=True)


@contextmanager
def server(data: Path, database_url: str | None = None) -> Iterator[Serving]:
    """`homeport up` on a free port, until the block ends."""
    command = [beside("homeport"), "up", "--port", "0", "--data-dir", str(data)]
    command += ["--database-url", database_url] if database_url else []
    with data.with_suffix(".log").open("a") as log:
        process = subprocess.Popen(command, stdout=subprocess.PIPE, stderr=log, text=True, env=ENVIRONMENT)
        try:
            assert process.stdout is not None
            url = next(word for line in process.stdout for word in line.split() if word.startswith("http://"))
            yield Serving(url, process)
        finally:
            process.terminate()
            process.wait(30)


def deploy(url: str, workspace: Path) -> str:
    """Deploy a copy of the bench workspace, made in this folder; the answer is the id of the workspace."""
    shutil.copytree(HERE / "workspace", workspace)
    for command in (
        [beside("homeport"), "connect", "--url", url, "--api-key", KEY, "--create"],
        [beside("dlthub"), "deploy"],
    ):
        subprocess.run(command, cwd=workspace, env=ENVIRONMENT, check=True, stdout=subprocess.DEVNULL)
    return (workspace / ".dlt" / "config.toml").read_text().partition('workspace_id = "')[2][:36]


def beside(command: str) -> str:
    return str(Path(sys.executable).with_name(command))
