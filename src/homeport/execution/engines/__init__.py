"""Engines place runners on machines and notice when they are gone; nothing more.

Logs, exit status, cancel, code, secrets: all that is between the runner and the server. An engine is told a name
and how to start the runner, and sees no secret. Its promises (`tests/execution/engine_promises.py` holds every
engine to them):

* `submit` may be repeated with the same attempt: a second runner finds the ticket taken and leaves.
* `observe` answers for any attempt: one it does not know is ABSENT.
* `kill` and `forget` may be repeated, and may come before `submit` or after the end.
* `process_gone` is said only when nothing of the attempt can still run.
* `prepare` may be repeated, also for what is there or has failed, and never keeps a run from starting.
* `collect` may come at any time, and takes nothing away from an attempt that lives or is about to.
* `unsent` may be asked of any attempt; the lines are as the runner numbered them, and the same each time.
* `measure` may be asked of any storage, also while runs write to it; one that is not there holds nothing. A step
  takes milliseconds, however much there is to count.
* Attempts survive the server: another engine object on the same node takes up where the first one left.
"""

from collections.abc import Collection, Iterator, Sequence
from dataclasses import dataclass
from datetime import datetime
from enum import StrEnum
from typing import Protocol

from homeport.contract.runner_protocol import EnvironmentLaunch
from homeport.errors import HomeportError
from homeport.execution.maskings import Masking


class EngineError(HomeportError):
    """The engine would not place the run."""

    code = "engine_error"


class Phase(StrEnum):
    """Where an attempt is, as its engine sees it."""

    ABSENT = "absent"
    """Not known here: never submitted, or forgotten."""
    STARTED = "started"
    """Its runner lives."""
    ENDED = "ended"
    """Its runner is gone."""


@dataclass(frozen=True)
class Warmth:
    """What a runner may find ready to be quicker. A hint: nothing depends on it, and nothing in it is secret."""

    environment: str
    """Its key."""
    owner: str
    """`<workspace id>/<profile>`: nobody else shares what is ready."""
    module: str
    """What the run executes: its launcher."""


@dataclass(frozen=True)
class Placement:
    """All that an engine may know of an attempt. No secrets: the ticket is good once, and void after."""

    attempt: str
    """[a-z0-9-], at most 52 characters, unique for ever; the engine-side name."""
    server_url: str
    ticket: str
    warmth: Warmth | None = None


@dataclass(frozen=True)
class Seen:
    """One look at an attempt."""

    attempt: str
    phase: Phase
    reason: str | None = None
    """In words, when it ended without its runner saying so."""
    process_gone: bool = False
    """The whole process tree has provably ended."""


@dataclass(frozen=True)
class Stored:
    """What a storage holds."""

    size_bytes: int
    """Of all files together, as long as they are."""
    file_count: int


class Engine(Protocol):
    name: str

    @property
    def node(self) -> str:
        """Whose attempts this engine can see, at most 64 characters: another engine object with the same node sees
        the same ones, and of those of other nodes it knows nothing, alive or not."""

    @property
    def machine(self) -> str:
        """Where its runs take memory, at most 64 characters: engines of one machine share what it has."""

    def open(self) -> None:
        """Check that runs can be placed; `EngineError` with advice when not."""

    def submit(self, placement: Placement) -> None:
        """Start the attempt's runner; returns when the engine has accepted it for good."""

    def observe(self, attempts: Collection[str]) -> dict[str, Seen]:
        """One look at many attempts."""

    def kill(self, attempt: str) -> None:
        """End the runner and what it started, at once. Never the normal path."""

    def diagnose(self, attempt: str) -> str:
        """The last words of a runner that never reported, for people; may be empty."""

    def unsent(self, attempt: str, first: int, count: int, masking: Masking | None) -> list[bytes]:
        """Lines from a number on, as a runner that is gone has left them; none where nobody can look.

        `masking` takes secrets out of what it had not come to; without, that is not among them.
        """

    def known(self) -> set[str]:
        """Attempts that the engine still has a record of."""

    def forget(self, attempt: str) -> None:
        """Drop the engine's record of an attempt that is over."""

    def carried(self) -> set[str]:
        """Runs (ids in hex) whose working state is kept here from attempt to attempt."""

    def drop(self, run: str) -> None:
        """Remove the working state of a run that is over; may be repeated."""

    def offers_python(self, version: str) -> bool:
        """Whether runs can have this Python (major.minor); False only where it is certain that they cannot."""

    def prepare(self, environment: EnvironmentLaunch, secrets: Sequence[str]) -> bool:
        """Begin to build an environment that is not there yet, behind everything else that the node does.

        Returns at once; False: busy with another one, ask again. A hint: runs depend on nothing that comes of it,
        and one that needs the environment meanwhile waits for this build. `secrets` are not to be seen in a log.
        """

    def collect(self, now: datetime) -> list[str]:
        """Remove what earlier runs needed and there is no room for; the environments that have gone."""

    def storages(self) -> set[str]:
        """The local data of workspaces on this node that outlives runs, each as `<workspace id>/<profile>`."""

    def measure(self, storage: str) -> Iterator[Stored]:
        """Count what is in one, step by step: each answer is what was found so far, the last one all there is."""

    def close(self) -> None:
        """Let go of the engine; attempts go on."""
