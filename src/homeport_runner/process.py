"""The runner's end of the tether: start a process, signal it, hear how it ended.

One process at a time: first those of the build, then the run. Used by the main thread only, but for
`bring_down`, which any thread may call when the attempt is over.
"""

from __future__ import annotations

import contextlib
import os
import signal
import socket
import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from homeport_runner import family, tether
from homeport_runner.image import Image
from homeport_runner.usage import Usage

_ANSWER_SECONDS = 30.0


class CannotStart(Exception):
    """The process could not be started at all."""


class TetherGone(Exception):
    """The process between the runner and the run has ended, and took the run with it."""


@dataclass(frozen=True)
class Ended:
    exit_code: int
    """Negative for a signal."""
    was_signalled: bool
    """Whether it was still running when it was told to stop."""
    is_clean: bool
    """Whether everything it started has ended too."""
    usage: Usage | None = None


@dataclass
class Output:
    """The reading ends of a process's two pipes."""

    stdout: int
    stderr: int


class TetheredProcess:
    """What was started last; `ended` is set once `hear` has heard of it."""

    def __init__(self, holder: Tethered, pid: int, output: Output) -> None:
        self._holder = holder
        self.pid = pid
        self.output = output
        self.ended: Ended | None = None

    @property
    def holder(self) -> int:
        """The process that everything which belongs to it is below."""
        return self._holder.pid

    @property
    def descriptor(self) -> int:
        """Readable when there is something to `hear`."""
        return self._holder.descriptor

    def hear(self) -> None:
        """Take in the news, if there are any, without waiting."""
        message = self._holder.next_message()
        if message is not None and "ended" in message:
            usage = Usage(**message["usage"])
            self.ended = Ended(message["ended"], message["signalled"], message["clean"], usage)

    def terminate(self) -> None:
        self._holder.signal(signal.SIGTERM)

    def kill(self) -> None:
        self._holder.signal(signal.SIGKILL)


class Tethered:
    """Forks the tether. Create it while there is one thread and nothing secret in memory."""

    def __init__(self, image: Image | None = None) -> None:
        ours, theirs = socket.socketpair()
        self._pid = os.fork()
        if self._pid == 0:
            ours.close()
            tether.hold(theirs, image)
        theirs.close()
        family.adopt_orphans()
        self._sock = ours

    @property
    def pid(self) -> int:
        return self._pid

    @property
    def descriptor(self) -> int:
        return self._sock.fileno()

    def spawn(
        self,
        argv: Sequence[str],
        env: Mapping[str, str],
        cwd: str,
        *,
        forked: bool = False,
        rest: str | None = None,
    ) -> TetheredProcess:
        """`forked`: not as a new program, but from the image that the tether was created with.

        `rest` is the folder for what is left in its pipes should this process end before it has read it.
        """
        stdout, stdout_end = os.pipe()
        stderr, stderr_end = os.pipe()
        order = {"argv": list(argv), "env": dict(env), "cwd": cwd, "forked": forked, "rest": rest}
        try:
            tether.send(self._sock, {"spawn": order}, (stdout_end, stderr_end, stdout, stderr))
        except OSError as error:
            raise TetherGone from error
        finally:
            os.close(stdout_end)
            os.close(stderr_end)
        self._sock.settimeout(_ANSWER_SECONDS)
        try:
            answer = tether.receive(self._sock)[0]
        except OSError as error:
            raise TetherGone from error
        finally:
            self._sock.settimeout(None)
        if answer is None or "spawned" not in answer:
            os.close(stdout)
            os.close(stderr)
            if answer is None:
                raise TetherGone
            raise CannotStart(answer["failed"])
        return TetheredProcess(self, answer["spawned"], Output(stdout, stderr))

    def signal(self, number: int) -> None:
        with contextlib.suppress(OSError):  # gone: `next_message` tells
            tether.send(self._sock, {"signal": int(number)})

    def next_message(self) -> dict[str, Any] | None:
        """What the tether has said since, or None if nothing."""
        with contextlib.suppress(BlockingIOError):
            self._sock.setblocking(False)
            try:
                if not self._sock.recv(1, socket.MSG_PEEK):
                    raise TetherGone
            except ConnectionError as error:
                raise TetherGone from error
            finally:
                self._sock.setblocking(True)
            message = tether.receive(self._sock)[0]
            if message is None:
                raise TetherGone
            return message
        return None

    def bring_down(self, patience: float = 10.0) -> None:
        """End everything that was started, and the tether; returns when nothing of it is left."""
        with contextlib.suppress(OSError):
            self._sock.shutdown(socket.SHUT_WR)
        until = time.monotonic() + patience
        while time.monotonic() < until:
            try:
                if os.waitpid(self._pid, os.WNOHANG)[0]:
                    break
            except ChildProcessError:
                break
            time.sleep(0.002)
        family.end_descendants(1.0)
