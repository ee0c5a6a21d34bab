"""The engine of this machine where a warm process answers: the same promises, and runners that are its forks."""

import os
import shutil
import signal
import subprocess
import sys
from collections.abc import Callable, Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest

from homeport.execution.engines import Phase, Placement, Warmth
from homeport.execution.engines.local import LocalEngine

from ..builders import until
from .engine_promises import EnginePromises, seen
from .test_local_engine import Door, door, pid_of

__all__ = ["door"]

WARMTH = Warmth("an-environment", "a-workspace/prod", "json")
MEMORY = 512 * 1024 * 1024

pytestmark = pytest.mark.skipif(sys.platform != "linux", reason="warm processes are for Linux")


@pytest.fixture(scope="module")
def environments(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("node") / "environments"
    environment = folder / WARMTH.environment
    subprocess.run([sys.executable, "-m", "venv", "--without-pip", str(environment)], check=True)
    (environment / ".complete").touch()
    return folder


@pytest.fixture
def node(tmp_path: Path, environments: Path) -> Path:
    node = tmp_path / "node"
    node.mkdir()
    (node / "environments").symlink_to(environments)
    return node


@pytest.fixture
def placement(door: Door) -> Placement:
    return Placement("hp-0123456789abcdef0123456789abcdef-1", door.url, "the-ticket", WARMTH)


def a_node_of_its_own(tmp_path: Path) -> tuple[LocalEngine, Path]:
    """And a lone environment in it."""
    node = tmp_path / "own"
    subprocess.run(
        [sys.executable, "-m", "venv", "--without-pip", str(node / "environments" / WARMTH.environment)],
        check=True,
    )
    (node / "environments" / WARMTH.environment / ".complete").touch()
    return LocalEngine(node, warm_memory_bytes=MEMORY), node


def left_alone(engine: LocalEngine) -> None:
    """Its warm processes have gone, as after a while without use."""
    assert engine._warm is not None
    engine.close()
    for child in engine._warm._children.values():
        child.wait(20)


def test_what_was_found_unfit_is_tried_again_once_the_environment_is_another(tmp_path: Path) -> None:
    engine, node = a_node_of_its_own(tmp_path)
    assert engine._warm is not None
    try:
        made_ready(engine, node)
        [folder] = node.glob("warm/*")
        left_alone(engine)
        (folder / "unfit").write_text("it starts threads")
        (folder / "unsafe.json").write_text('["a_module"]')
        engine._warm.prepare(WARMTH)
        assert not engine._warm._children
        configuration = node / "environments" / WARMTH.environment / "pyvenv.cfg"
        configuration.write_text(configuration.read_text())
        made_ready(engine, node)
        assert not (folder / "unsafe.json").exists()
    finally:
        left_alone(engine)


def test_what_was_learned_of_an_environment_goes_with_it(tmp_path: Path) -> None:
    engine, node = a_node_of_its_own(tmp_path)
    now = datetime.now(UTC)
    try:
        made_ready(engine, node)
        shutil.rmtree(node / "environments" / WARMTH.environment)
        engine.collect(now)
        assert list(node.glob("warm/*/socket")), "a process is in there"
    finally:
        left_alone(engine)
    engine.collect(now)
    assert not list(node.glob("warm/*"))


def test_what_was_learned_stays_for_a_week_without_use(tmp_path: Path) -> None:
    engine, node = a_node_of_its_own(tmp_path)
    try:
        made_ready(engine, node)
    finally:
        left_alone(engine)
    for days, left in ((6, 1), (8, 0)):
        engine.collect(datetime.now(UTC) + timedelta(days=days))
        assert len(list(node.glob("warm/*"))) == left


def made_ready(engine: LocalEngine, node: Path, warmth: Warmth = WARMTH) -> int:
    """The pid of the warm process."""
    assert engine._warm is not None
    before = set(node.glob("warm/*/socket"))
    engine._warm.prepare(warmth)
    until(lambda: set(node.glob("warm/*/socket")) - before)
    return int((set(node.glob("warm/*/socket")) - before).pop().with_name("pid").read_text())


def parent_of(pid: int) -> int:
    return int(Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[1])


class TestLocalEngineWithWarmProcess(EnginePromises):
    @pytest.fixture
    def engine(self, node: Path) -> Iterator[LocalEngine]:
        engine = LocalEngine(node, warm_memory_bytes=MEMORY)
        engine.open()
        made_ready(engine, node)
        yield engine
        for attempt in engine.known():
            engine.kill(attempt)
            until(lambda attempt=attempt: seen(engine, attempt).process_gone)
        engine.close()
        assert engine._warm is not None
        for child in (*engine._children.values(), *engine._warm._children.values()):
            child.kill()
            child.wait(20)

    @pytest.fixture
    def dies(self, node: Path) -> Callable[[str], None]:
        return lambda attempt: os.kill(pid_of(node, attempt), signal.SIGKILL)

    def test_the_runner_is_a_fork_of_the_warm_process(
        self, engine: LocalEngine, placement: Placement, node: Path, door: Door
    ) -> None:
        engine.submit(placement)
        until(lambda: door.claims)
        warm = int(next(node.glob("warm/*/pid")).read_text())
        assert parent_of(pid_of(node, placement.attempt)) == warm
        assert door.claims[0]["pid"] == pid_of(node, placement.attempt)
        assert door.claims[0]["ticket"] == "the-ticket"

    def test_another_engine_object_finds_the_warm_process_again(
        self, engine: LocalEngine, placement: Placement, node: Path
    ) -> None:
        other = LocalEngine(node, warm_memory_bytes=MEMORY)
        other.open()
        other.submit(placement)
        assert parent_of(pid_of(node, placement.attempt)) == int(next(node.glob("warm/*/pid")).read_text())

    def test_nobody_else_shares_it(self, engine: LocalEngine, placement: Placement, node: Path) -> None:
        elsewhere = Warmth(WARMTH.environment, "another/prod", WARMTH.module)
        engine.submit(Placement(placement.attempt, placement.server_url, placement.ticket, elsewhere))
        assert parent_of(pid_of(node, placement.attempt)) == os.getpid()

    def test_where_it_was_killed_the_start_is_a_plain_one(
        self, engine: LocalEngine, placement: Placement, node: Path
    ) -> None:
        os.kill(int(next(node.glob("warm/*/pid")).read_text()), signal.SIGKILL)
        assert engine._warm is not None
        until(lambda: (engine._warm.reap(), not engine._warm._children)[1])  # type: ignore[union-attr]
        engine.submit(placement)
        assert seen(engine, placement.attempt).phase is Phase.STARTED
        assert parent_of(pid_of(node, placement.attempt)) == os.getpid()

    def test_the_one_used_least_recently_makes_room(self, engine: LocalEngine, node: Path) -> None:
        assert engine._warm is not None
        first = next(iter(engine._warm._children.values()))
        engine._warm._memory_bytes = 121 * 1024 * 1024
        made_ready(engine, node, Warmth(WARMTH.environment, "another/prod", WARMTH.module))
        assert first.wait(20) == 0

    def test_it_holds_nothing_secret(
        self, engine: LocalEngine, node: Path, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        monkeypatch.setenv("UV_INDEX_URL", "https://user:hunter2@example.org")
        warm = made_ready(engine, node, Warmth(WARMTH.environment, "third/prod", WARMTH.module))
        assert b"hunter2" not in Path(f"/proc/{warm}/environ").read_bytes()
