"""Whatever happens, in whatever order: nothing is missed, nothing is doubled, every moment is explained.

Hypothesis deploys, pauses, breaks, crashes, turns back clocks. Beside the real thing goes a slow model of what has
to come of it, which shares no code with it. `HOMEPORT_TEST_EXAMPLES=500` looks deeper, at other stories each time.
"""

import os
import shutil
import tempfile
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, contextmanager
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any
from uuid import UUID

import pytest
import sqlalchemy as sa
from hypothesis import HealthCheck, Phase, settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, invariant, precondition, rule
from hypothesis.stateful import run_state_machine_as_test as run_machine

from homeport.clock import FakeClock
from homeport.dispatch.schedules import FireSchedules
from homeport.dispatch.service import AT_ONCE
from homeport.errors import HomeportError, StartDeclined
from homeport.execution.engines.fake import FakeEngine
from homeport.operations import change_jobs
from homeport.store import job_triggers, runs, ticks
from homeport.store.database import Database

from ..builders import definition
from ..clock_oracle import ticks_in
from ..world import Runner, World

DEEPER = os.environ.get("HOMEPORT_TEST_EXAMPLES")
PERIODS = {"every:90m": timedelta(minutes=90), "every:1h": timedelta(hours=1), "every:7h": timedelta(hours=7)}
NAMES = ["a", "b", "c", "d"]
TIMED = [
    *PERIODS,
    "schedule:0 * * * *",
    "schedule:*/20 * * * *",
    "schedule:30 2 * * *",
    "schedule:15 1,2,3 * * *",
    "once:2026-03-29T01:30:00+00:00",
    "once:2026-10-25T01:30:00+00:00",
]
ZONES = ["UTC", "Europe/Berlin", "America/New_York", "Australia/Lord_Howe"]
# the nights before the clocks of these zones change, and an ordinary day
BEGINNINGS = [
    datetime(2026, 3, 2, 12, 0, 0, 123456, tzinfo=UTC),
    datetime(2026, 3, 28, 20, 10, tzinfo=UTC),
    datetime(2026, 10, 24, 22, 0, tzinfo=UTC),
    datetime(2026, 11, 1, 3, 30, 30, tzinfo=UTC),
    datetime(2026, 4, 4, 13, 45, tzinfo=UTC),
]
WAITS = [timedelta(minutes=minutes) for minutes in (1, 13, 30, 60, 61, 95, 240, 26 * 60)]


class Crash(BaseException):
    """The process died here."""


@dataclass(frozen=True)
class Spec:
    """A job as it is deployed."""

    timed: str | None = None
    zone: str = "UTC"
    after_success: str | None = None
    after_failure: str | None = None
    fresh: str | None = None
    """Name of an upstream that must be fresh."""
    tag: str | None = None

    def definition(self, name: str) -> dict[str, Any]:
        events = [f"job.success:jobs.{self.after_success}"] * (self.after_success is not None)
        events += [f"job.fail:jobs.{self.after_failure}"] * (self.after_failure is not None)
        triggers = [trigger for trigger in (self.timed, *events, self.tag) if trigger is not None]
        freshness = [f"job.is_fresh:jobs.{self.fresh}"] if self.fresh else []
        return definition(name, *triggers, require={"timezone": self.zone}, freshness=freshness)

    @property
    def kind(self) -> str | None:
        return self.timed.partition(":")[0] if self.timed else None

    @property
    def cron(self) -> str:
        assert self.timed is not None
        return self.timed.partition(":")[2]

    @property
    def is_recurring(self) -> bool:
        return self.kind in ("schedule", "every")


@st.composite
def manifests(draw: st.DrawFn) -> dict[str, Spec]:
    """Some of the jobs; each may depend on the ones before it."""
    found: dict[str, Spec] = {}
    for name in NAMES:
        if draw(st.integers(0, 9)) == 0:
            continue
        upstreams = st.none() | st.sampled_from(sorted(found)) if found else st.none()
        found[name] = Spec(
            timed=draw(st.sampled_from(TIMED) | st.none()),
            zone=draw(st.sampled_from(ZONES)),
            after_success=draw(upstreams),
            after_failure=draw(upstreams),
            fresh=draw(upstreams),
            tag=draw(st.sampled_from([None, "tag:x"])),
        )
    return found


@dataclass
class Known:
    """What the model knows of a job."""

    spec: Spec
    began: datetime
    """When its timed trigger was set up: where `every` counts from."""
    seen: datetime
    """All ticks up to here had their turn."""
    is_archived: bool = False
    is_paused: bool = False
    pointer: datetime | None = None
    """Where the last completed window ended."""
    had: set[tuple[str, datetime, datetime]] = field(default_factory=set)
    """Rows of the ledger: trigger, first and last moment."""
    waiting: dict[str, datetime] = field(default_factory=dict)
    """Ticks that upstreams hold back, by trigger."""

    def ticks(self, after: datetime, until: datetime) -> list[datetime]:
        """Ticks of its timed trigger in `(after, until]`."""
        spec = self.spec
        if spec.timed is None or self.is_archived or until < after:
            return []
        if spec.kind == "schedule":
            return ticks_in(spec.cron, after, until, spec.zone)
        if spec.kind == "once":
            moment = max(datetime.fromisoformat(spec.cron), self.began)
            had_one = any(trigger == spec.timed for trigger, _, _ in self.had)
            return [moment] if moment <= until and not had_one else []
        found, tick = [], self.began
        while (tick := tick + PERIODS[spec.timed]) <= until:
            found += [tick] if tick > after else []
        return found

    def due(self, now: datetime) -> list[datetime]:
        """Ticks that have come and that the ledger does not have (a clock set back brings them again)."""
        found = self.ticks(self.seen, now)
        if not found:
            return []
        known = [last for trigger, first, last in self.had if trigger == self.spec.timed and first <= found[-1]]
        return [tick for tick in found if not known or tick > max(known)]

    def is_fresh(self, now: datetime) -> bool:
        if self.is_archived or self.pointer is None:
            return False
        if self.spec.kind == "schedule":
            return self.pointer >= self.latest_crons(now, 1)[0]
        if self.spec.kind == "every":
            assert self.spec.timed is not None
            return now - self.pointer < PERIODS[self.spec.timed]
        return True

    def latest_crons(self, now: datetime, count: int) -> list[datetime]:
        """The last ticks of its cron up to now, newest first; also those before it was deployed."""
        return ticks_in(self.spec.cron, now - timedelta(days=3), now, self.spec.zone)[: -count - 1 : -1]

    def window(self, now: datetime) -> tuple[datetime, datetime]:
        """Of a start by its timed trigger."""
        assert self.spec.timed is not None
        if self.spec.kind == "schedule":
            end, before = self.latest_crons(now, 2)
            return self.pointer or before, end
        if self.spec.kind == "every":
            return self.pointer or now - PERIODS[self.spec.timed], now
        moment = datetime.fromisoformat(self.spec.cron)
        return moment, moment


@dataclass(frozen=True)
class Row:
    """A moment in the ledger, and what became of it."""

    job: str
    trigger: str
    moment: datetime
    last_moment: datetime
    moments: int | None
    outcome: str
    reasons: list[str]
    run_id: UUID | None


class Schedules(RuleBasedStateMachine):
    """The real thing and the model, side by side."""

    def __init__(self, new_database: Callable[[], AbstractContextManager[str]]) -> None:
        super().__init__()
        self._closing = tempfile.TemporaryDirectory()
        self._url = new_database()
        self.database = Database(self._url.__enter__())
        self.jobs: dict[str, Known] = {}
        self.to_look_at: set[str] = set()
        """Jobs whose waiting tick is decided again by the next look."""
        self.started: dict[UUID, bool] = {}
        """Runs, and whether their job had a recurring trigger when they were started."""

    @initialize(beginning=st.sampled_from(BEGINNINGS), manifest=manifests())
    def _open(self, beginning: datetime, manifest: dict[str, Spec]) -> None:
        folder = Path(self._closing.name)
        self.world = World(self.database, FakeClock(beginning), FakeEngine(), folder / "data")
        self.world.upload("deployments", {"job.py": ""})
        self.world.upload("configurations", {"config.toml": ""})
        self._restart()
        self.deploy(manifest, crash_at=None)

    def teardown(self) -> None:
        self.database.close()
        self._url.__exit__(None, None, None)
        self._closing.cleanup()

    @property
    def now(self) -> datetime:
        return self.world.clock.now()

    def _restart(self) -> None:
        self.world.restart_services(max_runs=1_000)

    # what happens

    @rule(by=st.sampled_from(WAITS), crash_at=st.none() | st.integers(0, 30), rival=st.booleans())
    def wait(self, by: timedelta, crash_at: int | None, rival: bool) -> None:
        """Time goes by; then the scheduler looks, or two do at once, or one dies on the way."""
        self.world.clock.advance(by)
        self._look(crash_at, rival)

    @rule(by=st.sampled_from(WAITS))
    def stand_still(self, by: timedelta) -> None:
        """Nobody looks for a while: no server runs."""
        self.world.clock.advance(by)
        self._restart()

    @rule()
    def set_clock_back(self) -> None:
        self.world.clock.advance(-timedelta(hours=1))
        self._look(None, False)

    @rule(manifest=manifests(), crash_at=st.none() | st.integers(0, 60))
    def deploy(self, manifest: dict[str, Spec], crash_at: int | None) -> None:
        definitions = [spec.definition(name) for name, spec in manifest.items()]
        self._surely(lambda: self.world.deploy(*definitions), crash_at)
        for name, spec in manifest.items():
            before = self.jobs.get(name)
            if before is None:
                self.jobs[name] = Known(spec, self.now, self.now)
            else:
                self._redeploy(before, spec)
        for name in self.jobs.keys() - manifest.keys():
            self._take_down(name)
        self.to_look_at |= self.jobs.keys()

    @rule(changes=manifests())
    def deploy_what_is_there_with_other_tags_and_zones(self, changes: dict[str, Spec]) -> None:
        """As most deploys: little that concerns the schedule changes."""
        live = {name: job.spec for name, job in self.jobs.items() if not job.is_archived}
        if all(_needs(spec) <= live.keys() for spec in live.values()):
            changed = {
                name: replace(spec, tag=changes[name].tag, zone=changes[name].zone) if name in changes else spec
                for name, spec in live.items()
            }
            self.deploy(changed, None)

    @rule(name=st.sampled_from(NAMES), verb=st.sampled_from(["pause", "resume", "archive", "unarchive"]))
    def change(self, name: str, verb: str) -> None:
        job = self.jobs.get(name)
        if job is None:
            return
        try:
            act = getattr(change_jobs, verb)
            act(self.world.platform, self.world.alice, self.world.workspace.id, self.world.current(name).job.id)
        except HomeportError:
            return  # nothing to pause; the state is as it was
        if verb == "archive":
            self._take_down(name)
        elif verb == "unarchive" and job.is_archived:
            job.is_archived, job.began, job.seen = False, self.now, self.now
            self.to_look_at |= self.jobs.keys()
        elif verb == "pause":
            job.is_paused = True
        elif verb == "resume" and job.is_paused:
            job.is_paused = False
            self.to_look_at.add(name)

    @rule(name=st.sampled_from(NAMES), by_schedule=st.booleans())
    def start_by_hand(self, name: str, by_schedule: bool) -> None:
        job = self.jobs.get(name)
        if job is None:
            return
        trigger = job.spec.timed if by_schedule and job.spec.timed else f"manual:jobs.{name}"
        try:
            run = self.world.start(name, trigger, skip_freshness=True)
        except StartDeclined:
            return
        self.started[run.id] = job.spec.is_recurring
        if by_schedule and job.spec.is_recurring:
            start, end = job.window(self.now)
            assert (run.interval_start, run.interval_end) == (start, max(start, end))

    @rule(name=st.sampled_from(NAMES), how=st.sampled_from([0, 0, 0, 1, None]), crash_at=st.integers(0, 60))
    def finish(self, name: str, how: int | None, crash_at: int) -> None:
        """The oldest active run of a job ends: well, badly, or cancelled."""
        active = [run for run in self._runs_of(name) if not run.is_over]
        if not active:
            return
        run, before = active[0], self._all_run_ids()
        if how is None and crash_at % 2:
            self._surely(lambda: self._cancel_unless_over(run), crash_at)
        else:
            runner = self.world.claim(run)
            runner.begin()
            if how is None:
                self._surely(lambda: self._cancel_unless_over(run), crash_at)
            cause = "cancelled" if how is None else "exited"
            self._surely(lambda: _exit_unless_over(runner, how, cause), crash_at)
        self._after_end(name, self.world.run(run.id), before)

    # what has to come of it

    @invariant()
    def _every_scheduled_run_has_its_one_moment(self) -> None:
        if not hasattr(self, "world"):
            return
        moments = [row.run_id for row in self._ledger() if row.run_id is not None and row.outcome == "triggered"]
        assert len(moments) == len(set(moments))
        timed = runs.table.c.trigger.regexp_match("^(schedule|every|once):")
        by_clock = sa.select(runs.table.c.id).where(timed, runs.table.c.triggered_by.is_(None))
        with self.database.read() as tx:
            assert set(tx.execute(by_clock).scalars()) == set(moments)

    @invariant()
    def _the_next_moment_is_the_oracles(self) -> None:
        for name, job in self.jobs.items():
            found = self._next_at(name)
            if job.spec.timed is None or job.is_archived:
                assert found is None, name
            elif job.spec.kind == "once":
                assert found == next(iter(job.ticks(job.seen, datetime.max.replace(tzinfo=UTC))), None)
            else:
                expected = job.ticks(job.seen, job.seen + timedelta(days=3))[0]
                assert found == expected, (name, job)

    @invariant()
    @precondition(lambda self: hasattr(self, "world"))
    def _what_waits_is_what_the_model_says(self) -> None:
        waiting = {(row.job, row.trigger, row.moment) for row in self._ledger() if row.outcome == "deferred"}
        expected = {(name, *item) for name, job in self.jobs.items() for item in job.waiting.items()}
        assert waiting == expected

    @invariant()
    @precondition(lambda self: hasattr(self, "world"))
    def _no_more_runs_than_allowed(self) -> None:
        for name in self.jobs:
            assert sum(not run.is_over for run in self._runs_of(name)) <= 1, name

    # how

    def _look(self, crash_at: int | None, rival: bool) -> None:
        before = {(row.job, row.trigger, row.moment) for row in self._ledger()}
        busy = {name for name in self.jobs if any(not run.is_over for run in self._runs_of(name))}
        if crash_at is not None:
            self._surely(self.world.fire, crash_at)
        elif rival:
            with _beside(self.database, self._second_scheduler()):
                self.world.fire()
        else:
            self.world.fire()
        rows: dict[str, list[Row]] = {}
        for row in self._ledger():
            if (row.job, row.trigger, row.moment) not in before:
                rows.setdefault(row.job, []).append(row)
        for name, job in self.jobs.items():
            is_busy = self._check(name, job, rows.pop(name, []), name in busy)
            job.seen = max(job.seen, self.now)
            if name in self.to_look_at:
                self._decide_again(name, job, is_busy)
        self.to_look_at.clear()
        assert rows == {}

    def _check(self, name: str, job: Known, rows: list[Row], is_busy: bool) -> bool:
        """A job's new lines of the ledger, against the model; whether it is busy now."""
        due = job.due(self.now)
        assert bool(rows) == bool(due), (name, job, due)
        if not due:
            return is_busy
        latest, *earlier = sorted(rows, key=lambda row: row.moment, reverse=True)
        assert (latest.moment, latest.last_moment, latest.moments) == (due[-1], due[-1], 1)
        outcome = self._expected(name, job, is_busy, latest.moment)
        assert (latest.outcome, bool(latest.reasons)) == (outcome, outcome != "triggered"), (name, job, latest)
        spans = [(row.moment, row.last_moment, row.moments, row.outcome) for row in earlier]
        assert spans == ([(due[0], due[-2], len(due) - 1, _of_earlier(outcome))] if due[:-1] else [])
        job.had |= {(row.trigger, row.moment, row.last_moment) for row in rows}
        if latest.trigger in job.waiting:
            self._check_end(name, latest.trigger, job.waiting.pop(latest.trigger), _of_earlier(outcome))
        if outcome == "deferred":
            job.waiting[latest.trigger] = latest.moment
        if outcome != "triggered":
            return is_busy
        self._check_run(job, latest)
        return True

    def _decide_again(self, name: str, job: Known, is_busy: bool) -> bool:
        """What waits of a job has another turn; whether it was started."""
        for trigger in list(job.waiting):
            if trigger != job.spec.timed:
                outcome = "skipped_trigger_removed"
            else:
                outcome = self._expected(name, job, is_busy, None)
            if outcome not in ("deferred", "skipped_paused"):
                row = self._check_end(name, trigger, job.waiting.pop(trigger), outcome)
                if outcome == "triggered":
                    self._check_run(job, row)
                    return True
        return False

    def _check_end(self, name: str, trigger: str, moment: datetime, outcome: str) -> Row:
        """A tick that waited waits no more."""
        found = [row for row in self._ledger() if (row.job, row.trigger, row.moment) == (name, trigger, moment)]
        assert [row.outcome for row in found] == [outcome], (name, trigger, moment)
        return found[0]

    def _check_run(self, job: Known, row: Row) -> None:
        assert row.run_id is not None
        run = self.world.run(row.run_id)
        assert (run.interval_start, run.interval_end) == job.window(self.now)
        assert run.trigger == job.spec.timed
        self.started[run.id] = job.spec.is_recurring

    def _expected(self, name: str, job: Known, is_busy: bool, moment: datetime | None) -> str:
        """What becomes of a tick that is decided now, `moment` being none for one that waited."""
        start, end = job.window(self.now)
        is_stale = job.spec.fresh is not None and not self.jobs[job.spec.fresh].is_fresh(self.now)
        if job.is_paused:
            return "skipped_paused"
        if job.spec.is_recurring and start >= end:
            return "skipped_already_covered"
        if is_busy and not (is_stale and moment is None):
            is_covered = moment is not None and job.spec.kind == "schedule" and self._is_under_way(name, moment)
            return "covered" if is_covered else "skipped_concurrency_limit"
        return "deferred" if is_stale else "triggered"

    def _is_under_way(self, name: str, moment: datetime) -> bool:
        """Whether a run that somebody has just started by the schedule has this tick in its window."""
        timed = self.jobs[name].spec.timed
        active = [run for run in self._runs_of(name) if not run.is_over]
        return any(run.trigger == timed and run.interval_end >= moment for run in active)

    def _after_end(self, name: str, run: runs.Run, before: set[UUID]) -> None:
        job = self.jobs[name]
        was_recurring = self.started[run.id]
        if run.status == "completed" and (not was_recurring or run.trigger.startswith(("schedule:", "every:"))):
            job.pointer = max(run.interval_end, job.pointer or run.interval_end)
        new = [self.world.run(found) for found in self._all_run_ids() - before]
        busy = {self._name_of(other) for other in new if other.previous_run_id != run.id}
        if run.status == "completed":
            let_through = {ref for ref, other in self.jobs.items() if self._is_let_through(ref, other, name, new)}
        else:
            let_through = set()
        assert busy == let_through
        event = {"completed": f"job.success:jobs.{name}", "failed": f"job.fail:jobs.{name}"}.get(run.status)
        follow_ups = [found for found in new if found.previous_run_id == run.id]
        expected = {ref for ref, other in self.jobs.items() if self._follows(ref, other, event, follow_ups)}
        assert sorted(map(self._name_of, follow_ups)) == sorted(expected), (name, run.status)
        for found in follow_ups:
            assert found.trigger == event
            self.started[found.id] = self.jobs[self._name_of(found)].spec.is_recurring

    def _is_let_through(self, ref: str, job: Known, upstream: str, new: list[runs.Run]) -> bool:
        """Whether a tick of this job waited for the upstream that has just completed, and has started."""
        if job.spec.fresh != upstream or not job.waiting:
            return False
        new_ids = {run.id for run in new}
        is_busy = any(not run.is_over for run in self._runs_of(ref) if run.id not in new_ids)
        return self._decide_again(ref, job, is_busy)

    def _follows(self, ref: str, other: Known, event: str | None, new: list[runs.Run]) -> bool:
        """Whether this job has to start after the end that is `event`."""
        new_ids = {run.id for run in new}
        is_busy = any(not run.is_over for run in self._runs_of(ref) if run.id not in new_ids)
        upstream = self.jobs[other.spec.fresh] if other.spec.fresh else None
        return (
            event in other.spec.definition(ref)["triggers"]
            and not other.is_archived
            and not is_busy
            and (upstream is None or upstream.is_fresh(self.now))
        )

    def _redeploy(self, job: Known, spec: Spec) -> None:
        keeps_its_moments = not job.is_archived and job.spec.timed == spec.timed
        if spec.kind == "schedule":
            keeps_its_moments = keeps_its_moments and job.spec.zone == spec.zone
        if not keeps_its_moments:
            job.began = job.seen = self.now
        job.is_paused = job.is_paused and spec.is_recurring and not job.is_archived
        job.spec, job.is_archived = spec, False

    def _take_down(self, name: str) -> None:
        job = self.jobs[name]
        job.is_archived, job.is_paused = True, False
        for trigger in list(job.waiting):
            self._check_end(name, trigger, job.waiting.pop(trigger), "skipped_job_archived")

    def _surely(self, act: Callable[[], object], crash_at: int | None) -> None:
        """Do it, with a crash at the statement of this number; a new server then does it again."""
        try:
            with _crash(self.database, crash_at):
                act()
        except Crash:
            self._restart()
            act()

    def _cancel_unless_over(self, run: runs.Run) -> None:
        if not self.world.run(run.id).is_over:
            self.world.cancel(run.id)

    def _second_scheduler(self) -> Callable[[], None]:
        other = FireSchedules(self.database, self.world.platform.bells)

        def fire() -> None:
            while other.work(self.now) == AT_ONCE:
                pass

        return fire

    def _ledger(self) -> list[Row]:
        names = {self.world.current(name).job.id: name for name in self.jobs}
        with self.database.read() as tx:
            found = tx.execute(sa.select(ticks.table)).mappings().all()
        wanted = ("trigger", "moment", "last_moment", "moments", "outcome", "reasons", "run_id")
        return [Row(names[row["job_id"]], **{column: row[column] for column in wanted}) for row in found]

    def _next_at(self, name: str) -> datetime | None:
        job_id = self.world.current(name).job.id
        with self.database.read() as tx:
            return job_triggers.next_at_by_job(tx, [job_id]).get(job_id)

    def _runs_of(self, name: str) -> list[runs.Run]:
        return self.world.runs_of(name) if name in self.jobs else []

    def _all_run_ids(self) -> set[UUID]:
        with self.database.read() as tx:
            return set(tx.execute(sa.select(runs.table.c.id)).scalars())

    def _name_of(self, run: runs.Run) -> str:
        return next(name for name in self.jobs if self.world.current(name).job.id == run.job_id)


def _of_earlier(outcome: str) -> str:
    """What becomes of moments that were missed, or waited, before one with this outcome."""
    return "covered" if outcome in ("triggered", "deferred", "covered") else outcome


def _needs(spec: Spec) -> set[str]:
    return {name for name in (spec.after_success, spec.after_failure, spec.fresh) if name is not None}


def _exit_unless_over(runner: Runner, how: int | None, cause: str) -> None:
    """A runner that got no answer says it again."""
    if not runner.world.run(runner.run_id).is_over:
        runner.exit(how, cause)


@contextmanager
def _crash(database: Database, at: int | None) -> Iterator[None]:
    """The process dies before its statement number `at`, a COMMIT being one: what is open is rolled back."""
    left = [at if at is not None else 1_000_000]

    def count(*_: Any) -> None:
        left[0] -= 1
        if left[0] < 0:
            raise Crash

    listened = [(name, database._engine) for name in ("before_cursor_execute", "commit")]
    for name, engine in listened:
        sa.event.listen(engine, name, count)
    try:
        yield
    finally:
        for name, engine in listened:
            sa.event.remove(engine, name, count)


@contextmanager
def _beside(database: Database, rival: Callable[[], None]) -> Iterator[None]:
    """Before each transaction of this scheduler, another one does all there is: this one's look is then old."""
    inside = [False]

    def before(_connection: sa.Connection) -> None:
        if not inside[0]:
            inside[0] = True
            rival()
            inside[0] = False

    sa.event.listen(database._engine, "begin", before, insert=True)
    try:
        yield
    finally:
        sa.event.remove(database._engine, "begin", before)


def machine_settings(examples: int) -> settings:
    return settings(
        max_examples=int(DEEPER) if DEEPER else examples,
        stateful_step_count=40,
        derandomize=DEEPER is None,
        phases=[Phase.generate],  # shrinking a story takes minutes: the one found says enough
        database=None,
        deadline=None,
        suppress_health_check=list(HealthCheck),
    )


def test_schedules_on_sqlite_do_what_the_oracle_says(sqlite_template: Path) -> None:
    @contextmanager
    def new_database() -> Iterator[str]:
        with tempfile.TemporaryDirectory() as folder:
            yield f"sqlite:///{shutil.copy(sqlite_template, folder)}"

    run_machine(lambda: Schedules(new_database), settings=machine_settings(20))


def test_schedules_on_postgresql_do_what_the_oracle_says(request: pytest.FixtureRequest) -> None:
    cluster = request.getfixturevalue("postgres")
    run_machine(lambda: Schedules(cluster.database), settings=machine_settings(5))
