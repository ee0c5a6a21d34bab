"""Taking in the lines that runners send: numbered, without gap, each kept once."""

from collections.abc import Callable, Sequence
from datetime import datetime
from uuid import UUID

from homeport.contract.line_blocks import LINES, LineBlock
from homeport.contract.runner_protocol import WireLine
from homeport.logs import rows
from homeport.store import attempts, log_chunks, runs
from homeport.store.schema import Tx


def append(tx: Tx, attempt: attempts.Attempt, first: int, lines: Sequence[WireLine]) -> int:
    """Keep lines numbered from `first`; the answer is the number wanted next.

    A runner that missed an answer sends lines again: what is here already is left out. Lines that would leave a
    gap are not taken; the runner sends from the wanted number on.
    """
    wanted = attempt.next_line
    fresh = list(lines[wanted - first :]) if first <= wanted else []
    return _add(tx, attempt, len(fresh), lambda: log_chunks.pack(rows.join(fresh)))


def append_block(tx: Tx, attempt: attempts.Attempt, block: LineBlock, packed: bytes) -> int:
    """The same with lines that were not taken apart, and are packed already."""
    if block.first == attempt.next_line:
        return _add(tx, attempt, block.count, lambda: packed)
    return append(tx, attempt, block.first, LINES.validate_json(block.rows))


def _add(tx: Tx, attempt: attempts.Attempt, count: int, pack: Callable[[], bytes]) -> int:
    wanted = attempt.next_line
    if not count:
        return wanted
    if not attempts.advance_lines(tx, attempt.id, wanted, wanted + count):
        # the same runner's earlier request was slow and came in between: it counts, this one is sent again
        latest = attempts.get(tx, attempt.id)
        return wanted if latest is None else latest.next_line
    log_chunks.add(tx, attempt.id, wanted, count, pack())
    return wanted + count


def add_ending(tx: Tx, run: runs.Run, reason: str | None, next_attempt: str | None, now: datetime) -> None:
    """What a log ends with, or an attempt's part of it, when another attempt follows."""
    words = "; ".join(part for part in (reason, next_attempt) if part)
    add_remark(tx, run.id, f"Homeport: {words}", now)


def add_remark(tx: Tx, run_id: UUID, text: str, now: datetime) -> None:
    """A last line of ours at the end of a log whose runner can write no more."""
    found = attempts.of_run(tx, run_id)
    if found:
        append(tx, found[-1], found[-1].next_line, [(now, "stderr", "setup", "run", text)])
