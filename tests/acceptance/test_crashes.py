"""The server dies in the middle of things, or is stopped, and comes back on the same data folder and port."""

import os
import signal
from collections.abc import Callable, Iterator
from pathlib import Path
from textwrap import dedent

import pytest

from .conftest import NewWorkspace
from .servers import Homeport, until
from .workspaces import Workspace

pytestmark = pytest.mark.acceptance

JOBS = """
    import time
    from pathlib import Path

    from dlt.hub import run

    SIGNS = Path({signs!r})


    def until_told(name):
        # a line every few milliseconds, so that there always is one under way
        with (SIGNS / f"{{name}}.started").open("a") as started:
            started.write("once\\n")
        number = 0
        while not (SIGNS / f"{{name}}.go").exists():
            print(f"{{name}} {{number}}")
            number += 1
            time.sleep(0.005)
        print(f"{{name}} is done after {{number}}")


    @run.job
    def bake():
        until_told("bake")


    @run.job
    def sell():
        until_told("sell")
"""


class Scene:
    """A connected workspace with two jobs that go on until they are told."""

    def __init__(self, server: Homeport, new_workspace: NewWorkspace, signs: Path) -> None:
        self.server = server
        self.signs = signs
        signs.mkdir()
        self.workspace: Workspace = new_workspace(
            server.start(),
            {
                "shop.py": dedent(JOBS).format(signs=str(signs)),
                "__deployment__.py": "from shop import bake, sell\n\n__all__ = ['bake', 'sell']\n",
            },
        )
        self.workspace.dlthub("deploy")

    def begin(self, name: str = "bake") -> str:
        """Start a run and see its first lines."""
        run_id = str(self.workspace.trigger(f"manual:*{name}")["id"])
        until(lambda: self.starts(name), what=f"{name} to start")
        self.workspace.in_status(run_id, "running")
        return run_id

    def starts(self, name: str = "bake") -> int:
        file = self.signs / f"{name}.started"
        return len(file.read_text().splitlines()) if file.exists() else 0

    def go(self, name: str = "bake") -> None:
        (self.signs / f"{name}.go").touch()

    def assert_ran_once(self, run_id: str, name: str = "bake") -> None:
        assert self.workspace.ended(run_id)["status"] == "completed"
        lines = self.workspace.lines(run_id)
        assert [line["line_num"] for line in lines] == list(range(len(lines)))
        said = [line["content"] for line in lines if line["source"] == "user"]
        count = len(said) - 1
        assert said == [*(f"{name} {number}" for number in range(count)), f"{name} is done after {count}"]
        assert self.starts(name) == 1
        assert len(self.workspace.runs(name)) == 1


@pytest.fixture
def scene(own_server: Homeport, new_workspace: NewWorkspace, tmp_path: Path) -> Scene:
    return Scene(own_server, new_workspace, tmp_path / "signs")


def runners_gone(server: Homeport) -> Callable[[], bool]:
    return lambda: not server.runner_pids()


def test_a_run_that_outlives_a_killed_server_ends_as_it_ended_with_every_line_once(scene: Scene) -> None:
    run_id = scene.begin()
    scene.server.kill()
    scene.server.start()
    assert scene.workspace.state_of(run_id)["status"] == "running"
    scene.go()
    scene.assert_ran_once(run_id)


def test_a_run_that_ends_while_no_server_is_there_is_reported_when_one_is(scene: Scene) -> None:
    run_id = scene.begin()
    scene.server.kill()
    scene.go()
    spool = scene.server.data / "node" / "runs"
    until(lambda: any("is done" in f.read_text(errors="replace") for f in spool.glob("*/spool/*")), what="the end")
    scene.server.start()
    scene.assert_ran_once(run_id)
    until(runners_gone(scene.server), what="the runner to leave")


@pytest.mark.parametrize("moment", ["at once", "with its runner started", "with its process started"])
def test_a_run_that_was_only_just_asked_for_when_the_server_is_killed_runs_once(scene: Scene, moment: str) -> None:
    scene.go()
    run_id = str(scene.workspace.trigger("manual:*bake")["id"])
    if moment == "with its runner started":
        until(scene.server.runner_pids, what="the runner")
    elif moment == "with its process started":
        until(scene.starts, what="the process")
    scene.server.kill()
    scene.server.start()
    scene.assert_ran_once(run_id)


def test_a_run_that_is_just_being_reported_when_the_server_is_killed_is_reported_once(scene: Scene) -> None:
    run_id = scene.begin()
    scene.go()
    scene.workspace.until_said(run_id, "bake is done")
    scene.server.kill()
    scene.server.start()
    scene.assert_ran_once(run_id)


def test_a_server_that_is_stopped_leaves_its_runs_alone(scene: Scene) -> None:
    run_id = scene.begin()
    assert scene.server.stop(signal.SIGTERM) == 0
    scene.server.start()
    assert scene.workspace.state_of(run_id)["status"] == "running"
    scene.go()
    scene.assert_ran_once(run_id)


def test_a_run_whose_runner_died_too_is_reported_lost_and_not_run_again(scene: Scene) -> None:
    run_id = scene.begin()
    scene.server.kill()
    [runner] = scene.server.runner_pids()
    os.kill(runner, signal.SIGKILL)
    until(runners_gone(scene.server), what="the runner to die")
    scene.server.start()
    run = scene.workspace.ended(run_id)
    assert run["status"] == "failed"
    assert "lost" in scene.workspace.lines(run_id)[-1]["content"]
    # its slot is free, and what starts now is another run
    scene.go()
    assert scene.workspace.run("bake")["number"] == 2
    assert scene.starts() == 2


def test_a_run_whose_runner_is_killed_is_reported_lost_while_the_server_stays_up(scene: Scene) -> None:
    run_id = scene.begin()
    [runner] = scene.server.runner_pids()
    os.kill(runner, signal.SIGKILL)
    assert scene.workspace.ended(run_id)["status"] == "failed"
    assert "lost" in scene.workspace.dlthub("job", "logs", "bake")
    assert scene.starts() == 1


def test_a_run_that_waits_for_room_when_the_server_is_killed_starts_once(
    own_server: Homeport, new_workspace: NewWorkspace, tmp_path: Path
) -> None:
    own_server.settings["HOMEPORT_MAX_RUNS"] = "1"
    scene = Scene(own_server, new_workspace, tmp_path / "signs")
    first = scene.begin("bake")
    second = str(scene.workspace.trigger("manual:*sell")["id"])
    assert scene.workspace.state_of(second)["status"] == "pending"
    scene.server.kill()
    scene.go("bake")
    scene.go("sell")
    scene.server.start()
    scene.assert_ran_once(first, "bake")
    scene.assert_ran_once(second, "sell")


@pytest.fixture
def bare_scene(tmp_path: Path, environment: dict[str, str], new_workspace: NewWorkspace) -> Iterator[Scene]:
    """With no environment built."""
    (tmp_path / "server").mkdir()
    server = Homeport(tmp_path / "server", environment)
    try:
        yield Scene(server, new_workspace, tmp_path / "signs")
    finally:
        server.close()


def begin_to_build(scene: Scene) -> str:
    scene.go("bake")
    run_id = str(scene.workspace.trigger("manual:*bake")["id"])
    until(lambda: list((scene.server.data / "node" / "environments").glob("*/bin")), what="the build to begin")
    assert not scene.starts()
    return run_id


def test_a_build_goes_on_when_the_server_is_killed_in_the_middle_of_it(bare_scene: Scene) -> None:
    run_id = begin_to_build(bare_scene)
    bare_scene.server.kill()
    bare_scene.server.start()
    bare_scene.assert_ran_once(run_id)
    text = bare_scene.workspace.text(run_id)
    assert text.count("Creating virtual environment") == 1
    assert text.count("Environment with Python") == 1


def test_half_a_build_of_a_runner_that_was_killed_is_no_foundation(bare_scene: Scene) -> None:
    lost = begin_to_build(bare_scene)
    [runner] = bare_scene.server.runner_pids()
    os.kill(runner, signal.SIGKILL)
    bare_scene.go("sell")
    builds_anew = str(bare_scene.workspace.trigger("manual:*sell")["id"])
    bare_scene.assert_ran_once(builds_anew, "sell")
    assert "Environment with Python" in bare_scene.workspace.text(builds_anew)
    assert bare_scene.workspace.ended(lost)["status"] == "failed"
    assert bare_scene.starts() == 0
