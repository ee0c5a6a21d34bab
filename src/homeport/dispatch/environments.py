"""Has the engine build environments once they are deployed, and remove those that there is no room for."""

from collections.abc import Iterator
from datetime import datetime, timedelta
from uuid import UUID

from homeport import bells
from homeport.contract.runner_protocol import EnvironmentLaunch
from homeport.dispatch.service import AT_ONCE
from homeport.execution import environments, launches, secret_values
from homeport.execution.engines import Engine
from homeport.store import jobs, packages, workspaces
from homeport.store.database import Database
from homeport.store.schema import Tx
from homeport.telemetry import events

_COLLECT_EVERY_SECONDS = 600.0
_LOOK_EVERY_SECONDS = 5.0
_BUSY_SECONDS = 1.0
_BACK = timedelta(hours=1)
"""How old deploys may be that are looked at: also those that another server took, or that a crash interrupted."""


class BuildEnvironments:
    """In each server for its own node. What is there already costs a look; what is forgotten in a crash, the next
    start finds again, or the run that needs it."""

    name = "builds"
    topic = bells.DEPLOYED

    def __init__(self, database: Database, engine: Engine) -> None:
        self._database = database
        self._engine = engine
        self._seen: dict[UUID, datetime] = {}
        """Workspaces and the deploys of theirs that have been looked at."""
        self._wanted: dict[str, EnvironmentLaunch] = {}
        """By key, in the order in which they are built."""

    def work(self, now: datetime) -> float:
        self._look(now)
        if not self._wanted:
            return _LOOK_EVERY_SECONDS
        key, wanted = next(iter(self._wanted.items()))
        if not self._engine.prepare(wanted, secret_values.of_variables((), wanted.requirements)):
            return _BUSY_SECONDS
        del self._wanted[key]
        return AT_ONCE

    def _look(self, now: datetime) -> None:
        with self._database.read() as tx:
            # not "since the last look": a deploy that began earlier may be there later
            deployed = workspaces.deployed_since(tx, now - _BACK)
            for workspace_id, at in deployed.items():
                if self._seen.get(workspace_id) != at:
                    for wanted in _needed(tx, workspace_id, at):
                        self._wanted[wanted.key] = wanted
        self._seen = deployed


def _needed(tx: Tx, workspace_id: UUID, deployed_at: datetime) -> Iterator[EnvironmentLaunch]:
    """The environments of a workspace's jobs, those of apps last: they are the largest."""
    code = packages.latest(tx, workspace_id, "deployments")
    if code is None:
        return
    requirements = packages.requirements(tx, code.id)
    definitions = [
        current.version.definition
        for current in jobs.all_current(tx, workspace_id)
        if current.job.archived_at is None
    ]
    for definition in sorted(definitions, key=launches.is_interactive):
        yield environments.compose(requirements, definition, deployed_at)


class CollectEnvironments:
    name = "environments"
    topic = None

    def __init__(self, engine: Engine) -> None:
        self._engine = engine

    def work(self, now: datetime) -> float:
        if removed := self._engine.collect(now):
            events.emit(events.ENVIRONMENTS_REMOVED, count=len(removed), keys=removed)
        return _COLLECT_EVERY_SECONDS
