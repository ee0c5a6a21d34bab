"""Reading a run's log from any line on; the attempts of a run follow one another in it."""

from dataclasses import dataclass
from datetime import datetime
from uuid import UUID

from homeport.contract.log_lines import LogLine
from homeport.store import attempts, log_chunks, runs
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


def read(tx: Tx, run_id: UUID, from_line: int) -> Piece:
    """The lines from `from_line` on, as many as are handed out at once."""
    run = runs.get(tx, run_id)
    # the status is read before the lines: a run that is over writes no more, so an empty rest is the end
    is_over = run is None or run.is_over
    offset = 0
    for attempt in attempts.of_run(tx, run_id):
        if from_line < offset + attempt.next_line:
            lines = _lines_of(tx, attempt, from_line - offset, offset)
            return Piece(lines, from_line + len(lines), is_last=False)
        offset += attempt.next_line
    return Piece([], from_line, is_last=is_over)


def _lines_of(tx: Tx, attempt: attempts.Attempt, from_line: int, offset: int) -> list[LogLine]:
    found = []
    for first, rows in log_chunks.read(tx, attempt.id, from_line, _CHUNKS_AT_ONCE):
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
