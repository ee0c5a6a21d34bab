"""Lines out of bytes, however the bytes are cut."""

from __future__ import annotations

import random

import pytest

from homeport_runner.pipes import LONGEST_LINE, LineSplitter


def split(*pieces: bytes) -> list[str]:
    splitter = LineSplitter()
    return [line for piece in pieces for line in splitter.feed(piece)] + splitter.rest()


@pytest.mark.parametrize(
    ("written", "lines"),
    [
        (b"", []),
        (b"a\nb", ["a", "b"]),
        (b"a\n", ["a"]),
        (b"\n", [""]),
        (b"a\r\nb\r\n", ["a", "b"]),
        (b"a\r\r\n", ["a"]),
        (b"1%\r2%\r3%\nnext", ["3%", "next"]),
        (b"1%\r2%\r", ["2%"]),
        (b"\r\n", [""]),
        ("naïve 🐈\n".encode(), ["naïve 🐈"]),
        (b"\xc3(\n", ["\ufffd("]),
        (b"nul\0\n", ["nul\ufffd"]),
        ("a\u2028b\x0cc\n".encode(), ["a\u2028b\x0cc"]),
    ],
)
def test_lines_do_not_depend_on_how_they_are_read(written: bytes, lines: list[str]) -> None:
    assert split(written) == lines
    assert split(*(bytes([byte]) for byte in written)) == lines


def test_a_long_line_is_cut_between_characters() -> None:
    text = "x" + "🐈" * LONGEST_LINE
    written = text.encode()
    random.seed(1)
    cuts = sorted(random.sample(range(len(written)), 50))
    lines = split(*(written[a:b] for a, b in zip([0, *cuts], [*cuts, len(written)], strict=True)))
    assert "".join(lines) == text
    assert max(len(line.encode()) for line in lines) <= LONGEST_LINE


def test_a_progress_bar_that_never_ends_its_line_does_not_pile_up() -> None:
    splitter = LineSplitter()
    assert [line for n in range(100_000) for line in splitter.feed(b"\r%d%% of the work" % n)] == []
    assert splitter.rest() == ["99999% of the work"]
