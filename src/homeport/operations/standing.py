"""How an installation stands, in a few numbers: for a command on the server's machine."""

from dataclasses import dataclass
from datetime import datetime

from homeport.scheduling.run_lifecycle import RunStatus
from homeport.store import job_triggers, runs
from homeport.store.database import Database


@dataclass(frozen=True)
class Standing:
    database: str
    """SQLite or PostgreSQL."""
    going_on: int
    """Batch and stream runs that have, or may have, a runner."""
    waiting: int
    apps: int
    """Apps that are starting or answering."""
    next_at: datetime | None
    """When the clock starts something next, if ever."""


def of(database: Database) -> Standing:
    """The database is looked at as it is, and not migrated: a server of another version may be using it."""
    with database.read() as tx:
        counts = runs.count_active(tx)
        next_at = job_triggers.earliest(tx)
    placed = {kind: count for kind, count in counts.items() if kind[0] != RunStatus.PENDING}
    apps = sum(count for (_, job_type), count in placed.items() if job_type == "interactive")
    return Standing(
        "SQLite" if database.is_sqlite else "PostgreSQL",
        sum(placed.values()) - apps,
        sum(counts.values()) - sum(placed.values()),
        apps,
        next_at,
    )
