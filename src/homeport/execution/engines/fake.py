"""An engine without processes, which fails on command; it keeps the promises of every engine."""

from collections.abc import Callable, Collection, Iterator, Sequence
from datetime import datetime

from homeport.contract.runner_protocol import EnvironmentLaunch
from homeport.execution.engines import EngineError, Phase, Placement, Seen, Stored
from homeport.execution.maskings import Masking


class FakeEngine:
    """Remembers what it was told. `on_submit` stands for the runner: it gets the placement."""

    name = "fake"

    def __init__(
        self,
        on_submit: Callable[[Placement], None] | None = None,
        node: str = "fake",
        machine: str = "fake machine",
    ) -> None:
        self._on_submit = on_submit
        self.node = node
        self.machine = machine
        self._phases: dict[str, Phase] = {}
        self.kept: set[str] = set()
        """Runs whose working state is here."""
        self.left: dict[str, list[bytes]] = {}
        """What runners have left of their logs."""
        self.pythons_missing: set[str] = set()
        self.prepared: list[EnvironmentLaunch] = []
        self.is_building = False
        """When set, `prepare` is busy with another environment."""
        self.unneeded: list[str] = []
        """Environments that `collect` will remove."""
        self.stored: dict[str, Stored] = {}
        """Local data of workspaces that is here."""
        self.placements: list[Placement] = []
        self.refuses_with: str | None = None
        """When set, `submit` fails with this message."""

    def open(self) -> None:
        """Always can."""

    def submit(self, placement: Placement) -> None:
        if self.refuses_with is not None:
            raise EngineError(self.refuses_with)
        if self._phases.get(placement.attempt) is Phase.STARTED:
            return
        self._phases[placement.attempt] = Phase.STARTED
        self.placements.append(placement)
        if self._on_submit is not None:
            self._on_submit(placement)

    def observe(self, attempts: Collection[str]) -> dict[str, Seen]:
        return {attempt: self._look_at(attempt) for attempt in attempts}

    def kill(self, attempt: str) -> None:
        if attempt in self._phases:
            self._phases[attempt] = Phase.ENDED

    def diagnose(self, attempt: str) -> str:
        return ""

    def unsent(self, attempt: str, first: int, count: int, masking: Masking | None) -> list[bytes]:
        return self.left.get(attempt, [])[first : first + count]

    def known(self) -> set[str]:
        return set(self._phases)

    def forget(self, attempt: str) -> None:
        if self._phases.get(attempt) is not Phase.STARTED:
            self._phases.pop(attempt, None)

    def carried(self) -> set[str]:
        return set(self.kept)

    def drop(self, run: str) -> None:
        self.kept.discard(run)

    def offers_python(self, version: str) -> bool:
        return version not in self.pythons_missing

    def prepare(self, environment: EnvironmentLaunch, secrets: Sequence[str]) -> bool:
        if self.is_building:
            return False
        self.prepared.append(environment)
        return True

    def collect(self, now: datetime) -> list[str]:
        gone, self.unneeded = self.unneeded, []
        return gone

    def storages(self) -> set[str]:
        return set(self.stored)

    def measure(self, storage: str) -> Iterator[Stored]:
        yield Stored(0, 0)
        yield self.stored.get(storage, Stored(0, 0))

    def close(self) -> None:
        """Nothing to let go."""

    def vanish(self, attempt: str) -> None:
        """The runner dies without a word."""
        self._phases[attempt] = Phase.ENDED

    def lose_memory(self) -> None:
        """The engine's records are gone, as after a crash between accepting and starting."""
        self._phases.clear()

    def _look_at(self, attempt: str) -> Seen:
        phase = self._phases.get(attempt, Phase.ABSENT)
        if phase is Phase.ENDED:
            return Seen(attempt, phase, "its runner is gone", process_gone=True)
        return Seen(attempt, phase, process_gone=phase is Phase.ABSENT)
