"""Brings the artifacts of a run's pipelines to the server: while it runs, whenever they have changed and come to
rest, and what is left when it has ended.

They are worth less than the end of the run: whatever goes wrong is told in one line of the log.
"""

from __future__ import annotations

import threading
import time
from collections.abc import Callable
from pathlib import Path
from urllib.parse import quote

from homeport_runner import artifacts, clocks
from homeport_runner.artifacts import Snapshot, Unusable
from homeport_runner.masking import Masking
from homeport_runner.phone import Backoff, Fenced, Phone, PhoneError, Refused

_LOOK_EVERY_SECONDS = 2.0
"""Longer than dlt takes to write those of one pipeline."""


class Outbox(threading.Thread):
    def __init__(
        self, phone: Phone, folder: Path, storage: Path, masking: Masking, remark: Callable[[str], object]
    ) -> None:
        super().__init__(name="outbox", daemon=True)
        self.folder = folder
        self._phone = phone
        self._storage = str(storage)
        self._masking = masking
        self._remark = remark
        self._done: dict[str, Snapshot] = {}
        """What the server has, or has refused, of each pipeline."""
        self._why: str | None = None
        """Why something of it is not kept; told once."""
        self._has_told = False
        self._is_over = threading.Event()

    def run(self) -> None:
        before: dict[str, Snapshot] = {}
        while not self._is_over.wait(_LOOK_EVERY_SECONDS):
            now = artifacts.look(self.folder)
            at_rest = {name: files for name, files in now.items() if before.get(name) == files}
            before = now
            try:
                self._send(at_rest)
            except Fenced:
                return
            except PhoneError:
                continue

    def finish(self) -> None:
        """The run has ended: from here on, `send_rest` is called by whoever called this."""
        self._is_over.set()
        if self.is_alive():
            self.join()

    def send_rest(self, patience: float) -> bool:
        """Send what the server has not; False if it could not be reached, or had enough, for so many seconds."""
        until = clocks.now() + patience
        backoff = Backoff()
        while True:
            try:
                self._send(artifacts.look(self.folder))
                return True
            except Fenced:
                return True  # nobody wants them; whoever reports the end is told so
            except PhoneError as error:
                self._why = str(error)
            except Exception as error:  # of ours: worth a line, not the end of the run
                self._tell(f"Artifacts of pipelines could not be packed: {type(error).__name__}: {error}")
                return True
            delay = backoff.delay()
            if clocks.now() + delay >= until:
                return False
            time.sleep(delay)

    def give_up(self) -> None:
        self._tell(f"Artifacts of pipelines could not be brought to the server: {self._why}")

    def _send(self, found: dict[str, Snapshot]) -> None:
        for name, files in found.items():
            if self._done.get(name) == files:
                continue
            try:
                self._put(name, files)
            except (OSError, Unusable) as error:
                if isinstance(error, OSError) and not self._is_over.is_set():
                    continue  # it is being written
                self._tell(f"The artifacts of the pipeline {name!r} are not kept: {error}.")
            except Refused as refusal:
                self._tell(f"The artifacts of the pipeline {name!r} are not kept: {refusal}")
            self._done[name] = files

    def _put(self, name: str, files: Snapshot) -> None:
        archive = artifacts.pack(self.folder / name, files, self._ready)
        # how long ago, for its clock may not be ours
        age = max(0.0, time.time() - max(file.mtime_ns for file in files) / 1e9)
        self._phone.put_archive(f"artifacts/{quote(name, safe='')}?age={age:.6f}", archive)

    def _ready(self, name: str, content: bytes) -> bytes:
        """As it leaves the machine: of a failed load, the trace has what the log has masked."""
        if name == artifacts.TRACE:
            return self._masking.in_place(content)
        return artifacts.without_places(content, self._storage) if name == artifacts.STATE else content

    def _tell(self, words: str) -> None:
        if not self._has_told:
            self._has_told = True
            self._remark(words)
