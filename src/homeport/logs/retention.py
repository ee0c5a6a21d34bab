"""Removes logs that are too old, and the oldest when all together take too much. Runs stay, and say what happened.

Only logs in the object storage are looked at, so never one of a run that is going on.
"""

from dataclasses import dataclass
from datetime import datetime, timedelta

from homeport.store import log_objects
from homeport.store.blobs import Blobs
from homeport.store.database import Database
from homeport.store.schema import Tx

_AT_ONCE = 500


@dataclass(frozen=True)
class Rules:
    """How long logs are kept after the end of their run, and how much they may take; none: no limit."""

    days: float | None
    total_bytes: int | None


def remove_some(database: Database, blobs: Blobs, rules: Rules, now: datetime) -> int:
    """Remove logs that have to go, some at a time; how many went."""
    with database.write() as tx:
        removed = _by_age(tx, rules.days, now) + _by_size(tx, rules.total_bytes, now)
    with database.read() as tx:
        doomed = log_objects.doomed(tx, _AT_ONCE)
    for found in doomed:
        if found.path is not None:
            blobs.delete_log(found.path)
        with database.write() as tx:
            log_objects.forget_path(tx, found.attempt_id)
    return max(removed, len(doomed))


def _by_age(tx: Tx, days: float | None, now: datetime) -> int:
    if days is None:
        return 0
    old = log_objects.ended_before(tx, now - timedelta(days=days), _AT_ONCE)
    if old:
        log_objects.remove(tx, old, f"it was older than {days:g} days (HOMEPORT_LOG_RETENTION_DAYS)", now)
    return len(old)


def _by_size(tx: Tx, limit: int | None, now: datetime) -> int:
    if limit is None or (total := log_objects.total_bytes(tx)) <= limit:
        return 0
    going = []
    for attempt_id, size in log_objects.oldest(tx, _AT_ONCE):
        if total <= limit:
            break
        going.append(attempt_id)
        total -= size
    because = (
        f"all logs together took more than {limit} bytes (HOMEPORT_LOG_RETENTION_BYTES), and it was the oldest"
    )
    log_objects.remove(tx, going, because, now)
    return len(going)
