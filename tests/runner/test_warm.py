"""What a warm process promises beyond the suite that runs both ways."""

from __future__ import annotations

import json
import os
import signal
import socket
import subprocess
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import duckdb
import pytest

from homeport_runner import tether

from .conftest import Forked, Stage, Warm, is_alive, until

SURROUNDINGS = """
import __main__, atexit, gc, json, os, resource, signal, sys, tempfile, threading
print(json.dumps({
    "argv": sys.argv, "orig_argv": sys.orig_argv[1:], "path": [p for p in sys.path], "flags": str(sys.flags),
    "main": sorted(vars(__main__)), "name": __name__, "file": os.path.basename(__file__), "spec": __spec__.name,
    "signals": {n: str(signal.getsignal(n)) for n in sorted(signal.valid_signals()) if n not in (9, 19, 32, 33)},
    "mask": sorted(signal.pthread_sigmask(signal.SIG_BLOCK, [])), "wake": signal.set_wakeup_fd(-1),
    "fds": sorted(fd for fd in os.listdir("/proc/self/fd") if os.path.exists(f"/proc/self/fd/{fd}")),
    "threads": [t.name for t in threading.enumerate()], "umask": os.umask(0o22),
    "limits": resource.getrlimit(resource.RLIMIT_NOFILE), "stdin": sys.stdin.read(),
    "streams": [(s.encoding, s.errors, s.line_buffering, s.write_through, s.seekable()) for s in
                (sys.stdout, sys.stderr)],
    "ours": [n for n in sys.modules if n.startswith("homeport_runner")], "environ": type(os.environ).__name__,
    "leader": os.getpid() == os.getsid(0) == os.getpgid(0), "ppid_is_pid_1": os.getppid() == 1,
    "fault": __import__("faulthandler").is_enabled(), "cwd": os.path.basename(os.getcwd()),
    "variables": sorted(os.environ), "prefix": sys.prefix, "executable": sys.executable,
}))
"""


@pytest.fixture
def plain_and_warm(tmp_path: Path, empty_environment: Path, warm: Warm) -> Iterator[tuple[Stage, Stage]]:
    node = empty_environment.parents[1]
    stages = Stage(node), Stage(node, warm)
    yield stages
    for stage in stages:
        stage.close()


@pytest.fixture
def own(tmp_path: Path, empty_environment: Path) -> Iterator[Warm]:
    """A warm process that a test may spoil."""
    warm = Warm(tmp_path / "warm", empty_environment).await_ready()
    yield warm
    warm.close()


@pytest.fixture
def own_stage(own: Warm, empty_environment: Path) -> Iterator[Stage]:
    stage = Stage(empty_environment.parents[1], own)
    yield stage
    stage.close()


def is_forked(stage: Stage, **launch: Any) -> bool:
    """Whether a run was: a program of its own has its own command line."""
    server = stage.serve("print('job' in open('/proc/self/cmdline').read().split(chr(0)))", **launch)
    assert stage.run(server)["exit_code"] == 0
    return server.contents() == ["False"]


def test_a_forked_run_sees_what_one_that_was_started_plainly_sees(plain_and_warm: tuple[Stage, Stage]) -> None:
    seen = []
    for stage in plain_and_warm:
        server = stage.serve(SURROUNDINGS, command=["-u", "-m", "job", "--run-id", "1"])
        assert stage.run(server)["exit_code"] == 0, server.contents(source=None)
        seen.append(json.loads(server.contents()[0]))
    assert seen[0] == seen[1]


@pytest.mark.parametrize(
    ("script", "exit_code"),
    [
        ("import os; os._exit(7)", 7),
        ("import threading, time; threading.Thread(target=lambda: (time.sleep(.2), print('late'))).start()", 0),
        ("import atexit; atexit.register(print, 'late')", 0),
        ("raise ValueError('oh')", 1),
        ("raise KeyboardInterrupt", -2),
        ("raise SystemExit('words')", 1),
        ("import sys; sys.stdout.write('no end of line'); sys.exit(3)", 3),
        ("import os, signal; os.kill(os.getpid(), signal.SIGTERM); signal.pause()", -15),
    ],
)
def test_a_forked_run_ends_as_any_other(plain_and_warm: tuple[Stage, Stage], script: str, exit_code: int) -> None:
    said = []
    for stage in plain_and_warm:
        server = stage.serve(script)
        assert stage.run(server)["exit_code"] == exit_code
        said.append((server.contents(io_stream="stdout"), server.contents(io_stream="stderr")))
    if exit_code != -2:  # the traceback of an interrupt names one frame more
        assert said[0] == said[1]


def test_what_fits_is_forked(stage: Stage) -> None:
    assert is_forked(stage) == (stage.warm is not None)


@pytest.mark.parametrize(
    "launch",
    [
        {"variables": {"PYTHONHASHSEED": "0"}},
        {"variables": {"TZ": "Asia/Tokyo"}},
        {"variables": {"WORKSPACE__PROFILE": "prod"}},
        {"storage": "another/prod"},
        {"files": {"json.py": "loads = dumps = None"}},
        {"files": {"tarfile/__init__.py": ""}},
    ],
)
def test_what_does_not_fit_starts_plainly(plain_and_warm: tuple[Stage, Stage], launch: dict[str, Any]) -> None:
    assert not is_forked(plain_and_warm[1], **launch)


def test_runs_do_not_see_one_another(plain_and_warm: tuple[Stage, Stage]) -> None:
    _, stage = plain_and_warm
    first = stage.serve("import other, os; os.environ['X'] = '1'", files={"other.py": ""})
    assert stage.run(first)["exit_code"] == 0
    second = stage.serve("import os, sys; print('other' in sys.modules, 'X' in os.environ)")
    stage.run(second)
    assert second.contents() == ["False False"]


def test_a_runner_whose_asker_has_gone_claims_nothing(own: Warm, own_stage: Stage) -> None:
    server = own_stage.serve("print('x')")
    answer, asking = own.ask(own_stage._order(server, "the-ticket", {}), own_stage.node / "runner.log")
    assert answer is not None
    asking.close()
    until(lambda: not Path(f"/proc/{answer['pid']}").exists())
    assert server.requests == []


def test_of_two_for_the_same_one_leaves(own: Warm) -> None:
    command = Path(f"/proc/{own.process.pid}/cmdline").read_text().split("\0")[:-1]
    ear, mouth = os.pipe()
    command[-2] = str(ear)
    assert subprocess.run(command, pass_fds=[ear, mouth], timeout=20).returncode == 0
    os.close(ear)
    os.close(mouth)
    assert own.process.poll() is None


def test_runs_outlive_the_warm_process(own: Warm, own_stage: Stage) -> None:
    server = own_stage.serve("import time\nprint('first')\ntime.sleep(0.5)\nprint('last')")
    forked = own_stage.start(server)
    until(lambda: server.contents() == ["first"])
    own.process.kill()
    own.process.wait()
    until(lambda: server.exit is not None)
    assert server.exit is not None
    assert (server.exit["exit_code"], server.contents()) == (0, ["first", "last"])
    until(lambda: not is_alive(forked.pid))
    assert isinstance(forked, Forked)
    forked.hang_up()


def test_it_leaves_when_told_and_when_not_used(own: Warm, tmp_path: Path, empty_environment: Path) -> None:
    with socket.socket(socket.AF_UNIX) as asking:
        folder = os.open(own.folder, os.O_PATH)
        asking.connect(f"/proc/self/fd/{folder}/socket")
        os.close(folder)
        tether.send(asking, {"leave": True})
        assert own.process.wait(20) == 0
    assert not (own.folder / "socket").exists()


def test_it_leaves_when_nobody_has_asked_for_a_while(tmp_path: Path, empty_environment: Path) -> None:
    warm = Warm(tmp_path / "warm", empty_environment, idle=0.2).await_ready()
    assert warm.process.wait(20) == 0
    assert not (warm.folder / "socket").exists()


def test_a_run_that_goes_on_is_a_use(tmp_path: Path, empty_environment: Path) -> None:
    """It stays for it, and leaves a while after it."""
    warm = Warm(tmp_path / "warm", empty_environment, idle=1.0).await_ready()
    stage = Stage(empty_environment.parents[1], warm)
    try:
        server = stage.serve("import time; time.sleep(3); print('over')")
        runner = stage.start(server)
        server.wait(lambda s: s.exit is not None)
        assert server.contents() == ["over"]
        assert warm.process.poll() is None
        assert runner.wait(20) == 0
        assert warm.process.wait(20) == 0
    finally:
        stage.close()


def test_what_runs_import_of_the_environment_is_there_for_the_next(own: Warm, own_stage: Stage) -> None:
    packages = next((own.environment / "lib").glob("python*/site-packages"))
    (packages / "quiet_one.py").write_text("")
    (packages / "loud_one.py").write_text("print('hello')")
    (packages / "busy_one.py").write_text(
        "import threading, time\nthreading.Thread(target=time.sleep, args=(99,), daemon=True).start()"
    )
    script = "import quiet_one, loud_one, busy_one, own_one"
    try:
        assert own_stage.run(own_stage.serve(script, files={"own_one.py": ""}))["exit_code"] == 0
        until(
            lambda: (own.folder / "learned.json").exists() and _has(own, "unsafe.json", {"loud_one", "busy_one"})
        )
        until(lambda: (own.folder / "socket").exists())
        server = own_stage.serve("import sys; print([n for n in sys.modules if n.endswith('_one')])")
        own_stage.run(server)
        assert server.contents() == ["['quiet_one']"]
        assert "own_one" not in json.loads((own.folder / "learned.json").read_text())
    finally:
        for name in ("quiet_one", "loud_one", "busy_one"):
            (packages / f"{name}.py").unlink()


def test_it_learns_also_when_there_is_no_quiet_second(own: Warm, own_stage: Stage) -> None:
    packages = next((own.environment / "lib").glob("python*/site-packages"))
    (packages / "quiet_one.py").write_text("")
    script = "import sys; print('quiet_one' in sys.modules); import quiet_one"
    try:
        said: list[str] = []
        while said != ["True"]:  # one after the other
            server = own_stage.serve(script)
            own_stage.run(server)
            said = server.contents()
    finally:
        (packages / "quiet_one.py").unlink()


def test_duckdb_that_is_there_already_ends_without_a_word_as_in_a_plain_start(own: Warm, own_stage: Stage) -> None:
    """The end of a process that had it before the fork: nanobind looks whether everything was taken apart."""
    packages = next((own.environment / "lib").glob("python*/site-packages"))
    linked = [packages / path.name for path in Path(duckdb.__file__).parents[1].glob("*duckdb*")]
    try:
        for link in linked:
            link.symlink_to(Path(duckdb.__file__).parents[1] / link.name)
        script = "import sys; print('duckdb' in sys.modules); import duckdb; duckdb.sql('select 1').fetchall()"
        said: list[str] = []
        while said != ["True"]:
            server = own_stage.serve(script)
            assert own_stage.run(server)["exit_code"] == 0
            said = server.contents(source=None)
            assert said in (["False"], ["True"])
    finally:
        for link in linked:
            link.unlink()


def _has(warm: Warm, name: str, wanted: set[str]) -> bool:
    try:
        return wanted <= set(json.loads((warm.folder / name).read_text()))
    except (OSError, ValueError):
        return False


def test_an_unfit_launcher_has_no_warm_process(tmp_path: Path, empty_environment: Path) -> None:
    warm = Warm(tmp_path / "warm", empty_environment, module="no_such_launcher")
    assert warm.process.wait(20) == 0
    assert "fails" in (warm.folder / "unfit").read_text()


def test_after_a_kill_another_takes_its_place(own: Warm, own_stage: Stage) -> None:
    os.kill(own.process.pid, signal.SIGKILL)
    own.process.wait()
    (own.folder / "socket").unlink()
    own.begin()
    own.await_ready()
    assert is_forked(own_stage)
