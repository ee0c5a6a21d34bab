"""A job with a `deployment:` trigger runs once for each deploy that brought it something new."""

import pytest

from homeport.contract.lists import JobRunsQuery
from homeport.errors import BadRequest
from homeport.operations import looking
from homeport.store import attempts, declined_starts, packages

from ..builders import definition
from ..databases import on_both
from ..world import World

ON_DEPLOY = "deployment:"


def counts(world: World, *names: str) -> dict[str, int]:
    return {name: len(world.runs_of(name)) for name in names}


def finish(world: World, *names: str) -> None:
    for name in names:
        for run in world.runs_of(name):
            world.complete_run(run)


@on_both
def test_a_first_deploy_starts_it_and_the_same_deploy_again_does_not(world: World) -> None:
    world.deploy_jobs(("a", ON_DEPLOY), ("b",))
    [run] = world.runs_of("a")
    assert (run.status, run.trigger, run.triggered_by) == ("pending", ON_DEPLOY, world.alice.member_id)
    assert run.interval_start == run.interval_end
    finish(world, "a")
    world.deploy_jobs(("a", ON_DEPLOY), ("b",))
    assert counts(world, "a", "b") == {"a": 1, "b": 0}


@on_both
def test_other_code_starts_it_although_the_job_is_unchanged(world: World) -> None:
    world.deploy_jobs(("a", ON_DEPLOY))
    finish(world, "a")
    world.upload("deployments", {"shop.py": "print('new')"})
    world.deploy_jobs(("a", ON_DEPLOY))
    [_, run] = world.runs_of("a")
    with world.database.read() as tx:
        latest = packages.latest(tx, world.workspace.id, "deployments")
    assert latest is not None
    assert run.deployment_id == latest.id


def test_a_changed_definition_starts_it_and_a_changed_neighbour_does_not(world: World) -> None:
    world.deploy_jobs(("a", ON_DEPLOY), ("b",))
    finish(world, "a")
    world.deploy_jobs(("a", ON_DEPLOY), ("b", "tag:new"))
    assert counts(world, "a") == {"a": 1}
    world.deploy_jobs(("a", ON_DEPLOY, "tag:new"), ("b", "tag:new"))
    assert counts(world, "a") == {"a": 2}


def test_a_configuration_alone_starts_nothing(world: World) -> None:
    world.deploy_jobs(("a", ON_DEPLOY))
    finish(world, "a")
    world.upload("configurations", {"config.toml": "[runtime]\nlog_level = 'INFO'\n"})
    world.deploy_jobs(("a", ON_DEPLOY))
    assert counts(world, "a") == {"a": 1}


@on_both
def test_a_dry_run_starts_nothing_and_does_not_use_up_the_news(world: World) -> None:
    world.deploy_jobs(("a", ON_DEPLOY), ("z",))
    finish(world, "a")
    world.upload("deployments", {"shop.py": "print('new')"})
    world.deploy_jobs(("a", ON_DEPLOY), ("z",), dry_run=True)
    assert counts(world, "a") == {"a": 1}
    world.deploy_jobs(("a", ON_DEPLOY), ("z",))
    assert counts(world, "a") == {"a": 2}


@on_both
def test_a_refused_deploy_starts_nothing(world: World) -> None:
    world.deploy_jobs(("a",))
    with pytest.raises(BadRequest):
        world.deploy(definition("a", ON_DEPLOY), definition("b", "schedule:61 * * * *"))
    assert counts(world, "a") == {"a": 0}


def test_an_archived_job_does_not_start_and_one_that_is_back_does(world: World) -> None:
    world.deploy_jobs(("a", ON_DEPLOY), ("b",))
    finish(world, "a")
    world.deploy_jobs(("b",))
    assert counts(world, "a") == {"a": 1}
    world.deploy_jobs(("a", ON_DEPLOY), ("b",))
    assert counts(world, "a") == {"a": 2}


def test_an_ad_hoc_deploy_starts_nothing_and_does_not_use_up_the_news(world: World) -> None:
    world.deploy_jobs(("a", ON_DEPLOY))
    finish(world, "a")
    world.upload("deployments", {"script.py": ""})
    world.deploy_jobs(("a", ON_DEPLOY), ("script", ON_DEPLOY), module=None)
    assert counts(world, "a", "script") == {"a": 1, "script": 0}
    # the module's own deploy has not brought this code yet
    world.deploy_jobs(("a", ON_DEPLOY))
    assert counts(world, "a", "script") == {"a": 2, "script": 0}


@on_both
def test_several_start_upstreams_first(world: World) -> None:
    world.deploy_jobs(
        ("last", ON_DEPLOY, "job.success:jobs.middle"),
        ("middle", ON_DEPLOY, "job.fail:jobs.first"),
        ("first", ON_DEPLOY),
    )
    world.submit()
    with world.database.read() as tx:
        given = [attempts.get(tx, placement.attempt) for placement in world.engine.placements]
    submitted = [world.run(attempt.run_id).job_id for attempt in given if attempt is not None]
    assert submitted == [world.current(name).job.id for name in ("first", "middle", "last")]


def test_lists_show_it_with_its_trigger(world: World) -> None:
    world.deploy_jobs(("a", ON_DEPLOY))
    page = looking.list_runs(world.platform, world.alice, world.workspace.id, JobRunsQuery())
    assert [run.trigger for run in page.items] == [ON_DEPLOY]


def test_what_was_held_back_is_kept_with_its_reasons(world: World) -> None:
    downstream = definition("down", ON_DEPLOY, freshness=["job.is_fresh:jobs.up"])
    world.deploy(downstream, definition("up", ON_DEPLOY))
    assert counts(world, "up", "down") == {"up": 1, "down": 0}
    with world.database.read() as tx:
        [declined] = declined_starts.of_job(tx, world.current("down").job.id, limit=10)
    assert (declined.trigger, declined.status) == (ON_DEPLOY, "skipped_upstream_pending")
    assert "jobs.up" in declined.reasons[0]
