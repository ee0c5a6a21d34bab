"""The ledger of scheduled moments and the look ahead, Homeport's own (docs/scheduling.md)."""

from datetime import datetime
from typing import Any
from uuid import UUID

from homeport.contract.base import Model


class TickResponse(Model):
    """A moment, or a range of moments that were decided together, and what became of it."""

    job_id: UUID
    job_ref: str
    trigger: str
    moment: datetime
    last_moment: datetime
    """Of the range; `moment` itself when it is one."""
    moments: int | None
    """How many; null when they were too many to count."""
    outcome: str
    """`triggered`, `covered`, `deferred` (it waits) or `skipped_…`."""
    reasons: list[str]
    inputs: dict[str, Any]
    """What the decision was made from."""
    run_id: UUID | None
    """The run that it started or that covers it."""
    decided_by: str
    """`clock`, `upstream`, `later_tick` or `change`."""
    first_decided_at: datetime
    decided_at: datetime


class ComingTickResponse(Model):
    """A moment to come."""

    job_id: UUID
    job_ref: str
    trigger: str
    moment: datetime
    """In UTC."""
    local_moment: str
    """On the clocks of the job's zone, ISO 8601 with their offset."""
    zone: str
    interval_start: datetime | None
    """Of the window that its run will get when those before it complete; null outside of the declared interval."""
    interval_end: datetime | None
    is_paused: bool
    waits_for: list[str]
    """Refs of the upstreams that must be fresh."""


class ScheduleResponse(Model):
    now: datetime
    until: datetime
    items: list[ComingTickResponse]
    """In order of their moments."""
    is_complete: bool
    """False: there are more before `until` than `limit`."""


class ExplanationResponse(Model):
    job_id: UUID
    job_ref: str
    zone: str
    moment: datetime | None
    """What was asked about; null: the most recent and the next."""
    lines: list[str]
    """The answer, in sentences for people."""
    ticks: list[TickResponse]
    """The rows of the ledger that it rests on."""
    next: ComingTickResponse | None
