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
from homeport.store.schema import Tx
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
            if limit is not None and now - app.last_use(self._up_since) >= timedelta(seconds=limit):
                self._stop(app, limit, now)
        return _LOOK_EVERY_SECONDS

    def _stop(self, app: apps.Serving, limit: float, now: datetime) -> None:
        detail = f"stopped: nobody used it for {limit:g} s; it starts again at the next visit"
        with self._database.write() as tx:
            is_asked = ask_to_stop(tx, app, detail, self._grace_seconds, now)
        if is_asked:
            announce_stop(self._bells, app, limit)


def ask_to_stop(tx: Tx, app: apps.Serving, detail: str, grace_seconds: float, now: datetime) -> bool:
    """Whether it is on its way out by this; `grace_seconds` where its job sets none."""
    grace = timedelta(seconds=limits_of(app.definition, 0, grace_seconds).grace)
    return runs.apply(tx, app.run.id, lifecycle.ASK_CANCEL, now, cancel_by=now + grace, end_detail=detail)


def announce_stop(bells_: Bells, app: apps.Serving, idle_seconds: float) -> None:
    """Tell the app's runner, once that was written."""
    events.emit(events.APP_IDLE, run=str(app.run.id), seconds=idle_seconds)
    bells_.ring(bells.orders_for(app.run.id), bells.log_of(app.run.id))
