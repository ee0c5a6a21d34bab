"""Forgets what has run out: uploads that were never made, codes, browser sessions, logins, failed tries, bodies of
webhooks, reasons of starts that were declined, artifacts that were replaced, scheduled moments of long ago."""

from datetime import datetime, timedelta

from homeport.store import (
    app_passes,
    artifacts,
    credentials,
    declined_starts,
    device_codes,
    failed_tries,
    packages,
    refresh_tokens,
    ticks,
    webhooks,
)
from homeport.store.blobs import Blobs
from homeport.store.database import Database

_EVERY_SECONDS = 3600.0
_KEPT_FOR = timedelta(days=1)
"""After its end, so that a late comer is told 'expired' and not 'unknown'."""
_DELIVERIES_KEPT_FOR = timedelta(days=30)
"""Senders try for days at most; bodies may hold what nobody should keep for long."""
_REASONS_KEPT_FOR = timedelta(days=90)
_STRAYS_KEPT_FOR = timedelta(hours=1)
"""Far longer than it takes to store or delete an object."""
_STRAYS_AT_ONCE = 500
_TICKS_AT_ONCE = 500
_BETWEEN_SECONDS = 0.2
"""Between batches, so that others write, too."""


class PruneExpired:
    name = "pruning"
    topic = None

    def __init__(self, database: Database, blobs: Blobs, tick_days: float | None = None) -> None:
        """`tick_days`: how long scheduled moments are kept; none: for ever."""
        self._database = database
        self._blobs = blobs
        self._ticks_kept_for = None if tick_days is None else timedelta(days=tick_days)

    def work(self, now: datetime) -> float:
        self._forget(now)
        return _BETWEEN_SECONDS if self._has_more_ticks(now) else _EVERY_SECONDS

    def _has_more_ticks(self, now: datetime) -> bool:
        """Remove some; whether more may have to go."""
        if self._ticks_kept_for is None:
            return False
        with self._database.write() as tx:
            return ticks.delete_ended_before(tx, now - self._ticks_kept_for, _TICKS_AT_ONCE) == _TICKS_AT_ONCE

    def _forget(self, now: datetime) -> None:
        with self._database.write() as tx:
            app_passes.delete_expired(tx, now - _KEPT_FOR)
            credentials.delete_expired(tx, now - _KEPT_FOR)
            packages.delete_stale_uploads(tx, now - _KEPT_FOR)
            device_codes.delete_expired(tx, now - _KEPT_FOR)
            refresh_tokens.delete_ended(tx, now - _KEPT_FOR)
            failed_tries.delete_before(tx, now - _KEPT_FOR)
            webhooks.delete_before(tx, now - _DELIVERIES_KEPT_FOR)
            declined_starts.delete_before(tx, now - _REASONS_KEPT_FOR)
            strays = artifacts.old_strays(tx, now - _STRAYS_KEPT_FOR, _STRAYS_AT_ONCE)
        for workspace_id, name in strays:
            artifacts.delete_strays(self._database, self._blobs, workspace_id, [name])
