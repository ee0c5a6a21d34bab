"""Runs uv for the build of an environment; all it says becomes lines of the log.

It works in a folder of its own, with no configuration but what the operator put into its environment
variables or named there: neither the workspace's `pyproject.toml` nor the account's `uv.toml` may change
what a deployment was resolved to.
"""

from __future__ import annotations

import contextlib
import hashlib
import json
import os
import re
import shutil
from collections.abc import Mapping, Sequence
from pathlib import Path

from homeport_runner.build_log import BuildLog
from homeport_runner.masking import Masking
from homeport_runner.orders import Orders, Stopped
from homeport_runner.orphans import Orphans
from homeport_runner.pipes import Pipes
from homeport_runner.process import CannotStart, Tethered
from homeport_runner.spool import Spool
from homeport_runner.supervise import EXITED, supervise

# Building a source distribution runs its author's code, so this process too gets a list of what it may
# know, not the runner's whole environment.
_KNOWN = frozenset(
    """
    PATH HOME USER LOGNAME LANG TZ TMPDIR XDG_CACHE_HOME XDG_DATA_HOME XDG_BIN_HOME NETRC SSH_AUTH_SOCK
    REQUESTS_CA_BUNDLE CURL_CA_BUNDLE CC CXX CFLAGS CXXFLAGS LDFLAGS PKG_CONFIG_PATH
    HTTP_PROXY HTTPS_PROXY ALL_PROXY NO_PROXY http_proxy https_proxy all_proxy no_proxy
    """.split()  # noqa: SIM905  # a list of names reads better than a column of strings
)
_KNOWN_BEGINNINGS = ("UV_", "SSL_", "GIT_", "LC_")

_IN_A_HURRY = {"UV_HTTP_CONNECT_TIMEOUT": "3", "UV_HTTP_TIMEOUT": "10", "UV_HTTP_RETRIES": "0"}
"""Of a question that a run waits for, and can do without an answer to."""
_GRACE_SECONDS = 5.0
_DRAIN_SECONDS = 2.0

_NETWORK_TROUBLE = re.compile(
    r"error sending request|dns error|failed to lookup|connection (refused|reset|closed)|tcp connect"
    r"|network is unreachable|could not connect|timed? ?out|client error \(connect\)|failed to fetch",
    re.IGNORECASE,
)
# What says that building again would come to the same. Anything that is not known to be so is tried again.
_LASTING = re.compile(
    r"no solution found|failed to parse|couldn.t parse|failed to (download and )?build|failed to prepare",
    re.IGNORECASE,
)
_PASSING = re.compile(
    _NETWORK_TROUBLE.pattern
    + r"|HTTP status (server|client) error|could not be queried|credentials|git operation failed"
    r"|no space left|quota exceeded|cannot allocate memory|os error \d+|signal: ",
    re.IGNORECASE,
)
_NO_PYTHON = re.compile(
    r"no interpreter found|no download(s)? (is|are)? ?available|failed to download", re.IGNORECASE
)


class UvFailed(Exception):
    """uv could not do it; the message is its own, on one line."""

    def __init__(self, message: str, is_lasting: bool = False) -> None:
        super().__init__(message)
        self.is_lasting = is_lasting
        """Whether trying again is known to come to the same."""


class NoSuchPython(UvFailed):
    """The machine has no Python of that version, and uv could not get one."""


class _Listener:
    """Passes uv's lines on to the log, if there is one, and remembers the last of them."""

    _MOST = 1000

    def __init__(self, log: BuildLog | None, spool: Spool) -> None:
        self._log = log
        self._spool = spool
        self._lines: list[str] = []

    @property
    def said(self) -> str:
        return "\n".join(self._lines)

    @property
    def masking(self) -> Masking:
        return self._spool.masking

    @property
    def is_full(self) -> bool:
        return self._spool.is_full

    def take(self, at: str, io_stream: str, source: str, stage: str, contents: list[str]) -> None:
        self._lines = [*self._lines, *contents][-self._MOST :]
        if self._log is not None:
            self._log.take(at, io_stream, source, stage, contents)

    def note_process(self, pid: int) -> None:
        if self._log is not None:
            self._log.note_process(pid)


class Uv:
    def __init__(self, binary: str, folder: Path, holder: Tethered, spool: Spool, orders: Orders) -> None:
        self._binary = binary
        self._folder = folder
        self._holder = holder
        self._spool = spool
        self._orders = orders
        self.orders = orders
        self._env = {
            name: value
            for name, value in os.environ.items()
            if name in _KNOWN or name.startswith(_KNOWN_BEGINNINGS)
        }
        self._env["NO_COLOR"] = "1"

    @property
    def circumstances(self) -> str:
        """What a build depends on beside its requirements: equal while uv and all of its settings are the same."""
        found = shutil.which(self._binary, path=self._env.get("PATH"))
        stat = os.stat(found) if found else None
        known: list[object] = [sorted(self._env.items()), stat and [stat.st_size, stat.st_mtime_ns]]
        for name in ("UV_CONFIG_FILE", "NETRC"):
            with contextlib.suppress(KeyError, OSError):
                known.append(hashlib.sha256(Path(self._env[name]).read_bytes()).hexdigest())
        return hashlib.sha256(json.dumps(known).encode()).hexdigest()

    def make_environment(self, environment: Path, python_version: str, log: BuildLog) -> None:
        said = self._run(log, "venv", "--no-project", "--python", python_version, str(environment))
        if said is not None:
            raise NoSuchPython(said) if _NO_PYTHON.search(said) else UvFailed(_in_one_line(said))

    def install(self, environment: Path, requirements: Sequence[str], log: BuildLog) -> None:
        """Install them all together; from the cache alone if the network turns out to be away."""
        if not requirements:
            return
        command = self._installing(environment, requirements, "--compile-bytecode")
        said = self._run(log, *command)
        if said is not None and _NETWORK_TROUBLE.search(said):
            log.remark("The package index cannot be reached; trying with what is in the cache.")
            if self._run(log, *command, "--offline") is None:
                return
        if said is not None:
            is_lasting = bool(_LASTING.search(said)) and not _PASSING.search(said)
            raise UvFailed(_in_one_line(said), is_lasting)

    def changes(self, environment: Path, requirements: Sequence[str], fallback: Sequence[str] | None) -> list[str]:
        """What would be there instead of what is, by uv's own words, if it were built now. Nothing is changed."""
        try:
            return self._changes(environment, requirements)
        except UvFailed:
            if fallback is None:
                raise
            return self._changes(environment, fallback)

    def _changes(self, environment: Path, requirements: Sequence[str]) -> list[str]:
        command = self._installing(environment, requirements, "--dry-run", "--upgrade")
        listener = _Listener(None, self._spool)
        said = self._call(listener, {**_IN_A_HURRY, **self._env}, *command)
        if said is not None:
            raise UvFailed(_in_one_line(said))
        return re.findall(r"^ ([+-] \S.*)", listener.said, re.MULTILINE)

    def _installing(self, environment: Path, requirements: Sequence[str], *options: str) -> tuple[str, ...]:
        listed = self._folder / "requirements.txt"
        listed.write_text("".join(line + "\n" for line in requirements))
        python = str(environment / "bin" / "python")
        return ("pip", "install", "--python", python, *options, "-r", str(listed))

    def _run(self, log: BuildLog, *arguments: str) -> str | None:
        """What uv said, if it failed; None if it did what it should."""
        return self._call(_Listener(log, self._spool), self._env, *arguments)

    def _call(self, listener: _Listener, variables: Mapping[str, str], *arguments: str) -> str | None:
        self._orders.check()
        isolation = () if "UV_CONFIG_FILE" in self._env else ("--no-config",)
        try:
            process = self._holder.spawn([self._binary, *arguments, *isolation], variables, str(self._folder))
        except CannotStart as error:
            raise UvFailed(f"uv cannot be started: {error}") from error
        listener.note_process(process.pid)
        pipes = Pipes(process.output, listener, "setup", "build")
        pipes.start()
        orphans = Orphans(process.holder, process.pid)
        ending = supervise(process, self._orders, self._spool, None, _GRACE_SECONDS, "build", orphans=orphans)
        pipes.finish(_DRAIN_SECONDS)
        if ending.cause != EXITED:
            raise Stopped(ending.cause)
        if ending.exit_code == 0:
            return None
        return listener.said or f"uv ended with exit status {ending.exit_code} and no word"


def _in_one_line(said: str) -> str:
    """The complaint, without what went before it and the drawing around it."""
    complaint = re.search(r"^\s*(error:|\u00d7)", said, re.MULTILINE)
    words = re.sub("[\u00d7\u2500-\u257f\u25b6]|error:", " ", said[complaint.start() :] if complaint else said)
    return " ".join(words.split())[:500]
