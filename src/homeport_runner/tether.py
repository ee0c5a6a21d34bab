"""The tether: a small process between the runner and what it starts, so that neither outlives the other.

    runner ──socket── tether (own session, subreaper, one thread)
                        └── uv, later the run (own session, dies with the tether)

* The runner ends, by whatever signal: the socket closes, the tether kills everything below it, groups and
  `setsid` daemons alike, and leaves.
* The tether ends: the kernel kills its child, orphans go to the runner, which is subreaper too.
* Both are killed at the same instant: the kernel still kills the child itself; what the child had started
  is then left to the machine.

It is forked before the runner has threads or secrets, and stays single-threaded: that makes it a safe
place to fork from, and its one loop decides without a race whether a signal came before the end.
"""

from __future__ import annotations

import array
import contextlib
import json
import os
import select
import signal
import socket
import struct
import subprocess
import sys
import traceback
from collections.abc import Sequence
from dataclasses import asdict
from typing import Any, NoReturn

from homeport_runner import ahead, family, memory
from homeport_runner.image import BecomeRun, Image
from homeport_runner.usage import Meter

_HEADER = struct.Struct("!I")
_SWEEP_SECONDS = 5.0
_NOT_STARTED = 126
"""Exit status of a fork that could not become the run."""
_HANDLED = (signal.SIGCHLD, signal.SIGTERM, signal.SIGINT, signal.SIGHUP)
_WAITID = hasattr(os, "waitid")


def send(sock: socket.socket, message: dict[str, Any], descriptors: Sequence[int] = ()) -> None:
    """One message, as its length and JSON; open files travel with the length."""
    body = json.dumps(message).encode()
    ancillary = [(socket.SOL_SOCKET, socket.SCM_RIGHTS, array.array("i", descriptors))] if descriptors else []
    sock.sendmsg([_HEADER.pack(len(body))], ancillary)
    sock.sendall(body)


def receive(sock: socket.socket) -> tuple[dict[str, Any] | None, list[int]]:
    """The next message and its open files; None when the other side is gone."""
    try:
        header, ancillary, _, _ = sock.recvmsg(_HEADER.size, socket.CMSG_LEN(8 * array.array("i").itemsize))
        descriptors = array.array("i")
        for _level, _kind, data in ancillary:
            descriptors.frombytes(data[: len(data) - len(data) % descriptors.itemsize])
        header += _exactly(sock, _HEADER.size - len(header)) if header else b""
        if len(header) < _HEADER.size:
            return None, list(descriptors)
        body = _exactly(sock, _HEADER.unpack(header)[0])
        return json.loads(body), list(descriptors)
    except (ConnectionError, ValueError):
        return None, []


def _exactly(sock: socket.socket, size: int) -> bytes:
    data = bytearray()
    while len(data) < size:
        piece = sock.recv(size - len(data))
        if not piece:
            break
        data += piece
    return bytes(data)


def hold(sock: socket.socket, image: Image | None = None) -> NoReturn:
    """The life of the forked process. A run that is forked from it leaves by `BecomeRun`."""
    try:
        os.setsid()
        os.closerange(3, sock.fileno())
        os.closerange(sock.fileno() + 1, 65536)
        family.adopt_orphans()
        Tether(sock, image).loop()
    except BecomeRun:
        raise
    except BaseException:
        traceback.print_exc(file=sys.stderr)
        family.end_descendants(_SWEEP_SECONDS)
    os._exit(0)


class _Forked:
    """A child without a program of its own, with what is used here of `subprocess.Popen`."""

    def __init__(self, pid: int) -> None:
        self.pid = pid
        self.returncode: int | None = None


class Tether:
    def __init__(self, sock: socket.socket, image: Image | None = None) -> None:
        self._sock = sock
        self._image = image
        self._child: subprocess.Popen[bytes] | _Forked | None = None
        self._signalled = False
        self._meter = Meter()
        self._rest: str | None = None
        self._pipes: dict[str, int] = {}
        """The child's output, which the runner reads; what it has left there when it ends is saved."""

    def loop(self) -> None:
        """Obey the runner and watch the child until the runner hangs up; then leave nothing behind."""
        wake, waker = os.pipe()
        os.set_blocking(waker, False)
        signal.set_wakeup_fd(waker, warn_on_full_buffer=False)
        for number in _HANDLED:
            # Handled, not ignored: what is ignored stays ignored across exec, in the run. Somebody who
            # signals every process of the machine must not end us before the run has had its grace.
            signal.signal(number, lambda *_: None)
        while True:
            ready, _, _ = select.select([self._sock.fileno(), wake], [], [])
            if wake in ready:
                os.read(wake, 4096)
                self._reap()
            if self._sock.fileno() in ready:
                message, descriptors = receive(self._sock)
                if message is None:
                    break
                self._obey(message, descriptors)
        if self._child is not None:
            _kill_group(self._child.pid, signal.SIGKILL)
        family.end_descendants(_SWEEP_SECONDS)
        if self._rest is not None:
            ahead.save_rest(self._rest, self._pipes)

    def _obey(self, message: dict[str, Any], descriptors: list[int]) -> None:
        if "spawn" in message:
            self._spawn(message["spawn"], descriptors)
        elif "signal" in message:
            self._signal(message["signal"])

    def _spawn(self, order: dict[str, Any], descriptors: list[int]) -> None:
        """The one place where a run, or uv, begins.

        What it shall not reach is put out of its reach after the fork: in `before_exec`, and in `Image.become` for
        a run that is no program of its own.
        """
        parent = os.getpid()

        def before_exec() -> None:
            family.die_with_parent(parent)
            memory.prefer_as_victim()
            for number in (*_HANDLED, signal.SIGQUIT, signal.SIGPIPE):
                signal.signal(number, signal.SIG_DFL)
            signal.pthread_sigmask(signal.SIG_SETMASK, [])

        stdout, stderr, out, err = descriptors
        for descriptor in self._pipes.values():
            os.close(descriptor)
        self._pipes = {"stdout": out, "stderr": err}
        self._rest = order["rest"]
        self._meter = Meter()
        try:
            if order["forked"]:
                self._child = self._fork(order, stdout, stderr)
            else:
                self._child = subprocess.Popen(
                    order["argv"],
                    cwd=order["cwd"],
                    env=order["env"],
                    stdin=subprocess.DEVNULL,
                    stdout=stdout,
                    stderr=stderr,
                    start_new_session=True,
                    preexec_fn=before_exec,  # this process has one thread
                )
        except (OSError, ValueError, subprocess.SubprocessError) as error:
            self._tell({"failed": str(error)})
        else:
            self._signalled = False
            self._tell({"spawned": self._child.pid})
        finally:
            for descriptor in (stdout, stderr):
                with contextlib.suppress(OSError):  # a run that is forked has closed them before it comes by here
                    os.close(descriptor)

    def _fork(self, order: dict[str, Any], stdout: int, stderr: int) -> _Forked:
        """Start the run with what is in memory here. A signal that comes at once must find its session made."""
        assert self._image is not None
        parent = os.getpid()
        ready, made = os.pipe()
        pid = os.fork()
        if pid == 0:
            try:
                become = self._image.become(order, stdout, stderr, parent)  # closes `made`, too
            except BaseException:
                traceback.print_exc(file=sys.stderr)
                os._exit(_NOT_STARTED)
            raise become
        os.close(made)
        os.read(ready, 1)
        os.close(ready)
        return _Forked(pid)

    def _signal(self, number: int) -> None:
        """Signal the child's group, unless the child has ended: then its end was not our doing."""
        child = self._child
        if child is None or (
            _WAITID and os.waitid(os.P_PID, child.pid, os.WEXITED | os.WNOHANG | os.WNOWAIT) is not None
        ):
            return
        self._signalled = True
        _kill_group(child.pid, number)

    def _reap(self) -> None:
        """Bury adopted orphans; when the child itself has ended, end what it left and report."""
        while True:
            try:
                if _WAITID:
                    seen = os.waitid(os.P_ALL, 0, os.WEXITED | os.WNOHANG | os.WNOWAIT)
                    pid = seen.si_pid if seen is not None else 0
                else:
                    pid = self._child.pid if self._child is not None else 0
            except ChildProcessError:
                return
            if pid == 0:
                return
            if self._child is not None and pid == self._child.pid:
                if not self._child_ended(self._child):
                    return
            else:
                self._bury(pid)

    def _child_ended(self, child: subprocess.Popen[bytes] | _Forked) -> bool:
        code = None if _WAITID else self._bury(child.pid)
        if not _WAITID and code is None:
            return False
        # Before the child is buried: as long as it is a zombie, its number cannot become somebody else's.
        _kill_group(child.pid, signal.SIGKILL)
        clean = family.end_descendants(_SWEEP_SECONDS)
        if code is None:
            code = self._bury(child.pid, 0)
        child.returncode = code
        self._child = None
        while self._bury(-1) is not None:
            continue  # who it has left behind, and was ended: what they took counts
        usage = asdict(self._meter.read())
        self._tell({"ended": code, "signalled": self._signalled, "clean": clean, "usage": usage})
        return True

    def _bury(self, pid: int, options: int = os.WNOHANG) -> int | None:
        """The exit status of a child that has ended, any for -1; None if there is none."""
        try:
            found, status, took = os.wait4(pid, options)
        except ChildProcessError:
            return None
        if not found:
            return None
        self._meter.took(took)
        return os.waitstatus_to_exitcode(status)

    def _tell(self, message: dict[str, Any]) -> None:
        with contextlib.suppress(OSError):  # the runner is gone: the loop finds out at its next turn
            send(self._sock, message)


def _kill_group(group: int, number: int) -> None:
    with contextlib.suppress(ProcessLookupError, PermissionError):
        os.killpg(group, number)
