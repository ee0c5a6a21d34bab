"""Rows are told apart and given out without being read; whatever is in them, and however old they are."""

import json
from datetime import UTC, datetime

import pytest

from homeport.contract.log_lines import LogLine
from homeport.logs import rows

AT = datetime(2026, 3, 2, 12, 0, 0, 123456, tzinfo=UTC)
TEXTS = ["", "a", '"],\n["', '", "', "\\", '\\"', "\n\r\t\x00\x1f", "schön \u2028 \x85 🥖", "x" * 300_000]


def kept(*texts: str) -> bytes:
    return rows.join((AT, "stdout", "user", "run", text) for text in texts)


@pytest.mark.parametrize("texts", [[text] for text in TEXTS] + [TEXTS])
def test_rows_are_what_was_kept(texts: list[str]) -> None:
    found = rows.split(kept(*texts), len(texts))
    lines = [rows.line_of(row, number) for number, row in enumerate(found, 7)]
    assert [line.content for line in lines] == texts
    assert [line.line_num for line in lines] == list(range(7, 7 + len(texts)))
    assert {line.reported_at for line in lines} == {AT}


@pytest.mark.parametrize("text", TEXTS)
def test_a_row_is_given_out_as_a_line_writes_itself(text: str) -> None:
    [row] = rows.split(kept(text), 1)
    given = rows.json_of(row, 3)
    assert given.isascii()
    assert json.loads(given) == json.loads(rows.line_of(row, 3).model_dump_json())
    assert LogLine.model_validate_json(given) == rows.line_of(row, 3)


@pytest.mark.parametrize("at", ["0001-01-01T00:00:00+14:00", "9999-12-31T23:59:59-14:00", "0001-01-01T00:00:00"])
def test_moments_at_the_edge_of_the_calendar_are_kept(at: str) -> None:
    [row] = rows.split(rows.join([(at, "stdout", "user", "run", "a")]), 1)
    assert rows.line_of(row, 0).content == "a"


@pytest.mark.parametrize("separators", [(",", ":"), (", ", ": ")])
@pytest.mark.parametrize("texts", [["a"], ["a,\nb"], ["a", "é,\n"]])
@pytest.mark.parametrize("at", ["2026-03-02T12:00:00.123456+00:00", "2026-03-02T13:00:00.123456+01:00"])
def test_what_earlier_versions_kept_is_read_too(separators: tuple[str, str], texts: list[str], at: str) -> None:
    old = json.dumps([[at, "stdout", "user", "run", text] for text in texts], separators=separators).encode()
    assert rows.split(old, len(texts)) == rows.split(kept(*texts), len(texts))
