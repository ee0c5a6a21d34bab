"""Archives of code and configuration, logs and artifacts, in object storage: a folder by default; S3, GCS, Azure
by URL.

Content is addressed by its digest, so writing the same bytes twice is harmless. Configuration holds secrets and
is sealed before it gets here, with the workspace's key and for its path: the storage never sees the key. So are
artifacts of pipelines, which are addressed by names that are used once, for they are replaced.
"""

import errno
import os
from collections.abc import Iterator
from contextlib import suppress
from pathlib import Path
from typing import BinaryIO, Protocol
from uuid import UUID

import obstore
from obstore.store import LocalStore, ObjectStore, from_url

from homeport.errors import OutOfRoom, SetupError, Unavailable

_SEALED = frozenset({"configurations", "artifacts"})
"""The kinds of archives that are encrypted."""


class Sealing(Protocol):
    """Makes bytes unreadable to whoever has the storage."""

    def seal(self, workspace_id: UUID, content: bytes, place: str) -> bytes: ...

    def open(self, workspace_id: UUID, sealed: bytes, place: str) -> bytes:
        """The content; `Unavailable` when it is not what was sealed for this place."""


class Blobs:
    """Keeps bytes under (workspace, kind, digest)."""

    def __init__(self, url: str, sealing: Sealing) -> None:
        self._store = _open(url)
        self._folder = None if "://" in url else Path(url)
        self._sealing = sealing

    def put(self, workspace_id: UUID, kind: str, sha256: str, archive: Path) -> None:
        """Keep an archive; returns when the storage has it. Only configuration, which is small, is read whole."""
        if kind in _SEALED:
            self.put_sealed(workspace_id, kind, sha256, archive.read_bytes())
        else:
            self._put(path_of(workspace_id, kind, sha256), archive)

    def put_sealed(self, workspace_id: UUID, kind: str, name: str, content: bytes) -> None:
        """Keep what is encrypted at rest; `Unavailable` when the storage does not take it."""
        path = path_of(workspace_id, kind, name)
        self._put(path, self._sealing.seal(workspace_id, content, path))

    def _put(self, path: str, content: bytes | Path) -> None:
        try:
            obstore.put(self._store, path, content)
        except Exception as error:  # obstore raises its own kinds by backend
            raise _not_taken(path, error) from error

    def get(self, workspace_id: UUID, kind: str, sha256: str) -> bytes:
        """The archive; `Unavailable` when the storage does not give it."""
        path = path_of(workspace_id, kind, sha256)
        try:
            content = bytes(obstore.get(self._store, path).bytes())
        except Exception as error:
            raise Unavailable(f"The storage does not give {path}: {error}") from error
        return self._sealing.open(workspace_id, content, path) if kind in _SEALED else content

    def stream(self, workspace_id: UUID, kind: str, sha256: str) -> Iterator[bytes]:
        """The archive piece by piece; `Unavailable` comes before the first piece."""
        if kind in _SEALED:
            return iter([self.get(workspace_id, kind, sha256)])
        path = path_of(workspace_id, kind, sha256)
        try:
            found = obstore.get(self._store, path)
        except Exception as error:
            raise Unavailable(f"The storage does not give {path}: {error}") from error
        return map(bytes, found.stream())

    def put_log(self, path: str, file: Path) -> None:
        """Keep a log; returns when the storage has it for good, for its lines are deleted elsewhere then."""
        try:
            obstore.put(self._store, path, file)
            if self._folder is not None:
                _settle(self._folder / path)
        except Exception as error:
            raise _not_taken(path, error) from error

    def get_log(self, path: str, offset: int, length: int) -> bytes:
        """A part of a log; `Unavailable` when the storage does not give it."""
        try:
            return bytes(obstore.get_range(self._store, path, start=offset, length=length))
        except Exception as error:
            raise Unavailable(f"The storage does not give {path}: {error}") from error

    def delete(self, workspace_id: UUID, kind: str, name: str) -> None:
        """One that is gone already is no fault."""
        self.delete_log(path_of(workspace_id, kind, name))

    def delete_log(self, path: str) -> None:
        """One that is gone already is no fault."""
        try:
            with suppress(FileNotFoundError):
                obstore.delete(self._store, path)
        except Exception as error:
            raise Unavailable(f"The storage does not delete {path}: {error}") from error

    def check(self) -> None:
        """Raise `Unavailable` unless the storage takes and gives an object."""
        try:
            obstore.put(self._store, "readiness", b"ok")
            obstore.get(self._store, "readiness").bytes()
        except Exception as error:
            raise Unavailable(f"The storage does not answer: {error}") from error


def _not_taken(path: str, error: Exception) -> Unavailable:
    if os.strerror(errno.ENOSPC) in str(error):  # obstore hands on the words only
        return OutOfRoom(
            "The disk of the server's storage is full. Whoever runs the server makes room there; then try again."
        )
    return Unavailable(f"The storage does not take {path}: {error}")


class Objects:
    """The same storage as it is, by path: what is sealed stays sealed. For backups."""

    def __init__(self, url: str) -> None:
        self._store = _open(url)

    def get(self, path: str, into: BinaryIO) -> bool:
        """Copy an object; false when there is none. `Unavailable` when the storage does not give it."""
        try:
            pieces = obstore.get(self._store, path).stream()
        except FileNotFoundError:
            return False
        except Exception as error:
            raise Unavailable(f"The storage does not give {path}: {error}") from error
        for piece in pieces:
            into.write(piece)
        return True

    def put(self, path: str, file: Path) -> None:
        try:
            obstore.put(self._store, path, file)
        except Exception as error:
            raise _not_taken(path, error) from error


def path_of(workspace_id: UUID, kind: str, sha256: str) -> str:
    """Where an archive is kept."""
    return f"workspaces/{workspace_id}/{kind}/{sha256}.tar.gz"


def _settle(file: Path) -> None:
    """See to it that a file survives a power cut."""
    for path in (file, *file.parents[:3]):
        descriptor = os.open(path, os.O_RDONLY)
        try:
            os.fsync(descriptor)
        finally:
            os.close(descriptor)


def _open(url: str) -> ObjectStore:
    try:
        if "://" in url:
            return from_url(url)
        folder = Path(url)
        folder.mkdir(mode=0o700, parents=True, exist_ok=True)
        return LocalStore(folder)
    except Exception as error:
        raise SetupError(
            f"The storage {url!r} cannot be opened: {error}. Give a folder, or an s3://, gs:// or az:// URL."
        ) from error
