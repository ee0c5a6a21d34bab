"""Which environments of this machine stay: those in use, those of the last hour, and of the others as many as the
budget has room for, used last first.

Runners lock `<key>.lock` while they use or build an environment (`homeport_runner/environment.py`) and touch its
mark when they begin and when they end. What is removed here is locked first and then renamed, so a run that starts
at the same moment either has it, or finds that it is not there and builds it again.
"""

import fcntl
import os
import shutil
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from datetime import datetime, timedelta
from pathlib import Path
from uuid import uuid4

from homeport_runner.built import MARK
from homeport_runner.image import identity
from homeport_runner.newest import ENDING, key_now

LAST_HOUR = timedelta(hours=1)
FAILURES_KEPT = timedelta(days=2)
_REMOVED = ".removed"
_BLOCK = 512


@dataclass(frozen=True)
class _Kept:
    path: Path
    used_at: float
    is_complete: bool


class KeptEnvironments:
    """Those below `folder`. `budget` is in bytes; 0: any. Not for several threads at once."""

    def __init__(self, folder: Path, budget: int) -> None:
        self._folder = folder
        self._budget = budget
        self._sizes: dict[tuple[str, tuple[int, ...] | None], float] = {}
        """By name and build: what an environment takes is asked of the disk once."""

    def collect(self, now: datetime) -> list[str]:
        """Remove what has to go; the keys of what has gone."""
        self._clear_away()
        removed: list[str] = []
        while more := self._collect_some((now - LAST_HOUR).timestamp()):
            removed += more
            self._clear_away()
            self._sizes.clear()  # files that those shared with others count for more now
        self._forget_newest(now)
        self._forget_failures(now)
        return removed

    def _collect_some(self, idle_since: float) -> list[str]:
        found = sorted(self._find(), key=lambda kept: kept.used_at, reverse=True)
        # what an interrupted build left is of no use, however much room there is
        unwanted = [kept for kept in found if not kept.is_complete] + self._beyond_budget(found)
        return [kept.path.name for kept in unwanted if kept.used_at < idle_since and _remove(kept)]

    def _find(self) -> Iterator[_Kept]:
        with suppress(FileNotFoundError):
            for entry in os.scandir(self._folder):
                if entry.is_dir(follow_symlinks=False) and not entry.name.endswith(_REMOVED):
                    path = Path(entry.path)
                    used_at = _used_at(path)
                    if used_at is not None:
                        yield _Kept(path, used_at, (path / MARK).exists())

    def _beyond_budget(self, found: list[_Kept]) -> list[_Kept]:
        """Those that there is no room for, the one used least recently first."""
        complete = [kept for kept in found if kept.is_complete]
        if not self._budget:
            return []
        if sum(map(self._size, complete)) > self._budget:
            self._sizes.clear()  # known sizes are of a day when fewer shared the same files
        beyond = []
        left = float(self._budget)
        for kept in complete:
            left -= self._size(kept)
            if left < 0:
                beyond.append(kept)
        return beyond[::-1]

    def _size(self, kept: _Kept) -> float:
        build = (kept.path.name, identity(kept.path))
        if build not in self._sizes:
            self._sizes[build] = _bytes_on_disk(kept.path)
        return self._sizes[build]

    def _clear_away(self) -> None:
        for path in self._folder.glob("*" + _REMOVED):
            shutil.rmtree(path, ignore_errors=True)

    def _forget_newest(self, now: datetime) -> None:
        """Notes that lead to an environment which is there no more."""
        long_ago = (now - FAILURES_KEPT).timestamp()
        for path in self._folder.glob("*" + ENDING):
            environment = self._folder / key_now(self._folder, path.stem)
            with suppress(OSError):
                if path.stat().st_mtime < long_ago and not environment.exists():
                    path.unlink()

    def _forget_failures(self, now: datetime) -> None:
        """Locks and memories of what was never built."""
        long_ago = (now - FAILURES_KEPT).timestamp()
        for path in self._folder.glob("*.lock"):
            environment = path.with_suffix("")
            with suppress(OSError):
                if not environment.exists() and path.stat().st_mtime < long_ago:
                    failed = environment.with_name(environment.name + ".failed")
                    if not failed.exists() or failed.stat().st_mtime < long_ago:
                        _remove_files(environment)


def _used_at(environment: Path) -> float | None:
    for path in (environment / MARK, environment):
        with suppress(OSError):
            return path.stat().st_mtime
    return None


def _remove(kept: _Kept) -> bool:
    """Unless somebody uses it, or has used it since we looked."""
    with _locked(kept.path) as is_ours:
        if not is_ours or _used_at(kept.path) != kept.used_at:
            return False
        try:
            kept.path.rename(kept.path.with_name(f"{kept.path.name}.{uuid4().hex}{_REMOVED}"))
        except OSError:
            return False
        _unlink_files(kept.path)
    return True


def _remove_files(environment: Path) -> None:
    with _locked(environment) as is_ours:
        if is_ours and not environment.exists():
            _unlink_files(environment)


def _unlink_files(environment: Path) -> None:
    """The lock last: who waits for it finds that it is no longer the one at this path, and takes a new one."""
    for ending in (".failed", ".failed.new", ".log", ".lock"):
        environment.with_name(environment.name + ending).unlink(missing_ok=True)


@contextmanager
def _locked(environment: Path) -> Iterator[bool]:
    """Whether nobody uses it, and nobody can while this lasts."""
    path = environment.with_name(environment.name + ".lock")
    lock = os.open(path, os.O_RDWR | os.O_CREAT, 0o600)
    try:
        yield _is_taken(lock, path)
    finally:
        os.close(lock)


def _is_taken(lock: int, path: Path) -> bool:
    try:
        fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
        return os.path.samestat(os.fstat(lock), path.stat())
    except (BlockingIOError, FileNotFoundError):
        return False


def _bytes_on_disk(folder: Path) -> float:
    """What it takes. uv links the files of its cache, so that all environments with a package share them: a file
    that several have counts for each by its part."""
    total = 0.0
    waiting = [folder]
    while waiting:
        with suppress(OSError), os.scandir(waiting.pop()) as entries:
            for entry in entries:
                stat = entry.stat(follow_symlinks=False)
                is_folder = entry.is_dir(follow_symlinks=False)
                # one of the links is that of the cache
                shares = 1 if is_folder else max(1, stat.st_nlink - 1)
                total += stat.st_blocks * _BLOCK / shares
                if is_folder:
                    waiting.append(Path(entry.path))
    return total
