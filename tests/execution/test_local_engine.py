"""The engine of this machine, with real runners that knock at a server which does not let them in yet."""

import json
import os
import signal
import sys
import threading
from collections.abc import Callable, Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

import pytest

from homeport.contract.runner_protocol import EnvironmentLaunch
from homeport.execution.engines import EngineError, Phase, Placement
from homeport.execution.engines.local import LocalEngine
from homeport.execution.pythons import find_uv

from ..builders import until
from .engine_promises import EnginePromises, seen

PYTHON = f"{sys.version_info.major}.{sys.version_info.minor}"


class Door(ThreadingHTTPServer):
    """Answers every claim with a status, and remembers who knocked. 503: come again; 409: not yours."""

    daemon_threads = True

    def __init__(self) -> None:
        super().__init__(("127.0.0.1", 0), Knock)
        self.status = 503
        self.claims: list[dict[str, object]] = []
        self.url = f"http://127.0.0.1:{self.server_address[1]}"


class Knock(BaseHTTPRequestHandler):
    server: Door

    def do_POST(self) -> None:
        body = self.rfile.read(int(self.headers["Content-Length"]))
        self.server.claims.append(json.loads(body))
        self.send_response(self.server.status)
        self.send_header("Content-Length", "2")
        self.end_headers()
        self.wfile.write(b"{}")

    def log_message(self, format: str, *args: object) -> None:
        """Quietly."""


@pytest.fixture
def door() -> Iterator[Door]:
    door = Door()
    thread = threading.Thread(target=door.serve_forever, args=(0.01,), daemon=True)
    thread.start()
    yield door
    door.shutdown()
    door.server_close()


@pytest.fixture
def placement(door: Door) -> Placement:
    return Placement("hp-0123456789abcdef0123456789abcdef-1", door.url, "the-ticket")


@pytest.fixture
def node(tmp_path: Path) -> Path:
    return tmp_path / "node"


@pytest.fixture
def engine(node: Path) -> Iterator[LocalEngine]:
    engine = LocalEngine(node)
    engine.open()
    yield engine
    for attempt in engine.known():
        engine.kill(attempt)
        until(lambda attempt=attempt: seen(engine, attempt).process_gone)
    for child in list(engine._children.values()):
        child.wait(20)
    engine.close()


def pid_of(node: Path, attempt: str) -> int:
    return int(json.loads((node / "runs" / attempt / "runner.json").read_text())["pid"])


class TestLocalEngine(EnginePromises):
    @pytest.fixture
    def dies(self, node: Path) -> Callable[[str], None]:
        return lambda attempt: os.kill(pid_of(node, attempt), signal.SIGKILL)

    def test_the_runner_claims_with_its_ticket(
        self, engine: LocalEngine, placement: Placement, door: Door
    ) -> None:
        engine.submit(placement)
        until(lambda: door.claims)
        assert door.claims[0]["ticket"] == "the-ticket"

    def test_submitting_again_leaves_the_first_runner_with_its_ticket(
        self, engine: LocalEngine, placement: Placement, node: Path
    ) -> None:
        engine.submit(placement)
        first = pid_of(node, placement.attempt)
        engine.submit(Placement(placement.attempt, placement.server_url, "another"))
        assert pid_of(node, placement.attempt) == first

    def test_a_runner_whose_attempt_is_taken_leaves(
        self, engine: LocalEngine, placement: Placement, door: Door
    ) -> None:
        door.status = 409
        engine.submit(placement)
        until(lambda: seen(engine, placement.attempt).phase is Phase.ENDED)

    def test_another_engine_object_finds_the_runner_again(
        self, engine: LocalEngine, placement: Placement, node: Path
    ) -> None:
        engine.submit(placement)
        engine.close()
        other = LocalEngine(node)
        other.open()
        assert seen(other, placement.attempt).phase is Phase.STARTED
        assert other.known() == {placement.attempt}
        other.kill(placement.attempt)
        until(lambda: seen(other, placement.attempt).process_gone)

    def test_a_process_that_has_the_pid_by_now_is_not_mistaken(
        self, engine: LocalEngine, placement: Placement, node: Path
    ) -> None:
        folder = node / "runs" / placement.attempt
        folder.mkdir(parents=True)
        # our own process lives, but did not start then
        record = {
            "pid": os.getpid(),
            "started": "1",
            "boot": Path("/proc/sys/kernel/random/boot_id").read_text().strip(),
        }
        (folder / "runner.json").write_text(json.dumps(record))
        assert seen(engine, placement.attempt).phase is Phase.ENDED
        engine.kill(placement.attempt)  # and kills nobody: we are still here

    def test_what_ran_before_the_machine_was_restarted_is_gone_whoever_has_its_pid(
        self, engine: LocalEngine, placement: Placement, node: Path
    ) -> None:
        engine.submit(placement)
        path = node / "runs" / placement.attempt / "runner.json"
        runner = path.read_text()
        path.write_text(json.dumps({**json.loads(runner), "boot": "another"}))
        found = seen(engine, placement.attempt)
        assert (found.phase, found.process_gone) == (Phase.ENDED, True)
        assert found.reason == "the machine was restarted"
        engine.kill(placement.attempt)  # and kills nobody
        path.write_text(runner)
        assert seen(engine, placement.attempt).phase is Phase.STARTED

    @pytest.mark.parametrize("content", ["", "{", '{"pid": 1}', "[]", "null"])
    def test_a_broken_record_is_no_living_runner(
        self, engine: LocalEngine, placement: Placement, node: Path, content: str
    ) -> None:
        folder = node / "runs" / placement.attempt
        folder.mkdir(parents=True)
        (folder / "runner.json").write_text(content)
        assert seen(engine, placement.attempt).phase is Phase.ENDED

    def test_the_runner_has_nothing_of_the_servers_settings_and_keys(
        self, engine: LocalEngine, placement: Placement, node: Path, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        for name in ("HOMEPORT_MASTER_KEY", "HOMEPORT_DATABASE_URL", "AWS_SECRET_ACCESS_KEY", "PGPASSWORD"):
            monkeypatch.setenv(name, "secret")
        monkeypatch.setenv("UV_INDEX_URL", "https://packages.example")
        engine.submit(placement)
        environ = Path(f"/proc/{pid_of(node, placement.attempt)}/environ").read_bytes()
        names = {entry.partition(b"=")[0].decode() for entry in environ.split(b"\0") if entry}
        assert b"secret" not in environ
        assert {name for name in names if name.startswith("HOMEPORT_")} == {"HOMEPORT_NODE_DIR", "HOMEPORT_UV"}
        assert "UV_INDEX_URL" in names

    def test_the_runner_has_its_own_session(self, engine: LocalEngine, placement: Placement, node: Path) -> None:
        engine.submit(placement)
        pid = pid_of(node, placement.attempt)
        assert os.getsid(pid) == pid

    def test_folders_of_runs_are_private(self, engine: LocalEngine, placement: Placement, node: Path) -> None:
        engine.submit(placement)
        assert (node / "runs" / placement.attempt).stat().st_mode & 0o077 == 0

    def test_a_runner_that_was_not_let_in_leaves_its_words(
        self, engine: LocalEngine, placement: Placement, door: Door
    ) -> None:
        door.status = 404
        engine.submit(placement)
        until(lambda: seen(engine, placement.attempt).phase is Phase.ENDED)
        assert "did not let us claim" in engine.diagnose(placement.attempt)

    def test_working_state_of_runs_is_found_and_removed(self, engine: LocalEngine, node: Path) -> None:
        assert engine.carried() == set()
        run = "0a" * 16
        for name in (run, "not-a-run"):
            (node / "carried" / name / "prod").mkdir(parents=True)
        assert engine.carried() == {run}
        for _ in range(2):
            engine.drop(run)
        assert engine.carried() == set()
        assert (node / "carried" / "not-a-run").exists()


def test_without_uv_nothing_can_be_placed(node: Path) -> None:
    engine = LocalEngine(node)
    engine._uv = None
    with pytest.raises(EngineError, match="pip install"):
        engine.open()


def test_a_node_folder_that_cannot_be_written_is_said_to_be_one(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")
    with pytest.raises(EngineError, match="node/runs"):
        LocalEngine(tmp_path / "file" / "node").open()


class TestBuildingAhead:
    """With the real uv, or one that waits for a sign."""

    @pytest.fixture
    def gate(self, tmp_path: Path) -> Path:
        return tmp_path / "gate"

    @pytest.fixture
    def slow(self, node: Path, gate: Path, tmp_path: Path) -> Iterator[LocalEngine]:
        uv = tmp_path / "slow-uv"
        uv.write_text(f'#!/bin/sh\nwhile [ ! -e {gate} ]; do sleep 0.02; done\nexec {find_uv()} "$@"\n')
        uv.chmod(0o755)
        engine = LocalEngine(node, uv=str(uv))
        engine.open()
        yield engine
        engine.close()

    def test_an_environment_is_built_behind_everything_else(
        self, slow: LocalEngine, node: Path, gate: Path
    ) -> None:
        assert slow.prepare(EMPTY, [])
        build = slow._build
        assert build is not None
        until(lambda: os.getpriority(os.PRIO_PROCESS, build.pid) == 10)
        gate.touch()
        until((node / "environments/empty/.complete").exists)
        until(lambda: slow.prepare(EMPTY, []))
        assert slow._build is None, "it is there: nothing to begin"
        assert build.returncode == 0
        assert not list((node / "builds").iterdir())

    def test_one_is_built_at_a_time(self, slow: LocalEngine, gate: Path) -> None:
        assert slow.prepare(EMPTY, [])
        other = EMPTY.model_copy(update={"key": "other"})
        assert not slow.prepare(other, [])
        gate.touch()
        until(lambda: slow.prepare(other, []))

    def test_closing_ends_it_and_leaves_nothing_that_counts_as_built(self, slow: LocalEngine, node: Path) -> None:
        assert slow.prepare(EMPTY, [])
        build = slow._build
        assert build is not None
        until((node / "environments/empty.log").exists)
        until(lambda: (node / "environments/empty.log").read_text())
        slow.close()
        assert build.wait(20) == 0
        assert not (node / "environments/empty/.complete").exists()
        assert not (node / "environments/empty.failed").exists()

    def test_what_failed_is_tried_again_only_after_another_deploy(self, node: Path) -> None:
        engine = LocalEngine(node)
        engine.open()
        remembered = node / "environments/broken.failed"

        def prepared(asked_at: float) -> float:
            """When it failed last."""
            order = BROKEN.model_copy(update={"asked_at": asked_at})
            until(lambda: engine.prepare(order, []))
            build = engine._build
            if build is not None:
                build.wait(60)
            return float(json.loads(remembered.read_text())["seconds"])

        first = prepared(1.0)
        assert prepared(1.0) == first
        assert prepared(first + 0.001) > first
        engine.close()


EMPTY = EnvironmentLaunch(key="empty", python_version=PYTHON, requirements=[], notes=[])
BROKEN = EnvironmentLaunch(key="broken", python_version=PYTHON, requirements=["tiny==1", "tiny==2"], notes=[])
