"""Moves the log of a run that is over from the database to the object storage, compressed.

Its rows are deleted in the transaction that says where the object is, so a reader finds the lines in one place or
in the other at any moment. A server that dies before that transaction leaves rows as they are, and does it again:
the object's name hangs on its content, so nothing is left behind.
"""

import hashlib
import tempfile
import zlib
from collections.abc import Iterator
from datetime import datetime
from pathlib import Path
from typing import IO
from uuid import UUID

from homeport.errors import Unavailable
from homeport.logs import rows
from homeport.store import attempts, log_chunks, log_objects, runs
from homeport.store.blobs import Blobs
from homeport.store.database import Database
from homeport.store.log_objects import LogObject
from homeport.store.schema import Tx

FRAME_BYTES = 1024 * 1024
"""Of lines in a frame, before they are compressed: what a reader has to take in for one line."""
_CHUNKS_AT_ONCE = 20
_LEVEL = 4
"""Of compression: above it, time grows faster than size shrinks."""


def next_to_store(database: Database, after: str) -> tuple[attempts.Attempt, runs.Run] | None:
    """The first attempt behind `after`, in the order of their ids, that has lines and whose run is over."""
    with database.read() as tx:
        while (attempt_id := log_chunks.next_attempt(tx, after)) is not None:
            after = attempt_id
            attempt = attempts.get(tx, attempt_id)
            run = None if attempt is None else runs.get(tx, attempt.run_id)
            if attempt is None or run is None or not run.is_over or log_objects.get(tx, attempt_id) is not None:
                continue
            return attempt, run
    return None


def store(database: Database, blobs: Blobs, attempt: attempts.Attempt, run: runs.Run, now: datetime) -> bool:
    """Move the log of an attempt; False when another server did, or it is not complete."""
    with tempfile.NamedTemporaryFile(prefix="homeport-log-") as file:
        frames, line_count = _write(database, attempt.id, file)
        path = _path(run.workspace_id, attempt.id, _digest(file))
        blobs.put_log(path, Path(file.name))
        size = file.tell()
    found = LogObject(attempt.id, path, line_count, size, frames, run.finished_at or now, now)
    with database.write() as tx:
        is_ours = log_objects.add(tx, found)
        if is_ours:
            _check_complete(tx, attempt.id, line_count)
            log_chunks.delete(tx, attempt.id)
        winner = log_objects.get(tx, attempt.id)
    if not is_ours and winner is not None and winner.path != path:
        blobs.delete_log(path)
    return is_ours


def _check_complete(tx: Tx, attempt_id: str, line_count: int) -> None:
    latest = attempts.get(tx, attempt_id)
    if latest is None or latest.next_line != line_count:
        raise Unavailable(f"{attempt_id} has {line_count} lines in the database, which is not all it should have.")


def _write(database: Database, attempt_id: str, file: IO[bytes]) -> tuple[list[list[int]], int]:
    """Put the compressed log into a file: where its frames are, and how many lines there are."""
    frames: list[list[int]] = []
    waiting: list[bytes] = []
    first_line = next_line = 0

    def end_frame() -> None:
        nonlocal first_line
        packed = zlib.compress(b"[" + rows.BETWEEN.encode().join(waiting) + b"]", _LEVEL)
        frames.append([first_line, file.tell(), len(packed)])
        file.write(packed)
        waiting.clear()
        first_line = next_line

    for first, count, content in _chunks(database, attempt_id):
        if first != next_line:
            raise Unavailable(f"Lines {next_line} to {first} of {attempt_id} are missing from the database.")
        waiting.append(content)
        next_line += count
        if sum(map(len, waiting)) >= FRAME_BYTES:
            end_frame()
    if waiting:
        end_frame()
    file.flush()
    return frames, next_line


def _chunks(database: Database, attempt_id: str) -> Iterator[tuple[int, int, bytes]]:
    """Some at a time: a log may be longer than memory."""
    next_line = 0
    while True:
        with database.read() as tx:
            found = log_chunks.packed(tx, attempt_id, next_line, _CHUNKS_AT_ONCE)
        if not found:
            return
        for first, count, lines in found:
            # in the form of today, whoever has kept them
            yield first, count, rows.BETWEEN.join(rows.split(zlib.decompress(lines), count)).encode()
            next_line = first + count


def _digest(file: IO[bytes]) -> str:
    file.seek(0)
    return hashlib.file_digest(file, "sha256").hexdigest()  # type: ignore[arg-type]


def _path(workspace_id: UUID, attempt_id: str, sha256: str) -> str:
    return f"workspaces/{workspace_id}/logs/{attempt_id}/{sha256}.json.z"
