"""How much memory a run has: all its processes together, and whether that is too much.

Looking costs more than it tells when there is plenty of room, so looks are rare then, and close together near the
limit: never more than a thousandth of a core, near the limit a hundredth. What a short look would have missed, the
kernel has kept for single processes (`usage.py`).

Linux only; elsewhere nothing is found, and nothing is limited.
"""

from __future__ import annotations

import contextlib
import os
import time
from dataclasses import dataclass

from homeport_runner import clocks, family

_PAGE = os.sysconf("SC_PAGE_SIZE")
_FIRST_SECONDS = 0.5
_SECONDS = 2.0
_NEAR_SECONDS = 0.1
_LONGEST_SECONDS = 10.0
_GROWTH = 2 * 1024**3
"""How many bytes a run may come to have in a second; how soon the limit could be reached follows."""
_FAR_SHARE, _NEAR_SHARE = 1_000, 100
_VICTIM = 500
"""Of 1000; the kernel counts it as half of the machine's memory."""
_LOOKS_BEFORE_ALL = 20
"""Processes that are none of the run's are not looked at again until then; their numbers may be others' by now."""


@dataclass(frozen=True)
class Limit:
    """The most that all processes of a run may have at once."""

    limit_bytes: int
    holder: str = "it"
    """Who sets it: `its instance 'small'`."""
    advice: str = ""
    """What to do about it; a sentence."""


def exceeded(peak: int, limit: Limit | None) -> str:
    """For people: the run had more than its limit."""
    told = f"The run used {in_words(peak)} of memory{_beside(limit)}."
    return f"{told} {limit.advice}" if limit is not None and limit.advice else told


def killed_by_kernel(peak: int, limit: Limit | None) -> str:
    """For people: the machine had no more."""
    return (
        "The machine ran out of memory and its kernel killed the run, which had used "
        f"{in_words(peak)}{_beside(limit)}. Run less at once, or on a machine with more memory."
    )


def _beside(limit: Limit | None) -> str:
    return "" if limit is None else f"; {limit.holder} has {in_words(limit.limit_bytes)}"


class Watch:
    """Looks at the processes below one process, that one not among them."""

    def __init__(self, top: int, limit: Limit | None = None) -> None:
        self.limit = limit
        self.peak = 0
        """The most bytes that any look has found."""
        self.next_at = clocks.now() + _FIRST_SECONDS
        self._top = top
        self._members: set[int] = set()
        self._strangers: set[int] = set()
        self._looks = 0

    def look(self) -> bool:
        """Whether it is too much now. `next_at` says when to look again."""
        began = time.thread_time()
        limit = None if self.limit is None else self.limit.limit_bytes
        used = self._resident()
        if limit is not None and used > limit and len(self._members) > 1:
            # what processes share counts for each of them there, which nobody must be killed for
            used = min(used, self._proportional())
        self.peak = max(self.peak, used)
        self.next_at = clocks.now() + pause(used, limit, time.thread_time() - began)
        return limit is not None and used > limit

    def _resident(self) -> int:
        self._find()
        total = 0
        for pid in list(self._members):
            try:
                with open(f"/proc/{pid}/statm", "rb") as statm:
                    total += int(statm.read().split()[1]) * _PAGE
            except (OSError, ValueError, IndexError):
                self._members.discard(pid)
        return total

    def _proportional(self) -> int:
        """With shared memory divided among those that share it. Slow: the kernel walks through all of it."""
        total = 0
        for pid in self._members:
            with contextlib.suppress(OSError, ValueError), open(f"/proc/{pid}/smaps_rollup", "rb") as rollup:
                for line in rollup:
                    if line.startswith(b"Pss:"):
                        total += int(line.split()[1]) * 1024
                        break
        return total

    def _find(self) -> None:
        """Bring the members up to date. Nobody joins a family but by birth, so others are looked at once."""
        if self._looks % _LOOKS_BEFORE_ALL == 0:
            self._strangers.clear()
        self._looks += 1
        there = set(family.all_pids())
        self._strangers &= there
        self._members &= there
        fresh = {pid: family.parent_of(pid) for pid in there - self._members - self._strangers}
        for pid in fresh:
            if self._is_below(pid, fresh):
                self._members.add(pid)
        self._strangers |= fresh.keys() - self._members

    def _is_below(self, pid: int, fresh: dict[int, int | None]) -> bool:
        above: int | None = pid
        for _ in range(len(fresh) + 1):  # numbers that are given anew meanwhile must not make a circle of it
            above = fresh.get(above) if above is not None else None
            if above == self._top or above in self._members:
                return True
            if above is None:
                break
        return False


def pause(used: int, limit: int | None, cost: float) -> float:
    """Seconds until the next look, where `used` bytes were found in `cost` seconds of processor time."""
    far = max(_SECONDS, _FAR_SHARE * cost)
    if limit is None:
        return min(far, _LONGEST_SECONDS)
    until_full = max(_NEAR_SECONDS, (limit - used) / _GROWTH)
    return min(far, max(until_full, min(_NEAR_SHARE * cost, _SECONDS)), _LONGEST_SECONDS)


def kills_by_kernel() -> int:
    """How many processes of this machine the kernel has ever killed because memory ran out."""
    with contextlib.suppress(OSError, ValueError), open("/proc/vmstat", "rb") as vmstat:
        for line in vmstat:
            if line.startswith(b"oom_kill "):
                return int(line.split()[1])
    return 0


def prefer_as_victim() -> None:
    """Where memory runs out, have the kernel end the run, not who looks after it. Call in the run's process."""
    with contextlib.suppress(OSError, ValueError):
        with open("/proc/self/oom_score_adj") as score:
            now = int(score.read())
        if now < _VICTIM:
            with open("/proc/self/oom_score_adj", "w") as score:
                score.write(str(_VICTIM))


def in_words(count: int) -> str:
    """`3.95 GiB`, `512 MiB`."""
    for unit, size in (("GiB", 1024**3), ("MiB", 1024**2)):
        if count >= size or unit == "MiB":
            return f"{count / size:.{2 if unit == 'GiB' else 0}f}".replace(".00", "") + f" {unit}"
    raise AssertionError("not reached")
