"""What a build says, beside the environment: for the runs that wait for it, and for who asks why it failed.

environments/<key>.log     one JSON array a line: stream and content, or "process" and the id of one that builds.
                           There while somebody builds; what a build that was killed left, the next one removes.
"""

from __future__ import annotations

import contextlib
import json
import os
from pathlib import Path

from homeport_runner import clocks
from homeport_runner.masking import Masking
from homeport_runner.spool import Spool

_STAGE = "build"
_SOURCE = "setup"
_MOST_BYTES = 4 * 1024 * 1024
_MOST_KEPT = 200
_PROCESS = "process"


class BuildLog:
    """Of one build: into the log of who builds, and into the file for all others."""

    def __init__(self, path: Path, spool: Spool) -> None:
        self._spool = spool
        self._room = _MOST_BYTES
        self._kept: list[str] = []
        # A new file, not the old one emptied: whoever reads that one still notices.
        with contextlib.suppress(FileNotFoundError):
            path.unlink()
        self._file = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_APPEND, 0o600)

    @property
    def masking(self) -> Masking:
        return self._spool.masking

    @property
    def is_full(self) -> bool:
        return self._spool.is_full

    @property
    def last_lines(self) -> list[str]:
        return self._kept

    def take(self, at: str, io_stream: str, source: str, stage: str, contents: list[str]) -> None:
        self._write(io_stream, contents)
        self._spool.take(at, io_stream, source, stage, contents)

    def remark(self, content: str) -> None:
        self._write("other", [self.masking.text(content)])
        self._spool.remark(content, _STAGE, _SOURCE)

    def note_process(self, pid: int) -> None:
        """This one works on the environment, and leads a process group."""
        with contextlib.suppress(OSError):
            os.write(self._file, (json.dumps([_PROCESS, str(pid)]) + "\n").encode())

    def close(self) -> None:
        os.close(self._file)

    def _write(self, io_stream: str, contents: list[str]) -> None:
        self._kept = [*self._kept, *contents][-_MOST_KEPT:]
        data = "".join(json.dumps([io_stream, content]) + "\n" for content in contents).encode()
        if len(data) <= self._room:
            self._room -= len(data)
            with contextlib.suppress(OSError):  # a full disk is for the build itself to complain of
                os.write(self._file, data)


class OthersBuild:
    """Reads along while somebody else builds."""

    def __init__(self, path: Path, spool: Spool) -> None:
        self._path = path
        self._spool = spool
        self._file: int | None = None
        self._partial = b""

    def pass_on(self) -> None:
        """What has been said since, into the log of the run that waits."""
        if self._file is None or self._is_replaced():
            self._open()
        if self._file is None:
            return
        data = self._partial + os.read(self._file, _MOST_BYTES)
        *rows, self._partial = data.split(b"\n")
        for row in rows:
            io_stream, content = json.loads(row)
            if io_stream == _PROCESS:
                continue
            self._spool.take(clocks.timestamp(), io_stream, _SOURCE, _STAGE, [self._spool.masking.text(content)])

    def close(self) -> None:
        if self._file is not None:
            os.close(self._file)
            self._file = None

    def _is_replaced(self) -> bool:
        assert self._file is not None
        try:
            return os.stat(self._path).st_ino != os.fstat(self._file).st_ino
        except FileNotFoundError:
            return False

    def _open(self) -> None:
        self.close()
        self._partial = b""
        with contextlib.suppress(FileNotFoundError):
            self._file = os.open(self._path, os.O_RDONLY)


def processes_left(path: Path) -> list[int]:
    """Process groups that still work on the environment, though who began the build has been killed.

    Their end is a matter of moments: the tether sees to it.
    """
    try:
        rows = [json.loads(row) for row in path.read_bytes().splitlines()]
        pids = [int(row[1]) for row in rows if row[0] == _PROCESS]
    except (OSError, ValueError, LookupError, TypeError):
        return []
    return [pid for pid in pids if _is_alive(pid)]


def _is_alive(group: int) -> bool:
    try:
        os.killpg(group, 0)
    except ProcessLookupError:
        return False
    except PermissionError:  # the number is somebody else's by now
        return False
    return True
