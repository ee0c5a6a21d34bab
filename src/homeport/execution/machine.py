"""What this machine, or the container that we are in, has for runs."""

import os
import socket
from collections.abc import Iterator
from contextlib import suppress
from pathlib import Path

_CGROUPS = Path("/sys/fs/cgroup")
_PROC = Path("/proc")
_NO_LIMIT = 2**60
"""Above this, a limit of a control group means none."""


def memory_bytes(cgroups: Path = _CGROUPS, proc: Path = _PROC) -> int:
    """Memory that we may use, in bytes: what is there, or the limit of a control group that we are in."""
    found = [os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES")]
    for folder in _groups("memory", cgroups, proc):
        for name in ("memory.max", "memory.limit_in_bytes"):
            with suppress(OSError, ValueError):  # "max" is no number, and no limit
                found.append(int((folder / name).read_text()))
    return min(count for count in found if 0 < count < _NO_LIMIT)


def cpus(cgroups: Path = _CGROUPS, proc: Path = _PROC) -> float:
    """Cores that we may use: those of our affinity, or the share that a control group gives."""
    found = [float(len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1)]
    for folder in _groups("cpu", cgroups, proc):
        with suppress(OSError, ValueError):
            quota, period = (folder / "cpu.max").read_text().split()
            found.append(int(quota) / int(period))
        with suppress(OSError, ValueError, ZeroDivisionError):
            quota_us = int((folder / "cpu.cfs_quota_us").read_text())
            if quota_us > 0:
                found.append(quota_us / int((folder / "cpu.cfs_period_us").read_text()))
    return min(found)


def identity(proc: Path = _PROC) -> str:
    """The same for all servers on this machine, and no other's, at most 64 characters; another after a boot."""
    with suppress(OSError):
        return (proc / "sys/kernel/random/boot_id").read_text().strip()[:64]
    return socket.gethostname()[:64]


def _groups(controller: str, cgroups: Path, proc: Path) -> Iterator[Path]:
    """The folders of the control groups that we are in, from the innermost out; of both versions."""
    with suppress(OSError):
        for line in (proc / "self/cgroup").read_text().splitlines():
            _, names, path = line.split(":", 2)
            if names and controller not in names.split(","):
                continue
            top = cgroups / controller if names else cgroups
            group = top / path.lstrip("/")
            while True:
                yield group
                if group == top:
                    break
                group = group.parent
