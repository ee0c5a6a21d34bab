"""Gives pending runs to the engine, in the order they were asked for, as far as the machine has room.

The row comes first: an attempt is written before the engine hears of it, so a crash in between leaves an attempt
that nobody claims, and `watch` submits it again.
"""

import socket
from collections.abc import Sequence
from datetime import datetime
from uuid import UUID

from homeport import bells
from homeport.auth import secrets
from homeport.bells import Bells
from homeport.config import MAX_STARTS_PER_MINUTE
from homeport.contract import dlt_deployment
from homeport.dispatch.app_places import AppPlaces, Stopped
from homeport.dispatch.idle_apps import announce_stop
from homeport.dispatch.service import AT_ONCE
from homeport.execution import environments
from homeport.execution.engines import Engine, EngineError, Placement, Warmth
from homeport.logs import writing
from homeport.scheduling import run_lifecycle as lifecycle
from homeport.scheduling.instances import Room, Shortage, shortage
from homeport.store import attempts, jobs, packages, run_endings, runs
from homeport.store.database import Database
from homeport.store.schema import Tx
from homeport.telemetry import events

_IDLE_SECONDS = 1.0
_NOTED_AT_ONCE = 200
_HOLDERS_TOLD = 3
_KNOWN_ENVIRONMENTS = 1000


class StartPendingRuns:
    name = "starts"
    topic = bells.RUNS_PENDING

    def __init__(
        self,
        database: Database,
        engine: Engine,
        bells: Bells,
        server_url: str,
        max_runs: int,
        follow_ups_per_minute: int = MAX_STARTS_PER_MINUTE,
        room: Room | None = None,
        apps: AppPlaces | None = None,
    ) -> None:
        """`room` is what runs that name a size share on the engine's machine, all servers there; none: any."""
        self._database = database
        self._engine = engine
        self._bells = bells
        self._server_url = server_url
        self._max_runs = max_runs
        self._follow_ups_per_minute = follow_ups_per_minute
        self._room = room
        self._apps = apps or AppPlaces()
        self._environments: dict[tuple[UUID, UUID], tuple[str, str]] = {}
        """Key and launcher by deployment and version of a job: neither ever changes."""

    def work(self, now: datetime) -> float:
        """Start the run that has waited longest, if there is room for it."""
        ticket = secrets.new_token()
        with self._database.write() as tx:
            # from here on no other server counts: neither places nor memory nor a pipeline is given out twice
            runs.lock_places(tx)
            placed = runs.count_placed(tx)
            _note_who_waits(tx, now)
            stopped = self._make_room(tx, placed, now)
            attempt = self._take_next(tx, placed, ticket, now)
        for one in stopped:
            announce_stop(self._bells, one.app, one.idle.total_seconds())
        if attempt is None:
            return _IDLE_SECONDS
        try:
            self._engine.submit(Placement(attempt.id, self._server_url, ticket, self._warmth_of(attempt)))
        except EngineError as error:
            self._fail(attempt, error, now)
        else:
            events.emit(events.RUN_SUBMITTED, run=str(attempt.run_id), attempt=attempt.id)
        return AT_ONCE

    def _make_room(self, tx: Tx, placed: runs.Placed, now: datetime) -> list[Stopped]:
        def would_fit(run: runs.Run) -> bool:
            if run.instance is None or self._room is None:
                return True
            sizes = [other.instance for other in runs.placed_with_size(tx, self._engine.machine)]
            return shortage(self._room, sizes, run.instance) is None

        return self._apps.make_room(tx, placed, would_fit, now)

    def _take_next(self, tx: Tx, placed: runs.Placed, ticket: str, now: datetime) -> attempts.Attempt | None:
        kind = self._kind_with_place(placed)
        run = None if kind is None else self._next_with_room(tx, kind, now)
        if run is None or not runs.apply(tx, run.id, lifecycle.SUBMIT, now, not_before=None):
            return None
        number = attempts.count(tx, run.id) + 1
        hash_ = secrets.hash_of(ticket)
        return attempts.submit(tx, run.id, number, hash_, now, self._engine.node, self._engine.machine)

    def _kind_with_place(self, placed: runs.Placed) -> runs.Kind | None:
        """Which runs one may start of; none where all places are taken."""
        has_place = placed.runs < self._max_runs
        if self._apps.has_room(placed):
            return runs.Kind.ANY if has_place else runs.Kind.APP
        return runs.Kind.RUN if has_place else None

    def _next_with_room(self, tx: Tx, kind: runs.Kind, now: datetime) -> runs.Run | None:
        """The run that is next; one that waits for room holds up those behind it that want room too, or it would
        wait for ever, and no others."""
        run = runs.next_pending(tx, now, kind)
        if run is None or run.instance is None or self._room is None:
            return run
        placed = runs.placed_with_size(tx, self._engine.machine)
        missing = shortage(self._room, [other.instance for other in placed], run.instance)
        if missing is None:
            return run
        _note_who_wants_room(tx, run, missing, placed, kind, now)
        return runs.next_pending(tx, now, kind, only_light=True)

    def _warmth_of(self, attempt: attempts.Attempt) -> Warmth | None:
        """What the claim will say of the run's environment, for an engine that can get it ready."""
        with self._database.read() as tx:
            run = runs.get(tx, attempt.run_id)
            if run is None:
                return None
            known = (run.deployment_id, run.job_version_id)
            if known not in self._environments:
                definition = jobs.version(tx, run.job_version_id).definition
                requirements = packages.requirements(tx, run.deployment_id)
                if len(self._environments) >= _KNOWN_ENVIRONMENTS:
                    self._environments.clear()
                key = environments.compose(requirements, definition).key
                self._environments[known] = (key, dlt_deployment.launcher_of(definition))
        key, launcher = self._environments[known]
        return Warmth(key, f"{run.workspace_id}/{run.profile}", launcher)

    def _fail(self, attempt: attempts.Attempt, error: EngineError, now: datetime) -> None:
        with self._database.write() as tx:
            ending = run_endings.Ending(lifecycle.FAIL_LAUNCH, error.message)
            ended = run_endings.end(tx, attempt.run_id, ending, now, self._follow_ups_per_minute)
            if ended is not None:
                writing.add_ending(tx, ended.run, error.message, ended.next_attempt, now)
        if ended is not None:
            run_endings.announce(self._bells, ended)


def _note_who_waits(tx: Tx, now: datetime) -> None:
    """Write down, once, which run keeps others from being started, so that they can say so."""
    for waiting in runs.blocked(tx, now, _NOTED_AT_ONCE):
        reason = f"run #{waiting.holder_number} of {waiting.holder_job_ref}, which loads the same pipeline"
        if waiting.waits_for != reason:
            runs.note_wait(tx, waiting.run_id, reason)


def _note_who_wants_room(
    tx: Tx, first: runs.Run, missing: Shortage, placed: Sequence[runs.Sized], kind: runs.Kind, now: datetime
) -> None:
    """Write down what the first one waits for, and that the others wait for the first."""
    waiting = runs.waiting_with_size(tx, now, kind, _NOTED_AT_ONCE)
    here = f" on {socket.gethostname()}"
    for place, run in enumerate(waiting):
        if place == 0:
            reason = f"{missing}{here}; {_holders(placed)}"
            # several machines may look for room: the one that wrote first goes on telling how it stands
            if (run.waits_for or "").startswith(missing.what) and here not in str(run.waits_for):
                continue
        else:
            reason = f"its turn: run #{first.number} of {waiting[0].job_ref}, which is before it, waits for room"
        if run.waits_for != reason:
            runs.note_wait(tx, run.id, reason)


def _holders(placed: Sequence[runs.Sized]) -> str:
    told = [f"run #{run.number} of {run.job_ref} ({run.instance})" for run in placed[:_HOLDERS_TOLD]]
    if len(placed) > len(told):
        told.append(f"{len(placed) - len(told)} more")
    return f"the rest is taken by {', '.join(told)}"
