"""What dlt leaves of a pipeline for dashboards and notebooks, and the archive in which it travels.

    <folder>/<pipeline>/state.json, trace.pickle, schemas/<name>

A pipeline's name is text of its author. What stands in the folder was written by the run: nothing but these files
is taken, no link is followed, and sizes are bounded.
"""

from __future__ import annotations

import contextlib
import gzip
import io
import itertools
import json
import os
import re
import stat
import tarfile
import zlib
from collections.abc import Callable
from pathlib import Path
from typing import NamedTuple

MOST_PIPELINES = 500
MOST_FILES = 1_000
MOST_BYTES = 64 * 1024 * 1024
"""Of all files of a pipeline."""
MOST_ARCHIVE_BYTES = 16 * 1024 * 1024

STATE, TRACE, _SCHEMAS = "state.json", "trace.pickle", "schemas"
_FILE = re.compile(r"state\.json|trace\.pickle|schemas/[^/\\\x00-\x1f\x7f]{1,255}")


class Unusable(Exception):
    """These are not what a pipeline leaves, or too much of it."""


class Seen(NamedTuple):
    """A file, as one look found it."""

    name: str
    size: int
    mtime_ns: int
    inode: int


class File(NamedTuple):
    content: bytes
    mtime: float


Snapshot = tuple[Seen, ...]
Files = dict[str, File]


def is_plain(name: str) -> bool:
    """Whether a pipeline's name can be one of a folder here, and at the server."""
    # what is not printable holds everything that is no text, too
    if not name.isprintable() or set("/\\") & set(name) or name in ("", ".", ".."):
        return False
    return len(name) <= 200 and len(name.encode()) <= 255


def look(folder: Path) -> dict[str, Snapshot]:
    """What is there of each pipeline."""
    found: dict[str, Snapshot] = {}
    if folder.is_symlink():
        return found
    with contextlib.suppress(OSError), os.scandir(folder) as entries:
        for entry in entries:
            if len(found) < MOST_PIPELINES and entry.is_dir(follow_symlinks=False) and is_plain(entry.name):
                files = _files(Path(entry.path))
                if files:
                    found[entry.name] = files
    return found


def _files(folder: Path) -> Snapshot:
    seen = [_seen(entry, entry.name) for entry in _entries(folder) if entry.name in (STATE, TRACE)]
    if (folder / _SCHEMAS).is_dir() and not (folder / _SCHEMAS).is_symlink():
        seen += (_seen(entry, f"{_SCHEMAS}/{entry.name}") for entry in _entries(folder / _SCHEMAS))
    return tuple(sorted(item for item in seen if item is not None and _FILE.fullmatch(item.name)))


def _entries(folder: Path) -> list[os.DirEntry[str]]:
    try:
        with os.scandir(folder) as entries:
            # one more than may be: whoever packs them says so
            return list(itertools.islice(entries, MOST_FILES + 1))
    except OSError:
        return []


def _seen(entry: os.DirEntry[str], name: str) -> Seen | None:
    try:
        found = entry.stat(follow_symlinks=False)
    except OSError:  # gone again
        return None
    return Seen(name, found.st_size, found.st_mtime_ns, found.st_ino) if stat.S_ISREG(found.st_mode) else None


def pack(folder: Path, files: Snapshot, convert: Callable[[str, bytes], bytes] = lambda name, data: data) -> bytes:
    """The archive of a pipeline's folder; `Unusable` with the reason. OSError: somebody is changing it."""
    if len(files) > MOST_FILES or sum(file.size for file in files) > MOST_BYTES:
        raise Unusable(f"they are more than {MOST_FILES} files or {MOST_BYTES} bytes")
    archive = io.BytesIO()
    # without a moment in its head: the same files are the same archive
    packed = gzip.GzipFile(fileobj=archive, mode="wb", compresslevel=6, mtime=0)
    with packed, tarfile.open(fileobj=packed, mode="w") as tar:
        for file in files:
            content = convert(file.name, _read(folder / file.name, file.size))
            member = tarfile.TarInfo(file.name)
            member.size, member.mode, member.mtime = len(content), 0o600, file.mtime_ns / 1e9
            tar.addfile(member, io.BytesIO(content))
    if archive.tell() > MOST_ARCHIVE_BYTES:
        raise Unusable(f"packed, they are more than {MOST_ARCHIVE_BYTES} bytes")
    return archive.getvalue()


def _read(path: Path, size: int) -> bytes:
    descriptor = os.open(path, os.O_RDONLY | os.O_NOFOLLOW | os.O_NONBLOCK)
    with os.fdopen(descriptor, "rb") as file:
        content = file.read(size + 1)
    if len(content) != size:
        raise OSError(f"{path.name} is being written")
    return content


def unpack(archive: bytes) -> Files:
    """The files of an archive; `Unusable` if it is not one that `pack` could have made."""
    files: Files = {}
    left = MOST_BYTES
    try:
        with tarfile.open(fileobj=io.BytesIO(archive), mode="r:gz") as tar:
            for member in tar:
                left -= member.size
                source = tar.extractfile(member) if member.isreg() and _FILE.fullmatch(member.name) else None
                is_plain_file = not member.name.endswith(("/.", "/.."))
                if source is None or not is_plain_file or left < 0 or len(files) >= MOST_FILES:
                    raise Unusable(f"{member.name[:80]!r} does not belong there")
                files[member.name] = File(source.read(), max(0.0, float(member.mtime)))
    except (tarfile.TarError, EOFError, OSError, zlib.error) as error:
        raise Unusable(f"the archive cannot be read: {error}") from error
    return files


def without_places(state: bytes, storage: str) -> bytes:
    """A pipeline's state without the folder of local data, which is another elsewhere: dlt puts in its own."""
    document = _document(state)
    local = document.get("_local")
    if not isinstance(local, dict) or local.get("initial_cwd") != storage:
        return state
    del local["initial_cwd"]
    return _encoded(document)


def for_attaching(state: bytes) -> bytes:
    """A pipeline's state that says what it loads to, and not how far it got.

    The load that it comes from may have failed after its extraction: whoever goes on from there would skip what
    has never been loaded. As the oldest of all versions, and without cursors, it gives way to what the destination
    has.
    """
    document = _document(state)
    for key in ("sources", "_version_hash"):
        document.pop(key, None)
    return _encoded({**document, "_state_version": 0}) if document else state


def _document(state: bytes) -> dict[str, object]:
    try:
        document = json.loads(state)
    except (ValueError, RecursionError):
        return {}
    return document if isinstance(document, dict) else {}


def _encoded(document: dict[str, object]) -> bytes:
    return json.dumps(document, ensure_ascii=False, separators=(",", ":")).encode("utf-8", "surrogatepass")
