"""What a runner that was killed has left of a log on its disk (`homeport_runner/spool.py`, `ahead.py`).

Files of rows, each named after the number of its first; then what it had read and not made lines of, and what it
had not read any more.
"""

from collections.abc import Iterator
from contextlib import suppress
from itertools import islice
from pathlib import Path

from homeport_runner import ahead
from homeport_runner.masking import Masking
from homeport_runner.pipes import LineSplitter
from homeport_runner.spool import rows_of

_PREFIX = "lines-"
_LONGEST_ROW = 4 * 1024 * 1024
"""What is longer was not written by a runner."""
_AT_ONCE = 10_000


def read(spool: Path, first: int, count: int, masking: Masking | None = None) -> list[bytes]:
    """At most so many rows from a number on; one that was being written when the runner died is none.

    With `masking`, what the runner had not made lines of follows, without secrets.
    """
    rows = _kept(spool, first, count)
    if len(rows) < count and masking is not None:
        total = _total(spool)
        if first + len(rows) >= total:
            rest = islice(_unread(spool, masking), first + len(rows) - total, first - total + count)
            rows += rest
    return rows


def _kept(spool: Path, first: int, count: int) -> list[bytes]:
    with suppress(OSError, ValueError):
        begin = max(number for number in _begins(spool) if number <= first)
        with (spool / f"{_PREFIX}{begin}").open("rb") as file:
            rows = list(islice(file, first - begin, first - begin + count))
        return [row[:-1] for row in rows if row.endswith(b"\n") and len(row) <= _LONGEST_ROW]
    return []


def _begins(spool: Path) -> list[int]:
    return sorted(int(file.name.removeprefix(_PREFIX)) for file in spool.glob(_PREFIX + "*"))


def _total(spool: Path) -> int:
    with suppress(OSError, ValueError, IndexError):
        last = _begins(spool)[-1]
        with (spool / f"{_PREFIX}{last}").open("rb") as file:
            return last + sum(row.endswith(b"\n") for row in file)
    return 0


def _unread(spool: Path, masking: Masking) -> Iterator[bytes]:
    noted = ahead.load(spool)
    at = ahead.saved_at(spool)
    streams = list(ahead.STREAMS)
    if noted is not None:
        streams.sort(key=lambda stream: stream != noted.stream)
    for stream in streams:
        splitter = LineSplitter(masking, b"" if noted is None else noted.begun[stream])
        lines = splitter.feed(noted.data) if noted is not None and noted.stream == stream else []
        lines += splitter.feed(ahead.load_rest(spool, stream)) + splitter.rest()
        # some of them, or all, may have become rows before the end
        known = 0 if noted is None else _count(spool, noted.first, stream)
        yield from rows_of(at, stream, "user", "run", lines[known:])


def _count(spool: Path, first: int, stream: str) -> int:
    """Rows of the run's own in a stream, from a number on."""
    oldest = min(_begins(spool), default=first)
    found = max(0, oldest - first)  # files that the server has all lines of are removed when room is short
    first = max(first, oldest)
    while rows := _kept(spool, first, _AT_ONCE):
        first += len(rows)
        found += sum(row.split(b'", "', 4)[1:4] == [stream.encode(), b"user", b"run"] for row in rows)
    return found
