"""Has the engine remove environments that there is no room for."""

from datetime import datetime

from homeport.execution.engines import Engine
from homeport.telemetry import events

_EVERY_SECONDS = 600.0


class CollectEnvironments:
    name = "environments"
    topic = None

    def __init__(self, engine: Engine) -> None:
        self._engine = engine

    def work(self, now: datetime) -> float:
        if removed := self._engine.collect(now):
            events.emit(events.ENVIRONMENTS_REMOVED, count=len(removed), keys=removed)
        return _EVERY_SECONDS
