"""Two servers on one database and one storage: schedules and runs are as with one."""

import base64
import os
import random
import signal
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from ..databases import PostgresCluster
from .conftest import NewWorkspace
from .servers import Homeport, until
from .workspaces import Workspace

pytestmark = pytest.mark.acceptance

CLOCK = """
    import time

    from dlt.hub import run
    from dlt.hub.run import trigger


    @run.job(trigger=trigger.schedule("* * * * * */2"))
    def tick():
        print("tick")


    @run.job(trigger=tick.success)
    def tock():
        print("tock")


    @run.job
    def hello():
        print("hello")


    @run.job
    def stay():
        for number in range(60):
            print("LINE", number, flush=True)
            time.sleep(0.1)
"""
NAMES = ["hello", "stay", "tick", "tock"]
DEPLOYMENT = f"from clock import {', '.join(NAMES)}\n\n__all__ = {NAMES}\n"


@pytest.fixture
def two_servers(
    tmp_path: Path, environment: dict[str, str], environments: Path, postgres: PostgresCluster
) -> Iterator[tuple[Homeport, Homeport]]:
    with postgres.database(from_template=False) as url:
        shared = {
            "HOMEPORT_DATABASE_URL": url,
            "HOMEPORT_STORAGE_URL": (tmp_path / "storage").as_uri(),
            "HOMEPORT_MASTER_KEY": base64.b64encode(os.urandom(32)).decode(),
        }
        servers = []
        for name in ("one", "two"):
            (tmp_path / name).mkdir()
            server = Homeport(tmp_path / name, environment, environments)
            server.settings = dict(shared)
            servers.append(server)
        (tmp_path / "storage").mkdir()
        one, two = servers
        two.api_key = one.api_key
        try:
            yield one.start(), two.start()
        finally:
            for server in servers:
                server.close()


def test_ticks_are_decided_once_and_go_on_when_one_server_is_killed(
    two_servers: tuple[Homeport, Homeport], new_workspace: NewWorkspace
) -> None:
    one, two = two_servers
    clock = new_workspace(one, {"clock.py": CLOCK, "__deployment__.py": DEPLOYMENT})
    clock.dlthub("deploy")
    stay = clock.trigger("manual:*stay")
    until(lambda: len(ended(clock, "tick")) >= 4 and len(ended(clock, "tock")) >= 3, what="the clock")
    assert_stayed(clock, stay["id"])

    one.kill()
    clock.server = two
    ticks = len(clock.runs("tick"))
    until(lambda: len(clock.runs("tick")) >= ticks + 3, what="three more ticks")
    assert_ticked_once(clock)


def test_a_server_that_is_stopped_and_goes_on_changes_nothing_that_the_other_has_decided(
    two_servers: tuple[Homeport, Homeport], new_workspace: NewWorkspace
) -> None:
    """Stopped at any moment, also in the middle of a transaction; the other one does not wait for it."""
    one, two = two_servers
    clock = new_workspace(one, {"clock.py": CLOCK, "__deployment__.py": DEPLOYMENT})
    clock.dlthub("deploy")
    clock.server = two
    until(lambda: clock.runs("tick"), what="the clock")
    stay = clock.trigger("manual:*stay")
    for _ in range(3):
        time.sleep(random.uniform(0, 2))
        os.kill(one.process.pid, signal.SIGSTOP)
        # what `one` has begun waits for it; everything else goes on
        assert clock.run("hello")["status"] == "completed"
        os.kill(one.process.pid, signal.SIGCONT)
    assert_stayed(clock, stay["id"])
    ticks = len(ended(clock, "tick"))
    until(lambda: len(ended(clock, "tick")) > ticks, what="the clock to go on")
    assert_ticked_once(clock)


def assert_stayed(clock: Workspace, run_id: str) -> None:
    """To its end, with every line once."""
    assert clock.ended(run_id)["status"] == "completed"
    said = [line for line in clock.text(run_id).split("\n") if line.startswith("LINE ")]
    assert said == [f"LINE {number}" for number in range(60)]


def assert_ticked_once(clock: Workspace) -> None:
    """At each moment, whoever has decided it."""
    moments = [row["moment"] for row in ledger(clock)]
    assert len(moments) == len(set(moments))
    windows = [(run["interval_start"], run["interval_end"]) for run in clock.runs("tick")]
    assert [start for start, _ in windows[1:]] == [end for _, end in windows[:-1]], "no gap, no overlap"


def ended(clock: Workspace, name: str) -> list[str]:
    runs = clock.runs(name)
    assert {run["status"] for run in runs} <= {"pending", "starting", "running", "completed"}, runs
    return [run["id"] for run in runs if run["status"] == "completed"]


def ledger(clock: Workspace) -> list[dict[str, str]]:
    job = clock.jobs()["jobs.clock.tick"]["id"]
    return list(clock.get("/ticks", job_id=job, limit=1000)["items"])
