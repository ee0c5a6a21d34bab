"""Moves logs of runs that are over to the object storage, and removes those that have been kept long enough."""

from datetime import datetime, timedelta

from homeport.dispatch.service import AT_ONCE
from homeport.logs import retention, storing
from homeport.logs.retention import Rules
from homeport.store.attempts import Attempt
from homeport.store.blobs import Blobs
from homeport.store.database import Database
from homeport.store.runs import Run
from homeport.telemetry import events, faults

_LOOK_EVERY_SECONDS = 5.0
_REMOVE_EVERY = timedelta(hours=1)
_AGAIN_AFTER = timedelta(minutes=5)
"""One log that cannot be stored holds up no other."""


class KeepLogs:
    name = "logs"
    topic = None

    def __init__(self, database: Database, blobs: Blobs, rules: Rules) -> None:
        self._database = database
        self._blobs = blobs
        self._rules = rules
        self._after = ""
        """Where the round through attempts with lines in the database is."""
        self._not_before: dict[str, datetime] = {}
        self._remove_at: datetime | None = None

    def work(self, now: datetime) -> float:
        found = storing.next_to_store(self._database, self._after)
        if found is not None:
            self._after = found[0].id
            self._store(found, now)
            return AT_ONCE
        self._after = ""
        # the first look is one, and so is every hour's; a clock that is set back delays nothing
        if self._remove_at is None or not now < self._remove_at <= now + _REMOVE_EVERY:
            if removed := retention.remove_some(self._database, self._blobs, self._rules, now):
                events.emit(events.LOGS_REMOVED, count=removed)
                return AT_ONCE
            self._remove_at = now + _REMOVE_EVERY
        return _LOOK_EVERY_SECONDS

    def _store(self, found: tuple[Attempt, Run], now: datetime) -> None:
        attempt, run = found
        if self._not_before.get(attempt.id, now) > now:
            return
        self._not_before.pop(attempt.id, None)
        try:
            storing.store(self._database, self._blobs, attempt, run, now)
        except Exception as error:  # told, and tried again later: the rows are as good a place
            self._not_before[attempt.id] = now + _AGAIN_AFTER
            events.emit(events.SERVICE_FAILED, service=self.name, attempt=attempt.id, **faults.shown(error))
