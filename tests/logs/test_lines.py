"""Every line of a log is kept once, under its number, whatever was sent twice or came late."""

import pytest

from homeport.logs import reading, writing
from homeport.store import attempts

from ..builders import at_once, definition
from ..world import Runner, World


@pytest.fixture
def runner(world: World) -> Runner:
    world.deploy(definition("a"))
    return world.running("a")


def log_of(world: World, runner: Runner, from_line: int = 0) -> list[tuple[int, str]]:
    """The whole log, read as readers do, with the numbers of its lines."""
    found: list[tuple[int, str]] = []
    while (piece := read(world, runner, from_line)).lines:
        found += [(line.line_num, line.content) for line in piece.lines]
        from_line = piece.next_line
    return found


def read(world: World, runner: Runner, from_line: int = 0) -> reading.Piece:
    return reading.read(world.database, world.platform.blobs, runner.run_id, from_line)


def numbered(*texts: str) -> list[tuple[int, str]]:
    return list(enumerate(texts))


def test_lines_come_back_with_all_that_was_said_of_them(world: World, runner: Runner) -> None:
    runner.say(0, "schön\u2028 ✓ \x00")
    [line] = read(world, runner).lines
    assert (line.line_num, line.content) == (0, "schön\u2028 ✓ \x00")
    assert (line.reported_at, line.source, line.stage) == (world.clock.now(), "user", "run")


@pytest.mark.parametrize(
    ("first", "texts", "wanted", "kept"),
    [
        (2, ["c"], 3, ["a", "b", "c"]),
        (0, ["a", "b"], 2, ["a", "b"]),
        (1, ["b", "c", "d"], 4, ["a", "b", "c", "d"]),
        (0, ["a"], 2, ["a", "b"]),
        (3, ["d"], 2, ["a", "b"]),
        (2, [], 2, ["a", "b"]),
    ],
    ids=["next", "repeated", "overlapping", "older", "leaving a gap", "none"],
)
def test_after_two_lines(
    world: World, runner: Runner, first: int, texts: list[str], wanted: int, kept: list[str]
) -> None:
    assert runner.say(0, "a", "b").next == 2
    assert runner.say(first, *texts).next == wanted
    assert log_of(world, runner) == numbered(*kept)


def test_senders_at_once_leave_neither_gap_nor_double(world: World, runner: Runner) -> None:
    texts = [str(number) for number in range(40)]

    def send(_number: int) -> None:
        position = 0
        while position < len(texts):
            position = runner.say(position, *texts[position : position + 7]).next

    at_once(4, send)
    assert log_of(world, runner) == numbered(*texts)


def test_reading_goes_on_from_any_line(world: World, runner: Runner) -> None:
    for start in (0, 3, 6):
        runner.say(start, *map(str, range(start, start + 3)))
    assert log_of(world, runner, from_line=4) == numbered(*map(str, range(9)))[4:]


def test_a_long_log_is_handed_out_in_pieces(world: World, runner: Runner) -> None:
    for number in range(50):
        runner.say(number, str(number))
    piece = read(world, runner)
    assert 0 < len(piece.lines) < 50
    assert piece.next_line == len(piece.lines)
    assert log_of(world, runner) == numbered(*map(str, range(50)))


def test_only_a_run_that_is_over_has_a_last_piece(world: World, runner: Runner) -> None:
    runner.say(0, "a")
    assert not read(world, runner, 1).is_last
    runner.exit(0, lines=1)
    assert not read(world, runner, 0).is_last
    assert read(world, runner, 1).is_last


def test_a_second_attempt_goes_on_with_the_numbers(world: World, runner: Runner) -> None:
    runner.say(0, "a", "b")
    with world.database.write() as tx:
        attempts.end(tx, runner.run_id, world.clock.now())
        attempts.submit(tx, runner.run_id, 2, "ticket", world.clock.now())
        writing.add_remark(tx, runner.run_id, "again", world.clock.now())
    assert log_of(world, runner) == numbered("a", "b", "again")


def test_a_remark_for_a_run_without_attempt_is_dropped(world: World, runner: Runner) -> None:
    world.deploy(definition("b"), module=None)
    run = world.start("b")
    with world.database.write() as tx:
        writing.add_remark(tx, run.id, "nobody listens", world.clock.now())
    assert reading.read(world.database, world.platform.blobs, run.id, 0).lines == []
