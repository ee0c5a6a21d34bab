"""Keeps the artifacts of a workspace's pipelines at hand for an app: before it starts, and fresh while it lives.

    <synced>/<profile>/pipelines/<pipeline>/…       for dlt's `sync_from_runtime`
    <root>/.dlt/state/<profile>/pipelines/…         for `dlt.attach`

Files are written elsewhere and moved into their place: who reads never sees half of one. In dlt's own folder
nothing is overwritten but what was put there from here.
"""

from __future__ import annotations

import hashlib
import os
import shutil
import threading
import uuid
from collections.abc import Callable
from pathlib import Path
from typing import Any
from urllib.parse import quote

from homeport_runner import artifacts, clocks
from homeport_runner.artifacts import File, Files, Unusable
from homeport_runner.node import make_private
from homeport_runner.orders import Orders
from homeport_runner.phone import Backoff, Fenced, Phone, PhoneError, Unreachable

_PAUSE_OF_LEASE = 30
"""The part of a lease between two looks, and that an app waits for a server that is away: usually ten seconds."""
_STATE_FOLDER = ".dlt/state"


class Inbox(threading.Thread):
    def __init__(
        self,
        phone: Phone,
        synced: Path,
        profile: str,
        attach_below: Path | None,
        lease_seconds: float,
        remark: Callable[[str], object],
    ) -> None:
        super().__init__(name="inbox", daemon=True)
        self._phone = phone
        scratch = make_private(synced.parent / "arriving")
        self._places = [Place(make_private(synced / profile / "pipelines"), scratch)]
        if attach_below is not None:
            self._places.append(WorkingFolder(attach_below, profile, scratch))
        self._pause = lease_seconds / _PAUSE_OF_LEASE
        self._remark = remark
        self._etag = ""
        self._known: dict[str, str] = {}
        """Digests of the archives that are here."""
        self._troublesome: set[str] = set()
        """Pipelines that could not be had: asked for last, so that they keep no other away."""
        self._is_over = threading.Event()

    def fetch(self, orders: Orders) -> None:
        """Before the app starts. A server that is away holds it up for some seconds only."""
        until = clocks.now() + self._pause
        backoff = Backoff()
        while True:
            orders.check()
            try:
                return self._look()
            except Fenced:
                raise
            except (PhoneError, OSError) as error:
                delay = backoff.delay()
                if not isinstance(error, Unreachable) or clocks.now() + delay >= until:
                    return self._tell(error)
                orders.wait(delay)

    def finish(self) -> None:
        self._is_over.set()

    def run(self) -> None:
        while not self._is_over.wait(self._pause):
            try:
                self._look()
            except Fenced:
                return
            except (PhoneError, OSError):  # a server that is away, a disk that is full: the next look
                continue

    def _tell(self, error: Exception) -> None:
        self._remark(f"The artifacts of pipelines could not be had yet, the app starts without: {error}")

    def _look(self) -> None:
        answer = self._phone.get(f"artifacts?known={self._etag}")
        listed = answer.get("pipelines")
        if listed is None:
            return
        wanted = _digests(listed)
        for name, digest in sorted(wanted.items(), key=lambda item: item[0] in self._troublesome):
            if self._known.get(name) != digest:
                self._troublesome.add(name)
                self._take(name, digest)
                self._troublesome.discard(name)
        for name in self._known.keys() - wanted.keys():
            self._places[0].drop(name)
            del self._known[name]
        if self._known == wanted:
            self._etag = str(answer.get("etag"))

    def _take(self, name: str, digest: str) -> None:
        pieces: list[bytes] = []
        self._phone.download(f"artifacts/{quote(name, safe='')}", pieces.append)
        archive = b"".join(pieces)
        if hashlib.sha256(archive).hexdigest() != digest:
            return  # replaced in the meantime: the next list says by what
        try:
            files = artifacts.unpack(archive)
        except Unusable as error:
            self._remark(f"The artifacts of the pipeline {name!r} cannot be used: {error}")
        else:
            for place in self._places:
                place.put(name, files)
        self._known[name] = digest


class Place:
    """A folder of pipelines, and what was put there."""

    def __init__(self, folder: Path, scratch: Path) -> None:
        self._folder = folder
        self._scratch = scratch
        self._put: dict[str, dict[str, bytes]] = {}
        """The digest of each file, by pipeline."""

    def put(self, name: str, files: Files) -> None:
        """The trace comes last, for it is what is watched."""
        folder = make_private(self._folder / name)
        for path in sorted(files, key=lambda path: (path == artifacts.TRACE, path)):
            self._write(folder / path, files[path])
        for path in self._put.get(name, {}).keys() - files.keys():
            (folder / path).unlink()
        self._put[name] = {path: _digest(file.content) for path, file in files.items()}

    def drop(self, name: str) -> None:
        shutil.rmtree(self._folder / name, ignore_errors=True)
        self._put.pop(name, None)

    def _write(self, target: Path, file: File) -> None:
        make_private(target.parent)
        fresh = self._scratch / uuid.uuid4().hex
        descriptor = os.open(fresh, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
        with os.fdopen(descriptor, "wb") as writing:
            writing.write(file.content)
        os.utime(fresh, (file.mtime, file.mtime))
        os.replace(fresh, target)


class WorkingFolder(Place):
    """dlt's own, of which a pipeline is ours as long as it is as we have left it."""

    def __init__(self, root: Path, profile: str, scratch: Path) -> None:
        super().__init__(root / _STATE_FOLDER / profile / "pipelines", scratch)
        self._root = root

    def put(self, name: str, files: Files) -> None:
        if self._is_ours(name, self._folder / name):
            state = files.get(artifacts.STATE)
            if state is not None:
                state = state._replace(content=artifacts.for_attaching(state.content))
                files = {**files, artifacts.STATE: state}
            super().put(name, files)

    def _is_ours(self, name: str, folder: Path) -> bool:
        if any(path.is_symlink() for path in (folder, *folder.parents) if self._root in path.parents):
            return False
        put = self._put.get(name)
        if put is None:
            return not folder.exists()
        try:
            return all(_digest((folder / path).read_bytes()) == digest for path, digest in put.items())
        except OSError:
            return False


def _digests(listed: list[Any]) -> dict[str, str]:
    """By pipeline; what cannot be the name of a folder is left out."""
    found = {str(item["pipeline"]): str(item["sha256"]) for item in listed}
    return {name: digest for name, digest in found.items() if artifacts.is_plain(name)}


def _digest(content: bytes) -> bytes:
    return hashlib.sha256(content).digest()
