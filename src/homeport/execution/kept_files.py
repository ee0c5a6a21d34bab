"""Copies of files that runs may be writing at this very moment: DuckDB and SQLite databases among them.

A copy is good when nothing of what it was made of changed while it was made. A database and what is written beside
it (its write-ahead log) are one thing here: together, unchanged, they are what a crash would leave on the disk at
that moment, and databases open such a state with everything that was committed. So a database that a run, or a
notebook, has open for hours is copied well in any pause of its writing; nobody's lock is taken for it, since a run
that meets one fails. What changes again and again is tried for a while, and is a torn copy at last.
"""

import os
import stat
import threading
import time
from collections.abc import Collection, Generator, Iterator, Sequence
from dataclasses import dataclass, field
from datetime import timedelta
from pathlib import Path

from homeport.clock import Clock

_BESIDE = (".wal", "-wal", "-journal")
"""What DuckDB and SQLite write beside a database."""
_NOT_COPIED = "-shm"
"""SQLite makes it anew."""
_SPILLED = ".tmp"
"""The folder beside a database that DuckDB keeps what does not fit into memory in."""
_TRY_AGAIN_SECONDS = 0.5
_SETTLED_NANOSECONDS = 50_000_000
"""Times of files move on in steps of some milliseconds: a second write within one step does not show."""

_PIECE_BYTES = 1024 * 1024
_DEEPEST = 100
_FOLDER = os.O_RDONLY | os.O_DIRECTORY | os.O_NOFOLLOW
_FILE = os.O_RDONLY | os.O_NOFOLLOW | os.O_NONBLOCK
"""A pipe that took a file's name would let us wait for ever."""

TORN = ".torn"
"""Added to the name of a copy that may be of no use, so that nobody opens it unawares."""


@dataclass(frozen=True)
class Kept:
    """A folder, or the copy of a file; to be used before the next one is asked for."""

    name: str
    """Its path below the root."""
    mode: int
    changed_at: int
    """Seconds since 1970."""
    copy: Path | None = None
    """None for a folder."""


@dataclass
class KeptFiles:
    """What is below a folder, copied one after another into a scratch folder."""

    root: Path
    scratch: Path
    clock: Clock
    patience: timedelta
    """How long to wait, all in all, for files that are being written."""
    torn: list[str] = field(default_factory=list)
    """Files that were written all the time: their copies may be of no use, and are named so."""
    left_out: list[str] = field(default_factory=list)
    """Links, and what cannot be read, with the reason."""
    _done: set[Path] = field(default_factory=set)

    def __iter__(self) -> Iterator[Kept]:
        until = self.clock.now() + self.patience
        while (yield from self._pass(is_last=self.clock.now() >= until)):
            self.clock.wait(threading.Event(), _TRY_AGAIN_SECONDS)

    def _pass(self, is_last: bool) -> Generator[Kept, None, bool]:
        """Copies of what has none yet; whether something is left for another pass."""
        if not self.root.is_dir():
            return False
        at = os.open(self.root, _FOLDER)
        try:
            return (yield from self._inside(Path(), at, is_last))
        finally:
            os.close(at)

    def _inside(self, place: Path, at: int, is_last: bool) -> Generator[Kept, None, bool]:
        is_left = False
        looks = {name: look for name in sorted(os.listdir(at)) if (look := _look(name, at)) is not None}
        for base in _bases(looks):
            mode = looks[base].st_mode
            if stat.S_ISLNK(mode):
                self._leave_out(place / base, "a link")
            elif stat.S_ISREG(mode) and (place / base) not in self._done:
                copied = self._copied(place, base, at, is_last)
                if copied is None:
                    is_left = True
                else:
                    self._done.add(place / base)
                    yield from copied
        for name, look in looks.items():
            if stat.S_ISDIR(look.st_mode) and not (name.endswith(_SPILLED) and name[: -len(_SPILLED)] in looks):
                is_left |= yield from self._folder(place / name, at, is_last)
        return is_left

    def _folder(self, place: Path, beside: int, is_last: bool) -> Generator[Kept, None, bool]:
        if len(place.parts) > _DEEPEST:
            self._leave_out(place, "too deep")
            return False
        try:
            # by descriptors: a folder that somebody replaces by a link meanwhile leads nowhere else
            at = os.open(place.name, _FOLDER, dir_fd=beside)
        except FileNotFoundError:
            return False
        except OSError as error:
            self._leave_out(place, str(error.strerror))
            return False
        try:
            if self._is_new(place):
                look = os.fstat(at)
                yield Kept(place.as_posix(), stat.S_IMODE(look.st_mode), int(look.st_mtime))
            return (yield from self._inside(place, at, is_last))
        finally:
            os.close(at)

    def _is_new(self, path: Path) -> bool:
        is_new = path not in self._done
        self._done.add(path)
        return is_new

    def _leave_out(self, path: Path, reason: str) -> None:
        if self._is_new(path):
            self.left_out.append(f"{path} ({reason})")

    def _copied(self, place: Path, base: str, at: int, is_last: bool) -> list[Kept] | None:
        """Copies of a file and of what is beside it; none when they changed meanwhile and may be tried again."""
        group = [base, *(base + suffix for suffix in _BESIDE)]
        before = self._looks(group, at)
        copies = []
        for number, (name, look) in enumerate(zip(group, before, strict=True)):
            if look is None or not stat.S_ISREG(look.st_mode):
                if look is not None and stat.S_ISLNK(look.st_mode):
                    self._leave_out(place / name, "a link")
                continue
            try:
                source = os.open(name, _FILE, dir_fd=at)
            except FileNotFoundError:
                continue  # as will show below
            except OSError as error:
                self._leave_out(place / name, str(error.strerror))
                continue
            copies.append((name, _copy(source, self.scratch / str(number), look.st_size), look))
        after = [_look(name, at) for name in group]
        if after[0] is None:
            return []  # it was removed meanwhile
        is_good = _is_settled(before) and _states(before) == _states(after)
        if not is_good and not is_last:
            return None
        if not is_good:
            self.torn.append((place / base).as_posix())
        mark = "" if is_good else TORN
        return [
            Kept(
                (place / f"{base}{mark}{name.removeprefix(base)}").as_posix(),
                stat.S_IMODE(look.st_mode),
                int(look.st_mtime),
                copy,
            )
            for name, copy, look in copies
        ]

    def _looks(self, group: Sequence[str], at: int) -> list[os.stat_result | None]:
        """How files are now; those that were written a moment ago are given another one."""
        looks = [_look(name, at) for name in group]
        if _is_settled(looks):
            return looks
        self.clock.wait(threading.Event(), _SETTLED_NANOSECONDS / 1e9)
        return [_look(name, at) for name in group]


def _copy(descriptor: int, target: Path, size: int) -> Path:
    """As much as there was of it: one that grows faster than it is read has no end."""
    with open(descriptor, "rb") as source, target.open("wb") as copy:
        while size > 0 and (piece := source.read(min(size, _PIECE_BYTES))):
            size -= copy.write(piece)
    return target


def _bases(names: Collection[str]) -> list[str]:
    """Files, without those that are written beside another one."""
    known = set(names)
    beside = {name + suffix for name in known for suffix in (*_BESIDE, _NOT_COPIED)}
    return sorted(known - beside)


def _look(name: str, at: int) -> os.stat_result | None:
    try:
        return os.stat(name, dir_fd=at, follow_symlinks=False)
    except FileNotFoundError:
        return None


def _is_settled(looks: Sequence[os.stat_result | None]) -> bool:
    """Whether the next write will show in the times of these files."""
    newest = max((max(look.st_mtime_ns, look.st_ctime_ns) for look in looks if look is not None), default=0)
    return not 0 <= time.time_ns() - newest < _SETTLED_NANOSECONDS


def _states(looks: Sequence[os.stat_result | None]) -> list[tuple[int, ...] | None]:
    """What changes when files do."""
    return [look and (look.st_ino, look.st_size, look.st_mtime_ns, look.st_ctime_ns) for look in looks]
