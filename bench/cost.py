"""What a server and everything that it started takes from the machine (Linux).

This process adopts the orphans among its descendants (PR_SET_CHILD_SUBREAPER), so that none of them is lost to the
sums, however detached: a runner outlives its server, a warm process outlives the run that made it.
"""

import ctypes
import os
import resource
from pathlib import Path

PR_SET_CHILD_SUBREAPER = 36
TICKS = os.sysconf("SC_CLK_TCK")


def adopt_orphans() -> None:
    """From now on; before anything is started."""
    ctypes.CDLL(None, use_errno=True).prctl(PR_SET_CHILD_SUBREAPER, 1, 0, 0, 0)


def descendants() -> list[Path]:
    """The /proc folders of the processes below this one, which themselves are not counted."""
    children: dict[int, list[int]] = {}
    for folder in Path("/proc").glob("[0-9]*"):
        try:
            parent = int(_after_name(folder)[1])
        except OSError:
            continue
        children.setdefault(parent, []).append(int(folder.name))
    found, open_ends = [], [os.getpid()]
    while open_ends:
        below = children.get(open_ends.pop(), [])
        open_ends += below
        found += [Path(f"/proc/{pid}") for pid in below]
    return found


def cpu_seconds() -> float:
    """Processor time of all descendants, the living and those that were waited for."""
    ours = resource.getrusage(resource.RUSAGE_CHILDREN)
    total = ours.ru_utime + ours.ru_stime
    for folder in descendants():
        try:
            # user, system, and both of the children that it waited for
            total += sum(int(word) for word in _after_name(folder)[11:15]) / TICKS
        except OSError:
            continue
    return total


def proportional_megabytes() -> float:
    """PSS of all descendants: pages shared by several count for each with its part."""
    total = 0
    for folder in descendants():
        try:
            lines = (folder / "smaps_rollup").read_text().splitlines()
        except OSError:
            continue  # gone, or not waited for yet
        total += sum(int(line.split()[1]) for line in lines if line.startswith("Pss:"))
    return total / 1024


def _after_name(folder: Path) -> list[str]:
    """The fields of /proc/<pid>/stat from the third on: a name may hold anything, also brackets."""
    return (folder / "stat").read_text().rpartition(")")[2].split()
