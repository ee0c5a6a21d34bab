"""What a run takes is measured, all its processes together, and more memory than its limit ends it."""

from __future__ import annotations

import os
import sys
from collections.abc import Iterator
from pathlib import Path
from textwrap import dedent
from typing import Any

import pytest

from homeport_runner import memory

from .conftest import Stage, until

MIB = 1024**2
LIMIT = {"limit_bytes": 200 * MIB, "holder": "its instance 'tiny'", "advice": "Ask for a larger one."}

pytestmark = pytest.mark.skipif(sys.platform != "linux", reason="measured on Linux only")

ALLOCATE = "\ndef allocate(mib): return bytearray(b'x') * (mib * 1024**2)\n"


def run(stage: Stage, script: str, **launch: Any) -> tuple[dict[str, Any], list[str]]:
    """How a run of this script was reported, and all lines of its log but the user's."""
    server = stage.serve(ALLOCATE + dedent(script), **launch)
    exit = stage.run(server)
    return exit, server.contents("setup")


def test_memory_time_and_bytes_are_reported(stage: Stage) -> None:
    exit, _ = run(
        stage,
        """
        import os, time
        held = allocate(120)
        with open("file", "wb") as file:
            file.write(held[: 30 * 1024**2])
        with open("file", "rb") as file:
            assert len(file.read()) == 30 * 1024**2
        while time.process_time() < 0.4:
            pass
        print(os.times().user + os.times().system)
        """,
    )
    usage = exit["usage"]
    assert 120 * MIB < usage["peak_memory_bytes"] < 250 * MIB
    assert 0.4 <= usage["cpu_seconds"] < 5
    assert 30 * MIB <= usage["read_bytes"] < 60 * MIB
    assert 30 * MIB <= usage["written_bytes"] < 40 * MIB


def test_a_family_counts_as_one(stage: Stage) -> None:
    exit, _ = run(
        stage,
        """
        import os, sys, time
        readers = []
        for number in range(3):
            reader, writer = os.pipe()
            if os.fork() == 0:
                if number == 2:
                    os.setsid()  # a daemon is one of the family
                held = allocate(60)
                while time.process_time() < 0.2:
                    pass
                with open(f"file{number}", "wb") as file:
                    file.write(held[: 10 * 1024**2])
                os.write(writer, b"!")
                time.sleep(60)
            readers.append(reader)
        for reader in readers:
            os.read(reader, 1)
        time.sleep(3)  # until somebody has looked
        """,
    )
    usage = exit["usage"]
    assert exit["exit_code"] == 0
    assert usage["peak_memory_bytes"] > 180 * MIB
    assert usage["cpu_seconds"] >= 0.6
    assert usage["written_bytes"] >= 30 * MIB


def test_more_than_the_limit_ends_the_run_with_a_reason(stage: Stage) -> None:
    exit, lines = run(stage, "import time\nheld = allocate(400)\nprint('there')\ntime.sleep(60)", memory=LIMIT)
    assert (exit["cause"], exit["exit_code"]) == ("out_of_memory", -9)
    assert exit["usage"]["peak_memory_bytes"] > 200 * MIB
    assert exit["detail"].startswith("The run used ")
    assert exit["detail"].endswith(" MiB of memory; its instance 'tiny' has 200 MiB. Ask for a larger one.")
    assert lines == [exit["detail"]]


def test_a_family_that_is_too_much_together_is_ended_whole(stage: Stage, tmp_path: Path) -> None:
    exit, _ = run(
        stage,
        f"""
        import os, time
        for number in range(4):
            if os.fork() == 0:
                os.setsid()
                open({str(tmp_path)!r} + f"/pid{{number}}", "w").write(str(os.getpid()))
                held = allocate(80)
                time.sleep(60)
        time.sleep(60)
        """,
        memory=LIMIT,
    )
    assert exit["cause"] == "out_of_memory"
    pids = [path.read_text() for path in tmp_path.glob("pid*")]
    until(lambda: not any(Path(f"/proc/{pid}").exists() for pid in pids))


def test_what_a_family_shares_counts_once(stage: Stage) -> None:
    exit, _ = run(
        stage,
        """
        import os, time
        held = allocate(120)
        children = [os.fork() for _ in range(1)]
        for _ in range(3):
            if os.fork() == 0:
                time.sleep(3)
                os._exit(0)
        time.sleep(3)
        """,
        memory=LIMIT,
    )
    assert (exit["cause"], exit["exit_code"]) == ("exited", 0)
    assert exit["usage"]["peak_memory_bytes"] < 200 * MIB


def test_a_run_below_its_limit_is_left_alone(stage: Stage) -> None:
    exit, lines = run(stage, "import time\nheld = allocate(100)\ntime.sleep(1.5)", memory=LIMIT)
    assert (exit["cause"], exit["exit_code"], lines) == ("exited", 0, [])


def test_a_run_that_is_being_cancelled_is_held_to_its_limit(stage: Stage) -> None:
    server = stage.serve(
        ALLOCATE
        + dedent(
            """
            import signal, time
            def more(*_):
                global held
                held = allocate(400)
            signal.signal(signal.SIGTERM, more)
            print("ready")
            while True:
                time.sleep(60)
            """
        ),
        memory=LIMIT,
        grace_seconds=600.0,
    )
    process = stage.start(server)
    server.wait(lambda fake: fake.contents())
    server.ask_for_cancel()
    assert process.wait(20) == 0
    assert server.exit is not None
    assert (server.exit["cause"], server.exit["exit_code"]) == ("cancelled", -9)
    assert "The run used " in server.contents("setup")[-1]


@pytest.fixture
def group() -> Iterator[Path]:
    """A control group of the kernel with little memory: of version 1, or of version 2."""
    name = f"homeport-test-{os.getpid()}"
    for top, file in (
        (Path("/sys/fs/cgroup/memory"), "memory.limit_in_bytes"),
        (Path("/sys/fs/cgroup"), "memory.max"),
    ):
        folder = top / name
        try:
            folder.mkdir()
        except OSError:
            continue
        if (folder / file).exists():
            (folder / file).write_text(str(150 * MIB))
            yield folder
            folder.rmdir()
            return
        folder.rmdir()
    pytest.skip("no control group with memory can be made here")


def test_the_kernel_ends_the_run_and_nobody_else_where_memory_runs_out(stage: Stage, group: Path) -> None:
    script = f"open({str(group / 'cgroup.procs')!r}, 'w').write(str(__import__('os').getppid()))\n"
    script += f"open({str(group / 'cgroup.procs')!r}, 'w').write(str(__import__('os').getpid()))\n"
    exit, lines = run(stage, script + "held = allocate(400)", memory={**LIMIT, "limit_bytes": 1024**3})
    assert (exit["cause"], exit["exit_code"]) == ("out_of_memory", -9)
    assert exit["detail"].startswith(
        "The machine ran out of memory and its kernel killed the run, which had used 1"
    )
    assert "; its instance 'tiny' has 1 GiB. Run less at once" in exit["detail"]
    assert lines == [exit["detail"]]


def test_a_kill_from_elsewhere_is_no_want_of_memory(stage: Stage) -> None:
    exit, _ = run(stage, "import os\nos.kill(os.getpid(), 9)", memory=LIMIT)
    assert (exit["cause"], exit["exit_code"]) == ("exited", -9)


def test_looks_are_rare_when_there_is_plenty_and_close_near_the_limit() -> None:
    gib, cost = 1024**3, 0.002
    assert memory.pause(gib, None, cost) == memory.pause(gib, 64 * gib, cost) == 2.0
    assert memory.pause(gib, gib + gib, cost) == 0.5
    assert memory.pause(gib, gib, cost) == memory.pause(2 * gib, gib, cost) == 0.2


def test_looks_that_cost_much_are_rarer_yet_never_rare() -> None:
    assert memory.pause(1024**3, None, 0.1) > 2.0
    assert memory.pause(1024**3, None, 10.0) == 10.0
    assert 0.1 < memory.pause(1024**3, 1024**3, 0.1) <= memory.pause(1024**3, 1024**3, 10.0) == 2.0


def test_sizes_are_read_by_people() -> None:
    read = [memory.in_words(count) for count in (4 * 1024**3, 4_400_000_000, 200 * MIB, 100)]
    assert read == ["4 GiB", "4.10 GiB", "200 MiB", "0 MiB"]
