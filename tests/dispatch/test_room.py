"""Runs whose jobs ask for a size share the machine's room: in order, never too many, and no light run waits."""

from typing import Any

from homeport.dispatch.starts import StartPendingRuns
from homeport.execution.engines.fake import FakeEngine
from homeport.operations import explaining, looking
from homeport.scheduling.instances import Room
from homeport.store import runs

from ..builders import at_once, definition
from ..databases import on_both
from ..world import World

GIB = 1024**3
ROOM = Room(cpus=64, memory_bytes=14 * GIB)
"""For three of `small`, or one of `medium` and one of `small`."""


def sized(name: str, size: str, **parts: Any) -> dict[str, Any]:
    return definition(name, require={"instance": {"size": size}}, **parts)


def statuses(world: World, *found: runs.Run) -> list[str]:
    return [world.run(run.id).status for run in found]


def asked(world: World, *names: str) -> list[runs.Run]:
    """Runs of these jobs, a second apart, and given to the engine as far as there is room."""
    found = []
    for name in names:
        world.advance(seconds=1)
        found.append(world.start(name))
    world.submit()
    return found


@on_both
def test_a_run_waits_for_memory_says_so_and_goes_when_there_is_room(world: World) -> None:
    world.restart_services(room=ROOM)
    world.deploy(sized("a", "medium"), sized("b", "medium"))
    runner = world.running("a")
    [waiting] = asked(world, "b")
    assert statuses(world, waiting) == ["pending"]
    why = world.run(waiting.id).waits_for
    assert why is not None
    assert why.startswith("memory: it asks for 8 GiB, and of 14 GiB 6 GiB are free on ")
    assert why.endswith("; the rest is taken by run #1 of jobs.a (medium)")
    told = looking.get_attempts(world.platform, world.alice, world.workspace.id, waiting.id)
    assert told.waits_for == why
    explained = explaining.explain(world.platform, world.alice, world.workspace.id, waiting.job_id, None)
    assert any(f"waits for {why}" in line for line in explained.lines)
    runner.exit(0)
    assert world.claim(waiting).launch.notes == [f"Waited for {why}."]


def test_those_behind_a_run_that_waits_for_room_wait_too_or_it_would_for_ever(world: World) -> None:
    world.restart_services(room=ROOM)
    world.deploy(sized("a", "medium"), sized("large", "medium"), sized("little", "small"))
    runner = world.running("a")
    large, little = asked(world, "large", "little")
    assert statuses(world, large, little) == ["pending", "pending"]
    behind = "its turn: run #1 of jobs.large, which is before it, waits for room"
    assert world.run(little.id).waits_for == behind
    runner.exit(0)
    world.submit()
    assert statuses(world, large, little) == ["starting", "starting"]


def test_jobs_that_name_no_size_wait_for_nobody(world: World) -> None:
    world.restart_services(room=ROOM)
    world.deploy(sized("a", "xlarge"), sized("b", "xlarge"), definition("light", execute={"concurrency": 9}))
    world.running("a")
    waiting, *light = asked(world, "b", *["light"] * 6)
    assert statuses(world, waiting, *light) == ["pending", *["starting"] * 6]


def test_what_is_larger_than_the_machine_starts_when_it_would_be_alone(world: World) -> None:
    world.restart_services(room=ROOM)
    world.deploy(sized("a", "small"), sized("huge", "xlarge"), sized("b", "small"))
    runner = world.running("a")
    huge, after = asked(world, "huge", "b")
    assert statuses(world, huge, after) == ["pending", "pending"]
    runner.exit(0)
    world.submit()
    assert statuses(world, huge, after) == ["starting", "pending"]


def test_cores_run_out_too(world: World) -> None:
    world.restart_services(room=Room(cpus=3, memory_bytes=100 * GIB))
    world.deploy(sized("a", "small"), sized("b", "small"))
    first, second = asked(world, "a", "b")
    assert statuses(world, first, second) == ["starting", "pending"]
    why = world.run(second.id).waits_for
    assert why is not None
    assert why.startswith("CPUs: it asks for 2, and of 3 1 are free on ")


def test_a_run_that_waits_for_its_pipeline_takes_no_room_and_holds_up_nobody(world: World) -> None:
    world.restart_services(room=ROOM)
    world.deploy(
        definition("loads", deliver={"pipeline_name": "orders"}),
        sized("same", "medium", deliver={"pipeline_name": "orders"}),
        sized("other", "medium"),
    )
    world.running("loads")
    same, other = asked(world, "same", "other")
    assert statuses(world, same, other) == ["pending", "starting"]
    assert world.run(same.id).waits_for == "run #1 of jobs.loads, which loads the same pipeline"


@on_both
def test_servers_of_one_machine_do_not_give_its_memory_out_twice(world: World) -> None:
    world.deploy(sized("a", "small", execute={"concurrency": 20}))
    asked_for = [world.start("a") for _ in range(12)]
    servers = [another_server(world, f"node {number}") for number in range(4)]

    def submit(number: int) -> None:
        for _ in range(12):
            servers[number].work(world.clock.now())

    at_once(4, submit)
    assert sorted(statuses(world, *asked_for)) == ["pending"] * 9 + ["starting"] * 3


def test_another_machine_has_memory_of_its_own(world: World) -> None:
    world.restart_services(room=ROOM)
    world.deploy(sized("a", "medium"), sized("b", "medium"))
    first, second = asked(world, "a", "b")
    assert statuses(world, first, second) == ["starting", "pending"]
    another_server(world, "node 2", machine="another machine").work(world.clock.now())
    assert statuses(world, second) == ["starting"]


def test_what_a_run_waits_for_is_written_once(world: World) -> None:
    world.restart_services(room=ROOM)
    world.deploy(sized("a", "medium"), sized("b", "medium"))
    world.running("a")
    [waiting] = asked(world, "b")
    before = world.run(waiting.id)
    world.advance(seconds=30)
    world.submit()
    assert world.run(waiting.id) == before


def another_server(world: World, node: str, machine: str = "fake machine") -> StartPendingRuns:
    platform = world.platform
    engine = FakeEngine(node=node, machine=machine)
    return StartPendingRuns(world.database, engine, platform.bells, platform.runner_url, 100, room=ROOM)
