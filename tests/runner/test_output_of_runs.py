"""Whatever a run does with its output, its log is complete, and the runner keeps its disk and memory."""

from __future__ import annotations

import os
import subprocess
from collections.abc import Iterator
from contextlib import suppress
from pathlib import Path

import pytest

from ..small_disks import small_disk
from .conftest import DEADLINE, Stage
from .fake_server import FakeServer

PRINTS_MUCH = """
import os, sys
written = 0
for number in range(100_000):
    print(number, "of many lines that are no use to anybody")
"""

BINARY = """
import os, sys
out = sys.stdout.buffer
out.write(bytes(range(256)) * 4096)
out.write(b"\\n\\x1b[31mred\\x1b[0m\\n")
out.write(b"x" * 1_000_000 + b"\\n")
for percent in range(100_000):
    out.write(b"\\r%d%%" % percent)
out.write(b"\\n")
out.write(b"no newline at the end")
"""

CLOSES = """
import os, sys
print("before", flush=True)
os.close(1)
print("to stderr", file=sys.stderr, flush=True)
os.close(2)
"""


def size_of(spool: Path) -> int:
    """The bytes of its files but of those that the runner removes meanwhile."""
    size = 0
    for file in spool.iterdir():
        with suppress(FileNotFoundError):
            size += file.stat().st_size
    return size


def until_full(server: FakeServer, runner: subprocess.Popen[bytes], spool: Path, size: int) -> int:
    """Wait until the run is held up: the spool has its size, and does not grow any more."""
    found = -1
    server.wait(lambda s: s.pid is not None)
    while True:
        before, found = found, size_of(spool)
        if found >= size and found == before:
            return found
        assert runner.poll() is None
        with server.changed:
            server.changed.wait(0.2)


def test_a_run_waits_while_the_spool_is_full_and_loses_nothing(stage: Stage) -> None:
    room = 512 * 1024
    server = stage.serve(PRINTS_MUCH, spool_bytes=room)
    server.broken.add("lines")
    runner = stage.start(server)
    spool = stage.run_folder / "spool"
    assert until_full(server, runner, spool, room) < 2 * room
    assert server.exit is None
    server.broken.clear()
    assert runner.wait(DEADLINE) == 0
    assert [line.split()[0] for line in server.contents()] == [str(number) for number in range(100_000)]


def test_a_run_that_is_held_up_can_be_cancelled(stage: Stage) -> None:
    room = 256 * 1024
    server = stage.serve(PRINTS_MUCH, spool_bytes=room)
    server.broken.add("lines")
    runner = stage.start(server)
    until_full(server, runner, stage.run_folder / "spool", room)
    server.ask_for_cancel()
    server.wait(lambda s: s.pid is not None and not Path(f"/proc/{s.pid}/fd/1").exists())
    server.broken.clear()
    assert runner.wait(DEADLINE) == 0
    assert server.exit is not None
    assert server.exit["cause"] == "cancelled"
    numbers = [int(line.split()[0]) for line in server.contents() if line.endswith("anybody")]
    assert numbers == list(range(len(numbers)))


def test_a_run_that_prints_without_end_has_a_log_with_an_end(stage: Stage) -> None:
    server = stage.serve(PRINTS_MUCH, log_limit_bytes=100_000)
    assert stage.run(server)["exit_code"] == 0
    kept = len(server.contents())
    notices = server.contents("setup")[-2:]
    assert 0 < kept < 2_000
    assert notices[0].startswith("The log has reached its limit of 100000 bytes")
    assert notices[1].endswith(f"{100_000 - kept} lines were not kept.")
    assert server.exit is not None
    assert server.exit["lines"] == len(server.lines)


def test_binary_long_and_redrawn_lines(stage: Stage) -> None:
    server = stage.serve(BINARY)
    assert stage.run(server)["exit_code"] == 0
    contents = server.contents()
    assert contents[-2:] == ["99999%", "no newline at the end"]
    assert "\x1b[31mred\x1b[0m" in contents
    long = [line for line in contents if set(line) == {"x"}]
    assert "".join(long) == "x" * 1_000_000
    assert not any("\0" in line for line in contents)


def test_a_run_that_closes_its_output_goes_on(stage: Stage) -> None:
    server = stage.serve(CLOSES)
    assert stage.run(server)["exit_code"] == 0
    assert server.contents() == ["before", "to stderr"]


@pytest.fixture
def disk(tmp_path: Path) -> Iterator[Path]:
    with small_disk(tmp_path / "small", "2m") as disk:
        yield disk


def test_a_full_disk_costs_no_line(stage: Stage, disk: Path, environments: Path) -> None:
    """The spool is on it; the server is away until nothing moves any more."""
    (disk / "environments").symlink_to(environments)
    stage.node = disk
    server = stage.serve(PRINTS_MUCH)
    server.broken.add("lines")
    runner = stage.start(server)
    until_full(server, runner, stage.run_folder / "spool", 1024 * 1024)
    assert os.statvfs(disk).f_bavail < 16
    server.broken.clear()
    assert runner.wait(DEADLINE) == 0
    assert [line.split()[0] for line in server.contents()] == [str(number) for number in range(100_000)]
