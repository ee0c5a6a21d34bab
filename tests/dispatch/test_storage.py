"""The size of local data is known without a look at it, of all nodes."""

from uuid import uuid4

import pytest

from homeport.dispatch.storage import MeasureStorage
from homeport.execution.engines import Stored
from homeport.execution.engines.fake import FakeEngine
from homeport.operations import storage

from ..databases import on_both
from ..world import World


def look(world: World, engine: FakeEngine) -> float:
    """A whole look of a new server; the answer is when the next one is."""
    duty = MeasureStorage(world.database, engine)
    while (seconds := duty.work(world.clock.now())) < 1:
        pass
    return seconds


def shown(world: World) -> list[tuple[str, int, int]]:
    found = storage.show(world.platform, world.alice, world.workspace.id).items
    return [(item.profile, item.size_bytes, item.file_count) for item in found]


@on_both
def test_each_node_says_what_it_has_and_what_is_gone_is_forgotten(world: World) -> None:
    here, other = FakeEngine(), FakeEngine(node="other")
    id_ = world.workspace.id
    here.stored = {
        f"{id_}/prod": Stored(10**12, 10**6),
        f"{id_}/dev": Stored(5, 1),
        f"{uuid4()}/prod": Stored(1, 1),
    }
    other.stored = {f"{id_}/prod": Stored(7, 2)}
    assert shown(world) == []
    for _ in range(2):
        assert look(world, here) == 300
        look(world, other)
    assert sorted(shown(world)) == [("dev", 5, 1), ("prod", 7, 2), ("prod", 10**12, 10**6)]
    here.stored = {f"{id_}/prod": Stored(8, 3)}
    look(world, here)
    assert sorted(shown(world)) == [("prod", 7, 2), ("prod", 8, 3)]


def test_a_look_that_fails_is_begun_again(world: World, monkeypatch: pytest.MonkeyPatch) -> None:
    engine = FakeEngine()
    duty = MeasureStorage(world.database, engine)
    with monkeypatch.context() as broken:
        broken.setattr(engine, "storages", lambda: 1 / 0)
        with pytest.raises(ZeroDivisionError):
            duty.work(world.clock.now())
    engine.stored = {f"{world.workspace.id}/prod": Stored(5, 1)}
    while not shown(world):
        duty.work(world.clock.now())
