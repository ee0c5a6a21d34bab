"""Locks between processes of a node, which end with the process that holds them."""

from __future__ import annotations

import fcntl
import os
from pathlib import Path


class Lock:
    """A file that is locked. Taking it never waits: that is done by the caller, who can be told to stop."""

    def __init__(self, path: Path) -> None:
        self._path = path
        self._open()

    def take(self, kind: int) -> bool:
        while True:
            try:
                fcntl.flock(self._file, kind | fcntl.LOCK_NB)
            except BlockingIOError:
                return False
            if self._is_in_place():
                return True
            # who removed what it is for has removed this, too: a lock that nobody else would find
            self.close()
            self._open()

    def let_go(self) -> None:
        fcntl.flock(self._file, fcntl.LOCK_UN)

    def close(self) -> None:
        os.close(self._file)

    def _open(self) -> None:
        self._file = os.open(self._path, os.O_RDWR | os.O_CREAT, 0o600)

    def _is_in_place(self) -> bool:
        try:
            return os.path.samestat(os.fstat(self._file), os.stat(self._path))
        except FileNotFoundError:
            return False
