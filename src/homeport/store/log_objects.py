"""Where the logs of runs that are over are kept: one compressed object in storage per attempt.

An object consists of frames that can be read one by one. A log is removed in two steps, so that a server that dies
in between finishes it later: the row says that it is removed, by which rule and when; then the object goes, and
with it the row's path. Rows stay.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime

import sqlalchemy as sa

from homeport.store.schema import Json, Moment, Tx, all_of, changed, columns_of, metadata, one_or_none

table = sa.Table(
    "log_objects",
    metadata,
    sa.Column("attempt_id", sa.String(52), sa.ForeignKey("attempts.id"), primary_key=True),
    # of its object; none when that is deleted
    sa.Column("path", sa.String(300)),
    sa.Column("line_count", sa.BigInteger, nullable=False),
    sa.Column("size_bytes", sa.BigInteger, nullable=False),
    sa.Column("frames", Json, nullable=False),
    # when the run was over
    sa.Column("ended_at", Moment, nullable=False),
    sa.Column("stored_at", Moment, nullable=False),
    sa.Column("removed_at", Moment),
    sa.Column("removed_because", sa.Text),
    sa.Index(
        "ix_log_objects_kept",
        "ended_at",
        "attempt_id",
        "size_bytes",
        sqlite_where=sa.text("removed_at IS NULL"),
        postgresql_where=sa.text("removed_at IS NULL"),
    ),
    sa.Index(
        "ix_log_objects_doomed",
        "removed_at",
        sqlite_where=sa.text("removed_at IS NOT NULL AND path IS NOT NULL"),
        postgresql_where=sa.text("removed_at IS NOT NULL AND path IS NOT NULL"),
    ),
)

_is_kept = table.c.removed_at.is_(None)


@dataclass(frozen=True)
class LogObject:
    attempt_id: str
    path: str | None
    line_count: int
    size_bytes: int
    frames: list[list[int]]
    """[number of the first line, offset, length in bytes] of each, in order."""
    ended_at: datetime
    stored_at: datetime
    removed_at: datetime | None = None
    removed_because: str | None = None

    def frame_of(self, line: int) -> tuple[int, int, int, int]:
        """The frame that holds a line: its first line, count of lines, offset and length."""
        end = self.line_count
        for first, offset, length in reversed(self.frames):
            if first <= line:
                return first, end - first, offset, length
            end = first
        raise ValueError(f"no frame of {self.attempt_id} holds line {line}")


_columns = columns_of(LogObject, table)


def get(tx: Tx, attempt_id: str) -> LogObject | None:
    return one_or_none(tx, LogObject, sa.select(*_columns).where(table.c.attempt_id == attempt_id))


def add(tx: Tx, found: LogObject) -> bool:
    """False when another server was faster."""
    try:
        with tx.begin_nested():
            tx.execute(table.insert().values(**found.__dict__))
    except sa.exc.IntegrityError:
        return False
    return True


def ended_before(tx: Tx, moment: datetime, limit: int) -> Sequence[str]:
    """Attempts whose logs are kept and whose runs were over by then, oldest first."""
    query = sa.select(table.c.attempt_id).where(_is_kept, table.c.ended_at < moment)
    return tx.execute(query.order_by(table.c.ended_at, table.c.attempt_id).limit(limit)).scalars().all()


def total_bytes(tx: Tx) -> int:
    """What all logs take that are kept."""
    query = sa.select(sa.func.coalesce(sa.func.sum(table.c.size_bytes), 0)).where(_is_kept)
    return int(tx.execute(query).scalar_one())


def oldest(tx: Tx, limit: int) -> list[tuple[str, int]]:
    """Attempts whose logs are kept, and the bytes of each; those first whose runs were over first."""
    query = sa.select(table.c.attempt_id, table.c.size_bytes).where(_is_kept)
    rows = tx.execute(query.order_by(table.c.ended_at, table.c.attempt_id).limit(limit))
    return [(attempt_id, size) for attempt_id, size in rows]


def remove(tx: Tx, attempt_ids: Sequence[str], because: str, now: datetime) -> bool:
    """From now on nobody reads them."""
    those = table.update().where(table.c.attempt_id.in_(attempt_ids), _is_kept)
    return changed(tx, those.values(removed_at=now, removed_because=because))


def doomed(tx: Tx, limit: int) -> list[LogObject]:
    """Removed ones whose objects may still be there."""
    query = sa.select(*_columns).where(table.c.removed_at.is_not(None), table.c.path.is_not(None))
    return all_of(tx, LogObject, query.limit(limit))


def forget_path(tx: Tx, attempt_id: str) -> None:
    """The object is deleted. Its frames are of no use any more."""
    tx.execute(table.update().where(table.c.attempt_id == attempt_id).values(path=None, frames=[]))
