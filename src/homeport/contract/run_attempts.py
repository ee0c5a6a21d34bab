"""The attempts of a run: Homeport's own, not of the platform's contract."""

from datetime import datetime

from homeport.contract.base import Model


class JobRunAttemptResponse(Model):
    """One attempt; a run is tried again where its workspace's configuration says so."""

    number: int
    """From 1."""
    state: str
    """submitted, claimed, running, ended."""
    host: str | None
    """The machine of its runner."""
    created_at: datetime
    started_at: datetime | None
    """When its process began."""
    ended_at: datetime | None
    end_cause: str | None
    """exited, setup_failed, launch_failed, cancelled, timed_out, lost."""
    end_detail: str | None
    exit_code: int | None
    peak_memory_bytes: int | None
    """The most that all its processes had at once; null, as the next three, where it was not measured."""
    cpu_seconds: float | None
    read_bytes: int | None
    """By system calls, cached or not."""
    written_bytes: int | None
    first_line: int
    """The number of its first line in the run's log."""
    line_count: int


class JobRunAttemptsResponse(Model):
    items: list[JobRunAttemptResponse]
    """Oldest first."""
    max_attempts: int
    next_attempt_not_before: datetime | None
    """When a run that waits for its next attempt may go on."""
    waits_for: str | None
    """What a pending run waits for, in words: another that loads the same pipeline, or memory."""
