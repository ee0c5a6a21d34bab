"""Ends what the build of a package has left behind and uv would wait for.

uv reads what a build says until nobody holds the pipe any more. A daemon that the build started, and forgot,
holds it for as long as it lives, long after the build itself has ended. Linux only; elsewhere none is found.
"""

from __future__ import annotations

import contextlib
import os
import signal

from homeport_runner import clocks, family

_SECONDS = 1.0


class Orphans:
    """Of the processes below `top` those that are not below its child: whoever had started them has ended."""

    def __init__(self, top: int, child: int) -> None:
        self._top = top
        self._child = child
        self._holding: set[int] = set()
        self.next_at = clocks.now() + _SECONDS

    def look(self) -> list[str]:
        """End those that alone have held, for two looks, a pipe that the child reads; what they are called.

        `next_at` says when to look again.
        """
        before = self._holding
        self._holding = self._find()
        self.next_at = clocks.now() + _SECONDS
        return [_end(pid) for pid in sorted(self._holding & before)]

    def _find(self) -> set[int]:
        below = family.living_descendants(self._child)
        orphans = set(family.living_descendants(self._top)) - {self._child, *below}
        if not orphans:
            return set()
        # its own standard streams it shares with its children, and does not read
        own = _pipes_of(self._child)
        awaited = set(own.values()).difference(*(_pipes_of(pid).values() for pid in below))
        awaited -= {own[number] for number in (0, 1, 2) if number in own}
        return {pid for pid in orphans if not awaited.isdisjoint(_pipes_of(pid).values())}


def _pipes_of(pid: int) -> dict[int, str]:
    """By descriptor."""
    pipes = {}
    with contextlib.suppress(OSError):
        for number in os.listdir(f"/proc/{pid}/fd"):
            with contextlib.suppress(OSError):
                target = os.readlink(f"/proc/{pid}/fd/{number}")
                if target.startswith("pipe:"):
                    pipes[int(number)] = target
    return pipes


def _end(pid: int) -> str:
    name = "?"
    with contextlib.suppress(OSError), open(f"/proc/{pid}/comm") as comm:
        name = comm.read().strip()
    with contextlib.suppress(ProcessLookupError, PermissionError):
        os.kill(pid, signal.SIGKILL)
    return f"{name}, pid {pid}"
