"""Finding and ending every process that descends from this one.

A process group catches what a run starts the ordinary way; a daemon that called `setsid` leaves its group.
It cannot leave its ancestors, though: where a process is *subreaper*, orphans below it become its children.
Linux only; elsewhere there is no such adoption, and the lists are empty.
"""

from __future__ import annotations

import contextlib
import os
import signal
import time

_PR_SET_PDEATHSIG = 1
_PR_SET_CHILD_SUBREAPER = 36


def adopt_orphans() -> None:
    """Make this process the parent of all orphans among its descendants."""
    _prctl(_PR_SET_CHILD_SUBREAPER, 1)


def die_with_parent(parent: int) -> None:
    """Have the kernel kill this process when its parent ends. Call in the child, before exec.

    The kernel means the parent *thread*: whoever forks must do so from a thread that stays.
    """
    _prctl(_PR_SET_PDEATHSIG, signal.SIGKILL)
    if os.getppid() != parent:  # it ended before we asked
        os._exit(1)


def end_descendants(patience: float) -> bool:
    """SIGKILL all descendants until none is left alive; False if some are stuck in the kernel.

    Repeated, because a process may start another between the look and the kill. The dead are left for
    the caller to reap.
    """
    until = time.monotonic() + patience
    while True:
        alive = living_descendants()
        if not alive:
            return True
        for pid in alive:
            with contextlib.suppress(ProcessLookupError, PermissionError):
                os.kill(pid, signal.SIGKILL)
        if time.monotonic() >= until:
            return False
        time.sleep(0.002)


def living_descendants(top: int | None = None) -> list[int]:
    """Every process that descends from this one, or from `top`, and is not dead."""
    children: dict[int, list[int]] = {}
    dead: set[int] = set()
    for pid in all_pids():
        found = _state_and_parent(pid)
        if found is None:
            continue
        state, parent = found
        children.setdefault(parent, []).append(pid)
        if state in (b"Z", b"X"):
            dead.add(pid)
    found_pids: list[int] = []
    ahead = [os.getpid() if top is None else top]
    while ahead:
        below = children.get(ahead.pop(), [])
        found_pids += [pid for pid in below if pid not in dead]
        ahead += below
    return found_pids


def all_pids() -> list[int]:
    """Of this machine, as far as we are in its namespace; none where there is no /proc."""
    try:
        return [int(name) for name in os.listdir("/proc") if name.isdigit()]
    except OSError:
        return []


def parent_of(pid: int) -> int | None:
    """None if it has gone."""
    found = _state_and_parent(pid)
    return None if found is None else found[1]


def _state_and_parent(pid: int) -> tuple[bytes, int] | None:
    try:
        with open(f"/proc/{pid}/stat", "rb") as stat:
            # "pid (name) state ppid ...": the name may hold spaces and brackets
            state, parent = stat.read().rpartition(b")")[2].split()[:2]
            return state, int(parent)
    except (OSError, ValueError):
        return None


def _prctl(option: int, value: int) -> None:
    """Best effort: a Python without ctypes, or a system without prctl, does without."""
    try:
        import ctypes

        ctypes.CDLL(None, use_errno=True).prctl(option, value, 0, 0, 0)
    except (ImportError, OSError, AttributeError):
        return
