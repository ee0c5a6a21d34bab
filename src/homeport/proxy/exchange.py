"""One request of a visitor carried to the app and its answer back, both as they come."""

import asyncio
from collections.abc import Callable
from contextlib import suppress
from dataclasses import dataclass

import h11

from homeport.proxy import heads
from homeport.proxy.frames import Frames
from homeport.proxy.streams import BrokenOff, Gone, Stream

LONGEST_APP_HEAD = 256 * 1024
_LARGE = 64 * 1024


class AppGone(Exception):
    """The app hung up before it answered."""


class AppBroken(Exception):
    """What the app answered is no HTTP, or has a head beyond measure."""


class Exchange:
    """`visitor` is in the middle of a cycle: its request's head was read, nothing of the body."""

    def __init__(
        self,
        visitor: h11.Connection,
        client: Stream,
        app: Stream,
        place: heads.Place,
        touch: Callable[[], None],
    ) -> None:
        self._visitor = visitor
        self._client = client
        self._stream = app
        self._app = h11.Connection(h11.CLIENT, max_incomplete_event_size=LONGEST_APP_HEAD)
        self._place = place
        self._touch = touch
        self._is_passed = False
        """The body of the answer was passed on to its last byte, with nothing behind it."""
        self.has_begun = False
        """Something of the answer went out to the visitor."""

    async def carry(self, request: h11.Request) -> bool:
        """Whether the app's connection can be used again. Raises `Gone` when the visitor left, `AppGone` and
        `AppBroken`."""
        self._touch()
        upload = asyncio.create_task(self._upload(request))
        answer = asyncio.create_task(self._answer(request.method))
        try:
            await asyncio.wait({upload, answer}, return_when=asyncio.FIRST_COMPLETED)
            if upload.done() and not answer.done():
                failure = upload.exception()
                if isinstance(failure, (Gone, h11.RemoteProtocolError)):
                    raise failure
                # the app may have hung up on the upload because it has answered already
                await answer
            return answer.result() and self._is_at_beginning()
        finally:
            for task in (upload, answer):
                task.cancel()
                with suppress(asyncio.CancelledError, Exception):
                    await task

    def _is_at_beginning(self) -> bool:
        if self._app.our_state is not h11.DONE or self._stream.has_ended:
            return False
        return self._is_passed or (self._app.their_state is h11.DONE and not self._app.trailing_data[0])

    async def _upload(self, request: h11.Request) -> None:
        await self._to_app(request)
        if self._visitor.they_are_waiting_for_100_continue:
            go_on = self._visitor.send(h11.InformationalResponse(status_code=100, headers=[]))
            await self._client.write(go_on or b"")
        while True:
            event = self._visitor.next_event()
            if event is h11.NEED_DATA:
                self._visitor.receive_data(await self._client.read())
            elif isinstance(event, h11.Data):
                self._touch()
                await self._to_app(h11.Data(data=event.data))
            elif isinstance(event, h11.EndOfMessage):
                await self._to_app(h11.EndOfMessage())
                break
            else:
                raise Gone
        if heads.first(request.headers, b"upgrade"):
            return  # what comes next may not be HTTP
        # nothing to do but to notice that the visitor leaves
        received = await self._client.read()
        if not received:
            raise Gone
        self._visitor.receive_data(received)

    async def _to_app(self, event: h11.Event) -> None:
        data = self._app.send(event)
        if data:
            try:
                await self._stream.write(data)
            except Gone as error:
                raise AppGone from error

    async def _answer(self, method: bytes) -> bool:
        """The app's answer on to the visitor; whether both sides know where it ends."""
        out: list[bytes] = []
        while True:
            try:
                event = self._app.next_event()
            except h11.RemoteProtocolError as error:
                if not self._stream.has_ended or self._app.trailing_data[0]:
                    raise AppBroken(str(error)) from error
                raise AppGone from error
            if event is h11.NEED_DATA:
                if out:
                    await self._client.write(*out)
                    out = []
                self._app.receive_data(await self._from_app())
            elif isinstance(event, h11.InformationalResponse):
                if event.status_code == 101:
                    await self._switch(event, out)
                    return False
            elif isinstance(event, h11.Response):
                out.append(self._visitor.send(self._for_visitor(event)) or b"")
                self.has_begun = True
                if (size := _large_body(event)) and method != b"HEAD":
                    await self._pass(size, out)
                    return True
            elif isinstance(event, h11.Data):
                self._touch()
                out += self._visitor.send_with_data_passthrough(h11.Data(data=event.data)) or ()
            elif isinstance(event, h11.EndOfMessage):
                out.append(self._visitor.send(h11.EndOfMessage()) or b"")
                await self._client.write(*out)
                return True
            else:
                raise AppGone

    async def _pass(self, size: int, out: list[bytes]) -> None:
        """A body of a known length needs no reading, so it is not put through h11."""
        self._touch()
        received, _ = self._app.trailing_data
        own, behind = received[:size], received[size:]
        await self._client.write(*out, own)
        try:
            await self._stream.pour(self._client, size - len(own), self._touch)
        except BrokenOff as error:
            raise AppGone from error
        self._visitor.send_with_data_passthrough(h11.Data(data=_Passed(size)))  # type: ignore[arg-type]
        await self._client.write(self._visitor.send(h11.EndOfMessage()) or b"")
        self._is_passed = not behind and not self._stream.holds_something

    async def _from_app(self) -> bytes:
        try:
            return await self._stream.read()
        except Gone as error:
            raise AppGone from error

    def _for_visitor(self, response: h11.Response) -> h11.Response:
        return h11.Response(
            status_code=response.status_code,
            headers=heads.towards_visitor(response.headers, self._place),
            reason=response.reason,
        )

    # WebSockets

    async def _switch(self, response: h11.InformationalResponse, out: list[bytes]) -> None:
        """From here on, bytes are bytes."""
        headers = heads.towards_visitor(response.headers, self._place)
        headers += [(b"connection", b"Upgrade"), (b"upgrade", heads.first(response.headers, b"upgrade").encode())]
        switched = h11.InformationalResponse(status_code=101, headers=headers, reason=response.reason)
        self.has_begun = True
        await self._client.write(*out, self._visitor.send(switched) or b"")
        from_visitor, from_app = self._visitor.trailing_data[0], self._app.trailing_data[0]
        both = [
            asyncio.create_task(self._move(self._client, self._stream, from_visitor)),
            asyncio.create_task(self._move(self._stream, self._client, from_app)),
        ]
        try:
            # either side may end it; the other one must not hang on
            await asyncio.wait(both, return_when=asyncio.FIRST_COMPLETED)
        finally:
            for task in both:
                task.cancel()
                with suppress(asyncio.CancelledError, Gone):
                    await task

    async def _move(self, source: Stream, target: Stream, piece: bytes) -> None:
        frames = Frames()
        piece = piece or await source.read()
        while piece:
            if frames.feed(piece):
                self._touch()
            await target.write(piece)
            piece = await source.read()


@dataclass(frozen=True)
class _Passed:
    """So many bytes of a body, which h11 counts and need not see."""

    size: int

    def __len__(self) -> int:
        return self.size


def _large_body(response: h11.Response) -> int:
    """How long the body of an answer is, if it says so and is long."""
    if response.status_code in (204, 304) or heads.first(response.headers, b"transfer-encoding"):
        return 0
    size = heads.first(response.headers, b"content-length")
    return int(size) if size.isdecimal() and int(size) >= _LARGE else 0
