"""Apps have places of their own; an app that somebody wants gets the one of an app that nobody uses."""

from typing import Any

import pytest

from homeport.dispatch.app_places import AppPlaces
from homeport.dispatch.starts import StartPendingRuns
from homeport.execution.engines.fake import FakeEngine
from homeport.operations import app_visits
from homeport.scheduling.instances import Room
from homeport.store import runs

from ..builders import at_once, definition, interactive
from ..databases import on_both
from ..world import Runner, World

GIB = 1024**3


def serving(world: World, *names: str) -> list[Runner]:
    """Apps that answer, each a second later than the one before it."""
    found = []
    for name in names:
        world.advance(seconds=1)
        found.append(world.running(name))
    return found


def wanted(world: World, *names: str) -> list[runs.Run]:
    """Somebody comes to these, one after the other."""
    found = []
    for name in names:
        world.advance(seconds=1)
        found.append(world.start(name))
    world.submit()
    return found


def statuses(world: World, *found: Runner | runs.Run) -> list[str]:
    return [world.run(one.run_id if isinstance(one, Runner) else one.id).status for one in found]


@on_both
def test_open_apps_take_no_place_of_runs_nor_runs_of_apps(world: World) -> None:
    world.restart_services(max_runs=1, max_apps=1)
    world.deploy(interactive("a"), interactive("b"), definition("load"), definition("other"))
    app, load = *serving(world, "a"), *serving(world, "load")
    other, b = wanted(world, "other", "b")
    assert statuses(world, other, b) == ["pending", "pending"]
    app.exit(0)
    world.submit()
    assert statuses(world, other, b) == ["pending", "starting"]
    load.exit(0)
    world.submit()
    assert statuses(world, other, b) == ["starting", "starting"]


@on_both
def test_the_app_that_was_used_least_recently_makes_room_for_the_next(world: World) -> None:
    world.restart_services(max_apps=3)
    world.deploy(*(interactive(name) for name in "abcde"))
    a, b, c = serving(world, *"abc")
    world.advance(minutes=5)
    app_visits.note_use(world.platform, world.current("a").job.id)
    world.advance(minutes=2)
    d, e = wanted(world, "d", "e")
    assert statuses(world, a, b, c, d, e) == ["running", "cancelling", "cancelling", "pending", "pending"]
    world.submit()  # a second look asks nobody else
    assert statuses(world, a) == ["running"]
    assert b.is_to_cancel()
    gone = b.exit(0, "cancelled")
    assert gone.end_detail == (
        "stopped to make room for another app: nobody had used it for 423 s; it starts again at the next visit"
    )
    world.submit()
    assert statuses(world, d, e) == ["starting", "pending"]


def test_an_app_that_is_never_idle_by_its_job_keeps_its_place(world: World) -> None:
    world.restart_services(max_apps=2)
    world.deploy(interactive("a", execute={"timeout": None}), interactive("b"), interactive("c"))
    a, b = serving(world, *"ab")
    world.advance(hours=1)
    [c] = wanted(world, "c")
    assert statuses(world, a, b, c) == ["running", "cancelling", "pending"]


def test_an_app_in_use_keeps_its_place_and_who_waits_is_told(world: World) -> None:
    world.restart_services(max_apps=1)
    world.deploy(interactive("a"), interactive("b"))
    [a] = serving(world, "a")
    world.advance(seconds=58)
    [b] = wanted(world, "b")
    assert statuses(world, a, b) == ["running", "pending"]
    told = (
        "a place for apps (HOMEPORT_MAX_APPS is 1): all are in use, so stop one that nobody needs, or allow more"
    )
    assert world.run(b.id).waits_for == told
    world.advance(seconds=1)
    world.submit()
    assert statuses(world, a, b) == ["cancelling", "pending"]
    a.exit(0, "cancelled")
    assert world.claim(b).launch.notes == [
        "Waited for a place for apps (HOMEPORT_MAX_APPS is 1): one that nobody uses is being stopped."
    ]


def test_nobody_is_stopped_for_an_app_that_would_wait_for_memory_all_the_same(world: World) -> None:
    world.restart_services(room=Room(cpus=64, memory_bytes=8 * GIB), max_apps=1)
    size: dict[str, Any] = {"require": {"instance": {"size": "medium"}}}
    world.deploy(interactive("a"), interactive("large", **size), definition("load", **size))
    [a], load = serving(world, "a"), world.running("load")
    world.advance(minutes=5)
    [large] = wanted(world, "large")
    assert statuses(world, a, large) == ["running", "pending"]
    load.exit(0)
    world.submit()
    assert statuses(world, a, large) == ["cancelling", "pending"]


@on_both
@pytest.mark.parametrize("number", [1, 2])
def test_servers_that_look_at_once_stop_no_more_apps_than_are_wanted(world: World, number: int) -> None:
    world.restart_services(max_apps=4)
    world.deploy(*(interactive(name) for name in "abcdef"))
    there = serving(world, *"abcd")
    world.advance(minutes=5)
    waiting = [world.start(name) for name in "ef"[:number]]
    platform = world.platform
    servers = [
        StartPendingRuns(
            world.database, FakeEngine(node=node), platform.bells, "http://server", 100, apps=AppPlaces(4)
        )
        for node in "123"
    ]
    at_once(3, lambda one: [servers[one].work(world.clock.now()) for _ in range(3)])
    assert statuses(world, *there) == ["cancelling"] * number + ["running"] * (4 - number)
    assert statuses(world, *waiting) == ["pending"] * number
