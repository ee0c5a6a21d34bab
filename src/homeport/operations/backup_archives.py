"""The file of a backup: a tar.gz that says first what it is, and last what it holds.

    backup.json        what it was made of, and what it needs; read before anything else
    database           a copy of the database
    storage/…          objects, by their path in the storage
    workspaces/…       files that outlive runs
    keys/master.key    only if it was asked for
    members.json       size and SHA-256 of everything above; without it, the end is missing

Whoever reads one trusts nothing: there are no links, no names that lead elsewhere, and nothing that is not listed.
"""

import gzip
import hashlib
import io
import os
import shutil
import tarfile
import zlib
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import IO, BinaryIO, Literal

from pydantic import AwareDatetime, BaseModel

from homeport.errors import BackupError

FORMAT = 1
ABOUT, LIST = "backup.json", "members.json"
DATABASE, KEY = "database", "keys/master.key"
STORAGE, WORKSPACES = "storage", "workspaces"

_LEVEL = 1
"""Archives of code and logs are compressed already; more would take several times as long for a few percent."""
_PIECE = 1024 * 1024
_ABOUT_BYTES = 1024 * 1024
_LIST_BYTES = 1024 * 1024 * 1024
_FOLDER_MODE, _FILE_MODE = 0o700, 0o600


class About(BaseModel):
    """What a backup was made of, and what it needs."""

    format: int
    homeport: str
    """The version that made it."""
    made_at: AwareDatetime
    """When the database was as it is in here; files are from then or a little later."""
    database: Literal["sqlite", "postgresql"]
    revision: str
    """Of the database's schema."""
    made_by: int
    """The major version of `pg_dump`; 0 for SQLite."""
    master_keys: list[str]
    """Fingerprints of the keys that what is encrypted in here needs."""
    has_key: bool


class Member(BaseModel):
    size: int
    sha256: str


class Listing(BaseModel):
    """What a backup holds."""

    members: dict[str, Member]
    torn: list[str]
    """Files of workspaces that were written while they were copied."""
    missing_logs: list[str]
    """Attempts whose logs were gone from the storage."""
    missing_artifacts: list[str] = []
    """Objects of artifacts that were gone."""


@dataclass
class Writer:
    """Adds members to a new archive, one after another."""

    tar: tarfile.TarFile
    members: dict[str, Member] = field(default_factory=dict)

    def add(self, name: str, file: BinaryIO, mode: int = _FILE_MODE, changed_at: int = 0) -> None:
        """A file from its present place on to its end; it must not change meanwhile."""
        start = file.tell()
        info = tarfile.TarInfo(name)
        info.size = file.seek(0, io.SEEK_END) - start
        info.mode, info.mtime = mode, changed_at
        file.seek(start)
        hashing = _Hashing(file)
        self.tar.addfile(info, hashing)
        self.members[name] = Member(size=info.size, sha256=hashing.digest.hexdigest())

    def add_folder(self, name: str, mode: int, changed_at: int) -> None:
        info = tarfile.TarInfo(name)
        info.type, info.mode, info.mtime = tarfile.DIRTYPE, mode, changed_at
        self.tar.addfile(info)

    def add_path(self, name: str, path: Path, mode: int = _FILE_MODE, changed_at: int = 0) -> None:
        with path.open("rb") as file:
            self.add(name, file, mode, changed_at)

    def add_model(self, name: str, model: BaseModel) -> None:
        self.add(name, io.BytesIO(model.model_dump_json().encode()))

    def finish(self, torn: list[str], missing_logs: list[str], missing_artifacts: list[str]) -> None:
        listing = Listing(
            members=dict(self.members),
            torn=torn,
            missing_logs=missing_logs,
            missing_artifacts=missing_artifacts,
        )
        self.add_model(LIST, listing)


@contextmanager
def writing(file: BinaryIO) -> Iterator[Writer]:
    """A new archive; the caller adds the members in the order of the drawing, and finishes it."""
    with (
        gzip.GzipFile(filename="", fileobj=file, mode="wb", compresslevel=_LEVEL, mtime=0) as packed,
        tarfile.open(fileobj=packed, mode="w", format=tarfile.PAX_FORMAT) as tar,
    ):
        yield Writer(tar)


class _Hashing:
    """A file that is hashed while it is read."""

    def __init__(self, file: IO[bytes]) -> None:
        self._file = file
        self.digest = hashlib.sha256()

    def read(self, size: int = -1) -> bytes:
        piece = self._file.read(size)
        self.digest.update(piece)
        return piece


class _Damaged(Exception):
    """The reason for people."""


def unpack(path: Path, folder: Path | None, look: Callable[[About], None]) -> tuple[About, Listing]:
    """Read all of a backup, and put what it holds below a folder, if one is given.

    `look` is told what it is before the rest is read, and may refuse it. `BackupError` when it is no backup, or
    not all of it is as it was written: then what is in the folder is not to be used.
    """
    try:
        with path.open("rb") as file, gzip.GzipFile(fileobj=file) as packed:
            with tarfile.open(fileobj=packed, mode="r|") as tar:
                unpacked = _unpack(tar, folder, look)
            while packed.read(_PIECE):  # the checksum of the whole comes behind the last piece
                pass
            return unpacked
    except (_Damaged, tarfile.TarError, gzip.BadGzipFile, EOFError, zlib.error, ValueError) as error:
        raise BackupError(
            f"{path} is not a backup of Homeport, or is damaged: {_first_line(error)}. Nothing was changed; use "
            "another backup."
        ) from error
    except OSError as error:
        raise BackupError(f"{path} could not be unpacked: {error}. Nothing was changed.") from error


def _unpack(tar: tarfile.TarFile, folder: Path | None, look: Callable[[About], None]) -> tuple[About, Listing]:
    first = tar.next()
    if first is None or first.name != ABOUT:
        raise _Damaged(f"it does not begin with {ABOUT}")
    written = _content(tar, first, _ABOUT_BYTES)
    about = About.model_validate_json(written)
    look(about)
    found = {ABOUT: Member(size=len(written), sha256=hashlib.sha256(written).hexdigest())}
    while (info := tar.next()) is not None:
        if info.name == LIST:
            listing = Listing.model_validate_json(_content(tar, info, _LIST_BYTES))
            break
        name = _checked_name(info)
        target = None if folder is None else folder / name
        if info.isdir():
            _make_folder(target, info.mode)
        elif name in found:
            raise _Damaged(f"{name} is in it twice")
        else:
            found[name] = _take_out(tar, info, target)
    else:
        raise _Damaged("its end is missing")
    if tar.next() is not None:
        raise _Damaged("something follows its end")
    listed = listing.members
    differing = sorted(name for name in found.keys() | listed.keys() if found.get(name) != listed.get(name))
    if differing:
        raise _Damaged(f"{differing[0]} is not as it was written")
    return about, listing


def _content(tar: tarfile.TarFile, info: tarfile.TarInfo, limit: int) -> bytes:
    file = tar.extractfile(info)
    if file is None or info.size > limit:
        raise _Damaged(f"{info.name} cannot be read")
    return file.read()


def _checked_name(info: tarfile.TarInfo) -> str:
    """The name of a member that may be put below a folder."""
    first, *rest = parts = info.name.split("/")
    is_named = info.name in (DATABASE, KEY) or (first in (STORAGE, WORKSPACES) and rest)
    if not is_named or any(part in ("", ".", "..") or "\0" in part for part in parts):
        raise _Damaged(f"{info.name!r} does not belong into it")
    if not (info.type in (tarfile.REGTYPE, tarfile.AREGTYPE) or (info.isdir() and first == WORKSPACES)):
        raise _Damaged(f"{info.name!r} is neither a file nor a folder")
    return info.name


def _make_folder(target: Path | None, mode: int) -> None:
    if target is not None:
        target.mkdir(mode=_FOLDER_MODE, parents=True, exist_ok=True)
        target.chmod(_FOLDER_MODE | mode & 0o777)


def _take_out(tar: tarfile.TarFile, info: tarfile.TarInfo, target: Path | None) -> Member:
    source = tar.extractfile(info)
    assert source is not None
    hashing = _Hashing(source)
    if target is None:
        while hashing.read(_PIECE):
            pass
    else:
        target.parent.mkdir(mode=_FOLDER_MODE, parents=True, exist_ok=True)
        # a new file, whatever is there: nothing is followed, nothing is written over
        descriptor = os.open(target, os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_NOFOLLOW, _FILE_MODE)
        with open(descriptor, "wb") as copy:
            shutil.copyfileobj(hashing, copy, _PIECE)
            os.fchmod(copy.fileno(), _FILE_MODE | info.mode & 0o777)
        os.utime(target, (info.mtime, info.mtime))
    return Member(size=info.size, sha256=hashing.digest.hexdigest())


def _first_line(error: Exception) -> str:
    return (str(error) or type(error).__name__).splitlines()[0]
