"""Sizes of instances, and how runs that ask for one share a machine.

A job names a size in `require={"instance": {"size": "medium"}}`. The size is a limit of memory for its runs, and
what is set aside for them. For a job that names none nothing is set aside: its runs are light, and wait for a
place only. They have no limit either, unless the installation sets one.
"""

from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

_GIB = 1024**3
_LIGHT_BYTES = 256 * 1024**2
"""What is left for each run that may be there besides and names no size, on a machine that has plenty."""
_MOST_FOR_LIGHT_RUNS = 1 / 4


@dataclass(frozen=True)
class Size:
    name: str
    vcpus: float
    memory_bytes: int


SIZES: Mapping[str, Size] = {
    size.name: size
    for size in (
        Size("small", 2, 4 * _GIB),
        Size("medium", 4, 8 * _GIB),
        Size("large", 8, 16 * _GIB),
        Size("xlarge", 16, 32 * _GIB),
    )
}
"""From the smallest to the largest (platform behaviour 10.4)."""
UNLIMITED = "none"
"""In the place of a size's name, where a limit can be turned off."""


def named_size(definition: Mapping[str, Any]) -> str | None:
    """The size that a job asks for by name, known or not; none where it asks for none."""
    instance = (definition.get("require") or {}).get("instance") or {}
    return None if instance.get("size") is None else str(instance["size"])


def size_of(name: str | None, default: str) -> Size | None:
    """The size that limits a run; none where there is no limit."""
    return SIZES.get(name or default)


def next_larger(size: Size) -> Size | None:
    larger = [other for other in SIZES.values() if other.memory_bytes > size.memory_bytes]
    return larger[0] if larger else None


def fault_in(definition: Mapping[str, Any]) -> str | None:
    """What is wrong with the size that a job asks for."""
    name = named_size(definition)
    if name is None or name in SIZES:
        return None
    known = ", ".join(f"{size.name} ({size.memory_bytes // _GIB} GiB)" for size in SIZES.values())
    return f"require.instance.size is {name!r}: there are {known}"


@dataclass(frozen=True)
class Room:
    """What runs that name a size share on one machine."""

    cpus: float
    memory_bytes: int

    def part_of(self, size: Size) -> Size:
        """What is set aside for a run: a size that the machine does not have is all that it has."""
        return Size(size.name, min(size.vcpus, self.cpus), min(size.memory_bytes, self.memory_bytes))


def room_of(cpus: float, memory_bytes: int, places: int) -> Room:
    """The room of a machine, without what light runs may need: they must never wait for one that is large."""
    light = min(_LIGHT_BYTES * places, int(memory_bytes * _MOST_FOR_LIGHT_RUNS))
    return Room(cpus, memory_bytes - light)


@dataclass(frozen=True)
class Shortage:
    """What a run waits for."""

    what: str
    wanted: str
    free: str
    of: str

    def __str__(self) -> str:
        return f"{self.what}: it asks for {self.wanted}, and of {self.of} {self.free} are free"


def shortage(room: Room, taken: Collection[str], wanted: str) -> Shortage | None:
    """What is missing for a run of a size beside runs of these sizes; none if it may start.

    Names that are no sizes, of runs from before or after this version, take nothing.
    """
    part = _parts(room, [wanted])
    if not part:
        return None
    there = _parts(room, taken)
    memory = room.memory_bytes - sum(size.memory_bytes for size in there)
    cpus = room.cpus - sum(size.vcpus for size in there)
    if part[0].memory_bytes > memory:
        return Shortage(
            "memory", gibibytes(part[0].memory_bytes), gibibytes(max(memory, 0)), gibibytes(room.memory_bytes)
        )
    if part[0].vcpus > cpus:
        return Shortage("CPUs", f"{part[0].vcpus:g}", f"{max(cpus, 0):g}", f"{room.cpus:g}")
    return None


def _parts(room: Room, names: Collection[str]) -> Sequence[Size]:
    return [room.part_of(SIZES[name]) for name in names if name in SIZES]


def gibibytes(count: int) -> str:
    """`3.7 GiB`, as people read it."""
    return f"{count / _GIB:.1f}".removesuffix(".0") + " GiB"
