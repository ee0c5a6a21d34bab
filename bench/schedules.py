"""What it costs to have 10,000 scheduled jobs: at rest, when 1,000 are due, and when one follows another.

Only decisions are measured: no run is started. The floors are of the same session: APScheduler calling a
function that does nothing, from memory, and a loop over croniter. Neither keeps what it decided.
"""

import logging
import os
import re
import resource
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
IDLE_SECONDS = 20.0
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

    def make_due(self, count: int, at: Callable[[int], datetime]) -> None:
        """Give so many jobs a next moment, and none of them a run that is still active."""
        with self.database.write() as tx:
            tx.execute(ticks.table.delete())
            tx.execute(runs.table.delete())
            for number, job_id in enumerate(self.job_ids[:count]):
                timed = (job_triggers.table.c.job_id == job_id, job_triggers.table.c.next_at.is_not(None))
                tx.execute(job_triggers.table.update().where(*timed).values(next_at=at(number)))

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
    timed = f"schedule:{number % 60} * * * *" if number % 2 else "every:1h"
    triggers = [timed, f"job.success:jobs.many.job{number - 1}"] if number % 10 == 1 else [timed]
    point = {"module": "many", "function": f"job{number}", "job_type": "batch", "launcher": "l"}
    definition = {"job_ref": ref, "entry_point": point, "triggers": triggers, "execute": {}, "expose": {}}
    unset = ("deployment_module", "archived_at", "paused_at", "completed_until", "last_run_at", "public_secret")
    rows[jobs.table].append(
        {"id": job_id, "job_ref": ref, "current_version_id": version_id, **dict.fromkeys(unset)}
        | {"has_completed": True, "refresh_pending": False, "last_run_number": 0, "updated_at": now, **shared}
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


def burst(at: Installation) -> tuple[float, list[float]]:
    """1,000 due at one moment: seconds until the last is committed, and of each until its own is."""
    began = datetime.now(UTC) + timedelta(seconds=0.2)
    at.make_due(DUE, lambda _: began)
    return _decide_all(at, began, lambda _: began)


def minute(at: Installation) -> list[float]:
    """1,000 due in one minute, every 60 ms: how late each was committed. The clock runs ten times as fast."""
    began = datetime.now(UTC) + timedelta(seconds=0.5)
    due = [began + number * timedelta(seconds=6) / DUE for number in range(DUE)]
    at.make_due(DUE, due.__getitem__)
    return _decide_all(at, began, due.__getitem__)[1]


def _decide_all(at: Installation, began: datetime, due: Callable[[int], datetime]) -> tuple[float, list[float]]:
    duty, late, done = FireSchedules(at.database, Bells()), [], 0
    while done < DUE:
        now = datetime.now(UTC)
        seconds = duty.work(now)
        ended = datetime.now(UTC)
        found = at.count_decided()
        late += [(ended - due(number)).total_seconds() for number in range(done, found)]
        done = found
        if seconds > AT_ONCE and done < DUE:
            time.sleep(min(seconds, 0.05))
    return (ended - began).total_seconds(), sorted(late)


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


def show(name: str, value: float, unit: str, note: str = "") -> None:
    print(f"{name:<62} {value:8.2f} {unit:<4} {note}", flush=True)


def percentile(values: list[float], part: float) -> float:
    return values[min(len(values) - 1, int(len(values) * part))]


def measure(url: str | None) -> None:
    folder = Path(tempfile.mkdtemp(prefix="homeport-bench-"))
    try:
        at = Installation(folder, url)
        grown = []
        for number in range(BURSTS):
            seconds, late = burst(at)
            grown.append(resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024)
            show(
                f"{DUE} due at one moment, until the last is decided", seconds, "s", f"({number + 1} of {BURSTS})"
            )
            show("   p99 lateness", percentile(late, 0.99) * 1000, "ms")
        show(f"   memory grown from the second to the last of {BURSTS}", grown[-1] - grown[1], "MB")
        late = minute(at)
        show(f"{DUE} due in one minute, ten times as fast: p99 lateness", percentile(late, 0.99) * 1000, "ms")
        taken = follow_ups(at)
        note = f"(p99 {percentile(taken, 0.99) * 1000:.1f})"
        show("end of a run with what follows it, in one transaction", statistics.median(taken) * 1000, "ms", note)
        share, more = idle(at)
        show("a real server at rest", share, "%", f"of a core; memory {more:+.1f} MB in {IDLE_SECONDS:.0f} s")
        at.database.close()
    finally:
        shutil.rmtree(folder, ignore_errors=True)


def main() -> None:
    structlog.configure(wrapper_class=structlog.make_filtering_bound_logger(logging.CRITICAL))
    print(f"{JOBS} scheduled jobs\n")
    show(f"floor: APScheduler in memory, {DUE} of {JOBS} due at one moment", apscheduler_burst(), "s")
    show(f"floor: one pass of croniter over {JOBS} expressions", croniter_pass(), "s")
    with databases() as found:
        for name, url in found:
            print(f"\n{name}")
            measure(url)
