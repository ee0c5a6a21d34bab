"""Folders of local data on this machine: which there are, and what they take."""

import os
import re
from collections.abc import Iterator
from contextlib import suppress
from pathlib import Path

from homeport.execution.engines import Stored

_STORAGE = re.compile(r"[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}/.{1,100}", re.DOTALL)
_AT_ONCE = 2_000
"""Entries of a step: some ten milliseconds."""


def names(folder: Path) -> set[str]:
    """`<workspace id>/<profile>` of each folder two levels below that can be one."""
    found = (
        f"{workspace}/{profile}" for workspace in _folders(folder) for profile in _folders(folder / workspace)
    )
    return {name for name in found if _STORAGE.fullmatch(name)}


def measure(folder: Path) -> Iterator[Stored]:
    """What is counted so far, step by step. What a run removes meanwhile counts or not; links are not followed."""
    size_bytes = file_count = looked_at = 0
    left = [str(folder)]
    while left:
        with suppress(OSError), os.scandir(left.pop()) as entries:
            for entry in entries:
                with suppress(OSError):
                    if entry.is_dir(follow_symlinks=False):
                        left.append(entry.path)
                    else:
                        size_bytes += entry.stat(follow_symlinks=False).st_size
                        file_count += 1
                looked_at += 1
                if looked_at % _AT_ONCE == 0:
                    yield Stored(size_bytes, file_count)
    yield Stored(size_bytes, file_count)


def _folders(folder: Path) -> list[str]:
    with suppress(OSError), os.scandir(folder) as entries:
        return [entry.name for entry in entries if entry.is_dir(follow_symlinks=False)]
    return []
