"""Environments: built once, shared, rebuilt when half done, explained when impossible."""

from __future__ import annotations

import fcntl
import stat
import zipfile
from pathlib import Path

import pytest

from .conftest import DEADLINE, UV, Stage, is_alive, until
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
    return sum(" built in " in line for server in servers for line in server.contents("setup"))


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


def make_wheel(folder: Path) -> Path:
    wheel = folder / "tiny-1.0-py3-none-any.whl"
    with zipfile.ZipFile(wheel, "w") as archive:
        archive.writestr("tiny.py", "ANSWER = 42\n")
        archive.writestr("tiny-1.0.dist-info/METADATA", "Metadata-Version: 2.1\nName: tiny\nVersion: 1.0\n")
        archive.writestr(
            "tiny-1.0.dist-info/WHEEL", "Wheel-Version: 1.0\nRoot-Is-Purelib: true\nTag: py3-none-any\n"
        )
        archive.writestr("tiny-1.0.dist-info/RECORD", "tiny.py,,\n")
    return wheel


def test_a_python_that_is_not_to_be_had_is_named_with_the_way_out(fresh_stage: Stage) -> None:
    exit = fresh_stage.run(fresh_stage.serve(environment={"python_version": "3.99"}))
    assert exit["cause"] == "setup_failed"
    assert "Python 3.99" in exit["detail"]
    assert "uv python install 3.99" in exit["detail"]


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
    assert ("Waiting for another" in server.contents("setup")[0]) == waits_for_another


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
