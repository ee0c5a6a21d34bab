"""Turns what a process writes into lines, as it writes them.

One thread reads both pipes, so lines are numbered in the order in which they were read. It waits for the spool
only when that is full: then the process that writes is held up, for no line may be lost.

A carriage return starts the line anew, as on a terminal: of a progress bar that redraws itself a hundred
times, the log keeps the state in which the line was ended.

Secrets are taken out of whole blocks of lines before they are anything else, so what was written in several
pieces is found, too.
"""

from __future__ import annotations

import contextlib
import os
import selectors
import threading
from typing import Protocol

from homeport_runner import clocks
from homeport_runner.ahead import STREAMS, Ahead
from homeport_runner.masking import Masking
from homeport_runner.process import Output

LONGEST_LINE = 256 * 1024
_CHUNK = 64 * 1024


class Sink(Protocol):
    @property
    def masking(self) -> Masking: ...

    @property
    def is_full(self) -> bool:
        """Whether it waits for room, and will go on."""
        ...

    def take(self, at: str, io_stream: str, source: str, stage: str, contents: list[str]) -> None: ...


class Pipes(threading.Thread):
    def __init__(self, output: Output, sink: Sink, source: str, stage: str, ahead: Ahead | None = None) -> None:
        """`ahead` is where what was read is kept until the sink has taken it."""
        super().__init__(name="pipes", daemon=True)
        self._sink = sink
        self._ahead = ahead
        self._source = source
        self._stage = stage
        self._wake, self._waker = os.pipe()
        self._selector = selectors.DefaultSelector()
        self._selector.register(self._wake, selectors.EVENT_READ, None)
        self._splitters = {stream: LineSplitter(sink.masking) for stream in STREAMS}
        for stream, descriptor in (("stdout", output.stdout), ("stderr", output.stderr)):
            self._selector.register(descriptor, selectors.EVENT_READ, (stream, self._splitters[stream]))

    def finish(self, patience: float, longest: float = 24 * 3600.0) -> bool:
        """The process has ended: read to the end of the pipes, but do not wait for ever.

        What is left in them is read when the spool has room again. False if somebody out of reach still holds a
        pipe open.
        """
        until = clocks.now() + longest
        self.join(patience)
        while self.is_alive() and self._sink.is_full and clocks.now() < until:
            self.join(patience)
        is_complete = not self.is_alive()
        if not is_complete:
            os.write(self._waker, b"!")
            self.join()
        os.close(self._waker)
        return is_complete

    def run(self) -> None:
        while len(self._selector.get_map()) > 1:
            for key, _ in self._selector.select():
                if key.data is None:
                    self._close_all()
                    return
                self._take(key.fd, *key.data)
        self._close_all()

    def _take(self, descriptor: int, stream: str, splitter: LineSplitter) -> None:
        data = os.read(descriptor, _CHUNK)
        if self._ahead is not None and data:
            begun = {name: other.begun for name, other in self._splitters.items()}
            self._ahead.note(begun, stream, data)
        self._append(stream, splitter.feed(data) if data else splitter.rest())
        if not data:
            self._selector.unregister(descriptor)
            os.close(descriptor)

    def _append(self, stream: str, contents: list[str]) -> None:
        if contents:
            self._sink.take(clocks.timestamp(), stream, self._source, self._stage, contents)

    def _close_all(self) -> None:
        for key in list(self._selector.get_map().values()):
            if key.data is not None:
                stream, splitter = key.data
                self._append(stream, splitter.rest())
            with contextlib.suppress(OSError):
                os.close(key.fd)
        self._selector.close()


class LineSplitter:
    """Bytes in, finished lines out, without secrets."""

    def __init__(self, masking: Masking | None = None, begun: bytes = b"") -> None:
        self._masking = masking or Masking()
        self._partial = bytearray(begun)

    @property
    def begun(self) -> bytes:
        """A line that has not ended yet."""
        return bytes(self._partial)

    def feed(self, data: bytes) -> list[str]:
        end = data.rfind(b"\n")
        lines: list[str] = []
        if end >= 0:
            block = self._masking.data(bytes(self._partial) + data[:end])
            self._partial.clear()
            lines = _lines_of(block)
        self._partial += memoryview(data)[end + 1 :]
        if self._partial.find(b"\r", -len(data)) >= 0:
            self._partial = bytearray(_last_redrawn(bytes(self._partial), keep_return=True))
        return lines + self._cut()

    def rest(self) -> list[str]:
        """A last line that was never ended."""
        if not self._partial:
            return []
        block = self._masking.data(bytes(self._partial))
        self._partial.clear()
        return _lines_of(block)

    def _cut(self) -> list[str]:
        """Take pieces off a line that has become too long to be one.

        A secret may have begun, but not ended, in as many bytes before the end: so many stay.
        """
        if len(self._partial) <= LONGEST_LINE + self._masking.longest:
            return []
        *pieces, rest = _pieces_of(self._masking.data(bytes(self._partial)), self._masking.longest)
        self._partial = bytearray(rest)
        return [_decode(piece) for piece in pieces]


def _lines_of(block: bytes) -> list[str]:
    if len(block) <= LONGEST_LINE and b"\r" not in block:
        return _decode(block).split("\n")
    lines = (_last_redrawn(line) for line in block.split(b"\n"))
    return [_decode(piece) for line in lines for piece in _pieces_of(line)]


def _pieces_of(line: bytes, at_end: int = 0) -> list[bytes]:
    """A line in pieces that are not too long, never cut through a character; the last may have `at_end` more."""
    pieces = []
    while len(line) > LONGEST_LINE + at_end:
        end = LONGEST_LINE
        while end > LONGEST_LINE - 3 and line[end] & 0xC0 == 0x80:
            end -= 1
        pieces.append(line[:end])
        line = line[end:]
    return [*pieces, line]


def _last_redrawn(line: bytes, keep_return: bool = False) -> bytes:
    """What a terminal would show: the text after the last carriage return that text follows."""
    if b"\r" not in line:
        return line
    text = line.rstrip(b"\r")
    shown = text[text.rfind(b"\r") + 1 :]
    return shown + b"\r" if keep_return and len(text) < len(line) else shown


def _decode(line: bytes) -> str:
    # NUL is lawful UTF-8 and still no text: PostgreSQL does not store it.
    return line.decode("utf-8", "replace").replace("\0", "\ufffd")
