"""What has been read of a run's output and is no line in the spool yet, so that it outlives the runner.

    spool/ahead               the latest piece that was read, with what had been begun before it
    spool/rest-<stream>       what the tether has found in a pipe after the end of the runner

Whoever takes in what a killed runner has left (the engine of this machine, for the server) makes lines of both.
They hold what the run wrote as it wrote it, secrets and all, and so stay in the folder of the attempt.
"""

from __future__ import annotations

import contextlib
import json
import os
import select
import zlib
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

from homeport_runner import clocks
from homeport_runner.spool import Spool

STREAMS = ("stdout", "stderr")
_NAME = "ahead"
_CHUNK = 64 * 1024


@dataclass(frozen=True)
class Noted:
    first: int
    """The number that the next line had."""
    begun: Mapping[str, bytes]
    """By stream: a line without its end."""
    stream: str
    data: bytes


class Ahead:
    """Written over again with every piece. A kill between the reading and the writing loses that piece; it takes
    some microseconds."""

    def __init__(self, folder: Path, spool: Spool) -> None:
        self._spool = spool
        self._file = os.open(folder / _NAME, os.O_RDWR | os.O_CREAT | os.O_TRUNC, 0o600)

    def note(self, begun: Mapping[str, bytes], stream: str, data: bytes) -> None:
        parts = [*(begun[name] for name in STREAMS), data]
        body = b"".join(parts)
        head = json.dumps([self._spool.total, stream, [len(part) for part in parts], zlib.crc32(body)])
        with contextlib.suppress(OSError):  # a full disk: then it is not there
            os.pwrite(self._file, head.encode() + b"\n" + body, 0)


def load(folder: Path) -> Noted | None:
    """None if there is none, or if it was being written."""
    try:
        head, _, body = (folder / _NAME).read_bytes().partition(b"\n")
        first, stream, (out, err, size), checksum = json.loads(head)
        body = body[: out + err + size]
    except (OSError, ValueError, TypeError):
        return None
    if zlib.crc32(body) != checksum or stream not in STREAMS:
        return None
    return Noted(first, {"stdout": body[:out], "stderr": body[out : out + err]}, stream, body[out + err :])


def save_rest(folder: str, pipes: Mapping[str, int]) -> None:
    """Everything that is in them now, whoever still holds the other end."""
    for stream, descriptor in pipes.items():
        with contextlib.suppress(OSError):
            data = b""
            while select.select([descriptor], [], [], 0)[0] and (piece := os.read(descriptor, _CHUNK)):
                data += piece
            if data:
                file = os.open(f"{folder}/rest-{stream}", os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600)
                with os.fdopen(file, "wb") as rest:
                    rest.write(data)


def saved_at(folder: Path) -> str:
    """When there was something to save, as it stands beside a line."""
    moments = [file.stat().st_mtime_ns for name in (_NAME, "rest-*") for file in folder.glob(name)]
    return clocks.timestamp(max(moments, default=0))


def load_rest(folder: Path, stream: str) -> bytes:
    with contextlib.suppress(OSError):
        return (folder / f"rest-{stream}").read_bytes()
    return b""
