"""Keeps warm processes on this machine, and asks them for runners (`homeport_runner/warm.py`).

Nothing depends on one: where there is none that answers at once, the runner is started plainly.
"""

import fcntl
import hashlib
import json
import os
import shutil
import socket
import subprocess
import sys
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager, suppress
from dataclasses import replace
from datetime import datetime, timedelta
from functools import cache
from pathlib import Path
from typing import IO, Any

import homeport_runner
from homeport.execution.engines import Warmth
from homeport_runner import boot, tether
from homeport_runner.image import identity
from homeport_runner.newest import key_now

IDLE_SECONDS = 900.0
_KEPT = timedelta(days=7)
"""What was learned, after its last use."""
_MADE_FOR = "made_for.json"
"""Which build of which environment the folder is for."""
_ANSWER_SECONDS = 2.0
_EXPECTED_BYTES = 120 * 1024 * 1024
"""What a warm process takes; known better once it is there."""
_SOURCE_FOLDER = Path(homeport_runner.__file__).parents[1]


class WarmProcesses:
    """Those below `folder`, for environments below `environments`. Not for several threads at once."""

    def __init__(self, folder: Path, environments: Path, memory_bytes: int, idle: float = IDLE_SECONDS) -> None:
        self._folder = folder
        self._environments = environments
        self._memory_bytes = memory_bytes
        self._idle = idle
        self._children: dict[str, subprocess.Popen[bytes]] = {}

    def start_runner(
        self, warmth: Warmth, order: Mapping[str, Any], log: IO[bytes], on_pid: Callable[[int], None]
    ) -> bool:
        """Have a runner forked; False if there will be none.

        It begins after `on_pid` has written down who it is: should we die before, it never begins.
        """
        with socket.socket(socket.AF_UNIX) as asking:
            asking.settimeout(_ANSWER_SECONDS)
            try:
                _connect(asking, self._folder / _name(self._as_of_now(warmth)))
                tether.send(asking, dict(order), [log.fileno()])
                answer = tether.receive(asking)[0]
                if answer is None or "pid" not in answer:
                    return False
                on_pid(answer["pid"])
                tether.send(asking, {"go": True})
            except OSError:
                return False
        return True

    def prepare(self, warmth: Warmth) -> None:
        """Start the warm process for the next runs like this one, if it is not there and can be."""
        warmth = self._as_of_now(warmth)
        name = _name(warmth)
        environment = self._environments / warmth.environment
        self.reap()
        if name in self._children or not (environment / ".complete").exists() or not self._has_room(but=name):
            return
        folder = self._folder / name
        folder.mkdir(mode=0o700, parents=True, exist_ok=True)
        if not _belongs_to(folder, environment) or (folder / "unfit").exists():
            return
        with suppress(OSError):
            self._children[name] = self._start(folder, environment, warmth)

    def _as_of_now(self, warmth: Warmth) -> Warmth:
        """In the environment that has the newest packages."""
        return replace(warmth, environment=key_now(self._environments, warmth.environment))

    def reap(self) -> None:
        for name, child in list(self._children.items()):
            if child.poll() is not None:
                del self._children[name]

    def close(self) -> None:
        """Have them leave: nobody would ask them any more. Their runners go on."""
        for path in self._folder.glob("*/socket"):
            _send_away(path.parent)

    def _start(self, folder: Path, environment: Path, warmth: Warmth) -> subprocess.Popen[bytes]:
        for part in ("home", "tmp"):
            (folder / part).mkdir(mode=0o700, exist_ok=True)
        ear, mouth = os.pipe()
        os.set_blocking(mouth, False)
        command = boot.warm_argv(
            str(environment / "bin" / "python"),
            str(_SOURCE_FOLDER),
            str(folder),
            str(environment),
            warmth.owner,
            self._idle,
            ear,
            warmth.module,
        )
        try:
            return subprocess.Popen(
                command,
                cwd=folder,
                env=_variables(folder, environment),
                stdin=subprocess.DEVNULL,
                stdout=mouth,
                stderr=mouth,
                pass_fds=[ear],
                start_new_session=True,
            )
        finally:
            os.close(ear)
            os.close(mouth)

    def _has_room(self, but: str) -> bool:
        """Within the budget; who was used least recently makes room."""
        others = sorted(self._alive(but), key=lambda found: found[0])
        taken = sum(size for _, _, size in others)
        while others and taken + _EXPECTED_BYTES > self._memory_bytes:
            _, folder, size = others.pop(0)
            _send_away(folder)
            taken -= size
        return taken + _EXPECTED_BYTES <= self._memory_bytes

    def _alive(self, but: str) -> list[tuple[float, Path, int]]:
        """When last used, where, and how large."""
        found = []
        for path in self._folder.glob("*/pid"):
            with suppress(OSError, ValueError, IndexError):
                if path.parent.name != but and (path.parent / "socket").exists():
                    size = _proportional_bytes(int(path.read_text()))
                    found.append((path.stat().st_mtime, path.parent, size))
        return found


def collect(folder: Path, environments: Path, now: datetime) -> None:
    """Remove what warm processes knew of environments that have gone, or that nobody has used for long."""
    for path in folder.glob("*"):
        with suppress(OSError), _without_process(path) as is_free:
            used_at = max(entry.stat().st_mtime for entry in (path, *path.glob("pid")))
            if is_free and (used_at < (now - _KEPT).timestamp() or not _is_current(path, environments)):
                shutil.rmtree(path, ignore_errors=True)


def _belongs_to(folder: Path, environment: Path) -> bool:
    """Note the build of the environment that the folder is for; what was found out of an earlier one is void.

    False while a process of the earlier one is there: it notices, and leaves.
    """
    note = json.dumps([environment.name, identity(environment)])
    path = folder / _MADE_FOR
    if path.exists() and path.read_text() == note:
        return True
    with _without_process(folder) as is_free:
        if is_free:
            for left in ("unfit", "unsafe.json", "learned.json"):
                (folder / left).unlink(missing_ok=True)
            scratch = folder / (_MADE_FOR + ".new")
            scratch.write_text(note)
            scratch.replace(path)
    return is_free


def _is_current(folder: Path, environments: Path) -> bool:
    try:
        name, build = json.loads((folder / _MADE_FOR).read_text())
    except (OSError, ValueError):
        return True  # of an earlier version: goes by its age
    found = identity(environments / name)
    return found is not None and list(found) == build


@contextmanager
def _without_process(folder: Path) -> Iterator[bool]:
    """Whether no warm process is in there; while this lasts, none begins."""
    lock = os.open(folder / "lock", os.O_RDWR | os.O_CREAT, 0o600)
    try:
        fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        yield False
    else:
        yield True
    finally:
        os.close(lock)


def _variables(folder: Path, environment: Path) -> dict[str, str]:
    """Those of a run (`homeport_runner/variables.py`), without what only a run has."""
    from homeport_runner.variables import variables_of_run

    given = variables_of_run(os.environ, {}, environment, folder / "home", folder / "tmp", folder)
    del given["WORKSPACE__SETTINGS__LOCAL_DIR"]
    return given


def _send_away(folder: Path) -> None:
    with suppress(OSError), socket.socket(socket.AF_UNIX) as asking:
        asking.settimeout(_ANSWER_SECONDS)
        _connect(asking, folder)
        tether.send(asking, {"leave": True})


def _connect(asking: socket.socket, folder: Path) -> None:
    """The path of a socket may have 108 bytes, that of a data folder any number."""
    descriptor = os.open(folder, os.O_PATH | os.O_DIRECTORY)
    try:
        asking.connect(f"/proc/self/fd/{descriptor}/socket")
    finally:
        os.close(descriptor)


def _proportional_bytes(pid: int) -> int:
    for line in Path(f"/proc/{pid}/smaps_rollup").read_text().splitlines():
        if line.startswith("Pss:"):
            return int(line.split()[1]) * 1024
    return 0


def _name(warmth: Warmth) -> str:
    parts = "\0".join((warmth.environment, warmth.owner, warmth.module, _source_digest()))
    return hashlib.sha256(parts.encode()).hexdigest()[:24]


@cache
def _source_digest() -> str:
    """Another version of the runner has warm processes of its own."""
    digest = hashlib.sha256(sys.version.encode())
    for path in sorted(Path(homeport_runner.__file__).parent.glob("*.py")):
        digest.update(path.read_bytes())
    return digest.hexdigest()
