"""Every way to say that a job follows others, in dlt's own words, deployed as its client sends it."""

from collections.abc import Callable
from typing import Any

import dlt.hub.run as run
import pytest
from dlt._workspace.deployment.manifest import expand_trigger_selectors
from dlt.hub.run import trigger

from homeport.errors import BadRequest
from homeport.store import jobs, runs

from ..builders import LAUNCHERS, definition, interactive
from ..databases import on_both
from ..world import World


@run.job
def load() -> None:
    """What the others follow."""


LOAD = load.job_ref.removeprefix("jobs.")


def tagged(name: str, *triggers: str, tags: tuple[str, ...] = (), **parts: Any) -> dict[str, Any]:
    return definition(name, *triggers, **parts) | {"expose": {"manual": True, "tags": list(tags)}}


def agent(name: str, *triggers: str) -> dict[str, Any]:
    found = definition(name, *triggers, agent={"engine_version": 1, "name": name}, execute={"concurrency": 5})
    found["entry_point"]["launcher"] = f"{LAUNCHERS}.agent"
    return found


def deploy(world: World, *definitions: dict[str, Any]) -> None:
    """As the client does: selectors become one trigger for each job that they match."""
    expand_trigger_selectors(definitions)  # type: ignore[arg-type]
    world.deploy(*definitions)


def after(world: World, name: str, exit_code: int) -> set[str]:
    """Who starts when a run of this job ends so."""
    ended = world.running(name).exit(exit_code)
    with world.database.read() as tx:
        started = runs.started_by(tx, ended.id)
        return {found.job.job_ref.removeprefix("jobs.") for found in jobs.by_ids(tx, [r.job_id for r in started])}


FORMS: dict[str, tuple[Callable[[], list[str]], bool, bool]] = {
    "the success of a function": (lambda: [load.success], True, False),
    "the failure of a function": (lambda: [load.fail], False, True),
    "any end of a function": (lambda: [*load.completed], True, True),
    "a name with its section": (lambda: [trigger.job_success(LOAD)], True, False),
    "a full reference": (lambda: [trigger.job_fail(load.job_ref)], False, True),
    "every failure": (lambda: [trigger.job_fail("*")], False, True),
    "every success": (lambda: [trigger.job_success("*")], True, False),
    "a section": (lambda: [trigger.job_success(f"jobs.{LOAD.partition('.')[0]}.*")], True, False),
    "a tag": (lambda: [trigger.job_success("tag:ingest")], True, False),
    "a tag nobody has": (lambda: [trigger.job_success("tag:nothing")], False, False),
    "batch jobs": (lambda: [trigger.job_fail("batch")], False, True),
    "jobs with a schedule": (lambda: [trigger.job_success("schedule:*")], True, False),
    "interactive jobs": (lambda: [trigger.job_fail("interactive")], False, False),
}


@pytest.mark.parametrize(("say", "on_success", "on_failure"), FORMS.values(), ids=FORMS)
def test_each_form_starts_its_job_when_it_should(
    world: World, say: Callable[[], list[str]], on_success: bool, on_failure: bool
) -> None:
    deploy(
        world,
        tagged(LOAD, "schedule:0 8 * * *", tags=("ingest",)),
        definition("follower", *say()),
        interactive("notebook"),
    )
    assert after(world, LOAD, 0) == ({"follower"} if on_success else set())
    for waiting in world.runs_of("follower"):
        world.complete_run(waiting)
    assert after(world, LOAD, 1) == ({"follower"} if on_failure else set())


@on_both
def test_one_end_starts_everybody_who_follows_it_once(world: World) -> None:
    deploy(
        world,
        tagged("a", tags=("x",)),
        definition("both", "job.success:jobs.a", "job.fail:jobs.a"),
        definition("twice", "job.success:tag:x", "job.success:jobs.a", "job.success:*"),
        definition("other", "job.success:jobs.both"),
    )
    assert after(world, "a", 0) == {"both", "twice"}
    assert len(world.runs_of("twice")) == 1


def test_a_wildcard_never_means_the_job_itself(world: World) -> None:
    deploy(world, definition("a"), definition("alarm", "job.fail:*"))
    assert after(world, "alarm", 1) == set()
    assert after(world, "a", 1) == {"alarm"}


def test_a_job_that_names_itself_is_refused(world: World) -> None:
    with pytest.raises(BadRequest) as refused:
        world.deploy(definition("a", "job.fail:jobs.a"))
    assert "itself" in " ".join(refused.value.reasons)


def test_agents_follow_failures_each_in_a_run_of_its_own(world: World) -> None:
    deploy(world, definition("a"), definition("b"), agent("inspector", "job.fail:*"))
    assert after(world, "a", 1) == {"inspector"}
    assert after(world, "b", 1) == {"inspector"}
    assert [found.trigger for found in world.runs_of("inspector")] == ["job.fail:jobs.a", "job.fail:jobs.b"]
    assert {found.profile for found in world.runs_of("inspector")} == {"access"}
