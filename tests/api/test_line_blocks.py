"""Lines in the form that our runner writes take a short way in; others the usual one. Both end the same."""

import json
from pathlib import Path
from typing import Any

import pytest

from homeport.contract import line_blocks
from homeport.logs import reading
from homeport_runner.spool import Spool

from ..builders import definition
from ..world import Runner, World
from .conftest import Door

AT = "2026-03-02T12:00:00.123456Z"


@pytest.fixture
def runner(world: World) -> Runner:
    world.deploy(definition("a"))
    return world.running("a")


def body(*contents: str, first: int = 0, at: Any = AT) -> bytes:
    rows = ",\n".join(json.dumps([at, "stdout", "user", "run", text], ensure_ascii=False) for text in contents)
    return f'{{"first": {first}, "lines": [{rows}]}}'.encode()


def post(door: Door, runner: Runner, content: bytes, session: str | None = None) -> Any:
    path = f"/runner/v1/attempts/{runner.attempt_id}/lines"
    headers = {"Content-Type": "application/json"}
    return door.post(path, session or runner.launch.session, content=content, headers=headers)


def log_of(world: World, runner: Runner) -> list[tuple[int, str]]:
    found: list[tuple[int, str]] = []
    while (piece := reading.read(world.database, world.platform.blobs, runner.run_id, len(found))).rows:
        assert [json.loads(line) for line in piece.as_json()] == [
            json.loads(line.model_dump_json()) for line in piece.lines
        ]
        found += [(line.line_num, line.content) for line in piece.lines]
    return found


@pytest.mark.parametrize("spaced", [True, False], ids=["our form", "another form"])
def test_lines_are_kept_once_and_in_order(door: Door, world: World, runner: Runner, spaced: bool) -> None:
    def sent(*contents: str, first: int) -> Any:
        content = body(*contents, first=first)
        assert (line_blocks.read(content) is not None) == bool(contents)
        return post(door, runner, content if spaced else b" " + content).json()

    assert sent("a", "b", first=0) == {"next": 2, "cancel": False}
    assert sent("a", "b", first=0)["next"] == 2
    assert sent("b", "c", "é\u2028 \x85", first=1)["next"] == 4
    assert sent("gap", first=9)["next"] == 4
    assert post(door, runner, body(first=4)).json()["next"] == 4
    assert log_of(world, runner) == [(0, "a"), (1, "b"), (2, "c"), (3, "é\u2028 \x85")]


@pytest.mark.parametrize(
    "content",
    [
        b"",
        b"{}",
        b'{"first": 0, "lines": [}',
        b'{"first": 0, "lines": [[]]}',
        b'{"first": 0, "lines": [["x", "stdout", "user", "run", "text"]]}',
        b'{"first": 0, "lines": [], "lines": [["' + AT.encode() + b'", "stdout", "user", "run", "text"]]}',
        b'{"first": -1, "lines": []}',
        body("a", at="yesterday"),
        body("a", at="2026-02-29T12:00:00.123456Z"),
        body("a", at="2026-04-31T12:00:00.123456Z"),
        body("a", at="2026-13-01T12:00:00.123456Z"),
        body("a", at="2026-01-01T24:00:00.123456Z"),
        body("a").replace(b'"a"', b'"\n"'),
        body("a").replace(b'"a"', b'"\\"'),
        body("a").replace(b'"a"', b'"\\x"'),
        body("a").replace(b'"a"', b'"a", "b"'),
        body("x" * 300_001),
        body("a").replace(b"stdout", b"stdwhat"),
        body("a").replace(b'"a"', b'"\xff"'),
        body("a").replace(b'"a"', b'"\\ud800"'),
        body("a").replace(b'"a"', b'"\\u0000"'),
        body(*["x"] * 5001),
    ],
)
def test_what_is_not_quite_right_takes_the_usual_way(content: bytes) -> None:
    assert line_blocks.read(content) is None


@pytest.mark.parametrize(
    "contents",
    [
        [""],
        ["a", "b"],
        ['"quoted"', "back\\slash", "\\", '\\"'],
        ['"],\n["', '", "'],
        ["\t\r\n\b\f\x1b[31m\x01\x1f\x7f"],
        ["schön \u2028 🥖 \x85"],
        ["x" * 299_900, "y"],
        [str(number) for number in range(5000)],
    ],
)
@pytest.mark.parametrize("day", ["01-31", "02-28", "04-30", "12-31"])
def test_whatever_the_runner_writes_takes_the_short_way(contents: list[str], day: str, tmp_path: Path) -> None:
    spool = Spool(tmp_path)
    spool.take(f"2026-{day}T23:59:59.123456Z", "stderr", "user", "run", contents)
    rows = spool.read(0, 5000, 1 << 20)
    block = line_blocks.read(b'{"first": 7, "lines": [%s]}' % b",\n".join(rows))
    assert block is not None
    assert (block.first, block.count) == (7, len(contents))
    assert [row[4] for row in json.loads(block.rows)] == contents


def test_half_characters_are_repaired_and_nonsense_is_refused(door: Door, world: World, runner: Runner) -> None:
    assert post(door, runner, body("a").replace(b'"a"', b'"\\ud800\\u0000"')).json()["next"] == 1
    assert log_of(world, runner) == [(0, "\ufffd\ufffd")]
    assert post(door, runner, b'{"first": 1, "lines": [[]]}').status_code == 400
    assert post(door, runner, body("b", first=1), session="of somebody else").status_code == 401


@pytest.mark.parametrize("at", ["2026-03-02T13:00:00+01:00", "2026-03-02 12:00:00Z", 1772452800])
def test_moments_in_other_forms_are_given_out_in_one(door: Door, world: World, runner: Runner, at: Any) -> None:
    assert post(door, runner, body("a", at=at)).json()["next"] == 1
    [line] = reading.read(world.database, world.platform.blobs, runner.run_id, 0).as_json()
    assert json.loads(line)["reported_at"] == "2026-03-02T12:00:00.000000Z"
