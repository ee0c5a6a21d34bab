"""Apps that nobody uses stop, as their jobs say; what is in use, or must not stop, goes on."""

from datetime import timedelta
from typing import Any

import pytest

from homeport.dispatch.idle_apps import StopIdleApps
from homeport.operations import app_visits

from ..builders import definition, interactive
from ..world import World


def look(world: World, up_since: Any = None) -> None:
    since = up_since or world.clock.now() - timedelta(days=1)
    StopIdleApps(world.database, world.platform.bells, since, 1800.0, 30.0).work(world.clock.now())


@pytest.mark.parametrize(
    ("execute", "minutes", "status"),
    [
        ({}, 29, "running"),
        ({}, 30, "cancelling"),
        ({"timeout": {"timeout": 60}}, 1, "cancelling"),
        ({"timeout": None}, 60 * 24 * 30, "running"),
    ],
    ids=str,
)
def test_an_app_stops_after_its_idle_timeout(
    world: World, execute: dict[str, Any], minutes: int, status: str
) -> None:
    world.deploy(interactive("book", execute=execute))
    runner = world.running("book")
    world.advance(minutes=minutes)
    look(world)
    run = world.run(runner.run_id)
    assert run.status == status
    assert (run.end_detail is not None and "nobody used it" in run.end_detail) == (status == "cancelling")


def test_use_puts_it_off(world: World) -> None:
    world.deploy(interactive("book"))
    runner = world.running("book")
    world.advance(minutes=29)
    app_visits.note_use(world.platform, world.current("book").job.id)
    world.advance(minutes=29)
    look(world)
    assert world.run(runner.run_id).status == "running"
    world.advance(minutes=1)
    look(world)
    assert world.run(runner.run_id).status == "cancelling"


def test_nobody_could_come_while_no_server_ran(world: World) -> None:
    world.deploy(interactive("book"))
    runner = world.running("book")
    world.advance(hours=5)
    look(world, up_since=world.clock.now())
    assert world.run(runner.run_id).status == "running"


def test_batch_runs_are_never_idle(world: World) -> None:
    world.deploy(definition("load"))
    runner = world.running("load")
    world.advance(days=5)
    look(world)
    assert world.run(runner.run_id).status == "running"
