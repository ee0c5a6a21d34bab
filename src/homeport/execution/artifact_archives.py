"""Looks through an archive of a pipeline's artifacts without unpacking it, and refuses what no runner would send.

The trace in it is a pickle, which is code of whoever wrote it: nothing here reads it.
"""

import io
import re
import tarfile
import zlib

from homeport.errors import BadRequest, TooLarge
from homeport.execution.archives import Gunzip

MOST_BYTES = 64 * 1024 * 1024
"""Of all files of a pipeline."""
MOST_ARCHIVE_BYTES = 16 * 1024 * 1024
MOST_FILES = 1_000

_FILE = re.compile(r"state\.json|trace\.pickle|schemas/[^/\\\x00-\x1f\x7f]{1,255}")


def examine(archive: bytes) -> None:
    """`BadRequest` or `TooLarge` unless it can be given to a runner."""
    try:
        with Gunzip(fileobj=io.BytesIO(archive)) as unzipped, tarfile.open(fileobj=unzipped, mode="r:") as tar:
            _walk(tar)
    # RecursionError: tarfile follows a chain of extended headers by calling itself
    except (tarfile.TarError, EOFError, OSError, zlib.error, RecursionError) as error:
        raise _refused(f"it is broken off or not a gzipped tar: {error}") from error


def check_name(pipeline: str) -> None:
    """A pipeline is named by its author; here the name becomes one of a folder."""
    is_plain = pipeline.isprintable() and not set("/\\") & set(pipeline) and pipeline not in (".", "..")
    if not is_plain or len(pipeline.encode()) > 255:
        raise BadRequest(
            f"{pipeline[:80]!r} cannot be the name of a pipeline's folder.", code="invalid_pipeline_name"
        )


def _walk(tar: tarfile.TarFile) -> None:
    seen: set[str] = set()
    total = 0
    for member in tar:
        # else every header stays in memory to the end
        tar.members.clear()  # type: ignore[attr-defined] # documented for long archives, missing in the stubs
        if not member.isreg() or not _FILE.fullmatch(member.name) or member.name.endswith(("/.", "/..")):
            raise _refused(f"{member.name[:80]!r} is none of the files that a pipeline has")
        if member.name in seen:
            raise _refused(f"{member.name!r} is there twice")
        seen.add(member.name)
        total += member.size
        if total > MOST_BYTES or len(seen) > MOST_FILES:
            raise TooLarge(
                f"The artifacts of a pipeline have at most {MOST_FILES} files and {MOST_BYTES} bytes.",
                code="artifacts_too_large",
            )
    if not seen:
        raise _refused("there is nothing in it")


def _refused(why: str) -> BadRequest:
    return BadRequest(f"This archive of a pipeline's artifacts is not taken: {why}.", code="invalid_artifacts")
