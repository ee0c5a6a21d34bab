"""What one reader was given is given to the next; that there was nothing is not."""

import threading
from collections.abc import Callable

import pytest

from homeport.logs.sharing import Ready, SharedPieces

from ..builders import at_once

SOME = Ready("some lines", 2, False)
NOTHING = Ready("", 0, False)


class Maker:
    def __init__(self, *made: Ready) -> None:
        self.made = list(made)
        self.times = 0

    def __call__(self) -> Ready:
        self.times += 1
        return self.made[min(self.times, len(self.made)) - 1]


def test_lines_are_made_once() -> None:
    pieces, make = SharedPieces(), Maker(SOME)
    at_once(8, lambda _number: pieces.get("key", make) == SOME or pytest.fail("not the same"))
    assert make.times == 1


def test_nothing_is_not_remembered() -> None:
    pieces, make = SharedPieces(), Maker(NOTHING, SOME)
    assert [pieces.get("key", make), pieces.get("key", make)] == [NOTHING, SOME]


def test_who_waited_for_nothing_looks_again() -> None:
    """It may have been called because there is something now."""
    pieces, begun, may_end = SharedPieces(), threading.Event(), threading.Event()

    def slow() -> Ready:
        begun.set()
        may_end.wait(20)
        return NOTHING

    found: list[Ready] = []
    first = threading.Thread(target=lambda: found.append(pieces.get("key", slow)))
    first.start()
    begun.wait(20)
    second = threading.Thread(target=lambda: found.append(pieces.get("key", Maker(SOME))))
    second.start()
    may_end.set()
    first.join(20)
    second.join(20)
    assert sorted(found, key=lambda ready: ready.next_line) == [NOTHING, SOME]


def test_a_failure_is_told_and_forgotten() -> None:
    pieces = SharedPieces()

    def fail() -> Ready:
        raise ValueError("no storage")

    for make in (fail, fail):
        with pytest.raises(ValueError, match="no storage"):
            pieces.get("key", make)
    assert pieces.get("key", Maker(SOME)) == SOME


def test_the_oldest_are_dropped() -> None:
    pieces = SharedPieces(most_chars=25)
    makers: list[Callable[[], Ready]] = [Maker(SOME) for _ in range(3)]
    for number in (0, 1, 2, 0, 2):
        pieces.get(number, makers[number])
    assert [make.times for make in makers if isinstance(make, Maker)] == [2, 1, 1]
