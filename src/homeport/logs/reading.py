"""Reading a run's log from any line on; the attempts of a run follow one another in it.

Lines are in the database while the run is on, and in the object storage soon after its end; which of the two is
nobody else's business. Of a log that was removed there is one line, which says so.
"""

import json
import zlib
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any
from uuid import UUID

from homeport.contract.log_lines import LogLine
from homeport.errors import Unavailable
from homeport.store import attempts, log_chunks, log_objects, runs
from homeport.store.blobs import Blobs
from homeport.store.database import Database
from homeport.store.log_objects import LogObject
from homeport.store.schema import Tx

_CHUNKS_AT_ONCE = 20


@dataclass(frozen=True)
class Piece:
    """Some lines of a log, in order."""

    lines: list[LogLine]
    next_line: int
    """Where to read on."""
    is_last: bool
    """The run is over and nothing follows."""


@dataclass(frozen=True)
class _Stored:
    """Lines of an attempt that are in the object storage, from number `from_line` of the attempt on."""

    kept: LogObject
    from_line: int
    offset: int
    """Lines of earlier attempts."""
    next_line: int
    """Where the log goes on behind this attempt."""


def read(database: Database, blobs: Blobs, run_id: UUID, from_line: int) -> Piece:
    """The lines from `from_line` on, as many as are handed out at once."""
    found = _find(database, run_id, from_line)
    if isinstance(found, Piece):
        return found
    try:
        return _opened(blobs, found)
    except Unavailable:
        # it may have been removed since the look
        found = _find(database, run_id, from_line)
        if isinstance(found, Piece):
            return found
        raise


def _find(database: Database, run_id: UUID, from_line: int) -> Piece | _Stored:
    with database.read() as tx:
        run = runs.get(tx, run_id)
        # the status is read before the lines: a run that is over writes no more, so an empty rest is the end
        is_over = run is None or run.is_over
        offset = 0
        for attempt in attempts.of_run(tx, run_id):
            if from_line < offset + attempt.next_line:
                return _find_in(tx, attempt, from_line - offset, offset)
            offset += attempt.next_line
    return Piece([], from_line, is_last=is_over)


def _find_in(tx: Tx, attempt: attempts.Attempt, from_line: int, offset: int) -> Piece | _Stored:
    # first the database: its lines are gone from there only when the object is known
    lines = _numbered(log_chunks.read(tx, attempt.id, from_line, _CHUNKS_AT_ONCE), from_line, offset)
    if lines and lines[0].line_num == offset + from_line:
        return Piece(lines, offset + from_line + len(lines), is_last=False)
    kept = log_objects.get(tx, attempt.id)
    end = offset + attempt.next_line
    if kept is None or from_line >= kept.line_count:
        return _remark(
            "Lines are missing here: they are no longer in the database.",
            attempt.created_at,
            from_line,
            offset,
            end,
        )
    if kept.removed_at is not None:
        when = f"{kept.removed_at:%Y-%m-%d %H:%M} UTC"
        words = f"Homeport: this log of {kept.line_count} lines was removed on {when}: {kept.removed_because}."
        return _remark(words, kept.removed_at, from_line, offset, end)
    return _Stored(kept, from_line, offset, end)


def _opened(blobs: Blobs, found: _Stored) -> Piece:
    """One frame of a stored log."""
    first, start, length = found.kept.frame_of(found.from_line)
    assert found.kept.path is not None
    rows = json.loads(zlib.decompress(blobs.get_log(found.kept.path, start, length)))
    lines = _numbered([(first, rows)], found.from_line, found.offset)
    return Piece(lines, found.offset + found.from_line + len(lines), is_last=False)


def _remark(words: str, at: datetime, from_line: int, offset: int, next_line: int) -> Piece:
    """One line in the place of all that follow in an attempt."""
    line = LogLine(
        line_num=offset + from_line,
        reported_at=at,
        io_stream="other",
        source="setup",
        stage="run",
        content=words,
    )
    return Piece([line], next_line, is_last=False)


def _numbered(chunks: Iterable[tuple[int, Sequence[Sequence[Any]]]], from_line: int, offset: int) -> list[LogLine]:
    found = []
    for first, rows in chunks:
        for number, (at, io_stream, source, stage, content) in enumerate(rows, first):
            if number >= from_line:
                found.append(
                    LogLine(
                        line_num=offset + number,
                        reported_at=datetime.fromisoformat(at),
                        io_stream=io_stream,
                        source=source,
                        stage=stage,
                        content=content,
                    )
                )
    return found
