"""Apps have places of their own, so that open notebooks keep no batch run from starting.

When all are taken, an app that somebody wants gets the place of the one that was used least recently, unless that
is in use, too, or its job wants it never to stop for being idle.
"""

from collections.abc import Callable
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta

from homeport.dispatch.idle_apps import ask_to_stop
from homeport.execution.launches import idle_limit_of
from homeport.store import apps, runs
from homeport.store.schema import Tx

IN_USE = timedelta(minutes=1)
"""So long after somebody used an app, nobody else takes its place."""
_LONG_AGO = datetime.min.replace(tzinfo=UTC)
_LOOKED_AT = 50
"""Of the apps that wait."""


@dataclass(frozen=True)
class Stopped:
    """An app that was asked to make room."""

    app: apps.Serving
    idle: timedelta


@dataclass(frozen=True)
class AppPlaces:
    max_apps: int = 8
    grace_seconds: float = 30.0
    up_since: datetime = _LONG_AGO

    def has_room(self, placed: runs.Placed) -> bool:
        return placed.apps < self.max_apps

    def make_room(
        self, tx: Tx, placed: runs.Placed, would_fit: Callable[[runs.Run], bool], now: datetime
    ) -> list[Stopped]:
        """Ask as many apps to stop as places are missing for those that wait, and tell these what they wait for.

        The caller holds the places, so that of two servers one counts, and nobody is stopped for nothing:
        `would_fit` says whether an app that waits could start if it had a place.
        """
        if self.has_room(placed):
            return []
        waiting = runs.waiting_apps(tx, now, _LOOKED_AT)
        wanted = len([run for run in waiting if would_fit(run)])
        missing = placed.apps - self.max_apps + wanted - placed.leaving_apps
        stopped = self._stop(tx, missing, now) if wanted and missing > 0 else []
        reason = self._reason(are_leaving=bool(stopped or placed.leaving_apps))
        for run in waiting:
            if run.waits_for != reason:
                runs.note_wait(tx, run.id, reason)
        return stopped

    def _stop(self, tx: Tx, count: int, now: datetime) -> list[Stopped]:
        may_go = [app for app in apps.serving(tx) if idle_limit_of(app.definition, 0) is not None]
        idle = [Stopped(app, now - app.last_use(self.up_since)) for app in may_go]
        longest_first = sorted((one for one in idle if one.idle >= IN_USE), key=lambda one: one.idle, reverse=True)
        return [
            one
            for one in longest_first[:count]
            if ask_to_stop(tx, one.app, _end_detail(one.idle), self.grace_seconds, now)
        ]

    def _reason(self, *, are_leaving: bool) -> str:
        place = f"a place for apps (HOMEPORT_MAX_APPS is {self.max_apps})"
        if are_leaving:
            return f"{place}: one that nobody uses is being stopped"
        return f"{place}: all are in use, so stop one that nobody needs, or allow more"


def _end_detail(idle: timedelta) -> str:
    return (
        f"stopped to make room for another app: nobody had used it for {idle.total_seconds():.0f} s; "
        "it starts again at the next visit"
    )
