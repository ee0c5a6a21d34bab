"""What all wire models share: snake_case JSON, UTC datetimes, unknown request keys ignored."""

from typing import Generic, TypeVar

from pydantic import BaseModel, ConfigDict

Item = TypeVar("Item")


class Model(BaseModel):
    """A body of the platform's HTTP API (wire contract §2, §11)."""

    model_config = ConfigDict(extra="ignore", from_attributes=True)


class Page(Model, Generic[Item]):
    """One page of a list (wire contract §7)."""

    items: list[Item]
    limit: int
    offset: int
    total: int
    """Rows that match, saturating at `TOTAL_CAP`."""
    next_cursor: str | None = None


DEFAULT_LIMIT = 100
MAX_LIMIT = 1000
MAX_OFFSET = 10_000
TOTAL_CAP = 10_001
"""Totals are counted up to here only (wire contract §7)."""

# How much a field takes in. Every field has a bound here, so that none can hold more than its column does; what an
# operation asks beyond that, it tells in its own words.
MAX_INT = 2**31 - 1
"""Of a column for whole numbers, on every database."""
MAX_COUNT = 2**53
"""Of what is counted without end, such as lines; the largest that every reader of JSON reads as it was written."""
MAX_NAME_CHARS = 300
"""Of references to jobs, triggers and modules."""
MAX_PROFILE_CHARS = 100
MAX_DESCRIPTION_CHARS = 10_000
MAX_IDS = 10_000
"""Of one bulk request."""


class ErrorBody(Model):
    """The body of every error, on every service (wire contract §3)."""

    status_code: int
    code: str
    detail: str
    extra: dict[str, list[str]] = {}


class BulkItemFailure(Model):
    """One item of a bulk request that could not be done."""

    ref: str
    detail: str
