"""A warm process: one environment's Python with its slow imports done, from which runners are forked.

    warm process ── runner ── tether ── run        each a fork of the one before; sessions as in a plain start

It is for one environment, workspace and profile, holds no secret, and has one thread. Whoever may enter its folder
asks over the socket in there; the runner begins once the asker has written down its pid and says `go`, and not at
all if he is gone by then. So an attempt that could not be started warm may be started plainly at once.

    <node>/warm/<name>/lock           flock: of two processes for the same, one leaves
                      /socket         while it answers
                      /pid            its time says when it was last asked
                      /learned.json   modules that runs have used, in the order of their imports
                      /unsafe.json    those that must not be there before a fork
                      /unfit          why there is no warm process for this at all
                      /warm.log       its last words

It leaves when nobody has asked for a while, when its folder or its environment has gone, or when told to. Runners
that it has started do not mind.
"""

from __future__ import annotations

import contextlib
import fcntl
import gc
import importlib
import json
import os
import select
import signal
import socket
import sys
import time
import traceback
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any, NoReturn

from homeport_runner import tether
from homeport_runner.image import BecomeRun, Image, run_as_main, watched_variables
from homeport_runner.main import main as runner_main

_LOOK_SECONDS = 20.0
_QUIET_SECONDS = 1.0
"""How long nobody must have asked before modules are learned: one may take as long as a plain start."""
_LATEST_SECONDS = 2.0
"""Where somebody asks all the time: how long modules wait to be learned, one by one, between two who ask."""
_GO_SECONDS = 10.0
_MOST_LEARNED = 3000
_RESTARTS = "HOMEPORT_WARM_RESTARTS"
_MOST_RESTARTS = 5
_SET_IN_RUNS = ("WORKSPACE__", "RUNTIME__", "JOBS__", "SOURCES__", "DESTINATION__")
"""Who asks for these while being imported has read the configuration of a run that is not there yet."""


class Unsafe(Exception):
    """A module that must not be there before a fork."""


def main(arguments: Sequence[str]) -> Callable[[], None]:
    """Returns only in a run: the answer is what is left to be done there."""
    folder = Path(arguments[0])
    os.chdir(folder)
    try:
        return _Warm(folder, *arguments[1:]).serve()
    except SystemExit:
        raise
    except BaseException:
        Path("warm.log").write_text(traceback.format_exc())
        os._exit(70)


class _Warm:
    def __init__(self, folder: Path, environment: str, owner: str, idle: str, ear: str, module: str) -> None:
        self._lock = os.open("lock", os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
        try:
            fcntl.flock(self._lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            os._exit(0)
        self._restarts = int(os.environ.pop(_RESTARTS, "0"))
        self._idle = float(idle)
        self._ear = int(ear)
        os.set_blocking(self._ear, False)
        self._module = module
        self._image = Image(Path(environment), owner, folder)
        self._learned: list[str] = _load("learned.json")
        self._unsafe: list[str] = _load("unsafe.json")
        self._tells_of_leaks = False
        self._asking: dict[int, socket.socket] = {}
        self._listener: socket.socket | None = None
        self._used_at = time.monotonic()
        self._news_at: float | None = None
        """Since when there has been something to learn."""
        self._is_behind = False
        """There is more to learn of what is written down."""

    def serve(self) -> Callable[[], None]:
        self._descriptors = _open_descriptors()
        self._prepare(self._module)
        self._image.launchers.append(self._module)
        self._settle()
        if self._restarts < _MOST_RESTARTS:
            self._import_learned()
        with contextlib.suppress(FileNotFoundError):
            os.unlink("socket.new")
        listener = socket.socket(socket.AF_UNIX)
        Path("pid").write_text(str(os.getpid()))
        listener.bind("socket.new")
        listener.listen(128)
        self._listener = listener
        # whoever finds it is answered
        os.rename("socket.new", "socket")
        self._wake, waker = os.pipe()
        os.set_blocking(waker, False)
        signal.set_wakeup_fd(waker, warn_on_full_buffer=False)
        signal.signal(signal.SIGCHLD, lambda *_: None)
        try:
            self._loop(listener)
        except BecomeRun as become:
            module = become.module
            become.__traceback__ = None
        # Sockets of ours that were collected later would close whatever has their numbers by then.
        self.__dict__.clear()
        del listener
        gc.collect()
        return lambda: run_as_main(module)

    def _loop(self, listener: socket.socket) -> None:
        while True:
            has_news = self._has_news()
            seconds = self._patience() if has_news else min(_LOOK_SECONDS, self._idle)
            ready, _, _ = select.select([listener.fileno(), self._wake], [], [], seconds)
            if self._wake in ready:
                os.read(self._wake, 4096)
                self._reap()
            if listener.fileno() in ready:
                self._used_at = time.monotonic()
                os.utime("pid")
                self._answer(listener.accept()[0])
            if not ready:
                self._look()
                if has_news:
                    self._learn()

    def _has_news(self) -> bool:
        return self._is_behind or any(
            name.startswith("used-") and name.endswith(".json") for name in os.listdir(".")
        )

    def _patience(self) -> float:
        """How long to wait for a quiet moment to learn in."""
        now = time.monotonic()
        self._news_at = self._news_at or now
        return min(_QUIET_SECONDS, max(0.0, self._news_at + _LATEST_SECONDS - now))

    def _look(self) -> None:
        """Leave, if there is no use for us."""
        is_idle = not self._asking and time.monotonic() - self._used_at > self._idle
        if is_idle or not os.path.exists("socket") or not self._image.is_current:
            self._leave()

    def _leave(self) -> NoReturn:
        with contextlib.suppress(OSError):
            os.unlink("socket")
        os._exit(0)

    def _answer(self, asker: socket.socket) -> None:
        asker.settimeout(_GO_SECONDS)
        request, descriptors = tether.receive(asker)
        if request is not None and "leave" in request:
            self._leave()
        if request is None or not self._image.is_current:
            asker.close()
        else:
            pid = os.fork()
            if pid == 0:
                self._be_runner(asker, request, descriptors)
            self._asking[pid] = asker
            _tell(asker, {"pid": pid})
        for descriptor in descriptors:
            os.close(descriptor)

    def _be_runner(self, asker: socket.socket, request: dict[str, Any], descriptors: list[int]) -> NoReturn:
        code = 70
        try:
            os.setsid()
            _restore_signals()
            self._asking.clear()
            for number in (1, 2):
                os.dup2(descriptors[0], number)
            os.closerange(3, asker.fileno())
            os.closerange(asker.fileno() + 1, 65536)
            os.environ.clear()
            os.environ.update(request["env"])
            os.chdir(request["cwd"])
            time.tzset()
            answer, _ = tether.receive(asker)
            asker.close()
            code = 0 if answer is None else runner_main(request["argv"], self._image)
        except BecomeRun:
            raise
        except BaseException:
            traceback.print_exc(file=sys.stderr)
        os._exit(code)

    def _reap(self) -> None:
        while True:
            try:
                pid, status = os.waitpid(-1, os.WNOHANG)
            except ChildProcessError:
                return
            if pid == 0:
                return
            self._used_at = time.monotonic()
            asker = self._asking.pop(pid, None)
            if asker is not None:
                _tell(asker, {"ended": os.waitstatus_to_exitcode(status)})
                asker.close()

    def _learn(self) -> None:
        """Import what runs have used, so that the next ones find it."""
        for path in sorted(Path(".").glob("used-*.json")):
            fresh = [name for name in _load(path.name) if name not in self._learned]
            self._learned += fresh[: _MOST_LEARNED - len(self._learned)]
            path.unlink()
        # written down first: the next import may be one to begin again without
        _save("learned.json", self._learned)
        self._import_learned()
        if not self._is_behind:
            self._news_at = None

    def _import_learned(self) -> None:
        self._descriptors = _open_descriptors()
        for name in self._learned:
            if self._is_asked():
                self._is_behind = True
                return
            if not self._tells_of_leaks:
                gc.freeze()
            self._prepare(name)
            self._tells_of_leaks = self._tells_of_leaks or _has_nanobind()
        self._is_behind = False
        self._settle()

    def _is_asked(self) -> bool:
        return self._listener is not None and bool(select.select([self._listener], [], [], 0)[0])

    def _settle(self) -> None:
        """What is here stays: a collection in a fork must not touch, and so copy, all of it.

        Nor is it taken apart when a run ends. nanobind, which DuckDB is bound by, tells on standard error of all
        that is left then, so its modules, and what comes after them, are collected as ever.
        """
        gc.collect()
        if not self._tells_of_leaks:
            gc.freeze()

    def _prepare(self, name: str) -> None:
        """Import a module; if that leaves more behind than a module, begin again without it."""
        if name in sys.modules or name in self._unsafe:
            return
        try:
            with watched_variables() as asked:
                self._import(name, asked)
        except Unsafe as why:
            with open("warm.log", "a") as log:
                log.write(f"{name}: {why}\n")
            if name == self._module:
                Path("unfit").write_text(str(why))
                os._exit(0)
            _save("unsafe.json", [*self._unsafe, name])
            with contextlib.suppress(OSError):
                os.unlink("socket")
            variables = {**self._image.variables, _RESTARTS: str(self._restarts + 1)}
            command = Path("/proc/self/cmdline").read_bytes().split(b"\0")[:-1]
            os.set_inheritable(self._ear, True)
            os.execve(sys.executable, command, variables)  # noqa: S606  # no shell is wanted
        self._image.asked |= asked

    def _import(self, name: str, asked: set[str]) -> None:
        try:
            importlib.import_module(name)
        except BaseException as error:
            raise Unsafe(f"its import fails: {type(error).__name__}") from None
        if len(os.listdir("/proc/self/task")) > 1:
            raise Unsafe("its import starts threads")
        if _open_descriptors() - self._descriptors:
            raise Unsafe("its import leaves files open")
        if self._has_said_something():
            raise Unsafe("its import says something, which belongs into the log of the run")
        if any(variable.startswith(_SET_IN_RUNS) for variable in asked):
            raise Unsafe("its import reads the run's configuration")

    def _has_said_something(self) -> bool:
        """Standard output is a pipe that nobody but we can read, so that what is said is noticed.

        A pipe, as in a run: Python looks at the kind of its standard output once, when it starts.
        """
        try:
            return bool(os.read(self._ear, 65536))
        except BlockingIOError:
            return False


def _open_descriptors() -> set[str]:
    found = {number: _target(number) for number in os.listdir("/proc/self/fd")}
    return {f"{number} {target}" for number, target in found.items() if target}


def _target(number: str) -> str:
    try:
        return os.readlink(f"/proc/self/fd/{number}")
    except OSError:
        return ""


def _has_nanobind() -> bool:
    """Whether there is something of it among what is not frozen yet."""
    return any(type(found).__module__ == "nanobind" for found in gc.get_objects())


def _restore_signals() -> None:
    signal.set_wakeup_fd(-1)
    signal.signal(signal.SIGCHLD, signal.SIG_DFL)


def _tell(sock: socket.socket, message: dict[str, Any]) -> None:
    with contextlib.suppress(OSError):
        tether.send(sock, message)


def _load(name: str) -> list[str]:
    try:
        found = json.loads(Path(name).read_text())
    except (OSError, ValueError):
        return []
    return [entry for entry in found if isinstance(entry, str)] if isinstance(found, list) else []


def _save(name: str, entries: Sequence[str]) -> None:
    scratch = Path(name + ".new")
    scratch.write_text(json.dumps(list(entries)))
    scratch.replace(name)
