"""Every table of the store, in one place: importing this module fills `metadata`."""

from homeport.store import (
    attempts,
    credentials,
    job_triggers,
    jobs,
    log_chunks,
    organizations,
    packages,
    people,
    runs,
    ticks,
    workspaces,
)
from homeport.store.schema import metadata

__all__ = [
    "attempts",
    "credentials",
    "job_triggers",
    "jobs",
    "log_chunks",
    "metadata",
    "organizations",
    "packages",
    "people",
    "runs",
    "ticks",
    "workspaces",
]
