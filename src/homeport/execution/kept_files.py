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
from contextlib import suppress
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
        is_left = False
        # by descriptors: a folder that somebody replaces by a link meanwhile leads nowhere else
        for folder, inner, names, at in os.fwalk(self.root):
            place = Path(folder).relative_to(self.root)
            inner[:] = [name for name in inner if not self._is_passed_by(place / name, at, names)]
            if place.name and self._is_new(place):
                found = os.fstat(at)
                yield Kept(place.as_posix(), stat.S_IMODE(found.st_mode), int(found.st_mtime))
            for base in _bases(names):
                if (place / base) in self._done:
                    continue
                copied = self._copied(place, base, at, is_last)
                if copied is None:
                    is_left = True
                else:
                    self._done.add(place / base)
                    yield from copied
        return is_left

    def _is_new(self, path: Path) -> bool:
        is_new = path not in self._done
        self._done.add(path)
        return is_new

    def _is_passed_by(self, path: Path, at: int, beside: Collection[str]) -> bool:
        """Folders that are not gone into."""
        with suppress(FileNotFoundError):
            if stat.S_ISLNK(os.stat(path.name, dir_fd=at, follow_symlinks=False).st_mode):
                self._leave_out(path, "a link")
                return True
        return path.name.endswith(_SPILLED) and path.name.removesuffix(_SPILLED) in beside

    def _leave_out(self, path: Path, reason: str) -> None:
        if self._is_new(path):
            self.left_out.append(f"{path} ({reason})")

    def _copied(self, place: Path, base: str, at: int, is_last: bool) -> list[Kept] | None:
        """Copies of a file and of what is beside it; none when they changed meanwhile and may be tried again."""
        group = [base, *(base + suffix for suffix in _BESIDE)]
        before = self._looks(group, at)
        if before[0] is None:
            return []  # it was removed meanwhile
        if not stat.S_ISREG(before[0].st_mode):
            if stat.S_ISLNK(before[0].st_mode):
                self._leave_out(place / base, "a link")
            return []
        try:
            copies = [
                self._copy(name, number, at, look.st_size)
                for number, (name, look) in enumerate(zip(group, before, strict=True))
                if look is not None
            ]
        except FileNotFoundError:
            return [] if is_last else None
        except PermissionError as error:
            self._leave_out(place / base, str(error.strerror))
            return []
        is_good = _is_settled(before) and _states(before) == _states([_look(name, at) for name in group])
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

    def _copy(self, name: str, number: int, at: int, size: int) -> tuple[str, Path, os.stat_result]:
        """As much as there was of it: one that grows faster than it is read has no end."""
        target = self.scratch / str(number)
        # a pipe that took the file's name would let us wait for ever
        descriptor = os.open(name, os.O_RDONLY | os.O_NOFOLLOW | os.O_NONBLOCK, dir_fd=at)
        with open(descriptor, "rb") as source, target.open("wb") as copy:
            while size > 0 and (piece := source.read(min(size, _PIECE_BYTES))):
                size -= copy.write(piece)
            return name, target, os.fstat(source.fileno())


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
