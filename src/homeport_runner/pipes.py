"""Turns what a process writes into lines, as it writes them.

One thread reads both pipes, so lines are numbered in the order in which they were read. It never waits
for anything but the disk: a process that writes must not be held up by the network.

A carriage return starts the line anew, as on a terminal: of a progress bar that redraws itself a hundred
times, the log keeps the state in which the line was ended.
"""

from __future__ import annotations

import contextlib
import os
import selectors
import threading
from collections.abc import Iterable
from typing import Protocol

from homeport_runner import clocks
from homeport_runner.process import Output
from homeport_runner.spool import Line

LONGEST_LINE = 256 * 1024
_CHUNK = 64 * 1024


class Sink(Protocol):
    def append(self, lines: Iterable[Line]) -> None: ...


class Pipes(threading.Thread):
    def __init__(self, output: Output, sink: Sink, source: str, stage: str) -> None:
        super().__init__(name="pipes", daemon=True)
        self._sink = sink
        self._source = source
        self._stage = stage
        self._wake, self._waker = os.pipe()
        self._selector = selectors.DefaultSelector()
        self._selector.register(self._wake, selectors.EVENT_READ, None)
        for stream, descriptor in (("stdout", output.stdout), ("stderr", output.stderr)):
            self._selector.register(descriptor, selectors.EVENT_READ, (stream, LineSplitter()))

    def finish(self, patience: float) -> bool:
        """The process has ended: read to the end of the pipes, but do not wait for ever.

        False if somebody out of reach still holds a pipe open.
        """
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
        self._append(stream, splitter.feed(data) if data else splitter.rest())
        if not data:
            self._selector.unregister(descriptor)
            os.close(descriptor)

    def _append(self, stream: str, contents: list[str]) -> None:
        at = clocks.timestamp()
        self._sink.append([Line(at, stream, self._source, self._stage, content) for content in contents])

    def _close_all(self) -> None:
        for key in list(self._selector.get_map().values()):
            if key.data is not None:
                stream, splitter = key.data
                self._append(stream, splitter.rest())
            with contextlib.suppress(OSError):
                os.close(key.fd)
        self._selector.close()


class LineSplitter:
    """Bytes in, finished lines out."""

    def __init__(self) -> None:
        self._partial = bytearray()

    def feed(self, data: bytes) -> list[str]:
        *ended, partial = data.split(b"\n")
        lines: list[str] = []
        for piece in ended:
            self._partial += piece
            lines += self._cut()
            lines.append(_decode(_last_redrawn(bytes(self._partial))))
            self._partial.clear()
        self._partial += partial
        if b"\r" in partial:
            self._partial = bytearray(_last_redrawn(bytes(self._partial), keep_return=True))
        return lines + self._cut()

    def rest(self) -> list[str]:
        """A last line that was never ended."""
        if not self._partial:
            return []
        line = _decode(_last_redrawn(bytes(self._partial)))
        self._partial.clear()
        return [line]

    def _cut(self) -> list[str]:
        """Take pieces off a line that has become too long to be one, never through a character."""
        pieces: list[str] = []
        while len(self._partial) > LONGEST_LINE:
            end = LONGEST_LINE
            while end > LONGEST_LINE - 3 and self._partial[end] & 0xC0 == 0x80:
                end -= 1
            pieces.append(_decode(bytes(self._partial[:end])))
            del self._partial[:end]
        return pieces


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
