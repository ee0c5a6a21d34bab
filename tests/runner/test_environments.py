"""Environments: built once, shared, rebuilt when half done, explained when impossible."""

from __future__ import annotations

import fcntl
import json
import os
import socket
import stat
import subprocess
import sys
import threading
import time
from datetime import UTC, datetime, timedelta
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

import pytest

from homeport.execution.engines.kept_environments import KeptEnvironments
from homeport_runner import boot

from ..wheels import make_wheel
from .conftest import DEADLINE, PYTHON_VERSION, SOURCE_FOLDER, UV, Stage, Warm, is_alive, until
from .fake_server import FakeServer

NETWORK_FAILURE = """#!/bin/sh
echo "uv $*" >> "$UV_TEST_LOG"
case "$*" in
  *--offline*) exit ${UV_TEST_OFFLINE:-0};;
  "pip install"*) echo "error: Request failed after 3 retries: error sending request for url" >&2; exit 2;;
  *) exec %s "$@";;
esac
"""


def fake_uv(folder: Path, script: str) -> str:
    path = folder / "fake-uv"
    path.write_text(script % UV)
    path.chmod(0o755)
    return str(path)


def builds(*servers: FakeServer) -> int:
    """How many have built; who only waited has read the same, and says so first."""
    said = [server.contents("setup") for server in servers]
    return sum(" built in " in line for lines in said for line in lines if "waiting for it" not in lines[0])


def test_an_environment_is_built_once_for_two_at_once(fresh_stage: Stage) -> None:
    servers = [fresh_stage.serve("print('x')") for _ in range(2)]
    # Two nodes' worth of runs in one folder: the attempts have the same name here.
    runners = []
    for number, server in enumerate(servers):
        node = fresh_stage.node / str(number)
        node.mkdir()
        (node / "environments").symlink_to(fresh_stage.node / "environments")
        runners.append((server, node))
    (fresh_stage.node / "environments").mkdir()
    processes = [fresh_stage.start(server, HOMEPORT_NODE_DIR=str(node)) for server, node in runners]
    assert [process.wait(DEADLINE) for process in processes] == [0, 0]
    assert [server.contents() for server in servers] == [["x"], ["x"]]
    assert builds(*servers) == 1


def test_an_environment_that_is_there_is_not_mentioned(stage: Stage) -> None:
    stage.run(stage.serve("print('x')"))
    server = stage.serve("print('x')")
    stage.run(server)
    assert server.contents("setup") == []


def test_an_interrupted_build_is_done_again(fresh_stage: Stage) -> None:
    half_done = fresh_stage.node / "environments/empty/bin"
    half_done.mkdir(parents=True)
    (half_done / "python").write_text("#!/bin/false")
    (half_done / "python").chmod(0o755)
    server = fresh_stage.serve("print('x')")
    fresh_stage.run(server)
    assert server.contents() == ["x"]
    assert builds(server) == 1


def test_an_environment_whose_python_is_gone_is_built_again(fresh_stage: Stage) -> None:
    fresh_stage.run(fresh_stage.serve("print('x')"))
    python = fresh_stage.node / "environments/empty/bin/python"
    python.unlink()
    python.symlink_to("/nowhere/python")
    server = fresh_stage.serve("print('x')")
    fresh_stage.run(server)
    assert builds(server) == 1


def test_requirements_that_do_not_resolve_fail_the_setup_in_uvs_words(fresh_stage: Stage) -> None:
    server = fresh_stage.serve(
        environment={"requirements": ["this-package-does-not-exist-xyz"], "notes": ["dlthub was left out"]}
    )
    exit = fresh_stage.run(server, UV_NO_INDEX="1")
    assert exit["cause"] == "setup_failed"
    assert "this-package-does-not-exist-xyz" in exit["detail"]
    assert "\n" not in exit["detail"]
    said = server.contents("setup")
    assert said[0] == "dlthub was left out"
    assert any("No solution found" in line for line in said)
    assert not (fresh_stage.node / "environments/empty").exists()


def uv_with_log(stage: Stage, before: str = "") -> dict[str, str]:
    """Variables for a runner whose uv writes down that it was asked; `before` is what it does before that."""
    uv = fake_uv(stage.node, f'#!/bin/sh\n{before}\necho "$*" >> "$UV_CACHE_DIR/asked"\nexec %s "$@"\n')
    cache = stage.node / "cache"
    cache.mkdir(exist_ok=True)
    return {"HOMEPORT_UV": uv, "UV_CACHE_DIR": str(cache), "UV_NO_INDEX": "1"}


def times_asked(stage: Stage) -> int:
    asked = stage.node / "cache/asked"
    return len(asked.read_text().splitlines()) if asked.exists() else 0


MISSING = {"requirements": ["this-package-does-not-exist-xyz"]}


def test_a_build_that_failed_is_not_repeated_but_told(fresh_stage: Stage) -> None:
    variables = uv_with_log(fresh_stage)
    first, second = fresh_stage.serve(environment=MISSING), fresh_stage.serve(environment=MISSING)
    fresh_stage.run(first, **variables)
    asked = times_asked(fresh_stage)
    exit = fresh_stage.run(second, **variables)
    assert times_asked(fresh_stage) == asked > 0
    assert exit["cause"] == "setup_failed"
    assert "this-package-does-not-exist-xyz" in exit["detail"]
    assert "dlthub deploy" in exit["detail"]
    said = second.contents("setup")
    assert said[0].startswith("This environment could not be built at 20")
    assert any("No solution found" in line for line in said)
    assert any("Nothing has changed since" in line and "dlthub deploy" in line for line in said)


@pytest.mark.parametrize("change", ["index", "uv", "configuration", "a day"])
def test_a_build_that_failed_is_repeated_once_something_has_changed(fresh_stage: Stage, change: str) -> None:
    settings = fresh_stage.node / "uv.toml"
    settings.write_text("")
    variables = uv_with_log(fresh_stage) | {"UV_CONFIG_FILE": str(settings)}
    fresh_stage.run(fresh_stage.serve(environment=MISSING), **variables)
    asked = times_asked(fresh_stage)
    match change:
        case "index":
            variables["UV_FIND_LINKS"] = str(fresh_stage.node)
        case "uv":
            fake_uv(
                fresh_stage.node, Path(variables["HOMEPORT_UV"]).read_text().replace(str(UV), "%s") + "# newer\n"
            )
        case "configuration":
            settings.write_text("offline = true\n")
        case "a day":
            remembered = fresh_stage.node / "environments/empty.failed"
            document = json.loads(remembered.read_text())
            document["seconds"] -= 24 * 3600
            remembered.write_text(json.dumps(document))
    fresh_stage.run(fresh_stage.serve(environment=MISSING), **variables)
    assert times_asked(fresh_stage) == 2 * asked


def test_a_build_that_succeeds_in_the_end_leaves_no_memory_of_failure(fresh_stage: Stage, tmp_path: Path) -> None:
    environment = {"requirements": ["nobody-elses-tiny"]}
    variables = {"UV_NO_INDEX": "1", "UV_CACHE_DIR": str(fresh_stage.node / "cache")}
    assert fresh_stage.run(fresh_stage.serve(environment=environment), **variables)["cause"] == "setup_failed"
    wheels = tmp_path / "wheels"
    wheels.mkdir()
    make_wheel(wheels, "nobody_elses_tiny")
    server = fresh_stage.serve("import nobody_elses_tiny as tiny; print(tiny.ANSWER)", environment=environment)
    fresh_stage.run(server, **variables, UV_FIND_LINKS=str(wheels))
    assert server.contents() == ["42"]
    left = {path.name for path in (fresh_stage.node / "environments").iterdir()}
    assert left == {"empty", "empty.lock"}


def test_an_index_that_is_away_is_asked_again_by_the_next_run(fresh_stage: Stage) -> None:
    """Nobody listens at that port; uv itself says so."""
    with socket.socket() as bound:
        bound.bind(("127.0.0.1", 0))
        index = f"http://127.0.0.1:{bound.getsockname()[1]}/simple"
        for _ in range(2):
            server = fresh_stage.serve(environment=MISSING)
            exit = fresh_stage.run(
                server, UV_INDEX_URL=index, UV_HTTP_RETRIES="0", UV_CACHE_DIR=str(fresh_stage.node / "cache")
            )
            assert exit["cause"] == "setup_failed"
            assert any("index cannot be reached" in line for line in server.contents("setup"))


@pytest.mark.parametrize("status", [401, 403, 500, 503])
def test_an_index_that_refuses_is_asked_again_by_the_next_run(fresh_stage: Stage, status: int) -> None:
    class Refuses(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            asked.append(self.path)
            self.send_error(status)

        def log_message(self, format: str, *args: object) -> None:
            """Quietly."""

    asked: list[str] = []
    with ThreadingHTTPServer(("127.0.0.1", 0), Refuses) as index:
        threading.Thread(target=index.serve_forever, args=(0.01,), daemon=True).start()
        url = f"http://127.0.0.1:{index.server_address[1]}/simple"
        for _ in range(2):
            asked.clear()
            server = fresh_stage.serve(environment=MISSING)
            variables = {
                "UV_INDEX_URL": url,
                "UV_HTTP_RETRIES": "0",
                "UV_CACHE_DIR": str(fresh_stage.node / "cache"),
            }
            assert fresh_stage.run(server, **variables)["cause"] == "setup_failed"
            assert asked
        index.shutdown()


def test_a_source_that_cannot_be_built_is_not_built_again(fresh_stage: Stage, tmp_path: Path) -> None:
    project = tmp_path / "broken"
    project.mkdir()
    (project / "pyproject.toml").write_text(
        '[build-system]\nrequires = []\nbuild-backend = "backend"\nbackend-path = ["."]\n'
        '[project]\nname = "broken"\nversion = "1"\n'
    )
    (project / "backend.py").write_text("raise SystemExit('no compiler here')\n")
    variables = uv_with_log(fresh_stage)
    environment = {"requirements": [f"broken @ {project.as_uri()}"]}
    fresh_stage.run(fresh_stage.serve(environment=environment), **variables)
    asked = times_asked(fresh_stage)
    server = fresh_stage.serve(environment=environment)
    fresh_stage.run(server, **variables)
    assert times_asked(fresh_stage) == asked
    assert any("no compiler here" in line for line in server.contents("setup"))


def test_a_deploy_since_then_has_it_tried_again(fresh_stage: Stage) -> None:
    variables = uv_with_log(fresh_stage)
    fresh_stage.run(fresh_stage.serve(environment=MISSING), **variables)
    asked = times_asked(fresh_stage)
    for asked_at, times in ((0.0, 1), (time.time() + 1, 2), (0.0, 2)):
        fresh_stage.run(fresh_stage.serve(environment=MISSING | {"asked_at": asked_at}), **variables)
        assert times_asked(fresh_stage) == times * asked


@pytest.mark.parametrize("succeeds", [True, False])
def test_a_run_that_comes_while_its_environment_is_built_ahead_shares_that_build(
    fresh_stage: Stage, succeeds: bool
) -> None:
    gate = fresh_stage.node / "gate"
    script = f"#!/bin/sh\n# %s\necho ahead hunter2hunter\nwhile [ ! -e {gate} ]; do sleep 0.02; done\n"
    uv = fake_uv(fresh_stage.node, script + (f'exec {UV} "$@"\n' if succeeds else "exit 2\n"))
    environment = {"key": "empty", "python_version": PYTHON_VERSION, "requirements": [], "notes": []}
    variables = {**os.environ, "HOMEPORT_NODE_DIR": str(fresh_stage.node), "HOMEPORT_UV": uv}
    command = boot.build_argv(sys.executable, str(SOURCE_FOLDER))
    with subprocess.Popen(command, env=variables, stdin=subprocess.PIPE, start_new_session=True) as build:
        assert build.stdin is not None
        build.stdin.write(json.dumps({"environment": environment, "secrets": ["hunter2hunter"]}).encode())
        build.stdin.close()
        until(lambda: is_locked(fresh_stage.node / "environments/empty.lock"))
        server = fresh_stage.serve("print('x')")
        runner = fresh_stage.start(server, HOMEPORT_UV=uv)
        server.wait(lambda s: any("ahead" in line for line in s.contents("setup")))
        gate.touch()
        assert runner.wait(DEADLINE) == 0
        assert build.wait(DEADLINE) == (0 if succeeds else 1)
    assert server.exit is not None
    assert server.exit["cause"] == ("exited" if succeeds else "setup_failed")
    said = server.contents("setup")
    assert said[0] == "This environment is being built already; waiting for it."
    assert not any("hunter2hunter" in line for line in said)
    assert builds(server) == 0


@pytest.mark.parametrize("succeeds", [True, False])
def test_who_waits_for_a_build_sees_what_it_says_and_shares_its_end(fresh_stage: Stage, succeeds: bool) -> None:
    """Also of a failure that is not remembered: no run after the other asks an index that is away."""
    gate = fresh_stage.node / "gate"
    script = f"#!/bin/sh\n# %s\necho one from uv\nwhile [ ! -e {gate} ]; do sleep 0.02; done\necho two from uv\n"
    uv = fake_uv(fresh_stage.node, script + (f'exec {UV} "$@"\n' if succeeds else "exit 2\n"))
    builder, waiter = (fresh_stage.serve("print('x')") for _ in range(2))
    node = fresh_stage.node / "other"
    node.mkdir()
    (fresh_stage.node / "environments").mkdir()
    (node / "environments").symlink_to(fresh_stage.node / "environments")
    builds_it = fresh_stage.start(builder, HOMEPORT_UV=uv)
    builder.wait(lambda s: "one from uv" in s.contents("setup"))
    waits = fresh_stage.start(waiter, HOMEPORT_UV=uv, HOMEPORT_NODE_DIR=str(node))
    waiter.wait(lambda s: "one from uv" in s.contents("setup"))
    gate.touch()
    assert [process.wait(DEADLINE) for process in (builds_it, waits)] == [0, 0]
    said = waiter.contents("setup")
    assert said[:3] == [
        "This environment is being built already; waiting for it.",
        "one from uv",
        "two from uv",
    ]
    assert said.count("two from uv") == 1
    assert builder.exit is not None
    assert waiter.exit is not None
    assert (builder.exit["cause"], builder.exit["detail"]) == (waiter.exit["cause"], waiter.exit["detail"])
    assert waiter.exit["cause"] == ("exited" if succeeds else "setup_failed")


def test_after_a_killed_build_the_next_one_waits_for_its_uv_and_begins_anew(fresh_stage: Stage) -> None:
    environments = fresh_stage.node / "environments"
    (environments / "empty/bin").mkdir(parents=True)
    (environments / "empty/bin/half").touch()
    with subprocess.Popen(["cat"], stdin=subprocess.PIPE, start_new_session=True) as uv_of_the_killed:
        (environments / "empty.log").write_text(f'["process", "{uv_of_the_killed.pid}"]\n["stderr", "old"]\n')
        server = fresh_stage.serve("print('x')")
        runner = fresh_stage.start(server, **uv_with_log(fresh_stage))
        until(lambda: is_locked(environments / "empty.lock"))
        assert times_asked(fresh_stage) == 0
        uv_of_the_killed.communicate()
    assert runner.wait(DEADLINE) == 0
    assert server.contents() == ["x"]
    assert "old" not in server.contents("setup")
    assert not (environments / "empty/bin/half").exists()


def test_a_run_right_after_a_killed_build_has_a_whole_environment(fresh_stage: Stage) -> None:
    """The uv of the first is the real one, held up in the middle; what it had begun is not built upon."""
    begun = fresh_stage.node / "environments/empty/begun"
    script = f'#!/bin/sh\n{UV} "$@" || exit\n# %s\nwhile :; do date >> {begun}; done\n'
    killed = fresh_stage.start(fresh_stage.serve(), HOMEPORT_UV=fake_uv(fresh_stage.node, script))
    until(begun.exists)
    killed.kill()
    server = fresh_stage.serve("print('x')")
    fresh_stage.run(server)
    assert server.contents() == ["x"]
    assert builds(server) == 1
    assert not begun.exists()


def is_locked(path: Path) -> bool:
    if not path.exists():
        return False
    with path.open() as lock:
        try:
            fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            return True
    return False


def test_a_requirement_is_installed(fresh_stage: Stage, tmp_path: Path) -> None:
    project = tmp_path / "tiny"
    project.mkdir()
    wheel = make_wheel(project)
    server = fresh_stage.serve(
        "import tiny; print(tiny.ANSWER)", environment={"requirements": [f"tiny @ {wheel.as_uri()}"]}
    )
    fresh_stage.run(server)
    assert server.contents() == ["42"]
    site_packages = next((fresh_stage.node / "environments/empty/lib").glob("python*/site-packages"))
    assert list(site_packages.glob("__pycache__/tiny.*.pyc"))


LEAVES_A_DAEMON = """
import shutil, subprocess, sys
from pathlib import Path


def build_wheel(directory, *_, **__):
    # it holds the output that uv reads, in a session of its own
    daemon = [sys.executable, "-c", "import time; time.sleep(600)"]
    subprocess.Popen(daemon, start_new_session=True)
    {end}
    return shutil.copy("tiny-1.0-py3-none-any.whl", directory).rpartition("/")[2]
"""


@pytest.mark.parametrize("end", ["pass", "sys.exit('no flour')"], ids=["succeeds", "fails"])
def test_a_build_that_leaves_a_daemon_behind_ends_without_it(fresh_stage: Stage, tmp_path: Path, end: str) -> None:
    project = tmp_path / "tiny"
    project.mkdir()
    make_wheel(project)
    (project / "backend.py").write_text(LEAVES_A_DAEMON.format(end=end))
    (project / "pyproject.toml").write_text(
        '[build-system]\nrequires = []\nbuild-backend = "backend"\nbackend-path = ["."]\n'
        '[project]\nname = "tiny"\nversion = "1.0"\n'
    )
    server = fresh_stage.serve(
        "import tiny; print(tiny.ANSWER)", environment={"requirements": [f"tiny @ {project.as_uri()}"]}
    )
    exit = fresh_stage.run(server, UV_CACHE_DIR=str(tmp_path / "cache"))
    said = server.contents("setup")
    left = [int(line.rpartition("pid ")[2].partition(")")[0]) for line in said if "left a process behind" in line]
    assert len(left) == 1, said
    assert not is_alive(left[0])
    assert (exit["cause"], server.contents()) == (("exited", ["42"]) if end == "pass" else ("setup_failed", []))


def test_a_python_that_is_not_to_be_had_is_named_with_the_way_out(fresh_stage: Stage) -> None:
    exit = fresh_stage.run(fresh_stage.serve(environment={"python_version": "3.99"}))
    assert exit["cause"] == "setup_failed"
    assert "Python 3.99" in exit["detail"]
    assert "uv python install 3.99" in exit["detail"]


def test_a_python_that_cannot_be_downloaded_is_named_and_not_kept(fresh_stage: Stage) -> None:
    """uv knows one, and does not reach it."""
    with socket.socket() as bound:
        bound.bind(("127.0.0.1", 0))
        variables = {
            "UV_PYTHON_INSTALL_MIRROR": f"http://127.0.0.1:{bound.getsockname()[1]}",
            "UV_PYTHON_PREFERENCE": "only-managed",
            "UV_PYTHON_INSTALL_DIR": str(fresh_stage.node / "pythons"),
            "UV_HTTP_RETRIES": "0",
        }
        for _ in range(2):
            server = fresh_stage.serve()
            exit = fresh_stage.run(server, **variables)
            assert exit["cause"] == "setup_failed"
            assert f"uv python install {PYTHON_VERSION}" in exit["detail"]
            assert any("ailed to download" in line for line in server.contents("setup"))


OTHER_PYTHONS = sorted(Path.home().glob(".pyenv/versions/3.1[0-9].*/bin/python3.1[0-9]"))
VERSION = (
    "import sys; print('%d.%d' % sys.version_info[:2], 'job' in open('/proc/self/cmdline').read().split(chr(0)))"
)


@pytest.mark.parametrize("python", OTHER_PYTHONS or [None], ids=lambda path: path and path.parts[-3])
def test_a_run_has_the_python_it_asks_for_plain_or_warm(fresh_stage: Stage, python: Path | None) -> None:
    if python is None:
        pytest.skip("no other Python was found in ~/.pyenv")
    version = python.name.removeprefix("python")
    path = f"{python.parent}:{os.environ['PATH']}"
    plain = fresh_stage.serve(VERSION, environment={"python_version": version})
    assert fresh_stage.run(plain, PATH=path, UV_PYTHON_DOWNLOADS="never")["exit_code"] == 0, plain.contents(
        "setup"
    )
    assert plain.contents() == [f"{version} True"]
    warm = Warm(fresh_stage.node / "warm", fresh_stage.node / "environments/empty").await_ready()
    try:
        fresh_stage.warm = warm
        forked = fresh_stage.serve(VERSION, environment={"python_version": version})
        assert fresh_stage.run(forked)["exit_code"] == 0, forked.contents()
        assert forked.contents() == [f"{version} False"]
    finally:
        warm.close()


def test_a_missing_uv_is_named(fresh_stage: Stage) -> None:
    exit = fresh_stage.run(fresh_stage.serve(), HOMEPORT_UV="/nowhere/uv")
    assert exit["cause"] == "setup_failed"
    assert "/nowhere/uv" in exit["detail"]


def test_without_a_network_the_cache_is_tried(fresh_stage: Stage) -> None:
    log = fresh_stage.node / "uv.log"
    server = fresh_stage.serve("print('x')", environment={"requirements": ["dlt"]})
    uv = fake_uv(fresh_stage.node, NETWORK_FAILURE)
    assert fresh_stage.run(server, HOMEPORT_UV=uv, UV_TEST_LOG=str(log))["exit_code"] == 0
    assert [("--offline" in line) for line in log.read_text().splitlines()] == [False, False, True]
    assert any("what is in the cache" in line for line in server.contents("setup"))


def test_without_a_network_and_a_cache_the_first_reason_is_given(fresh_stage: Stage) -> None:
    uv = fake_uv(fresh_stage.node, NETWORK_FAILURE)
    server = fresh_stage.serve(environment={"requirements": ["dlt"]})
    exit = fresh_stage.run(server, HOMEPORT_UV=uv, UV_TEST_LOG="/dev/null", UV_TEST_OFFLINE="1")
    assert exit["cause"] == "setup_failed"
    assert "error sending request" in exit["detail"]


@pytest.mark.parametrize("waits_for_another", [False, True])
def test_a_cancel_stops_a_build(fresh_stage: Stage, waits_for_another: bool) -> None:
    uv = fake_uv(fresh_stage.node, "#!/bin/sh\n# %s\necho building\nsleep 60\n")
    server = fresh_stage.serve()
    lock = fresh_stage.node / "environments/empty.lock"
    lock.parent.mkdir()
    with lock.open("w") as held:
        if waits_for_another:
            fcntl.flock(held, fcntl.LOCK_EX)
        runner = fresh_stage.start(server, HOMEPORT_UV=uv)
        server.wait(lambda s: s.contents("setup"))
        server.ask_for_cancel()
        assert runner.wait(DEADLINE) == 0
    assert server.exit is not None
    assert (server.exit["cause"], server.exit["exit_code"]) == ("cancelled", None)
    assert ("waiting for it" in server.contents("setup")[0]) == waits_for_another


def test_an_environment_in_use_cannot_be_locked_for_removal(stage: Stage) -> None:
    server = stage.serve("print('up')\nimport time; time.sleep(60)")
    runner = stage.start(server)
    server.wait(lambda s: "up" in s.contents())
    with (stage.node / "environments/empty.lock").open() as lock:
        with pytest.raises(BlockingIOError):
            fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
        runner.kill()
        runner.wait()
        fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)


def test_a_use_is_noted_at_its_beginning_and_at_its_end(stage: Stage) -> None:
    mark = stage.node / "environments/empty/.complete"
    server = stage.serve("print('up')\nimport time; time.sleep(60)")
    os.utime(mark, (0, 0))
    runner = stage.start(server)
    server.wait(lambda s: "up" in s.contents())
    assert mark.stat().st_mtime > 0
    os.utime(mark, (0, 0))
    server.ask_for_cancel()
    assert runner.wait(DEADLINE) == 0
    assert mark.stat().st_mtime > 0


def test_runs_start_while_their_environment_is_removed_again_and_again(fresh_stage: Stage) -> None:
    environments = fresh_stage.node / "environments"
    kept = KeptEnvironments(environments, 1)
    long_after = datetime.now(UTC) + timedelta(hours=2)
    is_over = threading.Event()
    removed: list[str] = []

    def remove() -> None:
        while not is_over.is_set():
            removed.extend(kept.collect(long_after))

    remover = threading.Thread(target=remove)
    remover.start()
    try:
        for _ in range(8):
            server = fresh_stage.serve("import homeport_dlt_hub, sys; print(sys.prefix)")
            exit = fresh_stage.run(server)
            assert (exit["cause"], exit["exit_code"]) == ("exited", 0), server.contents()
            assert server.contents() == [str(environments / "empty")]
    finally:
        is_over.set()
        remover.join()
    assert removed


def test_who_waits_at_a_lock_that_is_removed_takes_the_new_one(fresh_stage: Stage) -> None:
    lock = fresh_stage.node / "environments/empty.lock"
    lock.parent.mkdir()
    server = fresh_stage.serve("print('up')\nimport time; time.sleep(60)")
    with lock.open("w") as held:
        fcntl.flock(held, fcntl.LOCK_EX)
        fresh_stage.start(server)
        server.wait(lambda s: s.contents("setup"))
        lock.unlink()
    server.wait(lambda s: "up" in s.contents())
    assert is_locked(lock)


def test_a_runner_killed_while_building_leaves_no_uv(fresh_stage: Stage) -> None:
    pid_file = fresh_stage.node / "pid"
    uv = fake_uv(
        fresh_stage.node,
        f"#!/bin/sh\n# %s\nsleep 60 &\necho $! > {pid_file}.new; mv {pid_file}.new {pid_file}\nwait\n",
    )
    server = fresh_stage.serve()
    runner = fresh_stage.start(server, HOMEPORT_UV=uv)
    until(pid_file.exists)
    runner.kill()
    until(lambda: not is_alive(int(pid_file.read_text())), 2)


def test_the_builds_environment_variables_are_chosen(fresh_stage: Stage) -> None:
    uv = fake_uv(fresh_stage.node, "#!/bin/sh\n# %s\nenv; pwd; echo $*; exit 1\n")
    server = fresh_stage.serve(variables={"TOKEN": "hunter2"})
    fresh_stage.run(server, HOMEPORT_UV=uv, KUBERNETES_TOKEN="x", UV_INDEX_URL="http://i", HTTPS_PROXY="http://p")
    said = server.contents("setup")
    assert {"UV_INDEX_URL=http://i", "HTTPS_PROXY=http://p", str(fresh_stage.run_folder / "build")} <= set(said)
    assert not any("hunter2" in line or "KUBERNETES" in line for line in said)
    assert any("--no-config" in line for line in said)


def test_environments_are_private(fresh_stage: Stage) -> None:
    fresh_stage.run(fresh_stage.serve("print('x')"))
    assert stat.S_IMODE((fresh_stage.node / "environments").stat().st_mode) == 0o700
