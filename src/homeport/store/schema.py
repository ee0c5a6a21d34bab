"""What all tables share: the metadata, column types and how a row becomes a dataclass."""

from collections.abc import Callable, Mapping, Sequence
from datetime import UTC, datetime
from typing import Any, TypeVar

import sqlalchemy as sa
from sqlalchemy.dialects import postgresql

metadata = sa.MetaData(
    naming_convention={
        "ix": "ix_%(table_name)s_%(column_0_N_name)s",
        "uq": "uq_%(table_name)s_%(column_0_N_name)s",
        "ck": "ck_%(table_name)s_%(constraint_name)s",
        "fk": "fk_%(table_name)s_%(column_0_N_name)s",
        "pk": "pk_%(table_name)s",
    }
)

Tx = sa.Connection
"""An open transaction. Queries take one, so they compose; `Database` opens and ends them."""


class Moment(sa.TypeDecorator[datetime]):
    """An aware UTC datetime with microseconds; SQLite keeps it as sortable text."""

    impl = sa.DateTime(timezone=True)
    cache_ok = True

    def process_bind_param(self, value: datetime | None, dialect: sa.Dialect) -> datetime | None:
        if value is None:
            return None
        if value.tzinfo is None:
            raise ValueError(f"a moment without time zone reached the store: {value!r}")
        value = value.astimezone(UTC)
        return value.replace(tzinfo=None) if dialect.name == "sqlite" else value

    def process_result_value(self, value: datetime | None, dialect: sa.Dialect) -> datetime | None:
        if value is None:
            return None
        return value.replace(tzinfo=UTC) if value.tzinfo is None else value.astimezone(UTC)

    def result_processor(self, dialect: sa.Dialect, coltype: object) -> Callable[[Any], datetime | None] | None:
        """A list reads a thousand moments and more: on SQLite, one call of the standard library for each."""
        if dialect.name != "sqlite":
            return super().result_processor(dialect, coltype)
        read = datetime.fromisoformat
        return lambda text: None if text is None else read(text + "+00:00")


Json = sa.JSON().with_variant(postgresql.JSONB(), "postgresql")

Record = TypeVar("Record")


def _fields(record: type[Any]) -> tuple[str, ...]:
    # not dataclasses.fields, which makes the list anew for every row
    fields: tuple[str, ...] = record.__match_args__
    return fields


def columns_of(record: type[Any], table: sa.FromClause) -> list[sa.ColumnElement[Any]]:
    """The columns that a record's fields are named after."""
    return [table.c[name] for name in _fields(record)]


def as_record(record: type[Record], row: sa.Row[Any]) -> Record:
    """One row as its dataclass, by name."""
    mapping = row._mapping
    return record(**{name: mapping[name] for name in _fields(record)})


# What is asked for every run, or again and again while nothing happens, is a constant with `bindparam`s, made
# once: putting a query together costs ten times as much as asking it.


def one_or_none(tx: Tx, record: type[Record], query: sa.Select[Any], **values: Any) -> Record | None:
    row = tx.execute(query, values).one_or_none()
    return None if row is None else as_record(record, row)


def all_of(tx: Tx, record: type[Record], query: sa.Select[Any], **values: Any) -> list[Record]:
    # all() takes the rows from the driver in one call, not in one for each
    return [record(*row) for row in tx.execute(query, values).columns(*_fields(record)).all()]


def changed(tx: Tx, statement: sa.Update | sa.Delete) -> bool:
    """Whether a guarded statement found its row where we thought it was."""
    return tx.execute(statement).rowcount > 0


def changed_each(tx: Tx, statement: sa.Update, rows: Sequence[Mapping[str, Any]]) -> bool:
    """Whether a guarded statement, which names one row, found each of these where we thought it was."""
    return not rows or tx.execute(statement, rows).rowcount == len(rows)


def count_up_to(tx: Tx, query: sa.Select[Any], cap: int) -> int:
    """Rows that `query` would give, counted no further than `cap`."""
    limited = query.with_only_columns(sa.literal(1)).order_by(None).limit(cap).subquery()
    return int(tx.execute(sa.select(sa.func.count()).select_from(limited)).scalar_one())
