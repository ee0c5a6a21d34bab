"""Pages of lists (wire contract §7)."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import TypeVar

from homeport.contract.base import DEFAULT_LIMIT, MAX_LIMIT, MAX_OFFSET, Page
from homeport.errors import BadRequest

Item = TypeVar("Item")


@dataclass(frozen=True)
class Slice:
    """The part of a list that is asked for."""

    limit: int = DEFAULT_LIMIT
    offset: int = 0

    def __post_init__(self) -> None:
        if not 1 <= self.limit <= MAX_LIMIT:
            raise BadRequest(f"limit is {self.limit}; it must be from 1 to {MAX_LIMIT}.")
        if not 0 <= self.offset <= MAX_OFFSET:
            raise BadRequest(f"offset is {self.offset}; it must be from 0 to {MAX_OFFSET}.")


def page_of(items: Sequence[Item], total: int, slice_: Slice) -> Page[Item]:
    return Page(items=list(items), limit=slice_.limit, offset=slice_.offset, total=total)
