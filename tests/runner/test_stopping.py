"""Ending a run before it ends by itself, and leaving nothing of it behind."""

from __future__ import annotations

import os
import signal

import pytest

from .conftest import DEADLINE, Stage, is_alive, until

WAITS = "import time\nprint('up')\ntime.sleep(60)"
FINISHES_AT_SIGTERM = """
import signal, sys, time
signal.signal(signal.SIGTERM, lambda *_: (print('finishing'), sys.exit(0)))
print('up')
time.sleep(60)
"""
IGNORES_SIGTERM = """
import signal, time
signal.signal(signal.SIGTERM, lambda *_: print('no'))
print('up')
while True: time.sleep(60)
"""
# A child in the same group, a daemon that left it, and a daemon's orphan.
HAS_FAMILY = """
import os, subprocess, sys, time
child = [sys.executable, '-I', '-c', 'import signal, time; signal.signal(15, signal.SIG_IGN); time.sleep(60)']
orphaning = "import subprocess, sys; print(subprocess.Popen(%r, start_new_session=True, stdout=-3).pid)" % child
pids = [
    os.getpid(),
    subprocess.Popen(child).pid,
    subprocess.Popen(child, start_new_session=True).pid,
    int(subprocess.check_output([sys.executable, '-I', '-c', orphaning])),
]
print(*pids)
"""


def up(server: object) -> bool:
    return "up" in server.contents()  # type: ignore[attr-defined,no-any-return]


def test_a_cancel_lets_the_run_finish(stage: Stage) -> None:
    server = stage.serve(FINISHES_AT_SIGTERM)
    runner = stage.start(server)
    server.wait(up)
    server.ask_for_cancel()
    assert runner.wait(DEADLINE) == 0
    assert server.exit is not None
    assert (server.exit["cause"], server.exit["exit_code"]) == ("cancelled", 0)
    assert server.contents() == ["up", "finishing"]


def test_a_cancel_that_is_ignored_ends_in_a_kill_and_comes_once(stage: Stage) -> None:
    server = stage.serve(IGNORES_SIGTERM, grace_seconds=0.3)
    runner = stage.start(server)
    server.wait(up)
    server.ask_for_cancel()
    server.ask_for_cancel()
    assert runner.wait(DEADLINE) == 0
    assert server.exit is not None
    assert (server.exit["cause"], server.exit["exit_code"]) == ("cancelled", -9)
    assert server.contents() == ["up", "no"]


def test_a_cancel_is_heard_from_the_answer_to_lines(stage: Stage) -> None:
    server = stage.serve("import time\nprint('up')\nwhile True: print('x'); time.sleep(0.01)")
    server.broken.add("control")
    runner = stage.start(server)
    server.wait(up)
    server.ask_for_cancel()
    assert runner.wait(DEADLINE) == 0
    assert server.exit is not None
    assert server.exit["cause"] == "cancelled"


def test_a_cancel_after_the_end_changes_nothing(stage: Stage) -> None:
    server = stage.serve("raise SystemExit(3)")
    server.broken.update({"lines", "control"})
    runner = stage.start(server)
    server.wait(lambda s: s.pid is not None)
    until(lambda: server.pid and not is_alive(server.pid))
    server.broken.clear()
    server.ask_for_cancel()
    assert runner.wait(DEADLINE) == 0
    assert server.exit is not None
    assert (server.exit["cause"], server.exit["exit_code"]) == ("exited", 3)


def test_a_timeout_counts_from_the_start_of_the_process(stage: Stage) -> None:
    server = stage.serve(WAITS, timeout_seconds=0.3)
    exit = stage.run(server)
    assert (exit["cause"], exit["exit_code"]) == ("timed_out", -15)
    assert "0.3 s" in exit["detail"]


def test_a_shutdown_of_the_machine_is_reported(stage: Stage) -> None:
    server = stage.serve(FINISHES_AT_SIGTERM)
    runner = stage.start(server)
    server.wait(up)
    runner.send_signal(signal.SIGTERM)
    assert runner.wait(DEADLINE) == 0
    assert server.exit is not None
    assert (server.exit["cause"], server.exit["exit_code"]) == ("lost", 0)
    assert "signal 15" in server.exit["detail"]


def test_told_twice_to_stop_the_runner_does_not_wait(stage: Stage) -> None:
    server = stage.serve(IGNORES_SIGTERM, grace_seconds=60)
    runner = stage.start(server)
    server.wait(up)
    runner.send_signal(signal.SIGTERM)
    server.wait(lambda s: "no" in s.contents())
    runner.send_signal(signal.SIGTERM)
    assert runner.wait(DEADLINE) == 0
    assert server.exit is not None
    assert (server.exit["cause"], server.exit["exit_code"]) == ("lost", -9)


def test_nothing_outlives_the_process(stage: Stage) -> None:
    """Neither a child, nor a daemon, nor a daemon's orphan, though they hold the pipes and ignore SIGTERM."""
    server = stage.serve(HAS_FAMILY)
    assert stage.run(server)["exit_code"] == 0
    pids = [int(pid) for pid in server.contents()[-1].split()]
    assert len(pids) == 4
    assert not [pid for pid in pids if is_alive(pid)]


def test_nothing_outlives_a_killed_runner(stage: Stage) -> None:
    """`kill -9`: what called setsid included."""
    server = stage.serve(HAS_FAMILY + "print('up')\ntime.sleep(60)")
    runner = stage.start(server)
    server.wait(up)
    runner.kill()
    runner.wait()
    pids = [int(pid) for pid in server.contents()[0].split()]
    until(lambda: not any(is_alive(pid) for pid in pids), 2)


def test_nothing_outlives_a_killed_group_of_the_runner(stage: Stage) -> None:
    server = stage.serve(HAS_FAMILY + "print('up')\ntime.sleep(60)")
    runner = stage.start(server)
    server.wait(up)
    os.killpg(runner.pid, signal.SIGKILL)
    runner.wait()
    pids = [int(pid) for pid in server.contents()[0].split()]
    until(lambda: not any(is_alive(pid) for pid in pids), 2)


def test_the_run_ends_with_its_tether_and_the_runner_reports_it(stage: Stage) -> None:
    server = stage.serve(HAS_FAMILY + "print('up')\nprint(os.getppid())\ntime.sleep(60)")
    runner = stage.start(server)
    server.wait(lambda s: len(s.contents()) == 3)
    pids, _, tether = server.contents()
    os.kill(int(tether), signal.SIGKILL)
    assert runner.wait(DEADLINE) == 0
    assert server.exit is not None
    assert server.exit["cause"] == "lost"
    assert not [pid for pid in pids.split() if is_alive(int(pid))]


@pytest.mark.parametrize("request_that_hangs", ["packages/code"])
def test_a_cancel_while_preparing(stage: Stage, request_that_hangs: str) -> None:
    server = stage.serve("print('x')")
    server.broken.add(request_that_hangs)
    runner = stage.start(server)
    server.wait(lambda s: request_that_hangs in s.requests)
    server.ask_for_cancel()
    assert runner.wait(DEADLINE) == 0
    assert server.exit is not None
    assert (server.exit["cause"], server.exit["exit_code"]) == ("cancelled", None)
    assert server.pid is None
