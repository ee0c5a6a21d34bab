"""The log of an attempt on disk, numbered from 0, until the server has it.

Readers of pipes append, the uplink reads from any number. A run is never held up by a slow or absent
server: what it writes goes to files of some megabytes each, which disappear once the server has them all.
"""

from __future__ import annotations

import contextlib
import json
import os
import threading
from collections.abc import Iterable
from pathlib import Path
from typing import NamedTuple

from homeport_runner import clocks

SEGMENT_BYTES = 16 * 1024 * 1024
# A run that writes while the server is away must not fill the disk of everybody else.
LIMIT_BYTES = 4 * 1024 * 1024 * 1024


class Line(NamedTuple):
    at: str
    io_stream: str
    source: str
    stage: str
    content: str


class Spool:
    def __init__(self, folder: Path, limit: int = LIMIT_BYTES, segment_bytes: int = SEGMENT_BYTES) -> None:
        self._folder = folder
        self._limit = limit
        self._segment_bytes = segment_bytes
        self._changed = threading.Condition()
        self._segments = [_Segment(folder, 0)]
        self._replaced: dict[int, bytes] = {}
        self._dropped = 0
        self._nudged = False

    @property
    def total(self) -> int:
        """How many lines there are; the number of the next one."""
        return self._segments[-1].end

    def append(self, lines: Iterable[Line]) -> None:
        rows = [json.dumps(line, ensure_ascii=False).encode("utf-8", "replace") + b"\n" for line in lines]
        if not rows:
            return
        with self._changed:
            self._append(rows)
            self._changed.notify_all()

    def remark(self, content: str, stage: str, source: str = "runner") -> None:
        """A line of the runner's own."""
        self.append([Line(clocks.timestamp(), "other", source, stage, content)])

    def _append(self, rows: list[bytes]) -> None:
        if sum(segment.size for segment in self._segments) >= self._limit:
            self._dropped += len(rows)
            return
        if self._dropped:
            rows = [*_gap(self._dropped), *rows]
        if self._segments[-1].size >= self._segment_bytes:
            with contextlib.suppress(OSError):  # no room for another file: go on with this one
                self._segments.append(_Segment(self._folder, self.total))
        if self._segments[-1].append(rows):
            self._dropped = 0
        else:  # the disk is full
            self._dropped += len(rows) - (1 if self._dropped else 0)

    def close(self) -> None:
        """Nothing more will be appended: say what had to be left out."""
        with self._changed:
            if self._dropped and self._segments[-1].append(_gap(self._dropped)):
                self._dropped = 0
            self._changed.notify_all()

    def wait_for_more(self, than: int, timeout: float | None) -> None:
        """Until there are more lines than that, or `nudge`, or time is up."""
        with self._changed:
            self._changed.wait_for(lambda: self._nudged or self.total > than, timeout)
            self._nudged = False

    def nudge(self) -> None:
        """Wake who waits, for another reason than a line."""
        with self._changed:
            self._nudged = True
            self._changed.notify_all()

    def read(self, first: int, count: int, size: int) -> list[bytes]:
        """Encoded lines from number `first` on: at least one, if there is one; at most `count`."""
        with self._changed:
            if first >= self.total:
                return []
            if first < self._segments[0].first:
                # The server had these lines and lost them (a backup was restored, say).
                missing = min(count, self._segments[0].first - first)
                return [_row("(this line was delivered once and is no longer here)")] * missing
            segment = next(s for s in reversed(self._segments) if s.first <= first)
            rows = segment.read(first, count, size)
            return [self._replaced.get(first + n, row) for n, row in enumerate(rows)] if self._replaced else rows

    def replace(self, number: int, content: str) -> bool:
        """Read `content` in the place of a line from now on; False if it had been replaced before."""
        with self._changed:
            is_new = number not in self._replaced
            self._replaced[number] = _row(content)
            return is_new

    def forget_before(self, number: int) -> None:
        """The server has all lines below `number`.

        One finished segment stays: a server that crashed may come back without its last moments.
        """
        with self._changed:
            while len(self._segments) > 2 and self._segments[1].end <= number:
                self._segments.pop(0).remove()


class _Segment:
    """One file of encoded lines, one a line."""

    def __init__(self, folder: Path, first: int) -> None:
        self.first = first
        self.end = first
        self.size = 0
        self._path = folder / (f"lines-{first}")
        self._file = os.open(self._path, os.O_RDWR | os.O_CREAT | os.O_TRUNC, 0o600)
        # Where the last read ended: the next one nearly always goes on from there.
        self._cursor = (first, 0)

    def append(self, rows: list[bytes]) -> bool:
        """Write all of the rows or none; False if the disk does not take them."""
        data = memoryview(b"".join(rows))
        written = 0
        try:
            while written < len(data):
                written += os.pwrite(self._file, data[written:], self.size + written)
        except OSError:
            with contextlib.suppress(OSError):
                os.ftruncate(self._file, self.size)
            return False
        self.size += len(data)
        self.end += len(rows)
        return True

    def read(self, first: int, count: int, size: int) -> list[bytes]:
        number, offset = self._cursor if self._cursor[0] <= first else (self.first, 0)
        while number < first:
            skipped = self._rows_at(offset, first - number, size)
            number += len(skipped)
            offset += sum(map(len, skipped)) + len(skipped)
        rows = self._rows_at(offset, count, size)
        self._cursor = (number + len(rows), offset + sum(map(len, rows)) + len(rows))
        return rows

    def _rows_at(self, offset: int, count: int, size: int) -> list[bytes]:
        while True:
            data = os.pread(self._file, min(size, self.size - offset), offset)
            end = data.rfind(b"\n")
            if end >= 0:
                return data[:end].split(b"\n", count)[:count]
            if len(data) >= self.size - offset:
                return []
            size *= 4  # one line alone is longer

    def remove(self) -> None:
        os.close(self._file)
        with contextlib.suppress(OSError):
            os.unlink(self._path)


def _row(content: str) -> bytes:
    return json.dumps(Line(clocks.timestamp(), "other", "runner", "run", content)).encode()


def _gap(dropped: int) -> list[bytes]:
    what = f"{dropped} lines are missing here: the server was away and there was no room to keep them"
    return [_row(what) + b"\n"]
