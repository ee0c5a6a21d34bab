"""What attempts took is kept and shown, and a run is told how much memory it may have."""

import pytest

from homeport.contract.runner_protocol import MemoryLaunch
from homeport.operations import looking, page_queries

from ..builders import definition
from ..databases import on_both
from ..world import World

GIB = 1024**3
USAGE = {
    "peak_memory_bytes": 5 * GIB,
    "cpu_seconds": 1.25,
    "read_bytes": 3 * 10**12,
    "written_bytes": 7,
}


@on_both
def test_what_an_attempt_took_is_kept_with_it(world: World) -> None:
    world.upload("configurations", {"config.toml": "[jobs.retry]\nattempts = 2\nbackoff = 0"})
    world.deploy(definition("a"))
    runner = world.running("a")
    runner.exit(1, usage=USAGE)
    second = world.claim(world.run(runner.run_id), pid=2)
    second.begin()
    second.exit(0, usage={"cpu_seconds": 0.5})
    told = looking.get_attempts(world.platform, world.alice, world.workspace.id, runner.run_id)
    nothing = dict.fromkeys(USAGE)
    assert [item.model_dump(include=set(USAGE)) for item in told.items] == [
        USAGE,
        {**nothing, "cpu_seconds": 0.5},
    ]


def test_a_runner_that_measures_nothing_is_heard(world: World) -> None:
    world.deploy(definition("a"))
    run = world.complete("a")
    assert world.attempt(run).cpu_seconds is None


@pytest.mark.parametrize(
    ("size", "gib", "words"),
    [
        ("small", 4, "its instance 'small'"),
        ("large", 16, "its instance 'large'"),
    ],
)
def test_a_run_may_have_the_memory_of_its_size(world: World, size: str, gib: int, words: str) -> None:
    world.deploy(definition("a", require={"instance": {"size": size}}))
    memory = world.running("a").launch.memory
    larger = {"small": "medium", "large": "xlarge"}[size]
    advice = f'Ask for a larger one in its job: require={{"instance": {{"size": "{larger}"}}}}.'
    assert memory == MemoryLaunch(limit_bytes=gib * GIB, holder=words, advice=advice)


def test_for_the_largest_there_is_other_advice(world: World) -> None:
    world.deploy(definition("a", require={"instance": {"size": "xlarge"}}))
    memory = world.running("a").launch.memory
    assert memory is not None
    assert memory.advice == "There is no larger one: load less at once, or in several jobs."


def test_a_job_that_names_no_size_has_no_limit_unless_the_installation_sets_one(world: World) -> None:
    world.deploy(
        definition("a", execute={"concurrency": 3}), definition("b", require={"instance": {"size": "small"}})
    )
    assert world.running("a").launch.memory is None
    b = world.running("b").launch.memory
    assert b is not None
    assert b.limit_bytes == 4 * GIB
    world.platform = world.platform_with(default_instance="medium")
    a = world.running("a").launch.memory
    assert a is not None
    assert a.limit_bytes == 8 * GIB
    assert a.holder == "its instance 'medium', which is what a job gets that names none,"


def test_a_run_that_wanted_more_says_so_wherever_it_is_shown(world: World) -> None:
    world.deploy(definition("a", require={"instance": {"size": "small"}}))
    runner = world.running("a")
    words = "The run used 4.10 GiB of memory; its instance 'small' has 4 GiB. Ask for a larger one."
    after = runner.exit(-9, "out_of_memory", detail=words, usage=USAGE)
    assert (after.status, after.end_detail) == ("failed", words)
    seen = page_queries.run(world.platform, world.alice, world.workspace.id, runner.run_id)
    assert seen.size is not None
    assert (seen.size.name, seen.attempts[0].peak_memory_bytes) == ("small", 5 * GIB)
