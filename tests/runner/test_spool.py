"""The spool: any line by its number, on disk, within bounds."""

from __future__ import annotations

import json
import os
from pathlib import Path

import pytest

from homeport_runner.spool import Line, Spool


def lines(*contents: str) -> list[Line]:
    return [Line("2026-01-01T00:00:00.000000Z", "stdout", "user", "run", content) for content in contents]


def read(spool: Spool, first: int, count: int = 1000, size: int = 1 << 20) -> list[str]:
    return [json.loads(row)[4] for row in spool.read(first, count, size)]


def test_lines_are_read_from_any_number(tmp_path: Path) -> None:
    spool = Spool(tmp_path, segment_bytes=500)
    for n in range(100):
        spool.append(lines(f"line {n}"))
    for first in (99, 0, 50, 51, 3):
        assert read(spool, first, count=1) == [f"line {first}"]
    assert read(spool, 100) == []
    everything: list[str] = []
    while len(everything) < spool.total:
        everything += read(spool, len(everything), count=7)
    assert everything == [f"line {n}" for n in range(100)]


def test_a_line_larger_than_a_batch_is_read_alone(tmp_path: Path) -> None:
    spool = Spool(tmp_path)
    spool.append(lines("a", "b" * 5000, "c"))
    assert read(spool, 0, size=100) == ["a"]
    assert read(spool, 1, size=100)[0] == "b" * 5000


def test_what_the_server_has_is_removed_but_for_the_latest(tmp_path: Path) -> None:
    spool = Spool(tmp_path, segment_bytes=100)
    for n in range(50):
        spool.append(lines(f"line {n}"))
        spool.forget_before(n + 1)
    assert len(list(tmp_path.iterdir())) <= 3
    assert read(spool, 49) == ["line 49"]
    assert "no longer here" in read(spool, 0)[0]


def test_a_full_spool_says_how_much_is_missing(tmp_path: Path) -> None:
    spool = Spool(tmp_path, limit=1000, segment_bytes=200)
    for n in range(100):
        spool.append(lines(f"line {n}"))
    kept = spool.total
    assert kept < 20
    spool.forget_before(kept)
    spool.append(lines("after"))
    gap, after = read(spool, kept)
    assert gap.startswith(f"{100 - kept} lines are missing")
    assert after == "after"


def test_a_full_disk_loses_whole_lines_only(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    spool = Spool(tmp_path)
    spool.append(lines("before"))
    pwrite = os.pwrite

    def full(descriptor: int, data: bytes, offset: int) -> int:
        if len(data) < 20:
            raise OSError(28, "No space left on device")
        return pwrite(descriptor, data[: len(data) // 2], offset)

    monkeypatch.setattr(os, "pwrite", full)
    spool.append(lines("lost", "lost too"))
    monkeypatch.setattr(os, "pwrite", pwrite)
    spool.append(lines("after"))
    assert read(spool, 0)[0] == "before"
    assert read(spool, 1)[0].startswith("2 lines are missing")
    assert read(spool, 2) == ["after"]


def test_the_end_tells_of_a_gap_too(tmp_path: Path) -> None:
    spool = Spool(tmp_path, limit=10)
    spool.append(lines("kept"))
    spool.append(lines("left out"))
    spool.close()
    assert read(spool, 1)[0].startswith("1 lines are missing")
