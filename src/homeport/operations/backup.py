"""Make a backup: one file with the database, what it refers to in the storage, and the files that outlive runs.

1. copy the database, as it is at one moment
2. the objects that this copy refers to: what is written later is not missed, what is removed meanwhile is told
3. the files that outlive runs: after the database, so that no run is known as completed whose data is not there
4. the master key, if it is asked for
5. the list of it all; then the file gets its name

Servers may be running. Whatever ends this before its last step leaves nothing under the file's name.
"""

import fcntl
import os
import shutil
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field
from datetime import timedelta
from io import BytesIO
from pathlib import Path

import homeport
from homeport.auth import master_keys
from homeport.auth.master_keys import Source
from homeport.clock import Clock
from homeport.config import Settings
from homeport.errors import BackupError
from homeport.execution.kept_files import KeptFiles
from homeport.operations import backup_archives
from homeport.operations.backup_archives import DATABASE, KEY, STORAGE, WORKSPACES, About, Member, Writer
from homeport.store import snapshots
from homeport.store.blobs import Objects
from homeport.store.snapshots import Holds, Tell

KEPT_FILES = Path("node", "workspaces")
"""Of a data folder: files that outlive runs."""
ENDING = ".tar.gz"

_SCRATCH = ".homeport-backup-"


@dataclass
class Made:
    """What a backup holds, and what it does not."""

    path: Path
    about: About
    size: int = 0
    members: dict[str, Member] = field(default_factory=dict)
    missing_packages: list[str] = field(default_factory=list)
    """Archives of code or configuration that the storage does not have."""
    missing_logs: list[str] = field(default_factory=list)
    """Attempts whose logs it does not have: retention may have removed them meanwhile."""
    missing_artifacts: list[str] = field(default_factory=list)
    """What pipelines had left, and have left anew meanwhile."""
    torn: list[str] = field(default_factory=list)
    left_out: list[str] = field(default_factory=list)

    @property
    def is_whole(self) -> bool:
        return not (self.missing_packages or self.torn or self.left_out)


@dataclass(frozen=True)
class Making:
    """How a backup is made."""

    settings: Settings
    clock: Clock
    patience: timedelta
    """How long to wait, all in all, for files that are being written."""
    keys: Source | None = None
    """Whose key goes along; none: no key does."""
    tell: Tell = lambda doing: None
    """Hears what is being done, again and again."""

    def into(self, target: Path) -> Made:
        """Back up into a file, or into a folder, where the file is named after the moment."""
        if not (self.settings.data_dir / "server.lock").exists():
            raise BackupError(
                f"There is no Homeport installation in {self.settings.data_dir.resolve()}. Name its data folder "
                "with --data-dir."
            )
        path = self._named(target)
        try:
            with _scratch_in(path.parent) as scratch:
                made = self._write(path, scratch)
                (scratch / "archive").rename(path)
                _settle(path.parent)
        except OSError as error:
            raise BackupError(f"{path} could not be written: {error}.") from error
        return made

    def _named(self, target: Path) -> Path:
        path = target
        if target.is_dir():
            path = target / f"homeport-{self.clock.now():%Y%m%d-%H%M%S}{ENDING}"
        if not path.name.endswith(ENDING):
            raise BackupError(f"A backup is a {ENDING} file: name it so, or name a folder that is there.")
        if path.exists():
            raise BackupError(f"{path} exists already, and a backup never replaces another one.")
        return path

    def _write(self, path: Path, scratch: Path) -> Made:
        now = self.clock.now()
        self.tell("database")
        copied = snapshots.take(self.settings.effective_database_url, scratch / DATABASE, self.tell)
        about = About(
            format=backup_archives.FORMAT,
            homeport=homeport.__version__,
            made_at=now,
            database=copied.kind,
            revision=copied.holds.revision,
            made_by=copied.made_by,
            master_keys=copied.holds.master_keys,
            has_key=self.keys is not None,
        )
        made = Made(path, about)
        descriptor = os.open(scratch / "archive", os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
        with open(descriptor, "wb") as file:
            with backup_archives.writing(file) as writer:
                writer.add_model(backup_archives.ABOUT, about)
                writer.add_path(DATABASE, scratch / DATABASE)
                (scratch / DATABASE).unlink()
                self._add_objects(copied.holds, writer, scratch, made)
                self._add_files(writer, scratch, made)
                if self.keys is not None:
                    writer.add(KEY, BytesIO(_key_of(self.keys, about.master_keys)))
                writer.finish(made.torn, made.missing_logs, made.missing_artifacts)
            file.flush()
            os.fsync(file.fileno())
            made.size, made.members = file.tell(), writer.members
        return made

    def _add_objects(self, holds: Holds, writer: Writer, scratch: Path, made: Made) -> None:
        objects = Objects(self.settings.effective_storage_url)
        wanted = [(path, path, made.missing_packages) for path in holds.packages]
        wanted += [(path, attempt, made.missing_logs) for attempt, path in holds.logs.items()]
        wanted += [(path, name, made.missing_artifacts) for name, path in holds.artifacts.items()]
        for number, (path, name, missing) in enumerate(wanted, 1):
            self.tell(f"storage: {number} of {len(wanted)} objects")
            with (scratch / "object").open("w+b") as copy:
                if not objects.get(path, copy):
                    missing.append(name)
                    continue
                copy.seek(0)
                writer.add(f"{STORAGE}/{path}", copy)

    def _add_files(self, writer: Writer, scratch: Path, made: Made) -> None:
        folder = scratch / "files"
        folder.mkdir()
        files = KeptFiles(self.settings.data_dir / KEPT_FILES, folder, self.clock, self.patience)
        for kept in files:
            name = f"{WORKSPACES}/{kept.name}"
            if kept.copy is None:
                writer.add_folder(name, kept.mode, kept.changed_at)
            else:
                self.tell(f"workspaces: {kept.name}")
                writer.add_path(name, kept.copy, kept.mode, kept.changed_at)
        made.torn, made.left_out = files.torn, files.left_out


def _key_of(source: Source, needed: list[str]) -> bytes:
    """The master key as its file has it: the one that the copied database needs."""
    keys = source.load(may_make=False)
    found = [keys.by_id(key_id) for key_id in needed] or [keys.current]
    if len(found) != 1 or found[0] is None:
        raise BackupError(
            f"The master key in {source.name} has the fingerprint {keys.current.id}, but the database needs "
            f"{', '.join(needed)}. If the key was being replaced, try again."
        )
    return master_keys.encoded(found[0])


@contextmanager
def _scratch_in(folder: Path) -> Iterator[Path]:
    """A folder of our own beside the target, on the same file system; what killed ones have left goes first."""
    if not folder.is_dir():
        raise BackupError(f"There is no folder {folder}.")
    for left in folder.glob(f"{_SCRATCH}*"):
        with suppress(OSError), (left / "lock").open("rb") as lock:
            fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
            shutil.rmtree(left, ignore_errors=True)
    scratch = Path(tempfile.mkdtemp(prefix=_SCRATCH, dir=folder))
    try:
        with (scratch / "lock").open("wb") as lock:
            fcntl.flock(lock, fcntl.LOCK_EX)
            yield scratch
    finally:
        shutil.rmtree(scratch, ignore_errors=True)


def _settle(folder: Path) -> None:
    """A new name survives a power cut only when its folder is on the disk too."""
    descriptor = os.open(folder, os.O_RDONLY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)
