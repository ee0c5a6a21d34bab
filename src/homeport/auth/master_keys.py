"""The master key, which all data keys are wrapped with, and where it comes from.

    HOMEPORT_MASTER_KEY     base64 of 32 bytes; wins over
    master_key_command      a command that prints the same; wins over
    keys/master.key         a file in the data folder, made at the first start

While a rotation is under way there are two: the current key and the next one (`HOMEPORT_NEW_MASTER_KEY`, or
`keys/master.key.new`). Both are accepted, so that a rotation may be cut short at any moment.
"""

import base64
import os
import shlex
import subprocess
from dataclasses import dataclass, field
from functools import cached_property
from pathlib import Path
from typing import Protocol

from homeport.auth import secrets
from homeport.auth.ciphers import Cipher
from homeport.errors import SetupError

VARIABLE = "HOMEPORT_MASTER_KEY"
NEXT_VARIABLE = "HOMEPORT_NEW_MASTER_KEY"

_COMMAND_SECONDS = 60
_MAKE_ONE = "openssl rand -base64 32"


@dataclass(frozen=True)
class MasterKey:
    value: bytes = field(repr=False)

    @cached_property
    def id(self) -> str:
        """A fingerprint, to be stored and shown; nothing of the key can be learned from it."""
        return secrets.derive(self.value, "fingerprint").hex()[:16]

    @cached_property
    def cipher(self) -> Cipher:
        """What data keys are wrapped with."""
        return Cipher(secrets.derive(self.value, "data keys"))


@dataclass(frozen=True)
class MasterKeys:
    """The key in force and, while a rotation is under way, the one that is to be."""

    current: MasterKey
    next: MasterKey | None = None

    def by_id(self, key_id: str) -> MasterKey | None:
        return next((key for key in (self.current, self.next) if key is not None and key.id == key_id), None)


class Source(Protocol):
    """Where master keys come from. The caller has the data folder for itself."""

    @property
    def name(self) -> str:
        """For people: what to look at when the key is the wrong one."""

    @property
    def after_rotation(self) -> str:
        """For people: what is left to do."""

    def load(self, may_make: bool) -> MasterKeys:
        """The keys; a new installation may have its first one made."""

    def begin_rotation(self) -> MasterKey:
        """The next key, safely kept; the one that an earlier rotation has left, if it was cut short."""

    def finish_rotation(self) -> None:
        """All data keys are wrapped with the next key: from now on it is the current one."""


def source_of(folder: Path, command: str | None) -> Source:
    """The source in force."""
    if os.environ.get(VARIABLE):
        return _Environment()
    return _Command(command) if command else _File(folder)


def in_force(folder: Path, command: str | None) -> MasterKeys | None:
    """The keys of the source in force; none where there is no key yet."""
    source = source_of(folder, command)
    if isinstance(source, _File) and not source.has_key:
        return None
    return source.load(may_make=False)


def put(folder: Path, key: MasterKey) -> Path:
    """Make a key the one of a data folder that has none; the answer is its place."""
    return _File(folder).put(key)


def encoded(key: MasterKey) -> bytes:
    """A key as its file has it."""
    return base64.b64encode(key.value) + b"\n"


class _Given:
    """A key that is kept somewhere else: there the next one is put in its place, by people."""

    name: str

    @property
    def after_rotation(self) -> str:
        return (
            f"Let {self.name} give the new key now, then remove {NEXT_VARIABLE}. Until then the server needs both."
        )

    def begin_rotation(self) -> MasterKey:
        found = _next_from_environment()
        if found is None:
            raise SetupError(
                f"The master key comes from {self.name}, where Homeport cannot put a new one. Give it the new key "
                f"as {NEXT_VARIABLE} (`{_MAKE_ONE}`) and rotate again."
            )
        return found

    def finish_rotation(self) -> None:
        """Nothing that we could do: until somebody replaces the old key, both have to be given."""


class _Environment(_Given):
    name = VARIABLE

    def load(self, may_make: bool) -> MasterKeys:
        return MasterKeys(_decoded(os.environ[VARIABLE], VARIABLE), _next_from_environment())


class _Command(_Given):
    """Its standard output is the key. It is started without a shell, and its output is never shown."""

    name = "master_key_command"

    def __init__(self, command: str) -> None:
        self._command = command

    def load(self, may_make: bool) -> MasterKeys:
        return MasterKeys(_decoded(self._output(), "what master_key_command prints"), _next_from_environment())

    def _output(self) -> str:
        try:
            arguments = shlex.split(self._command)
            done = subprocess.run(
                arguments, stdin=subprocess.DEVNULL, capture_output=True, timeout=_COMMAND_SECONDS, check=False
            )
        except (OSError, ValueError, IndexError, subprocess.TimeoutExpired) as error:
            is_late = isinstance(error, subprocess.TimeoutExpired)
            why = f"no answer within {_COMMAND_SECONDS} s" if is_late else error
            raise SetupError(
                f"master_key_command could not be run: {why}. It is started without a shell: give a program and "
                "its arguments."
            ) from error
        if done.returncode != 0:
            last = done.stderr.decode(errors="replace").strip().splitlines()[-1:]
            raise SetupError(
                f"master_key_command ended with exit code {done.returncode}: {(last or ['it said nothing'])[0]}"
            )
        return done.stdout.decode(errors="replace")


class _File:
    """`master.key` in a folder that only we can read, and beside it `master.key.new` during a rotation."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder
        self._current = folder / "master.key"
        self._next = folder / "master.key.new"
        self.name = str(self._current)
        self.after_rotation = f"Back up {self._current} now, apart from the database and the storage."

    @property
    def has_key(self) -> bool:
        return self._current.exists()

    def put(self, key: MasterKey) -> Path:
        self._folder.mkdir(mode=0o700, parents=True, exist_ok=True)
        self._write(self._current, key)
        return self._current

    def load(self, may_make: bool) -> MasterKeys:
        if may_make and not self.has_key:
            self.put(_fresh())
        if not self.has_key:
            raise SetupError(
                f"The master key {self._current} is missing. Restore it from its backup: without it, stored "
                "configurations and variables cannot be read."
            )
        return MasterKeys(read(self._current), read(self._next) if self._next.exists() else None)

    def begin_rotation(self) -> MasterKey:
        if not self._next.exists():
            self._write(self._next, _fresh())
        return read(self._next)

    def finish_rotation(self) -> None:
        self._next.replace(self._current)
        _sync_folder(self._folder)

    def _write(self, path: Path, key: MasterKey) -> None:
        """A new file: complete and on the disk under its name, or not there at all."""
        scratch = path.with_name("scratch")
        scratch.unlink(missing_ok=True)
        descriptor = os.open(scratch, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
        with os.fdopen(descriptor, "wb") as file:
            file.write(encoded(key))
            file.flush()
            os.fsync(file.fileno())
        scratch.replace(path)
        _sync_folder(self._folder)


def _fresh() -> MasterKey:
    return MasterKey(os.urandom(secrets.KEY_BYTES))


def _next_from_environment() -> MasterKey | None:
    given = os.environ.get(NEXT_VARIABLE)
    return _decoded(given, NEXT_VARIABLE) if given else None


def read(path: Path) -> MasterKey:
    """The key in a file; `SetupError` when there is none."""
    try:
        return _decoded(path.read_bytes().decode(errors="replace"), str(path))
    except OSError as error:
        raise SetupError(f"The master key {path} cannot be read: {error.strerror or error}.") from error


def _decoded(text: str, where: str) -> MasterKey:
    try:
        value = base64.b64decode(text.strip(), validate=True)
    except ValueError:
        value = b""
    if len(value) != secrets.KEY_BYTES:
        # not a word of what is there: it may be most of a key
        raise SetupError(
            f"There is no master key in {where}: it must be 32 bytes in base64 (`{_MAKE_ONE}`). If there was one, "
            "restore it from its backup: without it, stored configurations and variables cannot be read."
        )
    return MasterKey(value)


def _sync_folder(folder: Path) -> None:
    """A new name lasts only when its folder is on the disk too."""
    descriptor = os.open(folder, os.O_RDONLY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)
