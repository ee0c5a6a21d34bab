"""What it costs to have 10,000 scheduled jobs: at rest, when 1,000 are due, and when one follows another.

Only decisions are measured: no run is started. A tenth of the jobs must be fresh to another, a tenth follow one.
The floors are of the same session: APScheduler calling a function that does nothing, from memory, and a loop over
croniter. Neither keeps what it decided.
"""

import gc
import logging
import os
import re
import shutil
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any
from uuid import UUID, uuid4

import sqlalchemy as sa
import structlog
from apscheduler.executors.pool import ThreadPoolExecutor
from apscheduler.schedulers.background import BackgroundScheduler
from apscheduler.triggers.cron import CronTrigger
from croniter import croniter

from homeport.bells import Bells
from homeport.config import Settings
from homeport.dispatch.schedules import FireSchedules
from homeport.dispatch.service import AT_ONCE
from homeport.execution.engines.fake import FakeEngine
from homeport.scheduling import run_lifecycle as lifecycle
from homeport.server import Server
from homeport.store import job_triggers, jobs, packages, run_endings, runs, ticks, workspaces
from homeport.store.database import Database
from homeport.store.run_starts import Asked, start

JOBS, DUE, BURSTS, FOLLOWED = 10_000, 1_000, 5, 200
MINUTE, IDLE_SECONDS = 60.0, 60.0
DAY = timedelta(days=1)


class Installation:
    """A database with many jobs, none of them due before tomorrow. Every tenth is followed by one other."""

    def __init__(self, folder: Path, url: str | None) -> None:
        self.folder, self.url = folder, url
        server = Server(Settings(data_dir=folder, port=0, database_url=url), engine=FakeEngine())
        server.open()
        server.close()
        self.database = Database(server.settings.effective_database_url)
        with self.database.write() as tx:
            self.job_ids = _fill(tx)
        self._gather_statistics()

    def _gather_statistics(self) -> None:
        """As autovacuum does on a PostgreSQL in use; the one of the tests has it switched off."""
        if not self.database.is_sqlite:
            with self.database.write() as tx:
                tx.execute(sa.text("ANALYZE"))

    def make_due(self, count: int, at: Callable[[int], datetime]) -> None:
        """Give so many jobs a next moment, the others one tomorrow, and none of them an active run."""
        fires = job_triggers.table
        of_job = (fires.c.job_id == sa.bindparam("of_job"), fires.c.next_at.is_not(None))
        tomorrow = datetime.now(UTC) + DAY
        due = [{"of_job": job_id, "at": at(number)} for number, job_id in enumerate(self.job_ids[:count])]
        with self.database.write() as tx:
            tx.execute(ticks.table.delete())
            tx.execute(runs.table.delete())
            tx.execute(fires.update().where(fires.c.next_at.is_not(None)).values(next_at=tomorrow))
            if due:
                moved = (
                    fires.update().where(*of_job).values(next_at=sa.bindparam("at", type_=fires.c.next_at.type))
                )
                tx.execute(moved, due)

    def count_decided(self) -> int:
        with self.database.read() as tx:
            return int(tx.execute(sa.select(sa.func.count()).select_from(ticks.table)).scalar_one())


def _fill(tx: sa.Connection) -> list[UUID]:
    now = datetime.now(UTC)
    workspace_id = tx.execute(sa.select(workspaces.table.c.id)).scalars().first()
    owner = tx.execute(sa.select(workspaces.members.c.member_id)).scalars().first()
    shared = {"workspace_id": workspace_id, "created_by": owner, "created_at": now}
    for kind in ("deployments", "configurations"):
        content = {"version": 1, "content_hash": "", "archive_sha256": "", "size_bytes": 0}
        files = {"files": [], "file_count": 0, "requirements": {}, "requirements_size_bytes": 0, "profiles": []}
        tx.execute(packages.table.insert().values(id=uuid4(), kind=kind, **content, **files, **shared))
    ids = [uuid4() for _ in range(JOBS)]
    rows: dict[sa.Table, list[dict[str, Any]]] = {jobs.table: [], jobs.versions: [], job_triggers.table: []}
    for number, job_id in enumerate(ids):
        _add_job(rows, number, job_id, shared, now)
    for table, values in rows.items():
        tx.execute(table.insert(), values)
    return ids


def _add_job(
    rows: dict[sa.Table, list[dict[str, Any]]], number: int, job_id: UUID, shared: dict[str, Any], now: datetime
) -> None:
    ref, version_id = f"jobs.many.job{number}", uuid4()
    # half a day away: moments of their own would mix with those that are given to them
    hour = (now + DAY / 2).hour
    timed = f"schedule:{number % 60} {hour} * * *" if number % 2 else "every:1h"
    triggers = [timed, f"job.success:jobs.many.job{number - 1}"] if number % 10 == 1 else [timed]
    point = {"module": "many", "function": f"job{number}", "job_type": "batch", "launcher": "l"}
    definition = {"job_ref": ref, "entry_point": point, "triggers": triggers, "execute": {}, "expose": {}}
    if number % 10 == 3:
        definition["freshness"] = [f"job.is_fresh:jobs.many.job{number - 1}"]
    unset = ("deployment_module", "archived_at", "paused_at", "last_run_at", "public_secret")
    rows[jobs.table].append(
        {"id": job_id, "job_ref": ref, "current_version_id": version_id, **dict.fromkeys(unset)}
        | {
            "completed_until": now if number % 10 == 2 else None,
            "has_completed": True,
            "refresh_pending": False,
            "last_run_number": 0,
            "updated_at": now,
            **shared,
        }
    )
    rows[jobs.versions].append(
        {"id": version_id, "job_id": job_id, "version": 1, "definition": definition, "definition_hash": ""}
        | {"engine_version": 2, "deployment_module": None, "triggers": triggers, "default_trigger": timed}
        | {"profile": "prod", "created_by": shared["created_by"], "created_at": now}
    )
    for position, trigger in enumerate(triggers):
        rows[job_triggers.table].append(
            {"job_id": job_id, "trigger": trigger, "position": position, "workspace_id": shared["workspace_id"]}
            | {"next_at": now + DAY if position == 0 else None}
        )


def burst(at: Installation) -> tuple[list[float], float]:
    """1,000 due at one moment: how late each was committed, and seconds of processor time."""
    due_at = datetime.now(UTC) + timedelta(seconds=2)
    at.make_due(DUE, lambda _: due_at)
    return _decide_all(at, lambda _: due_at)


def minute(at: Installation) -> tuple[list[float], float]:
    """1,000 due in one minute, every 60 ms: how late each was committed, and seconds of processor time."""
    began = datetime.now(UTC) + timedelta(seconds=2)
    due = [began + number * timedelta(seconds=MINUTE) / DUE for number in range(DUE)]
    at.make_due(DUE, due.__getitem__)
    return _decide_all(at, due.__getitem__)


def _decide_all(at: Installation, due: Callable[[int], datetime]) -> tuple[list[float], float]:
    """The scheduler as its service runs it. The moments come in the order of their numbers."""
    duty, late, processor = FireSchedules(at.database, Bells()), [], 0.0
    while len(late) < DUE:
        before = time.process_time()
        seconds = duty.work(datetime.now(UTC))
        processor += time.process_time() - before
        ended = datetime.now(UTC)
        late += [
            (ended - due(number)).total_seconds() for number in range(len(late), min(at.count_decided(), DUE))
        ]
        if seconds > AT_ONCE:
            time.sleep(seconds)
    return sorted(late), processor


def follow_ups(at: Installation) -> list[float]:
    """Seconds of the transaction in which a run ends and the one that follows it is decided."""
    at.make_due(0, lambda _: datetime.now(UTC))
    taken = []
    for number in range(0, FOLLOWED * 10, 10):
        now = datetime.now(UTC)
        with at.database.write() as tx:
            run = start(tx, Asked(at.job_ids[number], "manual:", now))
            assert isinstance(run, runs.Run)
            runs.apply(tx, run.id, lifecycle.SUBMIT, now)
            runs.apply(tx, run.id, lifecycle.BEGIN, now)
        began = time.perf_counter()
        with at.database.write() as tx:
            ended = run_endings.end(tx, run.id, run_endings.Ending(lifecycle.SUCCEED), now)
        taken.append(time.perf_counter() - began)
        assert ended is not None
        assert len(ended.started) == 1
    return sorted(taken)


def idle(at: Installation) -> tuple[float, float]:
    """Percent of a core, and megabytes grown, of a real server with all these jobs and nothing to do."""
    at.make_due(JOBS, lambda _: datetime.now(UTC) + DAY)
    command = [str(Path(sys.executable).with_name("homeport")), "up", "--port", "0", "--data-dir", str(at.folder)]
    command += ["--database-url", at.url] if at.url else []
    with (at.folder / "server.log").open("w") as log:
        server = subprocess.Popen(command, stdout=subprocess.PIPE, stderr=log, text=True)
    try:
        assert server.stdout is not None
        next(line for line in server.stdout if "http://" in line)
        time.sleep(5)  # what a start does is done
        ticks_before, memory_before = _used(server.pid)
        time.sleep(IDLE_SECONDS)
        ticks_after, memory_after = _used(server.pid)
    finally:
        server.terminate()
        server.wait(20)
    share = (ticks_after - ticks_before) / os.sysconf("SC_CLK_TCK") / IDLE_SECONDS
    return share * 100, memory_after - memory_before


def _used(pid: int) -> tuple[int, float]:
    """Clock ticks of processor time, and resident megabytes."""
    fields = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()
    resident = re.search(r"VmRSS:\s+(\d+)", Path(f"/proc/{pid}/status").read_text())
    assert resident is not None
    return int(fields[11]) + int(fields[12]), int(resident[1]) / 1024


def _nothing() -> None:
    """What APScheduler calls."""


def apscheduler_burst() -> float:
    """Seconds until 1,000 of 10,000 jobs, in memory, were called."""
    scheduler = BackgroundScheduler(executors={"default": ThreadPoolExecutor(10)}, timezone=UTC)
    scheduler.start(paused=True)
    begins, far, called = datetime.now(UTC) + timedelta(seconds=6), datetime.now(UTC) + DAY, []
    trigger = CronTrigger.from_crontab("0 * * * *", timezone=UTC)
    for number in range(JOBS):
        when = begins if number < DUE else far
        scheduler.add_job(lambda: called.append(1), trigger, next_run_time=when, misfire_grace_time=60)
    scheduler.resume()
    begins = max(begins, datetime.now(UTC))
    while len(called) < DUE:
        time.sleep(0.001)
    taken = (datetime.now(UTC) - begins).total_seconds()
    scheduler.shutdown()
    return taken


def croniter_pass() -> float:
    """Seconds of one pass over 10,000 expressions that asks each for its next moment."""
    now, began = datetime.now(UTC), time.perf_counter()
    for number in range(JOBS):
        croniter(f"{number % 60} * * * *", now).get_next(datetime)
    return time.perf_counter() - began


@contextmanager
def databases() -> Iterator[Iterator[tuple[str, str | None]]]:
    """SQLite, and PostgreSQL if its programs are on this machine."""
    from tests.databases import PostgresCluster, PostgresMissing

    def each() -> Iterator[tuple[str, str | None]]:
        yield "SQLite", None
        try:
            cluster = PostgresCluster()
        except PostgresMissing as missing:
            print(f"\n{missing}")
            return
        try:
            with cluster.database(from_template=False) as url:
                yield "PostgreSQL, without fsync", url
        finally:
            cluster.stop()

    yield each()


def show(name: str, value: float, unit: str, note: str = "", goal: float | None = None) -> None:
    """One line: a number, what it is to be less than, and whether it is."""
    words = "" if goal is None else f"goal {goal:g}: {'met' if value < goal else 'MISSED'}"
    print(f"{name:<58} {value:8.2f} {unit:<3} {words:<18} {note}".rstrip(), flush=True)


def percentile(values: list[float], part: float) -> float:
    return values[min(len(values) - 1, int(len(values) * part))]


def measure(url: str | None) -> None:
    folder = Path(tempfile.mkdtemp(prefix="homeport-bench-"))
    try:
        at = Installation(folder, url)
        gc.collect()
        gc.freeze()  # as `homeport up` does
        measure_due(at)
        taken = follow_ups(at)
        note = f"p99 {percentile(taken, 0.99) * 1000:.1f}"
        show(
            "the end of a run and the decision on what follows it", statistics.median(taken) * 1000, "ms", note, 20
        )
        share, more = idle(at)
        show(f"a real server at rest for {IDLE_SECONDS:.0f} s", share, "%", f"of a core; memory {more:+.1f} MB", 1)
        at.database.close()
    finally:
        shutil.rmtree(folder, ignore_errors=True)


def measure_due(at: Installation) -> None:
    grown = []
    for number in range(BURSTS):
        late, processor = burst(at)
        grown.append(_used(os.getpid())[1])
        note = f"{number + 1} of {BURSTS}; {processor:.1f} s of processor time"
        show(f"{DUE} due at one moment, until the last is decided", late[-1], "s", note, 1)
    late, processor = minute(at)
    grown.append(_used(os.getpid())[1])
    note = f"median {statistics.median(late) * 1000:.0f}; {processor:.1f} s of processor time"
    show(f"{DUE} due in the course of a minute: p99 lateness", percentile(late, 0.99) * 1000, "ms", note, 500)
    show("memory grown from the second burst to here", grown[-1] - grown[1], "MB")


def main() -> None:
    structlog.configure(wrapper_class=structlog.make_filtering_bound_logger(logging.CRITICAL))
    load, processors = os.getloadavg()[0], os.cpu_count()
    print(f"{JOBS} scheduled jobs; load of the machine {load:.1f} on {processors} processors\n")
    show(f"floor: APScheduler in memory, {DUE} of {JOBS} due at one moment", apscheduler_burst(), "s")
    show(f"floor: one pass of croniter over {JOBS} expressions", croniter_pass(), "s")
    with databases() as found:
        for name, url in found:
            print(f"\n{name}")
            measure(url)
