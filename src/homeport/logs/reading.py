"""Reading a run's log from any line on; the attempts of a run follow one another in it.

Lines are in the database while the run is on, and in the object storage soon after its end; which of the two is
nobody else's business. Of a log that was removed there is one line, which says so.
"""

import zlib
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import datetime
from functools import cached_property
from uuid import UUID

from homeport.contract.log_lines import LogLine
from homeport.errors import Unavailable
from homeport.logs import rows
from homeport.store import attempts, log_chunks, log_objects, runs
from homeport.store.blobs import Blobs
from homeport.store.database import Database
from homeport.store.log_objects import LogObject
from homeport.store.schema import Tx

_CHUNKS_AT_ONCE = 20
_LINES_AT_ONCE = 5_000
"""Or a few more: what chunks hold is not cut up."""


@dataclass(frozen=True)
class Piece:
    """Some lines of a log, in order."""

    first_line: int
    rows: Sequence[str]
    next_line: int
    """Where to read on."""
    is_last: bool = False
    """The run is over and nothing follows."""

    @cached_property
    def lines(self) -> list[LogLine]:
        return [rows.line_of(row, number) for number, row in enumerate(self.rows, self.first_line)]

    def as_json(self) -> list[str]:
        """Every line as `LogLine` writes itself."""
        return [rows.json_of(row, number) for number, row in enumerate(self.rows, self.first_line)]


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
    return Piece(from_line, [], from_line, is_last=is_over)


def _find_in(tx: Tx, attempt: attempts.Attempt, from_line: int, offset: int) -> Piece | _Stored:
    # first the database: its lines are gone from there only when the object is known
    found = _rows_from(from_line, log_chunks.read(tx, attempt.id, from_line, _CHUNKS_AT_ONCE))
    if found:
        return Piece(offset + from_line, found, offset + from_line + len(found))
    kept = log_objects.get(tx, attempt.id)
    end = offset + attempt.next_line
    if kept is None or from_line >= kept.line_count:
        words = "Homeport: lines are missing here; they are no longer in the database."
        return _remark(words, attempt.created_at, offset + from_line, end)
    if kept.removed_at is not None:
        when = f"{kept.removed_at:%Y-%m-%d %H:%M} UTC"
        words = f"Homeport: this log of {kept.line_count} lines was removed on {when}: {kept.removed_because}."
        return _remark(words, kept.removed_at, offset + from_line, end)
    return _Stored(kept, from_line, offset, end)


def _opened(blobs: Blobs, found: _Stored) -> Piece:
    """One frame of a stored log."""
    first, count, start, length = found.kept.frame_of(found.from_line)
    assert found.kept.path is not None
    kept = zlib.decompress(blobs.get_log(found.kept.path, start, length))
    here = found.offset + found.from_line
    rest = rows.split(kept, count)[found.from_line - first :]
    return Piece(here, rest, here + len(rest))


def _remark(words: str, at: datetime, line: int, next_line: int) -> Piece:
    """One line in the place of all that follow in an attempt."""
    kept = rows.join([(at, "other", "setup", "run", words)])
    return Piece(line, rows.split(kept, 1), next_line)


def _rows_from(line: int, chunks: Iterable[tuple[int, int, bytes]]) -> list[str]:
    """The rows from a line on, of as many chunks as it takes; none if the line is not among them."""
    found: list[str] = []
    for first, count, kept in chunks:
        if first > line + len(found):
            break
        found += rows.split(kept, count)[line + len(found) - first :]
        if len(found) >= _LINES_AT_ONCE:
            break
    return found
