"""What is deployed is built before a run needs it."""

from datetime import timedelta

from homeport.dispatch.environments import BuildEnvironments, CollectEnvironments
from homeport.dispatch.service import AT_ONCE
from homeport.execution import environments
from homeport.operations import change_workspaces
from homeport.store import workspaces

from ..builders import LAUNCHERS, definition, requirements
from ..conftest import NOW
from ..databases import on_both
from ..world import World

BATCH = definition("a")
APP = definition("z.app")
APP["entry_point"] |= {"job_type": "interactive", "launcher": f"{LAUNCHERS}.marimo"}
LISTS = {f"{LAUNCHERS}.job": ["pyarrow"], f"{LAUNCHERS}.marimo": ["marimo"]}


def duty(world: World) -> BuildEnvironments:
    return BuildEnvironments(world.database, world.engine)


def built(world: World, builds: BuildEnvironments) -> list[str]:
    """What the engine is asked to build, by its first requirement."""
    before = len(world.engine.prepared)
    while builds.work(world.clock.now()) == AT_ONCE:
        pass
    return [wanted.requirements[0] for wanted in world.engine.prepared[before:]]


def upload(world: World) -> None:
    world.upload("deployments", {"shop.py": "pass"}, requirements(launcher_requirements=LISTS))


@on_both
def test_the_environments_of_a_deploy_are_built_once_each_those_of_apps_last(world: World) -> None:
    builds = duty(world)
    upload(world)
    assert built(world, builds) == []
    world.deploy(APP, BATCH, definition("b"))
    assert built(world, builds) == ["pyarrow", "marimo"]
    assert built(world, builds) == []


def test_they_are_those_that_runs_will_ask_for(world: World) -> None:
    world.deploy(BATCH)
    built(world, duty(world))
    runner = world.claim(world.start("a"))
    assert world.engine.prepared == [runner.launch.environment]
    assert runner.launch.environment.asked_at == world.clock.now().timestamp()


def test_a_dry_run_builds_nothing(world: World) -> None:
    world.deploy(BATCH, dry_run=True)
    assert built(world, duty(world)) == []
    with world.database.read() as tx:
        assert workspaces.deployed_since(tx, NOW - timedelta(days=1)) == {}


def test_every_deploy_asks_again_and_nothing_else_does(world: World) -> None:
    builds = duty(world)
    upload(world)
    world.deploy(BATCH)
    assert built(world, builds) == ["pyarrow"]
    world.start("a")
    assert built(world, builds) == []
    world.advance(minutes=1)
    world.deploy(BATCH)
    assert built(world, builds) == ["pyarrow"]
    assert world.engine.prepared[0].key == world.engine.prepared[1].key
    first, second = (wanted.asked_at for wanted in world.engine.prepared)
    assert first is not None
    assert second == first + 60


def test_while_the_engine_is_busy_nothing_is_forgotten(world: World) -> None:
    builds = duty(world)
    upload(world)
    world.deploy(APP, BATCH)
    world.engine.is_building = True
    assert built(world, builds) == []
    world.engine.is_building = False
    assert built(world, builds) == ["pyarrow", "marimo"]


def test_a_new_server_goes_on_with_what_was_deployed_lately(world: World) -> None:
    world.deploy(BATCH)
    world.advance(minutes=59)
    assert len(built(world, duty(world))) == 1
    world.advance(minutes=2)
    assert built(world, duty(world)) == []


def test_archived_jobs_and_workspaces_need_none(world: World) -> None:
    builds = duty(world)
    upload(world)
    world.deploy(APP, BATCH)
    world.deploy(BATCH)
    assert built(world, builds) == ["pyarrow"]
    world.advance(minutes=1)
    world.deploy(BATCH)
    change_workspaces.archive(world.platform, world.alice, world.workspace.id, "")
    assert built(world, builds) == []


def test_passwords_of_addresses_are_told_to_be_masked(world: World) -> None:
    told = []
    prepare = world.engine.prepare
    world.engine.prepare = lambda wanted, secrets: told.append(list(secrets)) or prepare(wanted, secrets)  # type: ignore[method-assign, func-returns-value]
    world.upload("deployments", {"a.py": ""}, requirements("mine @ https://me:hunter2hunter@example.org/mine.whl"))
    world.deploy(BATCH)
    built(world, duty(world))
    assert "hunter2hunter" in told[0]


def test_when_it_was_deployed_is_no_part_of_the_key() -> None:
    keys = {environments.compose(requirements(), BATCH, at).key for at in (None, NOW)}
    assert len(keys) == 1


def test_what_there_is_no_room_for_is_removed(world: World) -> None:
    world.engine.unneeded = ["0a1b"]
    collect = CollectEnvironments(world.engine)
    assert collect.work(world.clock.now()) > AT_ONCE
    assert world.engine.unneeded == []
