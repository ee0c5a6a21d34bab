"""Pages of lists, and the cursors that lead from one to the next (wire contract §7)."""

import base64
import json
from collections.abc import Callable, Mapping, Sequence
from datetime import datetime
from typing import Any, TypeVar
from uuid import UUID

from homeport.contract.base import TOTAL_CAP, Page
from homeport.contract.lists import ListQuery
from homeport.errors import BadRequest

Item = TypeVar("Item")


def page_of(items: Sequence[Item], total: int, query: ListQuery, next_cursor: str | None = None) -> Page[Item]:
    return Page(items=list(items), limit=query.limit, offset=query.offset, total=total, next_cursor=next_cursor)


def part_of(
    everything: Sequence[Item], query: ListQuery, keys: Mapping[str, Callable[[Item], Any]]
) -> tuple[list[Item], int, str | None]:
    """A page of a list that is short enough to be held: its rows, the total, and the cursor of the next page.

    `everything` is in the list's usual order, which also decides between rows that are equal under `sort`.
    """
    rows = list(everything)
    for key, descends in reversed(query.sorted_by):
        rows = _sorted(rows, keys[key], descends)
    offset = cursor_offset(query) if query.cursor is not None else query.offset
    shown = rows[offset : offset + query.limit]
    has_more = offset + len(shown) < len(rows)
    next_cursor = cursor(query, [offset + len(shown)]) if shown and has_more else None
    return shown, min(len(rows), TOTAL_CAP), next_cursor


def _sorted(rows: list[Item], value_of: Callable[[Item], Any], descends: bool) -> list[Item]:
    """Stable, and rows without a value come last, whichever way."""
    full = [row for row in rows if value_of(row) is not None]
    # not `reverse` of the whole: rows that are equal keep their order
    return sorted(full, key=value_of, reverse=descends) + [row for row in rows if value_of(row) is None]


def cursor(query: ListQuery, values: Sequence[Any]) -> str:
    """Opaque to clients: where the next page begins, and in which list it does."""
    document = [_list_of(query), [_plain(value) for value in values]]
    return base64.urlsafe_b64encode(json.dumps(document, separators=(",", ":")).encode()).decode().rstrip("=")


def cursor_values(query: ListQuery, kinds: Sequence[type]) -> tuple[Any, ...]:
    """What `cursor` was made of; `BadRequest` for one that was not made for this list and order."""
    text = query.cursor or ""
    try:
        document = json.loads(base64.urlsafe_b64decode(text + "=" * (-len(text) % 4)))
        listed, values = document
        if listed != _list_of(query) or len(values) != len(kinds):
            raise ValueError
        return tuple(_typed(value, kind) for value, kind in zip(values, kinds, strict=True))
    except (ValueError, TypeError, OverflowError):
        raise BadRequest(
            "This cursor does not belong to this list and order: take `next_cursor` of the page before, and send "
            "the same sort and order.",
            code="invalid_cursor",
        ) from None


def cursor_offset(query: ListQuery) -> int:
    offset: int = cursor_values(query, [int])[0]
    return offset


def _list_of(query: ListQuery) -> str:
    ways = [f"{key} {'desc' if descends else 'asc'}" for key, descends in query.sorted_by]
    return ", ".join([type(query).__name__, *ways])


def _plain(value: Any) -> Any:
    return str(value) if isinstance(value, UUID) else value.isoformat() if isinstance(value, datetime) else value


def _typed(value: Any, kind: type) -> Any:
    """A value of a cursor as the column wants it; whoever made the cursor up gets an error, not a fault."""
    if value is None:
        return None
    if kind is datetime and isinstance(value, str):
        moment = datetime.fromisoformat(value)
        if moment.tzinfo is None:
            raise ValueError
        return moment
    if kind is UUID and isinstance(value, str):
        return UUID(value)
    if kind is int and type(value) is int and 0 <= value < 2**53:
        return value
    if kind is str and isinstance(value, str) and "\x00" not in value:
        return value
    raise ValueError
