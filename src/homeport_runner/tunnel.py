"""Brings an app's visitors from the server to its port on this machine: the runner dials, so the app may listen on
loopback only and the node need not be reachable.

    visitor ── server ══ link, dialled by us ══ runner ── 127.0.0.1:port ── app

A link is one HTTP request that the server answers with 101; then it is a plain stream of bytes. Some wait idle
at the server, so that a visitor need not wait for a dial. With the first byte of a visitor a link is connected
to the app, and another one is dialled in its place. A link serves one connection of the app and ends with it.
A server in the very network of the app connects to the port by itself, for as long as it sees links waiting.

Two threads, however many visitors there are: one dials, one moves bytes. A side that does not read makes the other
one wait, so memory stays flat.
"""

from __future__ import annotations

import contextlib
import selectors
import socket
import ssl
import threading
from dataclasses import dataclass, field
from urllib.parse import urlsplit

from homeport_runner.phone import Backoff

PROTOCOL = "homeport-tunnel"
NETWORK_HEADER = "Homeport-Network"
PORT_HEADER = "Homeport-App-Port"
IDLE_LINKS = 6
"""As many connections as a browser opens at once."""
_DIAL_SECONDS = 10.0
_PIECE = 1024 * 1024
_SPARE = 4
"""Buffers that are kept for the next piece: to make one for each costs more than to move what is in it."""
_LONGEST_HEAD = 16 * 1024
_OVER = frozenset({401, 404, 409})

_READ, _WRITE = selectors.EVENT_READ, selectors.EVENT_WRITE


class NoMoreLinks(Exception):
    """The server does not know the attempt any more."""


@dataclass
class _End:
    """One socket of a link, and what is still to be written to it."""

    sock: socket.socket
    link: _Link
    waiting: bytes | memoryview = b""
    buffer: bytearray | None = None
    """Where that is."""
    is_connecting: bool = False
    has_ended: bool = False
    """It sends no more."""
    is_shut: bool = False
    """We send no more."""


@dataclass
class _Link:
    near: _End = field(init=False)
    """The server's."""
    far: _End | None = None
    """The app's, once there is a visitor."""


class Tunnel:
    def __init__(self, server_url: str, attempt: str, session: str, port: int, network: str | None) -> None:
        """`network`: the name of ours, if it has one."""
        self._url = urlsplit(server_url)
        self._path = f"{self._url.path.rstrip('/')}/runner/v1/attempts/{attempt}/tunnel"
        self._session = session
        self._port = port
        self._network = network
        self._selector = selectors.DefaultSelector()
        self._bell, self._rope = socket.socketpair()
        self._bell.setblocking(False)
        self._selector.register(self._bell, _READ, None)
        self._lock = threading.Condition()
        self._dialled: list[socket.socket] = []
        self._links: dict[int, _Link] = {}
        """The mover's, by identity; not all of their sockets are registered at all times."""
        self._spare: list[bytearray] = []
        self._idle = 0
        self._is_over = False
        self._threads = [
            threading.Thread(target=self._dial_on, name="tunnel dialler", daemon=True),
            threading.Thread(target=self._move_on, name="tunnel", daemon=True),
        ]

    def start(self) -> None:
        for thread in self._threads:
            thread.start()

    def finish(self) -> None:
        """No more visitors; those that are there are cut off."""
        with self._lock:
            self._is_over = True
            self._lock.notify_all()
        with contextlib.suppress(OSError):
            self._rope.send(b"!")

    # the dialler

    def _dial_on(self) -> None:
        backoff = Backoff()
        while True:
            with self._lock:
                self._lock.wait_for(lambda: self._is_over or self._idle < IDLE_LINKS)
                if self._is_over:
                    return
            try:
                link = self._dial()
            except NoMoreLinks:
                return
            except (OSError, ValueError):
                with self._lock:
                    self._lock.wait_for(lambda: self._is_over, backoff.delay())
                continue
            backoff.reset()
            with self._lock:
                if self._is_over:
                    link.close()
                    return
                self._idle += 1
                self._dialled.append(link)
            with contextlib.suppress(OSError):
                self._rope.send(b"!")

    def _dial(self) -> socket.socket:
        secure = self._url.scheme == "https"
        address = (self._url.hostname or "", self._url.port or (443 if secure else 80))
        sock = socket.create_connection(address, _DIAL_SECONDS)
        try:
            if secure:
                sock = ssl.create_default_context().wrap_socket(sock, server_hostname=self._url.hostname)
            sock.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
            sock.setsockopt(socket.SOL_SOCKET, socket.SO_KEEPALIVE, 1)
            sock.sendall(
                (
                    f"GET {self._path} HTTP/1.1\r\nHost: {self._url.netloc}\r\n"
                    f"Connection: Upgrade\r\nUpgrade: {PROTOCOL}\r\n"
                    f"Authorization: Bearer {self._session}\r\n{self._whereabouts()}\r\n"
                ).encode()
            )
            status = _status_of(_head(sock))
        except BaseException:
            sock.close()
            raise
        if status == 101:
            sock.setblocking(False)
            return sock
        sock.close()
        if status in _OVER:
            raise NoMoreLinks
        raise OSError(f"the server answered {status} to a link")

    def _whereabouts(self) -> str:
        """The headers for a server that is in the same network."""
        if self._network is None:
            return ""
        return f"{NETWORK_HEADER}: {self._network}\r\n{PORT_HEADER}: {self._port}\r\n"

    # the mover

    def _move_on(self) -> None:
        while True:
            for key, events in self._selector.select():
                if key.data is None:
                    self._take_in()
                elif key.fileobj.fileno() >= 0:  # type: ignore[union-attr] # not closed by the one before
                    self._move(key.data, events)
            if self._is_over:
                self._close_all()
                return

    def _take_in(self) -> None:
        with contextlib.suppress(OSError):
            self._bell.recv(4096)
        with self._lock:
            fresh, self._dialled = self._dialled, []
        for sock in fresh:
            link = _Link()
            link.near = _End(sock, link)
            self._links[id(link)] = link
            self._selector.register(sock, _READ, link.near)

    def _move(self, end: _End, events: int) -> None:
        link = end.link
        try:
            if events & _WRITE:
                self._write(end)
            if events & _READ:
                self._read(end)
            if link.far is not None:
                if all(one.has_ended and one.is_shut for one in (link.near, link.far)):
                    self._close(link)
                    return
                self._listen(link.near, link.far)
                self._listen(link.far, link.near)
        except OSError:
            self._close(link)

    def _read(self, end: _End) -> None:
        other = end.link.far if end is end.link.near else end.link.near
        if other is not None and other.waiting:
            return
        buffer = self._spare.pop() if self._spare else bytearray(_PIECE)
        try:
            size = _receive(end.sock, buffer)
        except (BlockingIOError, ssl.SSLWantReadError):
            self._give_back(buffer)
            return
        if other is None:
            other = self._connect(end.link) if size else None
            if other is None:
                self._forget_idle()
                self._close(end.link)
                return
        if size:
            # nothing waits there: see above
            other.buffer, other.waiting = buffer, memoryview(buffer)[:size]
        else:
            end.has_ended = True
            self._give_back(buffer)
        if not other.is_connecting:
            self._write(other)

    def _give_back(self, buffer: bytearray) -> None:
        if len(self._spare) < _SPARE:
            self._spare.append(buffer)

    def _connect(self, link: _Link) -> _End:
        """The first byte of a visitor has come: on to the app."""
        sock = socket.socket()
        sock.setblocking(False)
        sock.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        sock.connect_ex(("127.0.0.1", self._port))
        link.far = _End(sock, link, is_connecting=True)
        self._selector.register(sock, _WRITE, link.far)
        self._forget_idle()
        return link.far

    def _forget_idle(self) -> None:
        with self._lock:
            self._idle -= 1
            self._lock.notify_all()

    def _write(self, end: _End) -> None:
        if end.is_connecting:
            failure = end.sock.getsockopt(socket.SOL_SOCKET, socket.SO_ERROR)
            if failure:
                raise OSError(failure, "the app does not answer")
            end.is_connecting = False
        if end.waiting:
            try:
                sent = end.sock.send(end.waiting)
            except (BlockingIOError, ssl.SSLWantWriteError):
                sent = 0
            end.waiting = end.waiting[sent:] if sent < len(end.waiting) else b""
            if not end.waiting and end.buffer is not None:
                self._give_back(end.buffer)
                end.buffer = None
        other = end.link.far if end is end.link.near else end.link.near
        if other is not None and other.has_ended and not end.waiting and not end.is_shut:
            end.is_shut = True
            end.sock.shutdown(socket.SHUT_WR)

    def _listen(self, end: _End, other: _End) -> None:
        """Ask the selector for what can be done with this end now."""
        wanted = 0
        if not end.has_ended and not other.waiting and not end.is_connecting:
            wanted |= _READ
        if end.waiting or end.is_connecting:
            wanted |= _WRITE
        known = self._selector.get_map().get(end.sock.fileno())
        if known is None:
            if wanted:
                self._selector.register(end.sock, wanted, end)
        elif not wanted:
            self._selector.unregister(end.sock)
        elif known.events != wanted:
            self._selector.modify(end.sock, wanted, end)

    def _close(self, link: _Link) -> None:
        self._links.pop(id(link), None)
        for end in (link.near, link.far):
            if end is not None and end.sock.fileno() >= 0:
                with contextlib.suppress(KeyError, ValueError):
                    self._selector.unregister(end.sock)
                end.sock.close()

    def _close_all(self) -> None:
        for link in list(self._links.values()):
            self._close(link)
        with self._lock:
            for sock in self._dialled:
                sock.close()
        self._selector.close()
        self._bell.close()
        self._rope.close()


def _receive(sock: socket.socket, buffer: bytearray) -> int:
    """How many bytes have come; none at the end."""
    size = sock.recv_into(buffer)
    # what TLS has decrypted already, no selector will tell of
    while 0 < size < len(buffer) and isinstance(sock, ssl.SSLSocket) and sock.pending():
        size += sock.recv_into(memoryview(buffer)[size:])
    return size


def _head(sock: socket.socket) -> bytes:
    """The head of the server's answer, byte by byte: what follows it belongs to the visitor."""
    head = b""
    while not head.endswith(b"\r\n\r\n"):
        byte = sock.recv(1)
        if not byte or len(head) > _LONGEST_HEAD:
            raise OSError("the server hung up on a link")
        head += byte
    return head


def _status_of(head: bytes) -> int:
    return int(head.split(b" ", 2)[1])
