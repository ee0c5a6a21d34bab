"""Pages of long lists: the order, where a page begins, and statements that walk an index instead of sorting.

A list that is narrowed to several values of a column, or ordered by one that may be empty, is asked for in
*branches*, one for each value: every branch walks its own index from its end and stops after a page. In one
statement, SQLite and PostgreSQL would read and sort all rows that match.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import sqlalchemy as sa

from homeport.store.schema import Tx

Condition = sa.ColumnElement[bool]


@dataclass(frozen=True)
class Key:
    """A column that a list is ordered by. Rows without a value come last, whichever way."""

    column: sa.ColumnElement[Any]
    descends: bool
    may_be_empty: bool = False


@dataclass(frozen=True)
class Start:
    """Where a page begins: after a row with these values of the keys, or at an offset."""

    after: tuple[Any, ...] | None = None
    offset: int = 0


def ids(
    tx: Tx,
    id_column: sa.ColumnElement[Any],
    tables: sa.FromClause,
    branches: Sequence[Sequence[Condition]],
    keys: Sequence[Key],
    start: Start,
    limit: int,
) -> list[tuple[Any, tuple[Any, ...]]]:
    """Ids and key values of the rows of a page, in order. The keys together must be unique."""
    if start.after is not None:
        branches = [[*branch, _after(keys, start.after)] for branch in branches]
    wanted = limit + start.offset
    selects = [
        _ordered(_select(id_column, tables, keys).where(*branch), keys, is_full).limit(wanted)
        for branch, is_full in _split_by_emptiness(branches, keys)
    ]
    if len(selects) == 1:
        rows = tx.execute(selects[0].offset(start.offset).limit(limit)).all()
    else:
        # each is limited on its own: a compound statement takes no ORDER BY inside of it
        merged = sa.union_all(*(sa.select(select.subquery()) for select in selects)).subquery()
        columns = [merged.c[f"key_{number}"] for number in range(len(keys))]
        outer = sa.select(merged).order_by(
            *(
                _by(Key(column, key.descends, key.may_be_empty), False)
                for column, key in zip(columns, keys, strict=True)
            )
        )
        rows = tx.execute(outer.offset(start.offset).limit(limit)).all()
    return [(row[0], tuple(row[1:])) for row in rows]


def count(tx: Tx, tables: sa.FromClause, branches: Sequence[Sequence[Condition]], cap: int) -> int:
    """Rows in all branches, which must not overlap, counted no further than `cap`."""
    total = 0
    for branch in branches:
        limited = sa.select(sa.literal(1)).select_from(tables).where(*branch).limit(cap - total).subquery()
        total += int(tx.execute(sa.select(sa.func.count()).select_from(limited)).scalar_one())
        if total >= cap:
            break
    return total


def _select(id_column: sa.ColumnElement[Any], tables: sa.FromClause, keys: Sequence[Key]) -> sa.Select[Any]:
    values = [key.column.label(f"key_{number}") for number, key in enumerate(keys)]
    return sa.select(id_column.label("id"), *values).select_from(tables)


def _split_by_emptiness(
    branches: Sequence[Sequence[Condition]], keys: Sequence[Key]
) -> list[tuple[list[Condition], bool]]:
    """Rows with and rows without a value of the first key, apart: indexes differ in where the empty ones are."""
    first = keys[0]
    if not first.may_be_empty:
        return [(list(branch), False) for branch in branches]
    full = [([*branch, first.column.is_not(None)], True) for branch in branches]
    return full + [([*branch, first.column.is_(None)], False) for branch in branches]


def _ordered(select: sa.Select[Any], keys: Sequence[Key], first_is_full: bool) -> sa.Select[Any]:
    return select.order_by(*(_by(key, first_is_full and number == 0) for number, key in enumerate(keys)))


def _by(key: Key, is_full: bool) -> sa.ColumnElement[Any]:
    ordered = key.column.desc() if key.descends else key.column.asc()
    return ordered.nulls_last() if key.may_be_empty and not is_full else ordered


def _after(keys: Sequence[Key], values: Sequence[Any]) -> Condition:
    if not any(key.may_be_empty for key in keys) and len({key.descends for key in keys}) == 1:
        # as one comparison of rows, which an index answers
        row = sa.tuple_(*(key.column for key in keys))
        bounds = sa.tuple_(
            *(sa.bindparam(None, value, key.column.type) for key, value in zip(keys, values, strict=True))
        )
        return row < bounds if keys[0].descends else row > bounds
    later: list[Condition] = []
    for number, (key, value) in enumerate(zip(keys, values, strict=True)):
        beyond = _beyond(key, value)
        if beyond is not None:
            same = [_same(k, v) for k, v in zip(keys[:number], values[:number], strict=True)]
            later.append(sa.and_(*same, beyond))
    return sa.or_(sa.false(), *later)


def _same(key: Key, value: Any) -> Condition:
    return key.column.is_(None) if value is None else key.column == value


def _beyond(key: Key, value: Any) -> Condition | None:
    """Rows that this key alone puts after `value`; none when there are none."""
    if value is None:
        return None
    further = key.column < value if key.descends else key.column > value
    return sa.or_(further, key.column.is_(None)) if key.may_be_empty else further
