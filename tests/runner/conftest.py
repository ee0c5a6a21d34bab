"""The real runner as a real process, against a server in the test's own process."""

from __future__ import annotations

import io
import os
import subprocess
import sys
import tarfile
import time
from collections.abc import Callable, Iterator, Mapping
from pathlib import Path
from typing import Any

import pytest

from homeport_runner import boot

from .fake_server import ATTEMPT, TICKET, FakeServer

SOURCE_FOLDER = Path(boot.__file__).parent.parent
UV = Path(sys.prefix) / "bin" / "uv"
PYTHON_VERSION = f"{sys.version_info.major}.{sys.version_info.minor}"
DEADLINE = 20.0


def make_package(files: Mapping[str, str] | None = None) -> bytes:
    """A well-formed package with these files."""
    data = io.BytesIO()
    members = {**{f"files/{name}": text for name, text in (files or {}).items()}, "manifest.yaml": "files: []\n"}
    with tarfile.open(fileobj=data, mode="w:gz") as tar:
        for name, text in members.items():
            member = tarfile.TarInfo(name)
            member.size = len(text.encode())
            tar.addfile(member, io.BytesIO(text.encode()))
    return data.getvalue()


def until(condition: Callable[[], object], seconds: float = DEADLINE) -> None:
    """Wait for something only a look can tell."""
    deadline = time.monotonic() + seconds
    while not condition():
        assert time.monotonic() < deadline, "in vain"
        time.sleep(0.005)


def is_alive(pid: int) -> bool:
    """A zombie is not: nobody has got round to burying it, that is all."""
    try:
        return Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0] not in "ZX"
    except OSError:
        return False


class Stage:
    """One server, one node, and as many runners as a test starts."""

    def __init__(self, node: Path) -> None:
        self.node = node
        self.servers: list[FakeServer] = []
        self.processes: list[subprocess.Popen[bytes]] = []

    def serve(
        self,
        script: str = "",
        *,
        files: Mapping[str, str] | None = None,
        code: bytes | None = None,
        configuration: bytes | None = None,
        environment: Mapping[str, Any] | None = None,
        **launch: Any,
    ) -> FakeServer:
        """A server whose attempt runs `script`, a Python program, in an environment with nothing in it."""
        document = {
            "lease_seconds": 60.0,
            "root_name": "fruitshop",
            "storage": "0b1c/prod",
            "environment": {
                "key": "empty",
                "python_version": PYTHON_VERSION,
                "requirements": [],
                "notes": [],
                **(environment or {}),
            },
            "command": ["job.py"],
            "variables": {},
            "timeout_seconds": None,
            "grace_seconds": 5.0,
            **launch,
        }
        if code is None:
            code = make_package({"job.py": script, **(files or {})})
        server = FakeServer(document, code, configuration)
        self.servers.append(server)
        return server

    def start(self, server: FakeServer, ticket: str = TICKET, **variables: str) -> subprocess.Popen[bytes]:
        command = boot.argv(sys.executable, str(SOURCE_FOLDER), server.url, ATTEMPT, ticket)
        env = {**os.environ, "HOMEPORT_NODE_DIR": str(self.node), "HOMEPORT_UV": str(UV), **variables}
        log = (self.node / "runner.log").open("ab")
        with log:
            process = subprocess.Popen(command, env=env, stderr=log, start_new_session=True)
        self.processes.append(process)
        return process

    def run(self, server: FakeServer, **variables: str) -> dict[str, Any]:
        """Start a runner, wait for its end, and return what it reported."""
        process = self.start(server, **variables)
        assert process.wait(DEADLINE) == 0, (self.node / "runner.log").read_text()
        assert server.exit is not None
        return server.exit

    @property
    def run_folder(self) -> Path:
        return self.node / "runs" / ATTEMPT

    def close(self) -> None:
        for process in self.processes:
            if process.poll() is None:
                process.kill()
            process.wait()
        for server in self.servers:
            server.go_away()


@pytest.fixture(scope="session")
def environments(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Shared, so that the empty environment is built once."""
    return tmp_path_factory.mktemp("node") / "environments"


@pytest.fixture
def stage(tmp_path: Path, environments: Path) -> Iterator[Stage]:
    environments.mkdir(exist_ok=True)
    (tmp_path / "environments").symlink_to(environments)
    stage = Stage(tmp_path)
    yield stage
    stage.close()


@pytest.fixture
def fresh_stage(tmp_path: Path) -> Iterator[Stage]:
    """With no environment built."""
    stage = Stage(tmp_path)
    yield stage
    stage.close()
