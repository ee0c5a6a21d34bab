"""Sizes of instances, and what of a machine runs that ask for one share."""

import pytest

from homeport.scheduling import instances
from homeport.scheduling.instances import SIZES, Room, room_of, shortage

GIB = 1024**3


@pytest.mark.parametrize(
    ("name", "vcpus", "gib"), [("small", 2, 4), ("medium", 4, 8), ("large", 8, 16), ("xlarge", 16, 32)]
)
def test_sizes_are_those_of_the_platform(name: str, vcpus: float, gib: int) -> None:
    assert (SIZES[name].vcpus, SIZES[name].memory_bytes) == (vcpus, gib * GIB)


def test_the_next_larger_size_is_known_and_the_largest_has_none() -> None:
    larger = [instances.next_larger(size) for size in SIZES.values()]
    assert [size.name if size else None for size in larger] == ["medium", "large", "xlarge", None]


@pytest.mark.parametrize(
    ("machine_gib", "max_runs", "room_gib"), [(32, 8, 30), (16, 8, 14), (8, 8, 6), (2, 8, 1.5), (64, 100, 48)]
)
def test_light_runs_keep_a_part_of_the_machine(machine_gib: int, max_runs: int, room_gib: float) -> None:
    assert room_of(2, machine_gib * GIB, max_runs).memory_bytes == room_gib * GIB


@pytest.mark.parametrize("wanted", SIZES)
def test_alone_every_size_has_room_on_the_smallest_machine(wanted: str) -> None:
    assert shortage(Room(0.5, GIB), [], wanted) is None
    assert shortage(Room(0.5, GIB), ["small"], wanted) is not None


def test_unknown_names_take_nothing_and_always_have_room() -> None:
    room = Room(2, 4 * GIB)
    assert shortage(room, ["gigantic"], "small") is None
    assert shortage(room, ["small"], "gigantic") is None


def test_a_shortage_says_what_is_missing() -> None:
    told = shortage(Room(64, 6 * GIB), ["small"], "small")
    assert str(told) == "memory: it asks for 4 GiB, and of 6 GiB 2 GiB are free"
