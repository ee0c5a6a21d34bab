"""Looks what the local data of workspaces takes, so that pages need not."""

import socket
from collections.abc import Iterator
from datetime import datetime
from uuid import UUID

from homeport.execution.engines import Engine, Stored
from homeport.store import storage_sizes
from homeport.store.database import Database
from homeport.store.storage_sizes import StorageSize

_EVERY_SECONDS = 300.0
_BETWEEN_SECONDS = 0.05
"""Between the steps of a look: a million files take half a minute, and most of the processor is left to others."""


class MeasureStorage:
    """In each server for its own node. A look that a restart has cut short begins anew."""

    name = "storage"
    topic = None

    def __init__(self, database: Database, engine: Engine) -> None:
        self._database = database
        self._engine = engine
        self._look: Iterator[Stored] | None = None

    def work(self, now: datetime) -> float:
        """One step of the look at all there is."""
        if self._look is None:
            self._look = self._steps(now)
        if next(self._look, None) is not None:
            return _BETWEEN_SECONDS
        self._look = None
        return _EVERY_SECONDS

    def _steps(self, now: datetime) -> Iterator[Stored]:
        sizes = []
        for storage in sorted(self._engine.storages()):
            stored = Stored(0, 0)
            for stored in self._engine.measure(storage):
                yield stored
            workspace, _, profile = storage.partition("/")
            size = StorageSize(
                workspace_id=UUID(workspace),
                profile=profile,
                node=self._engine.node,
                host=socket.gethostname()[:200],
                size_bytes=stored.size_bytes,
                file_count=stored.file_count,
                measured_at=now,
            )
            sizes.append(size)
        with self._database.write() as tx:
            storage_sizes.replace(tx, self._engine.node, sizes)
