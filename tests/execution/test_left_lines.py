"""What a runner had on its disk when it was killed."""

import json
from pathlib import Path

import pytest

from homeport.execution import left_lines
from homeport_runner.ahead import Ahead
from homeport_runner.masking import Masking
from homeport_runner.spool import Line, Spool


def spooled(folder: Path, count: int) -> Spool:
    spool = Spool(folder, segment_bytes=500)
    spool.append(Line("2026-01-01T00:00:00.000000Z", "stdout", "user", "run", str(n)) for n in range(count))
    return spool


def test_lines_are_found_from_any_number(tmp_path: Path) -> None:
    spool = spooled(tmp_path, 100)
    assert len(list(tmp_path.iterdir())) > 5
    for first in (0, 1, 50, 99):
        assert left_lines.read(tmp_path, first, 1) == spool.read(first, 1, 1 << 20)
    found: list[bytes] = []
    while rows := left_lines.read(tmp_path, len(found), 7):
        found += rows
    assert len(found) == 100


def test_a_line_that_was_being_written_is_none(tmp_path: Path) -> None:
    spooled(tmp_path, 2)
    with next(tmp_path.iterdir()).open("ab") as file:
        file.write(b'["2026-01-01T00:00')
    assert len(left_lines.read(tmp_path, 0, 10)) == 2
    assert left_lines.read(tmp_path, 2, 10) == []


def test_where_nothing_was_left_nothing_is_found(tmp_path: Path) -> None:
    assert left_lines.read(tmp_path / "nowhere", 0, 10) == []
    (tmp_path / "lines-x").touch()
    assert left_lines.read(tmp_path, 0, 10) == []


@pytest.mark.parametrize("taken", [0, 1, 2, 3])
def test_what_had_been_read_follows_as_far_as_it_is_no_line_yet(tmp_path: Path, taken: int) -> None:
    spool = spooled(tmp_path, 40)
    Ahead(tmp_path, spool).note({"stdout": b"be", "stderr": b"oh"}, "stdout", b"gun\nhunter2!\nlast")
    made = ["begun", "***", "last"][:taken]
    spool.remark("in between", "run")
    spool.append(Line("2026-01-01T00:00:00.000000Z", "stdout", "user", "run", content) for content in made)
    rows = left_lines.read(tmp_path, spool.total, 10, Masking(["hunter2!"]))
    found = [json.loads(row)[1:] for row in rows]
    left = [["stdout", "user", "run", content] for content in ("begun", "***", "last")[taken:]]
    assert found == [*left, ["stderr", "user", "run", "oh"]]
    assert left_lines.read(tmp_path, spool.total + 1, 1, Masking(["hunter2!"])) == rows[1:2]
    assert left_lines.read(tmp_path, spool.total, 10) == []
