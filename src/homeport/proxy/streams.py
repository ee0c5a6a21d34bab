"""A connection as a stream of bytes that can be read, written, and taken over from whoever had it before."""

import asyncio

PIECE = 256 * 1024


class Gone(Exception):
    """The other side has hung up."""


class Stream:
    """Writing waits while the other side does not read, so nothing piles up."""

    def __init__(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self._reader = reader
        self._writer = writer

    @classmethod
    def adopt(cls, transport: asyncio.Transport, received: bytes) -> "Stream":
        """A connection that some other protocol has had, with what it received already."""
        loop = asyncio.get_running_loop()
        reader = asyncio.StreamReader(limit=PIECE, loop=loop)
        protocol = asyncio.StreamReaderProtocol(reader, loop=loop)
        transport.set_protocol(protocol)
        protocol.connection_made(transport)
        if received:
            reader.feed_data(received)
        return cls(reader, asyncio.StreamWriter(transport, protocol, reader, loop))

    def let_go(self) -> asyncio.Transport:
        """The connection, for another protocol; what was received and not read is lost."""
        transport = self._writer.transport
        assert isinstance(transport, asyncio.Transport)
        transport.resume_reading()
        return transport

    @property
    def has_ended(self) -> bool:
        """Nothing more comes; or the connection is gone altogether."""
        return self._reader.at_eof() or self._writer.is_closing()

    async def read(self) -> bytes:
        """What has come, at least one byte; nothing at the end."""
        try:
            return await self._reader.read(PIECE)
        except OSError as error:
            raise Gone from error

    async def write(self, *pieces: bytes) -> None:
        try:
            self._writer.writelines(pieces)
            await self._writer.drain()
        except OSError as error:
            raise Gone from error

    def end(self) -> None:
        """Say that nothing more comes from here."""
        if self._writer.can_write_eof() and not self._writer.is_closing():
            self._writer.write_eof()

    def close(self) -> None:
        self._writer.close()

    def abort(self) -> None:
        """Break it off, so that the other side does not take what it has for the whole."""
        self._writer.transport.abort()
