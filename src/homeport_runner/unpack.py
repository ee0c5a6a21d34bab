"""Unpacks a package: a gzipped tar with `files/<path>` members and `manifest.yaml` as its last one.

The archive was written by somebody who may run code here anyway, but not before the run, not as the
runner, and not outside the run's folder. So nothing in it is believed: every member is checked, files are
only ever created, and links are made last, when nothing can be written through them any more.
"""

from __future__ import annotations

import os
import tarfile
import zlib
from collections.abc import Callable
from pathlib import Path

MOST_MEMBERS = 200_000
MOST_BYTES = 8 * 1024 * 1024 * 1024

_PREFIX = "files/"
_LAST_MEMBER = "manifest.yaml"
_CHUNK = 1024 * 1024


class BadPackage(Exception):
    """The package is not one that can be unpacked here."""


def unpack(
    archive: Path,
    folder: Path,
    *,
    file_mode: int | None = None,
    on_member: Callable[[], object] = lambda: None,
    most_members: int = MOST_MEMBERS,
    most_bytes: int = MOST_BYTES,
) -> None:
    """Put the files of `archive` below `folder`, which exists.

    `file_mode` is for files that must not keep the mode they came with. `on_member` is called before each
    member and may raise, to stop.
    """
    unpacking = _Unpacking(folder, file_mode, most_bytes)
    try:
        with tarfile.open(archive, "r|gz") as tar:
            for number, member in enumerate(tar):
                on_member()
                if number >= most_members:
                    raise BadPackage(f"it has more than {most_members} members")
                unpacking.take(tar, member)
    except (tarfile.TarError, EOFError, zlib.error) as error:
        raise BadPackage(f"it cannot be read: {error}") from error
    except FileExistsError as error:
        raise BadPackage(f"it has {os.path.relpath(error.filename, folder)!r} twice") from error
    unpacking.finish()


class _Unpacking:
    def __init__(self, folder: Path, file_mode: int | None, most_bytes: int) -> None:
        self._folder = folder
        self._file_mode = file_mode
        self._bytes_left = most_bytes
        self._links: list[tuple[Path, str]] = []
        self._is_complete = False

    def take(self, tar: tarfile.TarFile, member: tarfile.TarInfo) -> None:
        if self._is_complete:
            raise BadPackage(f"{member.name!r} comes after {_LAST_MEMBER}")
        if member.name == _LAST_MEMBER and member.isreg():
            self._is_complete = True
            return
        if member.isdir():
            return  # the client ships none; folders come with their files
        path = self._folder.joinpath(*_parts(member.name))
        if member.isreg():
            self._make_parents(path)
            self._write(tar, member, path)
        elif member.issym():
            self._make_parents(path)
            self._links.append((path, member.linkname))
        else:
            raise BadPackage(f"{member.name!r} is neither a file nor a symbolic link")

    def finish(self) -> None:
        """Make the links, then see where they really lead, each through all the others."""
        if not self._is_complete:
            raise BadPackage(f"{_LAST_MEMBER} is missing at its end; was the upload cut off?")
        for path, target in self._links:
            try:
                os.symlink(target, path)
            except FileExistsError:
                raise BadPackage(f"it has {os.path.relpath(path, self._folder)!r} twice") from None
            except (OSError, ValueError) as error:
                raise BadPackage(f"{path.name!r} is no usable link: {error}") from error
        root = os.path.realpath(self._folder)
        for path, target in self._links:
            if os.path.isabs(target) or not (os.path.realpath(path) + os.sep).startswith(root + os.sep):
                raise BadPackage(f"the link {os.path.relpath(path, root)!r} leads out of the workspace")

    def _make_parents(self, path: Path) -> None:
        """Create the folders above `path`; while there are no links yet, they can only be folders."""
        try:
            path.parent.mkdir(parents=True, exist_ok=True)
        except (FileExistsError, NotADirectoryError) as error:
            raise BadPackage(f"{path.name!r} is inside of something that is no folder") from error

    def _write(self, tar: tarfile.TarFile, member: tarfile.TarInfo, path: Path) -> None:
        self._bytes_left -= member.size
        if self._bytes_left < 0:
            raise BadPackage("its files are too large together")
        source = tar.extractfile(member)
        if source is None:
            raise BadPackage(f"{member.name!r} has no content")
        # Always ours to read and write; never setuid, setgid or sticky.
        mode = self._file_mode if self._file_mode is not None else (member.mode & 0o777) | 0o600
        target = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_NOFOLLOW, mode)
        with os.fdopen(target, "wb") as file:
            while True:
                piece = source.read(_CHUNK)
                if not piece:
                    break
                file.write(piece)
            os.fchmod(file.fileno(), mode)
        if member.mtime >= 0:
            os.utime(path, (member.mtime, member.mtime))


def _parts(name: str) -> list[str]:
    """The path below `files/`, if it is one that stays there."""
    parts = name[len(_PREFIX) :].split("/")
    if not name.startswith(_PREFIX) or "\0" in name or any(part in ("", ".", "..") for part in parts):
        raise BadPackage(f"{name!r} is no path inside of a workspace")
    return parts
