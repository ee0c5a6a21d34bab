"""Disks that are soon full."""

import errno
import subprocess
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

_BLOCK = 64 * 1024


@contextmanager
def small_disk(folder: Path, size: str) -> Iterator[Path]:
    """A new folder that is a disk of this size (`2m`), which takes root to mount."""
    folder.mkdir()
    mount = ["mount", "-t", "tmpfs", "-o", f"size={size}", "tmpfs", str(folder)]
    mounted = subprocess.run(mount, capture_output=True, text=True)
    if mounted.returncode != 0:
        pytest.skip(f"no small disk can be mounted: {mounted.stderr.strip()}")
    try:
        yield folder
    finally:
        subprocess.run(["umount", "--lazy", str(folder)], check=True)


def fill(disk: Path) -> Path:
    """Nothing fits any more, until the file that is returned is removed."""
    filling = disk / "filling"
    with filling.open("wb", buffering=0) as file:
        for size in (_BLOCK, 1):
            try:
                while True:
                    file.write(b"x" * size)
            except OSError as full:
                if full.errno != errno.ENOSPC:
                    raise
    return filling
