"""A run that prints without a break loses no line and doubles none, whatever happens to server and database.

`HOMEPORT_TEST_LINES=1000000` prints a million lines; the usual test fewer.
"""

import os
import random
import signal
from collections.abc import Iterator
from pathlib import Path
from textwrap import dedent
from typing import Any

import pytest

from ..databases import PostgresCluster, PostgresMissing
from .conftest import NewWorkspace
from .servers import Homeport, until
from .workspaces import Workspace

pytestmark = pytest.mark.acceptance

LINES = int(os.environ.get("HOMEPORT_TEST_LINES", "100000"))
ROUNDS = 5

JOB = """
    import time
    from pathlib import Path

    from dlt.hub import run

    SIGNS = Path({signs!r})


    @run.job
    def count():
        each = {lines} // {rounds}
        for round in range({rounds}):
            (SIGNS / f"{{round}}.reached").touch()
            while not (SIGNS / f"{{round}}.go").exists():
                time.sleep(0.005)
            for number in range(round * each, (round + 1) * each):
                print(f"number {{number}} of many")
"""


@pytest.fixture
def cluster() -> Iterator[PostgresCluster]:
    try:
        cluster = PostgresCluster(keeps_commits=True)
    except PostgresMissing as missing:
        if os.environ.get("CI"):
            pytest.fail(f"CI must test PostgreSQL: {missing}")
        pytest.skip(f"not tested on PostgreSQL: {missing}")
    yield cluster
    cluster.stop()


class Scene:
    """A run that prints round by round, and a server that is not left in peace."""

    def __init__(self, server: Homeport, new_workspace: NewWorkspace, signs: Path) -> None:
        signs.mkdir()
        self.server, self.signs = server, signs
        job = dedent(JOB).format(signs=str(signs), lines=LINES, rounds=ROUNDS)
        files = {"shop.py": job, "__deployment__.py": "from shop import count\n\n__all__ = ['count']\n"}
        self.workspace: Workspace = new_workspace(server.start(), files)
        self.workspace.dlthub("deploy")
        self.run_id = str(self.workspace.trigger("manual:*count")["id"])

    def let_print(self, round_: int) -> None:
        """Let the next round begin, and be somewhere in it."""
        until(lambda: (self.signs / f"{round_}.reached").exists(), what=f"round {round_}")
        before = self.kept()
        (self.signs / f"{round_}.go").touch()
        some = random.randrange(1, LINES // ROUNDS // 2)
        until(lambda: self.kept() > before + some, what="some lines of it")

    def kept(self) -> int:
        attempts = self.workspace.get(f"/job-runs/{self.run_id}/attempts")["items"]
        return int(attempts[-1]["line_count"]) if attempts else 0

    def assert_complete(self) -> None:
        contents = [line["content"] for line in self.user_lines()]
        assert contents == [f"number {number} of many" for number in range(LINES // ROUNDS * ROUNDS)]

    def user_lines(self) -> list[Any]:
        lines = self.workspace.lines(self.run_id)
        assert [line["line_num"] for line in lines] == list(range(len(lines)))
        return [line for line in lines if line["source"] == "user"]

    def is_stored(self) -> bool:
        """The log is in the object storage."""
        logs = self.server.data / "storage" / "workspaces" / self.workspace.id / "logs"
        return any(path.is_file() for path in logs.rglob("*.json.z"))

    def crash(self) -> None:
        self.server.kill()
        self.server.start()

    def freeze(self) -> None:
        """Somebody stops the process, and lets it go on when the run has printed its round without it."""
        os.kill(self.server.process.pid, signal.SIGSTOP)
        begun = len(list(self.signs.glob("*.go")))
        if begun < ROUNDS:
            until(lambda: (self.signs / f"{begun}.reached").exists(), what="the run to go on")
        os.kill(self.server.process.pid, signal.SIGCONT)

    def restart(self) -> None:
        self.server.stop()
        self.server.start()

    def end(self) -> None:
        """The server dies once more while it moves the log to the storage."""
        assert self.workspace.ended(self.run_id)["status"] == "completed"
        self.crash()
        self.assert_complete()
        until(self.is_stored, what="the log to be stored")
        self.assert_complete()


def test_no_line_is_lost_or_doubled_on_sqlite(
    own_server: Homeport, new_workspace: NewWorkspace, tmp_path: Path
) -> None:
    scene = Scene(own_server, new_workspace, tmp_path / "signs")
    treatments = [scene.crash, scene.freeze, scene.restart, scene.crash, lambda: None]
    random.shuffle(treatments)
    for round_, treat in enumerate(treatments):
        scene.let_print(round_)
        treat()
    scene.end()


def test_no_line_is_lost_or_doubled_on_postgresql(
    own_server: Homeport, new_workspace: NewWorkspace, tmp_path: Path, cluster: PostgresCluster
) -> None:
    with cluster.database() as url:
        own_server.settings["HOMEPORT_DATABASE_URL"] = url
        scene = Scene(own_server, new_workspace, tmp_path / "signs")

        def drop_database() -> None:
            cluster.crash()
            cluster.serve()

        def drop_both() -> None:
            cluster.crash()
            scene.server.kill()
            cluster.serve()
            scene.server.start()

        treatments = [scene.crash, drop_database, scene.freeze, drop_both, drop_database]
        random.shuffle(treatments)
        for round_, treat in enumerate(treatments):
            scene.let_print(round_)
            treat()
        scene.end()
        own_server.stop()


PRINTS_AND_STAYS = """
    import time
    from pathlib import Path

    from dlt.hub import run


    @run.job
    def count():
        for number in range(20_000):
            print(f"number {{number}} of many")
        Path({sign!r}).touch()
        time.sleep(600)
"""


def test_what_a_killed_runner_could_not_send_any_more_is_kept(
    own_server: Homeport, new_workspace: NewWorkspace, tmp_path: Path
) -> None:
    """The server is frozen, so nothing is sent while the run prints; then its runner is killed."""
    sign = tmp_path / "printed"
    job = dedent(PRINTS_AND_STAYS).format(sign=str(sign))
    files = {"shop.py": job, "__deployment__.py": "from shop import count\n\n__all__ = ['count']\n"}
    shop = new_workspace(own_server.start(), files)
    shop.dlthub("deploy")
    run_id = str(shop.trigger("manual:*count")["id"])
    shop.in_status(run_id, "running")
    os.kill(own_server.process.pid, signal.SIGSTOP)
    until(sign.exists, what="the run to have printed")
    [runner] = own_server.runner_pids()
    spool = next((own_server.data / "node" / "runs").iterdir()) / "spool"
    last = b"number 19999 of many"
    until(
        lambda: any(last in file.read_bytes() for file in spool.iterdir()), what="its runner to have read it all"
    )
    os.kill(runner, signal.SIGKILL)
    os.kill(own_server.process.pid, signal.SIGCONT)
    assert shop.ended(run_id)["status"] == "failed"
    contents = [line["content"] for line in shop.lines(run_id) if line["source"] == "user"]
    assert contents == [f"number {number} of many" for number in range(20_000)]
