"""What a run has taken, once it is over: the kernel has counted it, and hands it to whoever buries a process."""

from __future__ import annotations

import contextlib
import os
import resource
import sys
from dataclasses import dataclass

_MAXRSS_UNIT = 1 if sys.platform == "darwin" else 1024


@dataclass(frozen=True)
class Usage:
    """Of all processes of a run, those among them that nobody waited for left out."""

    peak_memory_bytes: int | None
    """The most at once, of all together."""
    cpu_seconds: float | None
    """In user code and in the kernel."""
    read_bytes: int | None
    """By system calls, be it from a disk, from memory or from a pipe; mapped files are not in it."""
    written_bytes: int | None


class Meter:
    """Adds up what the children of this process, and theirs, took; begin it before the first is started.

    For a process with one thread that buries all children by `took`.
    """

    def __init__(self) -> None:
        self._cpu_seconds = 0.0
        self._largest = 0
        self._before = _of_children()

    def took(self, of: resource.struct_rusage) -> None:
        """A child was buried."""
        self._cpu_seconds += of.ru_utime + of.ru_stime
        self._largest = max(self._largest, of.ru_maxrss * _MAXRSS_UNIT)

    def read(self) -> Usage:
        after = _of_children()
        if self._before is None or after is None:
            return Usage(self._largest, self._cpu_seconds, None, None)
        read, written = after[0] - self._before[0], after[1] - self._before[1]
        return Usage(self._largest, self._cpu_seconds, max(0, read), max(0, written))


def _of_children() -> tuple[int, int] | None:
    """What children that were buried have read and written: ours goes with theirs, and is taken off."""
    whole, own = _counts("/proc/self/io"), _counts(f"/proc/self/task/{os.getpid()}/io")
    return None if whole is None or own is None else (whole[0] - own[0], whole[1] - own[1])


def _counts(path: str) -> tuple[int, int] | None:
    with contextlib.suppress(OSError, ValueError, KeyError), open(path) as io:
        found = dict(line.split(":") for line in io)
        return int(found["rchar"]), int(found["wchar"])
    return None
