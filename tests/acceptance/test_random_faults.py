"""Something goes wrong with a process of some kind, again and again, while runs come and go.

Whatever it was, each run begins once and ends once, its log is what it printed, nothing of it is left, and the
next run is not affected. `HOMEPORT_TEST_FAULTS=500` has so many things go wrong; the usual test fewer. A test that
fails prints its `HOMEPORT_TEST_SEED`, which leads to the same choices.
"""

import os
import random
import signal
import subprocess
import sys
import time
from collections import defaultdict
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from textwrap import dedent

import pytest

from .conftest import NewWorkspace
from .servers import Homeport, is_alive, until
from .workspaces import OVER

pytestmark = [pytest.mark.acceptance, pytest.mark.timeout(1800)]

FAULTS = int(os.environ.get("HOMEPORT_TEST_FAULTS", "25"))
SEED = int(os.environ.get("HOMEPORT_TEST_SEED") or random.randrange(10**6))
LINES = 2_000
AT_ONCE = 3
ONE_READ = 64 * 1024
"""A runner that is killed between reading a piece and writing it down takes that piece along."""
ITS_PIPE = 2 * ONE_READ
"""What stands in the pipe goes with runner and tether, if both are killed."""

JOB = """
    import os
    import time
    from pathlib import Path

    from dlt.hub import run

    DIARIES = Path({diaries!r})


    @run.job(execute={{"concurrency": None}})
    def count(run_context):
        with (DIARIES / run_context["run_id"]).open("a", buffering=1) as diary:
            diary.write(f"begin {{os.getpid()}}\\n")
            for number in range({lines}):
                print(f"number {{number:06}} of a run that is not left in peace")
                diary.write(f"{{number}}\\n")
                if number % 20 == 0:
                    time.sleep(0.04)
"""
ONE_LINE = len("number 000000 of a run that is not left in peace\n")


class Chaos:
    def __init__(self, server: Homeport, new_workspace: NewWorkspace, diaries: Path) -> None:
        diaries.mkdir()
        self.server, self.diaries = server, diaries
        self.dice = random.Random(SEED)
        job = dedent(JOB).format(diaries=str(diaries), lines=LINES)
        files = {"shop.py": job, "__deployment__.py": "from shop import count\n\n__all__ = ['count']\n"}
        self.workspace = new_workspace(server.start(), files)
        self.workspace.dlthub("deploy")
        assert self.workspace.run("count")["status"] == "completed"
        self.runs: list[str] = []
        self.active: list[str] = []
        self.hit: dict[str, set[str]] = defaultdict(set)
        """By run: what was killed of it."""
        self.done: list[str] = []

    # processes, by kind: which run they belong to, and their id

    def runners(self) -> list[tuple[str, int]]:
        found = []
        for run_id in self.active:
            for record in self.server.data.glob(f"node/runs/hp-{run_id.replace('-', '')}-1/runner.json"):
                with suppress(OSError):
                    found += [(run_id, pid) for pid in self.server.runner_pids() if str(pid) in record.read_text()]
        return found

    def tethers(self) -> list[tuple[str, int]]:
        return [(run_id, pid) for run_id, runner in self.runners() for pid in children_of(runner)]

    def processes(self) -> list[tuple[str, int]]:
        return [(run_id, pid) for run_id, tether in self.tethers() for pid in children_of(tether)]

    def warm(self) -> list[tuple[str, int]]:
        pids = [int(path.read_text()) for path in self.server.data.glob("node/warm/*/pid")]
        return [("", pid) for pid in pids if is_alive(pid)]

    def servers(self) -> list[tuple[str, int]]:
        return [("", self.server.process.pid)]

    # what goes wrong

    def kill(self, kind: str, run_id: str, pid: int) -> None:
        if kind == "servers":
            self.server.kill()
            time.sleep(self.dice.random())
            self.server.start()
        else:
            self.hit[run_id].add(kind)
            with suppress(ProcessLookupError):
                os.kill(pid, signal.SIGKILL)

    def freeze(self, kind: str, run_id: str, pid: int) -> None:
        with stopped(pid):
            time.sleep(self.dice.uniform(0.1, 2))

    def starve(self, kind: str, run_id: str, pid: int) -> None:
        """It gets what nobody else wants, and there is somebody who wants everything."""
        with starved(pid):
            time.sleep(self.dice.uniform(0.5, 2))

    def go_on(self) -> None:
        """Runs come and go, and something goes wrong."""
        self.active = [run for run in self.active if self.workspace.state_of(run)["status"] not in OVER]
        begun = [str(self.workspace.trigger("manual:*count")["id"]) for _ in range(AT_ONCE - len(self.active))]
        self.active += begun
        self.runs += begun
        time.sleep(self.dice.uniform(0, 0.5))
        kind = self.dice.choice(["servers", "warm", "runners", "tethers", "processes"])
        what: Callable[[str, str, int], None] = self.dice.choice([self.kill, self.freeze, self.starve])
        if victims := getattr(self, kind)():
            run_id, pid = self.dice.choice(victims)
            self.done.append(f"{what.__name__} {kind} {run_id}")
            what(kind, run_id, pid)

    # what must be so in the end

    def assert_right(self, run_id: str) -> None:
        ended = self.workspace.ended(run_id)
        lines = self.workspace.lines(run_id)
        assert [line["line_num"] for line in lines] == list(range(len(lines)))
        diary = self.diaries / run_id
        wrote = diary.read_text().splitlines() if diary.exists() else []
        assert [row for row in wrote if row.startswith("begin")] == wrote[:1], "it begins once"
        numbers = [int(line["content"].split()[1]) for line in lines if line["source"] == "user"]
        hit = self.hit[run_id]
        if not hit:
            assert ended["status"] == "completed", (ended, lines[-5:])
            assert numbers == list(range(LINES))
            return
        assert ended["status"] in ("completed", "failed")
        assert numbers == sorted(set(numbers)), "each once, in order"
        lost = len(set(map(int, wrote[1:])) - set(numbers)) * ONE_LINE
        may_be_lost = (ONE_READ if "runners" in hit else 0) + (ITS_PIPE if {"runners", "tethers"} <= hit else 0)
        assert lost <= may_be_lost, (hit, lost)


def test_whatever_goes_wrong_each_run_begins_once_ends_once_and_keeps_its_lines(
    own_server: Homeport, new_workspace: NewWorkspace, tmp_path: Path
) -> None:
    chaos = Chaos(own_server, new_workspace, tmp_path / "diaries")
    try:
        while len(chaos.done) < FAULTS:
            chaos.go_on()
        for run_id in chaos.runs:
            chaos.assert_right(run_id)
        until(lambda: not own_server.runner_pids(), what="the runners to leave")
        assert alive_of(chaos.diaries) == []
        assert chaos.workspace.run("count")["status"] == "completed"
        assert len(chaos.workspace.runs()) == len(chaos.runs) + 2
    except BaseException:
        print(f"HOMEPORT_TEST_SEED={SEED}", *chaos.done, sep="\n")
        raise


def alive_of(diaries: Path) -> list[int]:
    """Processes of runs that are there still."""
    pids = [int(diary.read_text().split()[1]) for diary in diaries.iterdir() if diary.stat().st_size]
    return [pid for pid in pids if is_alive(pid)]


def children_of(pid: int) -> list[int]:
    with suppress(OSError):
        return [int(child) for child in Path(f"/proc/{pid}/task/{pid}/children").read_text().split()]
    return []


@contextmanager
def stopped(pid: int) -> Iterator[None]:
    with suppress(ProcessLookupError):
        os.kill(pid, signal.SIGSTOP)
    try:
        yield
    finally:
        with suppress(ProcessLookupError):
            os.kill(pid, signal.SIGCONT)


@contextmanager
def starved(pid: int) -> Iterator[None]:
    greedy = [subprocess.Popen([sys.executable, "-c", "while True: pass"]) for _ in range(os.cpu_count() or 1)]
    threads = [int(task) for task in os.listdir(f"/proc/{pid}/task")] if is_alive(pid) else []
    try:
        for thread in threads:
            with suppress(ProcessLookupError):
                os.sched_setscheduler(thread, os.SCHED_IDLE, os.sched_param(0))
        yield
    finally:
        for thread in threads:
            with suppress(ProcessLookupError):
                os.sched_setscheduler(thread, os.SCHED_OTHER, os.sched_param(0))
        for process in greedy:
            process.kill()
            process.wait()
