"""A database that came from a backup is brought to terms with what is different now, before a server starts on it.

Runs that were going on are lost: their processes belong to the installation that was backed up. The ordinary watch
would find that out too, but only once their leases are over, and would not know why. Everything else is as after a
time in which no server ran: what waited goes on, and moments that were missed follow their usual rules.
"""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from datetime import datetime

from homeport.logs import writing
from homeport.operations import auditing
from homeport.operations.auditing import Action
from homeport.operations.backup_archives import Listing
from homeport.scheduling import run_lifecycle as lifecycle
from homeport.scheduling.run_lifecycle import RunStatus
from homeport.store import artifacts, attempts, job_triggers, log_objects, run_endings, runs
from homeport.store.database import Database
from homeport.store.run_endings import Ending
from homeport.store.schema import Tx

_AT_ONCE = 1000


@dataclass(frozen=True)
class Settled:
    """How many there were."""

    lost: int
    """Runs that were going on."""
    paused: int = 0
    """Jobs that the clock starts no more."""
    cancelled: int = 0
    """Runs that waited to be started."""


def settle(
    database: Database,
    made_at: datetime,
    listing: Listing,
    now: datetime,
    *,
    is_paused: bool,
    follow_ups_per_minute: int,
) -> Settled:
    """All of it in one transaction. `is_paused`: nothing is to start by itself afterwards."""
    origin = f"this installation was restored from the backup of {made_at:%Y-%m-%d %H:%M} UTC"
    with database.write() as tx:
        for some in _in_pieces(listing.missing_logs):
            log_objects.remove(tx, some, f"{origin}, which does not hold it", now)
        for some in _in_pieces(listing.missing_artifacts):
            artifacts.drop_objects(tx, some)
        lost = _lose_runs(tx, origin, now, follow_ups_per_minute, with_unclaimed=is_paused)
        settled = Settled(lost)
        if is_paused:
            paused = job_triggers.pause_all(tx, now)
            settled = Settled(lost, paused, _cancel_waiting(tx, f"cancelled: {origin}, paused", now))
        auditing.record_for_all(tx, Action.RESTORE, f"the backup of {made_at:%Y-%m-%d %H:%M:%S} UTC", now)
    return settled


def _in_pieces(names: Sequence[str]) -> Iterator[Sequence[str]]:
    return (names[first : first + _AT_ONCE] for first in range(0, len(names), _AT_ONCE))


def _lose_runs(tx: Tx, origin: str, now: datetime, follow_ups_per_minute: int, *, with_unclaimed: bool) -> int:
    """Those that no runner had begun are begun again, by the ordinary watch."""
    lost = 0
    for attempt in attempts.live(tx):
        run = runs.get(tx, attempt.run_id)
        if run is None or (attempt.state == "submitted" and not with_unclaimed):
            continue
        is_stopping = run.status == RunStatus.CANCELLING
        step = lifecycle.FINISH_CANCEL if is_stopping else lifecycle.LOSE
        word = "cancelled" if is_stopping else "lost"
        ending = Ending(step, f"{word}: it was going on elsewhere when {origin}")
        ended = run_endings.end(tx, run.id, ending, now, follow_ups_per_minute)
        if ended is not None:
            lost += 1
            writing.add_ending(tx, ended.run, ending.detail, ended.next_attempt, now)
    return lost


def _cancel_waiting(tx: Tx, why: str, now: datetime) -> int:
    cancelled = 0
    # the end of one may start another that waits for it
    while waiting := runs.pending(tx, _AT_ONCE):
        for run_id in waiting:
            cancelled += run_endings.end(tx, run_id, Ending(lifecycle.CANCEL_PENDING, why), now) is not None
            writing.add_remark(tx, run_id, f"Homeport: {why}", now)
    return cancelled
