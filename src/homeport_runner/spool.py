"""The log of an attempt on disk, numbered from 0, until the server has it.

Readers of pipes put in, the uplink reads from any number. What a run writes goes to files of some megabytes each,
which disappear once the server has them all.

No line is lost: when the server was away for so long that the spool is full, whoever puts in waits, and so in the
end the run does, until there is room. When the disk is full, a few megabytes of memory take the place of a file.
What is left out is only what a run prints beyond the limit of its log, and the last lines say so.
"""

from __future__ import annotations

import contextlib
import json
import os
import threading
from collections.abc import Iterable, Iterator
from json.encoder import encode_basestring
from pathlib import Path
from typing import NamedTuple

from homeport_runner import clocks
from homeport_runner.masking import Masking

SEGMENT_BYTES = 16 * 1024 * 1024
# A run that writes while the server is away must not fill the disk of everybody else.
ROOM_BYTES = 1024 * 1024 * 1024
MEMORY_BYTES = 4 * 1024 * 1024


class Line(NamedTuple):
    at: str
    io_stream: str
    source: str
    stage: str
    content: str


class Spool:
    def __init__(
        self,
        folder: Path,
        room: int = ROOM_BYTES,
        segment_bytes: int = SEGMENT_BYTES,
        log_limit: int | None = None,
        masking: Masking | None = None,
    ) -> None:
        self.masking = masking or Masking()
        """Of what goes in. Whoever takes lines from pipes has masked them already."""
        self.is_full = False
        """Whether somebody waits for room."""
        self._folder = folder
        self._room = room
        self._segment_bytes = segment_bytes
        self._limit = log_limit
        self._changed = threading.Condition()
        self._segments: list[_Segment] = []
        self._segments = [self._new_segment(0)]
        self._replaced: dict[int, bytes] = {}
        self._taken_bytes = 0
        self._left_out = 0
        self._delivered = 0
        self._nudged = False

    @property
    def total(self) -> int:
        """How many lines there are; the number of the next one."""
        return self._segments[-1].end

    def append(self, lines: Iterable[Line]) -> None:
        """Lines one by one."""
        for line in lines:
            self.take(line.at, line.io_stream, line.source, line.stage, [line.content])

    def take(self, at: str, io_stream: str, source: str, stage: str, contents: list[str]) -> None:
        """Lines that were read at the same moment; waits for room if need be."""
        rows = [row + b"\n" for row in rows_of(at, io_stream, source, stage, contents)]
        with self._changed:
            rows = self._within_limit(rows)
            self._wait_for_room()
            self._write(rows)

    def remark(self, content: str, stage: str, source: str = "runner") -> None:
        """A line of the runner's own. It has no limit and waits for nothing: nothing waits for room with it."""
        row = _row(self.masking.text(content), stage, source)
        with self._changed:
            self._write([row + b"\n"])

    def _within_limit(self, rows: list[bytes]) -> list[bytes]:
        """Those that the log still has room for. The first that is left out is told of at once."""
        if self._limit is None:
            return rows
        kept = 0
        while kept < len(rows) and self._taken_bytes < self._limit:
            self._taken_bytes += len(rows[kept])
            kept += 1
        if kept == len(rows):
            return rows
        notice = [] if self._left_out else [self._notice("What follows is not kept.")]
        self._left_out += len(rows) - kept
        return rows[:kept] + notice

    def _notice(self, what: str) -> bytes:
        limit = f"The log has reached its limit of {self._limit} bytes (HOMEPORT_LOG_LIMIT_BYTES of the server)."
        return _row(f"{limit} {what}", source="setup") + b"\n"

    def _wait_for_room(self) -> None:
        while not self._has_room():
            self.is_full = True
            self._changed.wait()
        self.is_full = False

    def _has_room(self) -> bool:
        if self._is_within_room():
            return True
        self._drop_delivered(kept=0)
        return self._is_within_room()

    def _is_within_room(self) -> bool:
        in_memory = sum(segment.size for segment in self._segments if segment.is_in_memory)
        return in_memory < MEMORY_BYTES and sum(segment.size for segment in self._segments) < self._room

    def _write(self, rows: list[bytes]) -> None:
        if not rows:
            return
        last = self._segments[-1]
        if last.is_in_memory or last.size >= self._segment_bytes:
            fresh = self._new_segment(self.total)
            if fresh.append(rows):
                self._segments.append(fresh)
            else:
                fresh.remove()
                self._keep_in_memory(rows)
        elif not last.append(rows):
            self._keep_in_memory(rows)
        self._changed.notify_all()

    def _new_segment(self, first: int) -> _Segment:
        try:
            return _Segment(self._folder, first)
        except OSError:  # the disk is full
            return _InMemory(first)

    def _keep_in_memory(self, rows: list[bytes]) -> None:
        if not self._segments[-1].is_in_memory:
            self._segments.append(_InMemory(self.total))
        self._segments[-1].append(rows)

    def close(self) -> None:
        """Nothing more will be put in: say what had to be left out."""
        with self._changed:
            if self._left_out:
                self._write([self._notice(f"{self._left_out} lines were not kept.")])
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

    def last(self, count: int) -> Iterator[bytes]:
        """The latest encoded lines, as far as they are still here."""
        first = max(0, self.total - count)
        while rows := self.read(first, count, 64 * 1024):
            yield from rows
            first += len(rows)

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
            self._delivered = number
            self._drop_delivered(kept=1)
            if self.is_full:
                self._changed.notify_all()

    def _drop_delivered(self, kept: int) -> None:
        """Let go of finished segments that the server has, but for the latest."""
        while len(self._segments) > 1 + kept and self._segments[kept].end <= self._delivered:
            self._segments.pop(0).remove()
        last = self._segments[-1]
        if kept == 0 and last.size > 0 and last.end <= self._delivered:
            self._segments = [self._new_segment(last.end)]
            last.remove()


class _Segment:
    """One file of encoded lines, one a line."""

    is_in_memory = False

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


class _InMemory(_Segment):
    """Takes the place of a file while the disk is full."""

    is_in_memory = True

    def __init__(self, first: int) -> None:
        self.first = self.end = first
        self.size = 0
        self._rows: list[bytes] = []

    def append(self, rows: list[bytes]) -> bool:
        self._rows += (row[:-1] for row in rows)
        self.size += sum(map(len, rows))
        self.end += len(rows)
        return True

    def read(self, first: int, count: int, size: int) -> list[bytes]:
        found = self._rows[first - self.first :][:count]
        while len(found) > 1 and sum(map(len, found)) > size:
            found = found[: len(found) // 2]
        return found

    def remove(self) -> None:
        self._rows.clear()


def rows_of(at: str, io_stream: str, source: str, stage: str, contents: Iterable[str]) -> list[bytes]:
    """Lines that were read at the same moment, encoded."""
    begin = json.dumps([at, io_stream, source, stage])[:-1] + ", "
    return [f"{begin}{encode_basestring(content)}]".encode("utf-8", "replace") for content in contents]


def _row(content: str, stage: str = "run", source: str = "runner") -> bytes:
    return json.dumps(Line(clocks.timestamp(), "other", source, stage, content)).encode()
