"""A cable between visitors and a server: when cut, what hangs on it is broken off, and nobody new gets through."""

import socket
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress


class Cable:
    """`port` is the visitors' end; the server is to listen on `server_port`, which is free."""

    def __init__(self) -> None:
        with socket.create_server(("127.0.0.1", 0)) as free:
            self.server_port = int(free.getsockname()[1])
        self._door = socket.create_server(("127.0.0.1", 0))
        self.port = int(self._door.getsockname()[1])
        self._is_whole = True
        self._lock = threading.Lock()
        self._ends: set[socket.socket] = set()
        self._threads: list[threading.Thread] = []
        self._begin(self._let_in)

    def cut(self) -> int:
        """How many connections that broke off."""
        with self._lock:
            self._is_whole = False
            for end in self._ends:
                _hang_up(end)
            return len(self._ends) // 2

    def mend(self) -> None:
        with self._lock:
            self._is_whole = True

    def close(self) -> None:
        self.cut()
        _hang_up(self._door)
        for thread in self._threads:
            thread.join()
        self._door.close()

    def _begin(self, what: Callable[..., None], *arguments: socket.socket) -> threading.Thread:
        thread = threading.Thread(target=what, args=arguments)
        self._threads.append(thread)
        thread.start()
        return thread

    def _let_in(self) -> None:
        with suppress(OSError):
            while True:
                self._begin(self._connect, self._door.accept()[0])

    def _connect(self, near: socket.socket) -> None:
        with near, suppress(OSError), socket.create_connection(("127.0.0.1", self.server_port)) as far:
            with self._lock:
                if not self._is_whole:
                    return
                self._ends |= {near, far}
            back = self._begin(_carry, far, near)
            _carry(near, far)
            back.join()
            with self._lock:
                self._ends -= {near, far}


def _carry(source: socket.socket, target: socket.socket) -> None:
    with suppress(OSError):
        while piece := source.recv(1 << 16):
            target.sendall(piece)
    with suppress(OSError):
        target.shutdown(socket.SHUT_WR)


def _hang_up(sock: socket.socket) -> None:
    with suppress(OSError):
        sock.shutdown(socket.SHUT_RDWR)


@contextmanager
def cable() -> Iterator[Cable]:
    made = Cable()
    try:
        yield made
    finally:
        made.close()
