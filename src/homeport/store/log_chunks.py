"""The lines of an attempt's log while they come in, one row per batch that its runner sent; until they are moved
to the object storage (`log_objects.py`).

A chunk is compressed rows of JSON (`logs/rows.py`), numbered by its first line, so a tail from line n reads
only what it needs.
"""

import zlib
from collections.abc import Iterator

import sqlalchemy as sa

from homeport.store.schema import Tx, metadata

table = sa.Table(
    "log_chunks",
    metadata,
    sa.Column("attempt_id", sa.String(52), sa.ForeignKey("attempts.id"), primary_key=True),
    sa.Column("first_line", sa.BigInteger, primary_key=True, autoincrement=False),
    sa.Column("line_count", sa.Integer, nullable=False),
    sa.Column("lines", sa.LargeBinary, nullable=False),
)


def pack(rows: bytes) -> bytes:
    """Lines, as JSON, as they are kept."""
    return zlib.compress(rows, 1)


def add(tx: Tx, attempt_id: str, first_line: int, line_count: int, packed: bytes) -> None:
    tx.execute(
        table.insert().values(attempt_id=attempt_id, first_line=first_line, line_count=line_count, lines=packed)
    )


def next_attempt(tx: Tx, after: str) -> str | None:
    """The first attempt that has lines here, behind another in the order of ids; a step through the key each."""
    query = sa.select(sa.func.min(table.c.attempt_id)).where(table.c.attempt_id > after)
    found: str | None = tx.execute(query).scalar_one()
    return found


def packed(tx: Tx, attempt_id: str, from_line: int, max_chunks: int) -> list[tuple[int, int, bytes]]:
    """Chunks from a line on as they are kept: (number of the first line, count of lines, compressed lines)."""
    query = (
        sa.select(table.c.first_line, table.c.line_count, table.c.lines)
        .where(table.c.attempt_id == attempt_id, table.c.first_line >= from_line)
        .order_by(table.c.first_line)
        .limit(max_chunks)
    )
    return [(first, count, lines) for first, count, lines in tx.execute(query)]


def delete(tx: Tx, attempt_id: str) -> None:
    tx.execute(table.delete().where(table.c.attempt_id == attempt_id))


def read(tx: Tx, attempt_id: str, from_line: int, max_chunks: int) -> Iterator[tuple[int, int, bytes]]:
    """Chunks that hold line `from_line` and what follows: (number of the first line, count of lines, lines)."""
    query = (
        sa.select(table.c.first_line, table.c.line_count, table.c.lines)
        .where(table.c.attempt_id == attempt_id, table.c.first_line + table.c.line_count > from_line)
        .order_by(table.c.first_line)
        .limit(max_chunks)
    )
    for first, count, packed in tx.execute(query):
        yield first, count, zlib.decompress(packed)
