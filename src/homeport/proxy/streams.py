"""A connection as a stream of bytes, made or taken over from whoever had it before.

asyncio's own streams would do, but copy every byte twice on its way in.
"""

import asyncio
import os
import socket
from collections import deque
from collections.abc import Callable

_ENOUGH = 512 * 1024
"""Bytes that wait to be read; from here on, the other side waits."""
_PIECE = 1024 * 1024
"""What `pour` moves at once: half of it costs a tenth more, a quarter a third more."""


class Gone(Exception):
    """The other side has hung up."""


class BrokenOff(Exception):
    """The side that is read from has hung up too early."""


class Stream(asyncio.Protocol):
    """Writing waits while the other side does not read, so nothing piles up. Read by one at a time."""

    _transport: asyncio.Transport

    def __init__(self, received: bytes = b"") -> None:
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
        stream = cls(received)
        stream.connection_made(transport)
        transport.set_protocol(stream)
        return stream

    @property
    def has_ended(self) -> bool:
        """Nothing more comes; or the connection is gone altogether."""
        return (self._has_eof and not self._pieces) or self._is_lost or self._transport.is_closing()

    @property
    def holds_something(self) -> bool:
        """There is something to read already."""
        return bool(self._pieces)

    @property
    def is_local(self) -> bool:
        """The other side has this side's own address, so it is on this machine."""
        ours, theirs = (self._transport.get_extra_info(name) for name in ("sockname", "peername"))
        return bool(ours and theirs and ours[0] == theirs[0])

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
        piece = self._taken()
        self._go_on_reading()
        return piece

    async def write(self, *pieces: bytes) -> None:
        # one call of the kernel for them all
        data = pieces[0] if len(pieces) == 1 else b"".join(pieces)
        if data:
            self._transport.write(data)
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

    async def pour(self, target: "Stream", size: int, touch: Callable[[], None]) -> None:
        """Move the next `size` bytes on to another stream, from socket to socket through one buffer: to make a new
        one for every piece takes longer than to move what is in it. `touch` is told of every piece.

        Raises `BrokenOff` when this side ends before, and `Gone` when the target does.
        """
        self._read_no_further()
        try:
            while self._pieces and size:
                piece = self._taken(size)
                size -= len(piece)
                touch()
                await target.write(piece)
            if size:
                await target._flush()
                with self._own_socket(BrokenOff) as inlet, target._own_socket(Gone) as outlet:
                    await _moved(inlet, outlet, size, touch)
        finally:
            self._go_on_reading()

    async def _flush(self) -> None:
        """Wait until everything that was written is with the kernel."""
        self._transport.set_write_buffer_limits(0)
        try:
            await self.write()
        finally:
            self._transport.set_write_buffer_limits()

    def _own_socket(self, when_closed: type[Exception]) -> socket.socket:
        """The connection once more: asyncio lets nobody else touch the socket that a transport has."""
        try:
            own = socket.socket(fileno=os.dup(self._transport.get_extra_info("socket").fileno()))
        except OSError as error:
            raise when_closed from error
        own.setblocking(False)
        return own

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

    def _taken(self, most: int = _ENOUGH) -> bytes:
        """The first piece that was received, or its beginning."""
        piece = self._pieces.popleft()
        if len(piece) > most:
            self._pieces.appendleft(piece[most:])
            piece = piece[:most]
        self._size -= len(piece)
        return piece

    def _read_no_further(self) -> None:
        if not self._is_paused:
            self._is_paused = True
            self._transport.pause_reading()

    def _go_on_reading(self) -> None:
        if self._is_paused and self._size < _ENOUGH // 2:
            self._is_paused = False
            self._transport.resume_reading()

    # what asyncio calls

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        assert isinstance(transport, asyncio.Transport)
        self._transport = transport

    def data_received(self, data: bytes) -> None:
        self._pieces.append(data)
        self._size += len(data)
        if self._size >= _ENOUGH:
            self._read_no_further()
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


async def _moved(inlet: socket.socket, outlet: socket.socket, size: int, touch: Callable[[], None]) -> None:
    loop = asyncio.get_running_loop()
    buffer = memoryview(bytearray(min(size, _PIECE)))
    while size:
        try:
            count = await loop.sock_recv_into(inlet, buffer[:size])
        except OSError as error:
            raise BrokenOff from error
        if not count:
            raise BrokenOff
        touch()
        try:
            await loop.sock_sendall(outlet, buffer[:count])
        except OSError as error:
            raise Gone from error
        size -= count
