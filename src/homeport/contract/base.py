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
