"""Watches over attempts whose runner does not speak for itself: never claimed, gone, or silent too long.

The same look, every two seconds, is also what happens after a crash of the server: there is no other recovery.
Silence counts from the start of this server at the earliest, for nobody could report while none ran. Nor could
anybody while this server slept (a suspended laptop, a stopped process) or the clock jumped: two looks that are far
apart, or in the wrong order, make silence count from now.
"""

from collections.abc import Callable
from datetime import datetime, timedelta
from uuid import UUID

from homeport.auth import secrets
from homeport.bells import Bells
from homeport.config import MAX_STARTS_PER_MINUTE
from homeport.contract import line_blocks
from homeport.execution.engines import Engine, EngineError, Phase, Placement, Seen
from homeport.execution.maskings import Masking
from homeport.logs import writing
from homeport.scheduling import run_lifecycle as lifecycle
from homeport.scheduling.run_lifecycle import RunStatus
from homeport.store import attempts, log_chunks, run_endings, runs
from homeport.store.database import Database
from homeport.store.run_endings import Ending
from homeport.telemetry import events, faults

_LOOK_EVERY_SECONDS = 2.0
_SLEPT_AFTER = timedelta(seconds=20)
"""Between two looks; a slow database takes seconds."""
_CLAIM_WITHIN = timedelta(seconds=5)
"""A runner claims its attempt some tens of milliseconds after it was started."""
_TAKE_OVER_AFTER = timedelta(seconds=20)
"""An attempt that another server placed, and did not place again, is placed here: that server is gone."""
_GIVE_UP_AFTER = timedelta(seconds=60)
"""How long an attempt that nobody claims is submitted again."""
_LAST_REPORT_WITHIN = timedelta(seconds=10)
"""Its runner is gone, but the exit report may still be on its way."""
_LEASE_MARGIN = timedelta(seconds=30)
"""For clocks and slow requests: by now a silent runner has stopped its run."""
_LINES_AT_ONCE = 2_000
_KILL_MARGIN = timedelta(seconds=15)
"""After the grace of a cancel, the engine is asked to kill."""


class WatchAttempts:
    name = "watch"
    topic = None

    def __init__(
        self,
        database: Database,
        engine: Engine,
        bells: Bells,
        server_url: str,
        lease: timedelta,
        up_since: datetime,
        follow_ups_per_minute: int = MAX_STARTS_PER_MINUTE,
        masking_of: Callable[[UUID], Masking] | None = None,
    ) -> None:
        """`masking_of` knows the secrets of a run; without it, what a lost runner had not masked is not kept."""
        self._masking_of = masking_of
        self._database = database
        self._engine = engine
        self._bells = bells
        self._server_url = server_url
        self._lease = lease
        self._up_since = up_since
        self._follow_ups_per_minute = follow_ups_per_minute
        self._looked_at = up_since

    def work(self, now: datetime) -> float:
        """One look at every live attempt."""
        self._notice_sleep(now)
        with self._database.read() as tx:
            live = attempts.live(tx)
        seen = self._engine.observe([attempt.id for attempt in live]) if live else {}
        for attempt in live:
            try:
                self._look_at(attempt, seen[attempt.id], now)
            except Exception as error:  # told, and looked at again: the other runs are watched over all the same
                events.emit(events.SERVICE_FAILED, service=self.name, attempt=attempt.id, **faults.shown(error))
        self._clear_away({attempt.id for attempt in live})
        return _LOOK_EVERY_SECONDS

    def _notice_sleep(self, now: datetime) -> None:
        if not timedelta(0) <= now - self._looked_at <= _SLEPT_AFTER:
            events.emit(events.WATCH_SLEPT, seconds=(now - self._looked_at).total_seconds())
            self._up_since = now
        self._looked_at = now

    def _silence_of(self, attempt: attempts.Attempt, now: datetime) -> timedelta:
        # what was heard "later" than now was heard before the clock was set back
        heard_at = attempt.contact_at if attempt.contact_at <= now else self._up_since
        return now - max(heard_at, self._up_since)

    def _clear_away(self, live: set[str]) -> None:
        """What a runner that was killed left behind, its working folder with secrets among it."""
        for leftover in self._engine.known() - live:
            with self._database.read() as tx:
                attempt = attempts.get(tx, leftover)
            # one that is not ours, or was submitted after the look at what lives, is left alone
            if attempt is not None and attempt.state == "ended":
                self._engine.forget(leftover)
        self._drop_carried({leftover.rpartition("-")[0].removeprefix("hp-") for leftover in live})

    def _drop_carried(self, live: set[str]) -> None:
        """The working state of runs that will not be tried again."""
        carried = {name: UUID(name) for name in self._engine.carried() - live}
        if carried:
            with self._database.read() as tx:
                over = runs.over(tx, carried.values())
            for name, run_id in carried.items():
                if run_id in over:
                    self._engine.drop(name)

    def _look_at(self, attempt: attempts.Attempt, seen: Seen, now: datetime) -> None:
        silence = self._silence_of(attempt, now)
        is_elsewhere = attempt.node not in (None, self._engine.node)
        if is_elsewhere and silence <= (
            _TAKE_OVER_AFTER if attempt.state == "submitted" else self._given_up_after
        ):
            return  # what our engine does not see there proves nothing
        if attempt.state == "submitted":
            if seen.phase is not Phase.STARTED and silence > _CLAIM_WITHIN:
                self._submit_again(attempt, seen, now)
        elif seen.process_gone and silence > _LAST_REPORT_WITHIN and not is_elsewhere:
            self._lose(attempt, seen.reason or "its runner is gone from the machine", now)
        elif silence > self._given_up_after:
            # first of all, for another attempt may follow at once
            self._engine.kill(attempt.id)
            self._lose(attempt, f"nothing was heard of its runner for {silence.total_seconds():.0f} seconds", now)
        else:
            self._kill_if_overdue(attempt, now)

    @property
    def _given_up_after(self) -> timedelta:
        return self._lease + _LEASE_MARGIN

    def _submit_again(self, attempt: attempts.Attempt, seen: Seen, now: datetime) -> None:
        if now - max(attempt.created_at, self._up_since) > _GIVE_UP_AFTER:
            words = self._engine.diagnose(attempt.id).strip() or seen.reason or "it was never heard of"
            self._end(attempt, Ending(lifecycle.FAIL_LAUNCH, f"its runner could not be started: {words}"), now)
            return
        ticket = secrets.new_token()
        with self._database.write() as tx:
            is_ours = attempts.renew_ticket(
                tx, attempt, secrets.hash_of(ticket), now, self._engine.node, self._engine.machine
            )
        if not is_ours:
            return  # claimed in the meantime
        events.emit(events.RUN_RESUBMITTED, attempt=attempt.id)
        try:
            self._engine.submit(Placement(attempt.id, self._server_url, ticket))
        except EngineError as error:
            self._end(attempt, Ending(lifecycle.FAIL_LAUNCH, error.message), now)

    def _lose(self, attempt: attempts.Attempt, reason: str, now: datetime) -> None:
        self._save_lines(attempt.id, self._masking(attempt))
        events.emit(events.RUN_LOST, run=str(attempt.run_id), attempt=attempt.id, reason=reason)
        with self._database.read() as tx:
            run = runs.get(tx, attempt.run_id)
        if run is not None and run.status == RunStatus.CANCELLING:
            # it was to stop, and it has
            self._end(attempt, Ending(lifecycle.FINISH_CANCEL, f"cancelled; {reason}"), now)
        else:
            self._end(attempt, Ending(lifecycle.LOSE, f"lost: {reason}"), now)

    def _masking(self, attempt: attempts.Attempt) -> Masking | None:
        try:
            return None if self._masking_of is None else self._masking_of(attempt.run_id)
        except Exception as error:  # some last lines less are better than a run that nobody reports
            events.emit(events.SERVICE_FAILED, service=self.name, attempt=attempt.id, **faults.shown(error))
            return None

    def _save_lines(self, attempt_id: str, masking: Masking | None) -> None:
        """Take in what a runner had read of its run's output, but could not send any more."""
        while True:
            with self._database.read() as tx:
                attempt = attempts.get(tx, attempt_id)
            if attempt is None or attempt.state == "ended":
                return
            rows = self._engine.unsent(attempt_id, attempt.next_line, _LINES_AT_ONCE, masking)
            block = line_blocks.of_rows(attempt.next_line, rows)
            if block is None or not block.count:
                return
            packed = log_chunks.pack(block.rows)
            with self._database.write() as tx:
                writing.append_block(tx, attempt, block, packed)

    def _kill_if_overdue(self, attempt: attempts.Attempt, now: datetime) -> None:
        with self._database.read() as tx:
            run = runs.get(tx, attempt.run_id)
        if run is None or run.cancel_by is None or now - max(run.cancel_by, self._up_since) <= _KILL_MARGIN:
            return
        events.emit(events.ATTEMPT_KILLED, attempt=attempt.id)
        self._engine.kill(attempt.id)

    def _end(self, attempt: attempts.Attempt, ending: Ending, now: datetime) -> None:
        with self._database.write() as tx:
            ended = run_endings.end(tx, attempt.run_id, ending, now, self._follow_ups_per_minute)
            if ended is not None:
                writing.add_ending(tx, ended.run, ending.detail, ended.next_attempt, now)
        if ended is not None:
            run_endings.announce(self._bells, ended)
            self._engine.forget(attempt.id)
