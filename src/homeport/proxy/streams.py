"""A connection as a stream of bytes, taken over from whoever had it before.

asyncio's own streams would do, but copy every byte twice on its way in.
"""

import asyncio
from collections import deque

_ENOUGH = 512 * 1024
"""Bytes that wait to be read; from here on, the other side waits."""


class Gone(Exception):
    """The other side has hung up."""


class Stream(asyncio.Protocol):
    """Writing waits while the other side does not read, so nothing piles up. Read by one at a time."""

    def __init__(self, transport: asyncio.Transport, received: bytes) -> None:
        self._transport = transport
        self._pieces: deque[bytes] = deque([received] if received else [])
        self._size = len(received)
        self._is_paused = False
        self._has_eof = False
        self._is_lost = False
        self._reader: asyncio.Future[None] | None = None
        self._writers: set[asyncio.Future[None]] = set()
        self._is_full = False

    @classmethod
    def adopt(cls, transport: asyncio.Transport, received: bytes) -> "Stream":
        """A connection that some other protocol has had, with what it received already."""
        stream = cls(transport, received)
        transport.set_protocol(stream)
        return stream

    @property
    def has_ended(self) -> bool:
        """Nothing more comes; or the connection is gone altogether."""
        return (self._has_eof and not self._pieces) or self._is_lost or self._transport.is_closing()

    async def read(self) -> bytes:
        """What has come, at least one byte; nothing at the end."""
        while not self._pieces:
            if self._has_eof:
                return b""
            if self._is_lost or self._transport.is_closing():
                raise Gone
            self._reader = asyncio.get_running_loop().create_future()
            try:
                await self._reader
            finally:
                self._reader = None
        piece = self._pieces.popleft()
        self._size -= len(piece)
        if self._is_paused and self._size < _ENOUGH // 2:
            self._is_paused = False
            self._transport.resume_reading()
        return piece

    async def write(self, *pieces: bytes) -> None:
        for piece in pieces:
            if piece:
                self._transport.write(piece)
        if self._is_lost or self._transport.is_closing():
            raise Gone
        if self._is_full:
            writer: asyncio.Future[None] = asyncio.get_running_loop().create_future()
            self._writers.add(writer)
            try:
                await writer
            finally:
                self._writers.discard(writer)
            if self._is_lost:
                raise Gone

    def end(self) -> None:
        """Say that nothing more comes from here."""
        if self._transport.can_write_eof() and not self._transport.is_closing():
            self._transport.write_eof()

    def close(self) -> None:
        self._transport.close()

    def abort(self) -> None:
        """Break it off, so that the other side does not take what it has for the whole."""
        self._transport.abort()

    def let_go(self) -> asyncio.Transport:
        """The connection, for another protocol; what was received and not read is lost."""
        if self._is_paused:
            self._transport.resume_reading()
        return self._transport

    # what asyncio calls

    def data_received(self, data: bytes) -> None:
        self._pieces.append(data)
        self._size += len(data)
        if self._size >= _ENOUGH and not self._is_paused:
            self._is_paused = True
            self._transport.pause_reading()
        self._wake_reader()

    def eof_received(self) -> bool:
        self._has_eof = True
        self._wake_reader()
        return True  # there may be something to say yet

    def connection_lost(self, exc: Exception | None) -> None:
        self._is_lost = True
        self._has_eof = self._has_eof or exc is None
        self._wake_reader()
        self.resume_writing()

    def pause_writing(self) -> None:
        self._is_full = True

    def resume_writing(self) -> None:
        self._is_full = False
        for writer in self._writers:
            if not writer.done():
                writer.set_result(None)

    def _wake_reader(self) -> None:
        if self._reader is not None and not self._reader.done():
            self._reader.set_result(None)
