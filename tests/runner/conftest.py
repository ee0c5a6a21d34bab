"""The real runner as a real process, against a server in the test's own process."""

from __future__ import annotations

import io
import os
import select
import signal
import socket
import subprocess
import sys
import tarfile
import time
from collections.abc import Callable, Iterator, Mapping
from pathlib import Path
from typing import Any

import pytest

from homeport_runner import boot, tether

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


class Forked:
    """A runner that a warm process has started, with what is used here of `subprocess.Popen`."""

    def __init__(self, pid: int, asking: socket.socket) -> None:
        self.pid = pid
        self.returncode: int | None = None
        self._asking = asking

    def wait(self, timeout: float | None = None) -> int:
        if self.returncode is None:
            self._asking.settimeout(timeout)
            answer = tether.receive(self._asking)[0]
            assert answer is not None, "the warm process has gone"
            self.returncode = answer["ended"]
            self._asking.close()
        return self.returncode

    def poll(self) -> int | None:
        if self.returncode is None and not select.select([self._asking], [], [], 0)[0]:
            return None
        return self.wait()

    def hang_up(self) -> None:
        """There is nobody left who could say how it ended."""
        self.returncode = 0
        self._asking.close()

    def send_signal(self, number: int) -> None:
        if self.poll() is None:
            os.kill(self.pid, number)

    def terminate(self) -> None:
        self.send_signal(signal.SIGTERM)

    def kill(self) -> None:
        self.send_signal(signal.SIGKILL)


class Warm:
    """A warm process for the empty environment."""

    def __init__(self, folder: Path, environment: Path, module: str = "json", idle: float = 86_400.0) -> None:
        self.folder = folder
        self.environment = environment
        self._module = module
        self._idle = idle
        folder.mkdir(mode=0o700)
        self.begin()

    def begin(self) -> None:
        ear, mouth = os.pipe()
        os.set_blocking(mouth, False)
        python = str(self.environment / "bin" / "python")
        command = boot.warm_argv(
            python,
            str(SOURCE_FOLDER),
            str(self.folder),
            str(self.environment),
            "0b1c/",
            self._idle,
            ear,
            self._module,
        )
        variables = {"LANG": "C.UTF-8", "PATH": os.defpath, "PYTHONUNBUFFERED": "1"}
        self.process = subprocess.Popen(
            command, env=variables, stdin=subprocess.DEVNULL, stdout=mouth, stderr=mouth, pass_fds=[ear]
        )
        os.close(ear)
        os.close(mouth)

    def await_ready(self) -> Warm:
        until(lambda: (self.folder / "socket").exists() or self.process.poll() is not None)
        return self

    def ask(self, message: dict[str, Any], log: Path) -> tuple[dict[str, Any] | None, socket.socket]:
        asking = socket.socket(socket.AF_UNIX)
        asking.settimeout(DEADLINE)
        folder = os.open(self.folder, os.O_PATH)
        try:
            asking.connect(f"/proc/self/fd/{folder}/socket")
        except OSError:
            asking.close()
            raise
        finally:
            os.close(folder)
        with log.open("ab") as file:
            tether.send(asking, message, [file.fileno()])
        return tether.receive(asking)[0], asking

    def start(self, order: dict[str, Any], log: Path) -> Forked:
        answer, asking = self.ask(order, log)
        assert answer is not None
        tether.send(asking, {"go": True})
        return Forked(answer["pid"], asking)

    def close(self) -> None:
        self.process.kill()
        self.process.wait()


class Stage:
    """One server, one node, and as many runners as a test starts."""

    def __init__(self, node: Path, warm: Warm | None = None) -> None:
        self.node = node
        self.warm = warm
        self.servers: list[FakeServer] = []
        self.processes: list[subprocess.Popen[bytes] | Forked] = []

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
            "command": ["-u", "-m", "job"],
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

    def start(
        self, server: FakeServer, ticket: str = TICKET, **variables: str
    ) -> subprocess.Popen[bytes] | Forked:
        if self.warm is not None:
            forked = self.warm.start(self._order(server, ticket, variables), self.node / "runner.log")
            self.processes.append(forked)
            return forked
        command = boot.argv(sys.executable, str(SOURCE_FOLDER), server.url, ATTEMPT, ticket)
        env = {**os.environ, "HOMEPORT_NODE_DIR": str(self.node), "HOMEPORT_UV": str(UV), **variables}
        log = (self.node / "runner.log").open("ab")
        with log:
            process = subprocess.Popen(command, env=env, stderr=log, start_new_session=True)
        self.processes.append(process)
        return process

    def _order(self, server: FakeServer, ticket: str, variables: Mapping[str, str]) -> dict[str, Any]:
        env = {**os.environ, "HOMEPORT_NODE_DIR": str(self.node), "HOMEPORT_UV": str(UV), **variables}
        return {"argv": [server.url, ATTEMPT, ticket], "env": env, "cwd": str(self.node)}

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


@pytest.fixture(scope="session")
def empty_environment(environments: Path) -> Path:
    """Built by a run that needs it."""
    stage = Stage(environments.parent)
    try:
        stage.run(stage.serve())
    finally:
        stage.close()
    return environments / "empty"


@pytest.fixture(scope="session")
def warm(tmp_path_factory: pytest.TempPathFactory, empty_environment: Path) -> Iterator[Warm]:
    warm = Warm(tmp_path_factory.mktemp("warm") / "one", empty_environment).await_ready()
    yield warm
    warm.close()


@pytest.fixture(params=["plain", "warm"])
def stage(request: pytest.FixtureRequest, tmp_path: Path, empty_environment: Path) -> Iterator[Stage]:
    """What is promised of a run holds however it is started."""
    (tmp_path / "environments").symlink_to(empty_environment.parent)
    stage = Stage(tmp_path, request.getfixturevalue("warm") if request.param == "warm" else None)
    yield stage
    stage.close()


@pytest.fixture
def fresh_stage(tmp_path: Path) -> Iterator[Stage]:
    """With no environment built."""
    stage = Stage(tmp_path)
    yield stage
    stage.close()
