"""Looks through an uploaded archive without unpacking it, and refuses what must never be unpacked.

The same rules hold when a runner unpacks (`homeport_runner/unpack.py`); here they meet the person who uploads.
The archive's own manifest is not trusted: sizes and digests are computed (run contract §2).
"""

import base64
import gzip
import hashlib
import tarfile
import zlib
from pathlib import Path, PurePosixPath
from typing import IO, Any

from homeport.errors import BadRequest, TooLarge

_PREFIX = "files/"
_MANIFEST = "manifest.yaml"
_MAX_MEMBERS = 100_000
_MAX_PATH_CHARS = 1_000
_MAX_LINK_STEPS = 1_000
_BLOCK = 64 * 1024
_LONGEST_READ = 128 * 1024
"""tarfile reads content in blocks no longer than this, but an extended header at once, however long that is."""


def examine(archive: Path, max_bytes: int) -> list[dict[str, Any]]:
    """The files manifest of the archive, sorted by path; `BadRequest` names the member that is refused."""
    try:
        with Gunzip(archive, "rb") as unzipped, tarfile.open(fileobj=unzipped, mode="r:") as tar:
            files = _Examination(max_bytes).run(tar)
    # RecursionError: tarfile follows a chain of extended headers by calling itself
    except (tarfile.TarError, EOFError, OSError, zlib.error, RecursionError) as error:
        raise _refused(f"The archive is broken off or not a gzipped tar: {error}. Upload it again.") from error
    return sorted(files, key=lambda file: str(file["relative_path"]))


class Gunzip(gzip.GzipFile):
    """Gives out small pieces only, so that no header of an archive fills the memory."""

    def read(self, size: int | None = -1) -> bytes:
        if size is None or not 0 <= size <= _LONGEST_READ:
            raise tarfile.ReadError("one of its headers is far too long")
        return super().read(size)


class _Examination:
    """One walk through an archive."""

    def __init__(self, max_bytes: int) -> None:
        self._max_bytes = max_bytes
        self._bytes = 0
        self._seen: set[str] = set()
        self._links: dict[PurePosixPath, str] = {}
        self._has_manifest = False

    def run(self, tar: tarfile.TarFile) -> list[dict[str, Any]]:
        files = []
        for member in tar:
            # else every header stays in memory to the end
            tar.members.clear()  # type: ignore[attr-defined] # documented for long archives, missing in the stubs
            if self._has_manifest:
                raise _refused(f"The archive goes on after {_MANIFEST}, which must be its last member.")
            if member.name == _MANIFEST and member.isreg():
                self._has_manifest = True
                self._count(member)
                continue
            files.append(self._file(tar, member))
            if len(files) > _MAX_MEMBERS:
                raise TooLarge(f"The archive has more than {_MAX_MEMBERS} files.", code="too_many_files")
        if not self._has_manifest:
            raise _refused(f"The archive ends without its {_MANIFEST}: the upload was cut off. Upload it again.")
        for path, target in self._links.items():
            self._follow(path, target)
        return files

    def _file(self, tar: tarfile.TarFile, member: tarfile.TarInfo) -> dict[str, Any]:
        path = self._path(member)
        if member.issym():
            self._links[path] = member.linkname
            return _item(path, 0, _digest_of(member.linkname.encode()), member.linkname)
        if not member.isreg():
            raise _refused(f"{member.name!r} is neither a file nor a symbolic link; only these are taken.")
        self._count(member)
        content = tar.extractfile(member)
        assert content is not None  # a regular file has content
        with content:
            return _item(path, member.size, _digest(content))

    def _path(self, member: tarfile.TarInfo) -> PurePosixPath:
        name = member.name
        inner = name.removeprefix(_PREFIX)
        if not name.startswith(_PREFIX) or not inner:
            raise _refused(f"{name!r} is outside of {_PREFIX!r}, the only folder of a package.")
        parts = inner.split("/")
        if inner.startswith("/") or any(part in ("", ".", "..") for part in parts):
            raise _refused(f"{name!r} is not a plain relative path.")
        if len(inner) > _MAX_PATH_CHARS or "\\" in inner or any(ord(char) < 32 for char in inner):
            raise _refused(f"The path {inner[:80]!r} is too long or has characters that paths may not have.")
        if inner in self._seen:
            raise _refused(f"{name!r} is in the archive twice.")
        self._seen.add(inner)
        path = PurePosixPath(inner)
        if any(parent in self._links for parent in path.parents):
            raise _refused(f"{name!r} lies behind a symbolic link of the same archive.")
        return path

    def _follow(self, path: PurePosixPath, target: str) -> None:
        """Refuse a link that leads out of the workspace, wherever other links on its way lead."""
        if not target or target.startswith("/"):
            raise _leads_out(path, target)
        here, ahead, steps = path.parent, list(PurePosixPath(target).parts), 0
        while ahead:
            steps += 1
            part = ahead.pop(0)
            if part == ".." and not here.parts:
                raise _leads_out(path, target)
            here = here.parent if part == ".." else here / part
            if here in self._links:
                here, ahead = here.parent, [*PurePosixPath(self._links[here]).parts, *ahead]
            if steps > _MAX_LINK_STEPS:
                raise _refused(f"The link '{_PREFIX}{path}' leads in a circle, to {target!r}.")

    def _count(self, member: tarfile.TarInfo) -> None:
        self._bytes += member.size
        if self._bytes > self._max_bytes:
            raise TooLarge(
                f"Unpacked, the archive is larger than the {self._max_bytes} bytes that this server takes. "
                "Leave data out with .gitignore, or raise HOMEPORT_MAX_UNPACKED_BYTES.",
                code="package_too_large",
            )


def _item(path: PurePosixPath, size: int, digest: str, linkname: str | None = None) -> dict[str, Any]:
    item: dict[str, Any] = {"relative_path": str(path), "size_in_bytes": size, "sha3_256": digest}
    return item if linkname is None else {**item, "linkname": linkname}


def _digest(content: IO[bytes]) -> str:
    digest = hashlib.sha3_256()
    while block := content.read(_BLOCK):
        digest.update(block)
    return base64.b64encode(digest.digest()).decode()


def _digest_of(content: bytes) -> str:
    return base64.b64encode(hashlib.sha3_256(content).digest()).decode()


def _leads_out(path: PurePosixPath, target: str) -> BadRequest:
    return _refused(f"The link '{_PREFIX}{path}' points out of the workspace, to {target!r}.")


def _refused(message: str) -> BadRequest:
    return BadRequest(message, code="invalid_package")
