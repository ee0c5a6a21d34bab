"""The engine that tests use keeps the promises of every engine, so what is tested with it can be trusted."""

from collections.abc import Callable

import pytest

from homeport.execution.engines import EngineError, Phase, Placement
from homeport.execution.engines.fake import FakeEngine

from .engine_promises import EnginePromises, seen


@pytest.fixture
def placement() -> Placement:
    return Placement("hp-fake-1", "http://127.0.0.1:4040", "ticket")


class TestFakeEngine(EnginePromises):
    @pytest.fixture
    def dies(self, engine: FakeEngine) -> Callable[[str], None]:
        return engine.vanish

    def test_it_refuses_on_command(self, engine: FakeEngine, placement: Placement) -> None:
        engine.refuses_with = "no room"
        with pytest.raises(EngineError, match="no room"):
            engine.submit(placement)
        assert seen(engine, placement.attempt).phase is Phase.ABSENT

    def test_it_loses_its_memory_on_command(self, engine: FakeEngine, placement: Placement) -> None:
        engine.submit(placement)
        engine.lose_memory()
        assert seen(engine, placement.attempt).phase is Phase.ABSENT

    def test_it_tells_a_runner_its_placement(self, placement: Placement) -> None:
        told: list[Placement] = []
        FakeEngine(on_submit=told.append).submit(placement)
        assert told == [placement]
