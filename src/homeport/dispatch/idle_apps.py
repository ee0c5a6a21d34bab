"""Stops apps that nobody uses: no data flowed for as long as their jobs allow. The next visit starts them again.

What flows is seen by the proxy, which notes it in the store every now and then. Nobody could come while no server
ran, so idleness counts from the start of this one at the earliest.
"""

from datetime import datetime, timedelta

from homeport import bells
from homeport.bells import Bells
from homeport.execution.launches import idle_limit_of, limits_of
from homeport.scheduling import run_lifecycle as lifecycle
from homeport.store import apps, runs
from homeport.store.database import Database
from homeport.telemetry import events

_LOOK_EVERY_SECONDS = 5.0


class StopIdleApps:
    name = "idle apps"
    topic = None

    def __init__(
        self,
        database: Database,
        bells_: Bells,
        up_since: datetime,
        idle_seconds: float,
        grace_seconds: float,
    ) -> None:
        self._database = database
        self._bells = bells_
        self._up_since = up_since
        self._idle_seconds = idle_seconds
        self._grace_seconds = grace_seconds

    def work(self, now: datetime) -> float:
        with self._database.read() as tx:
            serving = apps.serving(tx)
        for app in serving:
            limit = idle_limit_of(app.definition, self._idle_seconds)
            if limit is not None and now - self._used_at(app) >= timedelta(seconds=limit):
                self._stop(app, limit, now)
        return _LOOK_EVERY_SECONDS

    def _used_at(self, app: apps.Serving) -> datetime:
        started_at = app.run.started_at or app.run.created_at
        return max(started_at, app.used_at or started_at, self._up_since)

    def _stop(self, app: apps.Serving, limit: float, now: datetime) -> None:
        grace = limits_of(app.definition, limit, self._grace_seconds).grace
        detail = f"stopped: nobody used it for {limit:g} s; it starts again at the next visit"
        with self._database.write() as tx:
            is_asked = runs.apply(
                tx,
                app.run.id,
                lifecycle.ASK_CANCEL,
                now,
                cancel_by=now + timedelta(seconds=grace),
                end_detail=detail,
            )
        if is_asked:
            events.emit(events.APP_IDLE, run=str(app.run.id), seconds=limit)
            self._bells.ring(bells.orders_for(app.run.id), bells.log_of(app.run.id))
