"""The engine of this machine: starts runners as processes of their own session and finds them again by pid.

A runner is no part of the server: it outlives it. What is needed to find it again stands in its folder,
`runs/<attempt>/runner.json`; a pid counts only together with the process's start time and the machine's boot id.
"""

import json
import os
import re
import shutil
import signal
import subprocess
import sys
import threading
from collections.abc import Collection, Iterator, Sequence
from contextlib import suppress
from dataclasses import asdict, dataclass
from datetime import datetime, timedelta
from pathlib import Path
from uuid import uuid4

import homeport_runner
from homeport.contract.runner_protocol import EnvironmentLaunch
from homeport.execution import left_lines, machine
from homeport.execution.engines import EngineError, Phase, Placement, Seen, Stored, local_storage, warm
from homeport.execution.engines.kept_environments import KeptEnvironments
from homeport.execution.engines.warm import WarmProcesses
from homeport.execution.maskings import Masking
from homeport.execution.pythons import find_uv, is_to_be_had
from homeport_runner import newest
from homeport_runner.boot import argv, build_argv

_SOURCE_FOLDER = Path(homeport_runner.__file__).parents[1]
_LAST_WORDS_BYTES = 4_000
_BUILD_TAKES = timedelta(days=1)
"""At most: working folders of older builds are left ones."""
_BUILD_ENDS_WITHIN = 8.0
_RUN_ID = re.compile(r"[0-9a-f]{32}")

# What the runner may take from the server's environment: how to find programs, the package index and its
# certificates. Nothing named HOMEPORT_…: settings and keys of the server stay with the server.
_PASSED_ON = ("PATH", "HOME", "LANG", "TZ", "TMPDIR", "NETRC")
_PASSED_ON_PREFIXES = ("UV_", "SSL_CERT_", "REQUESTS_CA_BUNDLE", "CURL_CA_BUNDLE")
_PASSED_ON_PROXIES = ("HTTP_PROXY", "HTTPS_PROXY", "ALL_PROXY", "NO_PROXY")


@dataclass(frozen=True)
class _Process:
    pid: int
    started: str
    boot: str

    @property
    def is_alive(self) -> bool:
        return _process(self.pid) == self


class LocalEngine:
    """Runs on this machine, below `node_dir`.

    `warm_memory_bytes` is what warm processes may take; 0: every start is a plain one. `environments_bytes` is
    what environments may take of the disk; 0: any.
    """

    name = "local"

    def __init__(
        self, node_dir: Path, uv: str | None = None, warm_memory_bytes: int = 0, environments_bytes: int = 0
    ) -> None:
        self._node_dir = node_dir
        self._uv = uv or find_uv()
        self._lock = threading.Lock()
        self._children: dict[str, subprocess.Popen[bytes]] = {}
        self._environments = KeptEnvironments(node_dir / "environments", environments_bytes)
        self._build: subprocess.Popen[bytes] | None = None
        """Of an environment that no run has asked for yet; one at a time."""
        self._warm: WarmProcesses | None = None
        if warm_memory_bytes and sys.platform == "linux":
            self._warm = WarmProcesses(node_dir / "warm", node_dir / "environments", warm_memory_bytes)

    def open(self) -> None:
        if self._uv is None:
            raise EngineError("uv was not found: install it with `pip install uv`, or the extra homeport[server].")
        try:
            self._runs.mkdir(mode=0o700, parents=True, exist_ok=True)
        except OSError as error:
            raise EngineError(f"{self._runs} cannot be made: {error.strerror or error}.") from error

    @property
    def node(self) -> str:
        """Made once for the folder: whoever opens it again sees the same runs."""
        path = self._node_dir / "id"
        if not path.exists():
            self._node_dir.mkdir(mode=0o700, parents=True, exist_ok=True)
            _write(path, uuid4().hex)
        return path.read_text().strip()

    @property
    def machine(self) -> str:
        return machine.identity()

    def submit(self, placement: Placement) -> None:
        with self._lock:
            if self._find(placement.attempt) is None:
                self._reap()
                self._start(placement)

    def observe(self, attempts: Collection[str]) -> dict[str, Seen]:
        with self._lock:
            self._reap()
            return {attempt: self._look_at(attempt) for attempt in attempts}

    def kill(self, attempt: str) -> None:
        with self._lock:
            process = self._find(attempt)
        if process is not None:
            # the runner's tether sees to the run's processes as soon as the runner is gone
            with suppress(ProcessLookupError):
                os.kill(process.pid, signal.SIGKILL)

    def diagnose(self, attempt: str) -> str:
        with suppress(OSError):
            return (self._runs / attempt / "runner.log").read_bytes()[-_LAST_WORDS_BYTES:].decode(errors="replace")
        return ""

    def unsent(self, attempt: str, first: int, count: int, masking: Masking | None) -> list[bytes]:
        return left_lines.read(self._runs / attempt / "spool", first, count, masking)

    def known(self) -> set[str]:
        with suppress(OSError):
            return {folder.name for folder in self._runs.iterdir() if (folder / "runner.json").exists()}
        return set()

    def forget(self, attempt: str) -> None:
        with self._lock:
            if self._find(attempt) is None:
                self._reap()
                shutil.rmtree(self._runs / attempt, ignore_errors=True)

    def carried(self) -> set[str]:
        with suppress(OSError):
            return {folder.name for folder in self._carried.iterdir() if _RUN_ID.fullmatch(folder.name)}
        return set()

    def drop(self, run: str) -> None:
        shutil.rmtree(self._carried / run, ignore_errors=True)

    def offers_python(self, version: str) -> bool:
        return self._uv is None or is_to_be_had(version, self._uv, self._environment())

    def prepare(self, environment: EnvironmentLaunch, secrets: Sequence[str]) -> bool:
        with self._lock:
            self._reap()
            if self._build is not None:
                return False
            folder = self._node_dir / "environments"
            asked_at = environment.asked_at or 0.0
            if not newest.is_current(folder, environment.key, environment.requirements, asked_at):
                self._start_build(environment, secrets)
        return True

    def _start_build(self, environment: EnvironmentLaunch, secrets: Sequence[str]) -> None:
        with suppress(OSError):  # the run that needs it will say what is wrong
            self._build = subprocess.Popen(
                build_argv(sys.executable, str(_SOURCE_FOLDER)),
                cwd=self._node_dir,
                env=self._environment(),
                stdin=subprocess.PIPE,
                stdout=subprocess.DEVNULL,
                stderr=subprocess.DEVNULL,
                start_new_session=True,
            )
            assert self._build.stdin is not None
            order = {"environment": environment.model_dump(), "secrets": list(secrets)}
            with self._build.stdin as stdin:
                stdin.write(json.dumps(order).encode())

    def collect(self, now: datetime) -> list[str]:
        removed = self._environments.collect(now)
        for left in self._node_dir.glob("builds/*"):
            with suppress(OSError):
                if left.stat().st_mtime < (now - _BUILD_TAKES).timestamp():
                    shutil.rmtree(left, ignore_errors=True)
        with self._lock:
            warm.collect(self._node_dir / "warm", self._node_dir / "environments", now)
        return removed

    def storages(self) -> set[str]:
        return local_storage.names(self._node_dir / "workspaces")

    def measure(self, storage: str) -> Iterator[Stored]:
        return local_storage.measure(self._node_dir / "workspaces" / storage)

    def close(self) -> None:
        with self._lock:
            if self._warm is not None:
                self._warm.close()
            if self._build is not None:  # the next server begins again
                self._build.terminate()
                with suppress(subprocess.TimeoutExpired):
                    self._build.wait(_BUILD_ENDS_WITHIN)
            self._reap()

    @property
    def _runs(self) -> Path:
        return self._node_dir / "runs"

    @property
    def _carried(self) -> Path:
        return self._node_dir / "carried"

    def _start(self, placement: Placement) -> None:
        folder = self._runs / placement.attempt
        folder.mkdir(mode=0o700, parents=True, exist_ok=True)
        if self._start_warm(placement, folder):
            return
        command = argv(
            sys.executable, str(_SOURCE_FOLDER), placement.server_url, placement.attempt, placement.ticket
        )
        try:
            with (folder / "runner.log").open("ab") as log:
                child = subprocess.Popen(
                    command,
                    cwd=folder,
                    env=self._environment(),
                    stdin=subprocess.DEVNULL,
                    stdout=log,
                    stderr=log,
                    start_new_session=True,
                )
        except OSError as error:
            raise EngineError(f"The runner could not be started: {error}.") from error
        self._children[placement.attempt] = child
        # Should we die before this is written, the next look finds no runner and submits again; the ticket
        # decides which of the two gets the attempt.
        _record(folder, child.pid)
        if self._warm is not None and placement.warmth is not None:
            self._warm.prepare(placement.warmth)

    def _start_warm(self, placement: Placement, folder: Path) -> bool:
        if self._warm is None or placement.warmth is None:
            return False
        order = {
            "argv": [placement.server_url, placement.attempt, placement.ticket],
            "env": self._environment(),
            "cwd": str(folder),
        }
        with (folder / "runner.log").open("ab") as log:
            return self._warm.start_runner(placement.warmth, order, log, lambda pid: _record(folder, pid))

    def _environment(self) -> dict[str, str]:
        passed = {
            name: value
            for name, value in os.environ.items()
            if name in _PASSED_ON or name.upper() in _PASSED_ON_PROXIES or name.startswith(_PASSED_ON_PREFIXES)
        }
        return passed | {"HOMEPORT_NODE_DIR": str(self._node_dir), "HOMEPORT_UV": self._uv or "uv"}

    def _look_at(self, attempt: str) -> Seen:
        recorded = self._recorded(attempt)
        if recorded is not None and recorded.is_alive:
            return Seen(attempt, Phase.STARTED)
        if not (self._runs / attempt / "runner.json").exists():
            return Seen(attempt, Phase.ABSENT, process_gone=True)
        reason = "its runner is gone from this machine"
        if recorded is not None and recorded.boot != _boot():
            reason = "the machine was restarted"
        return Seen(attempt, Phase.ENDED, reason, process_gone=True)

    def _find(self, attempt: str) -> _Process | None:
        """The attempt's runner, if it lives."""
        recorded = self._recorded(attempt)
        return recorded if recorded is not None and recorded.is_alive else None

    def _recorded(self, attempt: str) -> _Process | None:
        try:
            return _Process(**json.loads((self._runs / attempt / "runner.json").read_text()))
        except (OSError, ValueError, TypeError):
            return None

    def _reap(self) -> None:
        for attempt, child in list(self._children.items()):
            if child.poll() is not None:
                del self._children[attempt]
        if self._build is not None and self._build.poll() is not None:
            self._build = None
        if self._warm is not None:
            self._warm.reap()


def _process(pid: int) -> _Process:
    """What tells this process from any other that has its pid before or after; dead ones have no start time."""
    started = ""
    with suppress(OSError, IndexError):
        # the command name, in brackets, may hold anything: the fields count from behind it
        fields = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()
        started = "" if fields[0] in ("Z", "X") else fields[19]
    return _Process(pid, started, _boot())


def _boot() -> str:
    """Another each time that the machine starts; empty where it cannot be told."""
    with suppress(OSError):
        return Path("/proc/sys/kernel/random/boot_id").read_text().strip()
    return ""


def _record(folder: Path, pid: int) -> None:
    _write(folder / "runner.json", json.dumps(asdict(_process(pid))))


def _write(path: Path, text: str) -> None:
    scratch = path.with_suffix(".new")
    scratch.write_text(text)
    scratch.replace(path)
