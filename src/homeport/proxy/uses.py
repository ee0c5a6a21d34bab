"""Notes which apps are in use: touched in memory whenever data flows, written to the store every now and then."""

from uuid import UUID

from starlette.concurrency import run_in_threadpool

from homeport.errors import Unavailable
from homeport.operations import app_visits
from homeport.operations.platform import Platform

_LONGEST_SECONDS = 5.0


class Uses:
    def __init__(self, platform: Platform) -> None:
        self._platform = platform
        self._touched: set[UUID] = set()
        self.every_seconds = min(_LONGEST_SECONDS, platform.settings.app_idle_seconds / 4)

    def touch(self, job_id: UUID) -> None:
        self._touched.add(job_id)

    async def write(self) -> None:
        """Note what was touched since the last time."""
        touched, self._touched = self._touched, set()
        for job_id in touched:
            try:
                await run_in_threadpool(app_visits.note_use, self._platform, job_id)
            except Unavailable:
                self._touched.add(job_id)
