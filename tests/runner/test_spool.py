"""The spool: any line by its number, on disk, within bounds."""

from __future__ import annotations

import json
import os
import threading
from pathlib import Path

import pytest

from homeport_runner import spool as spool_module
from homeport_runner.spool import Line, Spool

from .conftest import DEADLINE, until


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


def test_a_full_spool_makes_whoever_writes_wait_and_loses_nothing(tmp_path: Path) -> None:
    spool = Spool(tmp_path, room=1000, segment_bytes=200)
    writing = threading.Thread(target=lambda: [spool.append(lines(f"line {n}")) for n in range(100)], daemon=True)
    writing.start()
    until(lambda: spool.is_full)
    kept = spool.total
    assert kept < 20
    found: list[str] = []
    while len(found) < 100:
        found += read(spool, len(found), count=3)
        spool.forget_before(len(found))
    writing.join(DEADLINE)
    assert found == [f"line {n}" for n in range(100)]
    assert not spool.is_full


def test_a_remark_does_not_wait_for_room(tmp_path: Path) -> None:
    spool = Spool(tmp_path, room=10)
    spool.append(lines("kept"))
    spool.remark("stopping", "run")
    assert read(spool, 0) == ["kept", "stopping"]


def test_on_a_full_disk_memory_takes_over(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    spool = Spool(tmp_path)
    spool.append(lines("before"))
    pwrite = os.pwrite

    def full(descriptor: int, data: bytes, offset: int) -> int:
        if len(data) < 20:
            raise OSError(28, "No space left on device")
        return pwrite(descriptor, data[: len(data) // 2], offset)

    monkeypatch.setattr(os, "pwrite", full)
    for n in range(10):
        spool.append(lines(f"meanwhile {n}"))
    monkeypatch.setattr(os, "pwrite", pwrite)
    spool.append(lines("after"))
    found: list[str] = []
    while len(found) < spool.total:
        found += read(spool, len(found), count=4)
    assert found == ["before", *(f"meanwhile {n}" for n in range(10)), "after"]
    assert len(list(tmp_path.iterdir())) == 2


def test_memory_is_no_endless_disk(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(spool_module, "MEMORY_BYTES", 1000)
    spool = Spool(tmp_path)

    def full(*_: object) -> int:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(os, "pwrite", full)
    writing = threading.Thread(target=lambda: [spool.append(lines(f"line {n}")) for n in range(100)], daemon=True)
    writing.start()
    until(lambda: spool.is_full)
    found: list[str] = []
    while len(found) < 100:
        found += read(spool, len(found), count=7)
        spool.forget_before(len(found))
    writing.join(DEADLINE)
    assert found == [f"line {n}" for n in range(100)]


def test_a_log_has_a_limit_and_says_so(tmp_path: Path) -> None:
    spool = Spool(tmp_path, log_limit=300)
    for n in range(100):
        spool.append(lines(f"line {n}"))
    spool.remark("Cancelled.", "run")
    spool.close()
    found = read(spool, 0)
    kept = found.index("line 0") + sum(line.startswith("line") for line in found)
    assert found[:kept] == [f"line {n}" for n in range(kept)]
    assert found[kept].startswith("The log has reached its limit of 300 bytes")
    assert found[kept + 1] == "Cancelled."
    assert found[kept + 2].endswith(f"{100 - kept} lines were not kept.")
