"""The server goes away, comes back, or no longer wants the attempt."""

from __future__ import annotations

import json
import os
import signal
from collections.abc import Callable
from pathlib import Path

import pytest

from homeport.execution import left_lines
from homeport_runner import family, main
from homeport_runner.masking import Masking
from homeport_runner.orders import Orders
from homeport_runner.phone import Phone, Unreachable

from .conftest import DEADLINE, Stage, is_alive, until
from .fake_server import ATTEMPT, TICKET

# Writes steadily until a file appears, so that the test decides what falls into the outage.
WRITES_UNTIL_TOLD = """
import itertools, os, pathlib, sys, time
for n in itertools.count():
    print(n)
    time.sleep(0.001)
    if os.path.exists({told!r}): break
sys.exit(7)
"""


def numbers(contents: list[str]) -> list[int]:
    return [int(content) for content in contents]


def test_no_line_is_lost_or_doubled_while_the_server_is_away(stage: Stage) -> None:
    told = stage.node / "told"
    server = stage.serve(WRITES_UNTIL_TOLD.format(told=str(told)))
    runner = stage.start(server)
    server.wait(lambda s: len(s.contents()) > 100)
    for _ in range(2):
        server.go_away()
        before = len(server.contents())
        server.come_back()
        server.wait(lambda s, before=before: len(s.contents()) > before + 100)  # type: ignore[misc]
    told.touch()
    assert runner.wait(DEADLINE) == 0
    assert server.exit is not None
    assert server.exit["exit_code"] == 7
    assert server.exit["lines"] == len(server.lines)
    assert numbers(server.contents()) == list(range(len(server.contents())))


def test_a_run_that_ends_while_the_server_is_away_is_reported_later(stage: Stage) -> None:
    told = stage.node / "told"
    server = stage.serve(WRITES_UNTIL_TOLD.format(told=str(told)))
    runner = stage.start(server)
    server.wait(lambda s: s.pid is not None)
    server.go_away()
    told.touch()
    until(lambda: server.pid and not is_alive(server.pid))
    server.come_back()
    assert runner.wait(DEADLINE) == 0
    assert server.exit is not None
    assert server.exit["exit_code"] == 7
    assert numbers(server.contents()) == list(range(len(server.contents())))


def test_a_server_that_lost_its_last_lines_gets_them_again(stage: Stage) -> None:
    told = stage.node / "told"
    server = stage.serve(WRITES_UNTIL_TOLD.format(told=str(told)))
    runner = stage.start(server)
    server.wait(lambda s: len(s.contents()) > 100)
    with server.changed:
        for number in sorted(server.lines)[-50:]:
            del server.lines[number]
    told.touch()
    assert runner.wait(DEADLINE) == 0
    assert numbers(server.contents()) == list(range(len(server.contents())))


def test_a_server_in_trouble_is_asked_again(stage: Stage) -> None:
    server = stage.serve("print('x')")
    server.broken.update({"claim", "packages/code", "started", "lines", "exit"})
    runner = stage.start(server)
    for request in ("claim", "packages/code", "started", "lines", "exit"):
        server.wait(lambda s, request=request: request in s.requests)  # type: ignore[misc]
        server.broken.discard(request)
        if request == "started":
            server.broken.discard("lines")
    assert runner.wait(DEADLINE) == 0
    assert server.contents() == ["x"]


def test_a_download_that_breaks_off_is_begun_again(stage: Stage) -> None:
    server = stage.serve("print('x')")
    server.cuts_downloads = 2
    assert stage.run(server)["exit_code"] == 0
    assert server.requests.count("packages/code") == 3


def test_the_lease_begins_with_the_claim(stage: Stage) -> None:
    """Not with the first attempt at one: four tries take longer than this lease."""
    server = stage.serve("print('x')", lease_seconds=0.9)
    server.broken.add("claim")
    runner = stage.start(server)
    server.wait(lambda s: len(s.requests) == 4)
    server.broken.clear()
    assert runner.wait(DEADLINE) == 0
    assert server.contents() == ["x"]


def test_one_line_the_server_does_not_take_does_not_end_the_log(stage: Stage) -> None:
    server = stage.serve("print('before'); print('poison'); print('after')")
    server.refuses_line = lambda content: content == "poison"
    assert stage.run(server)["exit_code"] == 0
    before, refused, after = server.contents()[:1] + server.contents("runner") + server.contents()[1:]
    assert (before, after) == ("before", "after")
    assert "did not accept this line" in refused


def test_without_contact_for_a_lease_the_run_is_killed(stage: Stage) -> None:
    server = stage.serve("import time\nprint('up')\ntime.sleep(60)", lease_seconds=1.0)
    runner = stage.start(server)
    server.wait(lambda s: s.pid is not None)
    server.go_away()
    assert runner.wait(DEADLINE) == 75
    assert server.pid
    assert not is_alive(server.pid)
    # what it printed is for the server, should it come back
    assert [folder.name for folder in stage.run_folder.iterdir()] == ["spool"]


def test_a_server_that_hangs_does_not_keep_the_lease_alive(stage: Stage) -> None:
    """Connections are accepted, nothing is answered."""
    server = stage.serve("import time\nprint('up')\ntime.sleep(60)", lease_seconds=1.0)
    runner = stage.start(server)
    server.wait(lambda s: s.pid is not None)
    with server.changed:
        assert runner.wait(DEADLINE) == 75


def test_a_silent_run_keeps_its_lease(stage: Stage) -> None:
    server = stage.serve("import time\ntime.sleep(1.8)", lease_seconds=0.8)
    assert stage.run(server)["exit_code"] == 0


def test_a_run_that_has_ended_needs_no_lease(stage: Stage) -> None:
    server = stage.serve("raise SystemExit(5)", lease_seconds=0.8)
    server.broken.add("lines")
    runner = stage.start(server)
    server.wait(lambda s: s.pid is not None)
    until(lambda: server.pid and not is_alive(server.pid))
    server.go_away()
    with pytest.raises(Exception, match="timed out"):
        runner.wait(1.6)  # twice the lease
    server.broken.clear()
    server.come_back()
    assert runner.wait(DEADLINE) == 0
    assert server.exit is not None
    assert server.exit["exit_code"] == 5


def test_a_fenced_runner_kills_and_leaves(stage: Stage) -> None:
    server = stage.serve("import signal, time\nsignal.signal(15, lambda *_: 0)\nprint('up')\ntime.sleep(60)")
    runner = stage.start(server)
    server.wait(lambda s: "up" in s.contents())
    with server.changed:
        server.is_fenced = True
        server.changed.notify_all()
    assert runner.wait(DEADLINE) == 0
    assert server.exit is None
    assert server.pid
    assert not is_alive(server.pid)
    assert not stage.run_folder.exists()


def test_an_exit_report_whose_answer_was_lost_ends_well(stage: Stage) -> None:
    server = stage.serve("print('x')")
    server.exit = {"cause": "exited", "exit_code": 0, "detail": None, "lines": 1}
    assert stage.start(server).wait(DEADLINE) == 0
    assert server.requests.count("exit") == 1


def test_a_claim_gives_up_after_its_patience() -> None:
    phone = Phone("http://127.0.0.1:1", ATTEMPT)
    with pytest.raises(Unreachable):
        main.claim(phone, TICKET, Orders(), patience=0.3)


def test_a_runner_told_to_stop_before_the_claim_just_ends(stage: Stage) -> None:
    server = stage.serve("print('x')")
    server.broken.add("claim")
    runner = stage.start(server)
    server.wait(lambda s: s.requests)
    runner.send_signal(signal.SIGTERM)
    assert runner.wait(DEADLINE) == 0
    assert not stage.run_folder.exists()


# Writes down what it has printed, after it has.
PRINTS_WITHOUT_END = """
import itertools, os, sys
diary = os.open({diary!r}, os.O_CREAT | os.O_WRONLY)
for number in itertools.count():
    sys.stdout.write(f"{{number}} is followed by ")
    os.pwrite(diary, str(number).encode(), 0)
    if number % 7 == 0: print(f"{{number}} to stderr", file=sys.stderr)
    print(f"{{number + 1}}, not by hunter2!")
"""


@pytest.mark.parametrize("is_stopped", [False, True], ids=["as it reads", "with full pipes"])
def test_what_a_killed_runner_had_not_made_lines_of_is_on_its_disk(stage: Stage, is_stopped: bool) -> None:
    diary = stage.node / "diary"
    server = stage.serve(PRINTS_WITHOUT_END.format(diary=str(diary)), secrets=["hunter2!"])
    runner = stage.start(server)
    server.wait(lambda s: len(s.contents()) > 500)
    [tether] = [pid for pid in family.all_pids() if family.parent_of(pid) == runner.pid]
    if is_stopped:
        os.kill(runner.pid, signal.SIGSTOP)
        until(stands_still(diary))
    runner.kill()
    runner.wait()
    until(lambda: not is_alive(tether))
    rows: list[bytes] = []
    spool = stage.run_folder / "spool"
    first = min(int(file.name.partition("-")[2]) for file in spool.glob("lines-*"))
    while more := left_lines.read(spool, first + len(rows), 100_000, Masking(["hunter2!"])):
        rows += more
    lines = [json.loads(row) for row in rows]
    out = [line[4] for line in lines if line[1] == "stdout"]
    begin, last = int(out[0].split()[0]), int(out[-1].split()[0])
    meant = "\n".join(f"{n} is followed by {n + 1}, not by ***" for n in range(begin, last + 1))
    assert hole_in("\n".join(out), meant) <= ONE_READ
    # of what was printed when it was killed; a piece that it was just reading may be missing
    assert last >= int(diary.read_bytes()) - (0 if is_stopped else 2_000)


ONE_READ = 64 * 1024
"""Killed between reading a piece and writing it down, a runner takes that one piece along."""


def hole_in(said: str, meant: str) -> int:
    """How many characters are missing in one place; all of it is there otherwise, up to where it ends."""
    same = len(os.path.commonprefix([said, meant]))  # noqa: RUF071 (texts, not paths)
    goes_on = meant.find(said[same:], same)
    # told by a number: of texts this long, a report takes minutes to tell the difference
    return goes_on - same if goes_on >= 0 else len(meant)


def stands_still(file: Path) -> Callable[[], bool]:
    """Whether it has said the same for a while of looks."""
    seen = [b""]

    def look() -> bool:
        now = file.read_bytes()
        seen[:] = [*seen, now] if now == seen[-1] else [now]
        return len(seen) > 50

    return look
