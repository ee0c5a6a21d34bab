"""Forgets what has run out: uploads that were never made, codes, browser sessions, logins, failed tries."""

from datetime import datetime, timedelta

from homeport.store import credentials, device_codes, failed_tries, packages, refresh_tokens
from homeport.store.database import Database

_EVERY_SECONDS = 3600.0
_KEPT_FOR = timedelta(days=1)
"""After its end, so that a late comer is told 'expired' and not 'unknown'."""


class PruneExpired:
    name = "pruning"
    topic = None

    def __init__(self, database: Database) -> None:
        self._database = database

    def work(self, now: datetime) -> float:
        with self._database.write() as tx:
            credentials.delete_expired(tx, now - _KEPT_FOR)
            packages.delete_stale_uploads(tx, now - _KEPT_FOR)
            device_codes.delete_expired(tx, now - _KEPT_FOR)
            refresh_tokens.delete_ended(tx, now - _KEPT_FOR)
            failed_tries.delete_before(tx, now - _KEPT_FOR)
        return _EVERY_SECONDS
