"""Starting jobs: one by its id, many by selectors; whoever is declined is told why."""

from uuid import uuid4

import pytest

from homeport.contract.runs import CreateJobRunRequest
from homeport.errors import BadRequest, NotAllowed, NotFound, StartDeclined
from homeport.operations import start_runs
from homeport.store import jobs

from ..builders import at_once, definition, interactive
from ..conftest import NOW
from ..databases import on_both
from ..world import World

NIGHTLY = "schedule:0 0 * * *"


def statuses(response: object) -> dict[str, str]:
    rows = [*response.succeeded, *response.skipped]  # type: ignore[attr-defined]
    return {row.job_ref.removeprefix("jobs."): row.status for row in rows}


def declined(world: World, name: str, **options: object) -> StartDeclined:
    with pytest.raises(StartDeclined) as refused:
        world.start(name, **options)  # type: ignore[arg-type]
    return refused.value


# one, by id


@on_both
def test_a_started_run_waits_with_all_it_is_pinned_to(world: World) -> None:
    world.deploy(definition("a"))
    code = world.upload("deployments", {"job.py": "print('changed')"})
    run = world.start("a", "tag:anything")
    assert (run.status, run.trigger, run.profile, run.number) == ("pending", "tag:anything", "prod", 1)
    assert (run.deployment_id, run.triggered_by) == (code.id, world.alice.member_id)
    world.upload("deployments", {"job.py": "print('changed again')"})
    assert world.claim(run).launch.packages["code"].sha256 == code.archive_sha256  # type: ignore[union-attr]


def test_the_run_that_is_active_is_the_answer_when_only_one_is_wanted(world: World) -> None:
    world.deploy(definition("a", execute={"concurrency": None}))
    job_id = world.current("a").job.id

    def ask(mode: str) -> tuple[int, bool]:
        request = CreateJobRunRequest(job_id=job_id, mode=mode)  # type: ignore[arg-type]
        run, is_new = start_runs.start_run(world.platform, world.alice, world.workspace.id, request)
        return run.number, is_new

    assert ask("when_not_running") == (1, True)
    assert ask("when_not_running") == (1, False)
    assert ask("always") == (2, True)


@on_both
def test_of_many_who_want_one_run_at_once_all_get_the_same(world: World) -> None:
    world.deploy(definition("a", execute={"concurrency": None}))
    request = CreateJobRunRequest(job_id=world.current("a").job.id, mode="when_not_running")

    def ask(_number: int) -> tuple[int, bool]:
        run, is_new = start_runs.start_run(world.platform, world.alice, world.workspace.id, request)
        return run.number, is_new

    assert sorted(at_once(5, ask)) == [(1, False)] * 4 + [(1, True)]


def test_at_its_limit_a_job_is_declined_with_the_status_and_the_reason(world: World) -> None:
    world.deploy(definition("a", execute={"concurrency": 2}))
    world.start("a")
    world.running("a")
    refused = declined(world, "a")
    assert refused.code == "skipped_concurrency_limit"
    assert "2 of 2" in refused.reasons[0]


def test_a_run_that_ended_gives_its_slot_back(world: World) -> None:
    world.deploy(definition("a"))
    for _ in range(3):
        world.complete("a")
    assert world.start("a").number == 4


def test_an_archived_job_is_not_started(world: World) -> None:
    world.deploy_jobs(("a",), ("b",))
    world.deploy_jobs(("b",))
    assert declined(world, "a").code == "skipped_job_archived"


def test_an_app_is_there_once_and_who_wants_it_again_gets_the_one_that_is(world: World) -> None:
    world.deploy(interactive("a"))
    run = world.start("a")
    assert declined(world, "a").code == "skipped_concurrency_limit"
    assert world.start("a", mode="when_not_running").id == run.id


@pytest.mark.parametrize(("profile", "word"), [("staging", "staging.config.toml"), ("dev", "local")])
def test_a_profile_without_configuration_is_declined_with_the_way_out(
    world: World, profile: str, word: str
) -> None:
    world.deploy(definition("a"))
    refused = declined(world, "a", profile=profile)
    assert refused.code == "skipped_unknown_profile"
    assert word in refused.reasons[0]


def test_a_start_may_name_another_profile(world: World) -> None:
    world.deploy(definition("a"))
    assert world.start("a", profile="access").profile == "access"


def test_without_code_there_is_nothing_to_start(world: World) -> None:
    charlie, elsewhere = world.stranger()
    world.workspace, world.alice = elsewhere, charlie
    world.deploy(definition("a"), by=charlie)
    refused = declined(world, "a")
    assert refused.code == "skipped_nothing_uploaded"
    assert "dlthub deploy" in refused.reasons[0]


def test_a_stale_upstream_declines_unless_told_otherwise(world: World) -> None:
    world.deploy(definition("up"), definition("a", freshness=["job.is_fresh:jobs.up"]))
    refused = declined(world, "a")
    assert refused.code == "skipped_fresh"
    assert "jobs.up" in refused.reasons[0]
    assert world.start("a", skip_freshness=True).number == 1
    world.complete("up")
    assert world.complete_run(world.runs_of("a")[0]).status == "completed"
    assert world.start("a").number == 2


def test_a_trigger_that_is_none_is_refused(world: World) -> None:
    world.deploy(definition("a"))
    with pytest.raises(BadRequest, match="sometimes"):
        world.start("a", "sometimes")


def test_a_job_of_nowhere_is_not_found(world: World) -> None:
    request = CreateJobRunRequest(job_id=uuid4())
    with pytest.raises(NotFound):
        start_runs.start_run(world.platform, world.alice, world.workspace.id, request)


def test_a_viewer_may_not_start(world: World) -> None:
    world.deploy(definition("a"))
    world.alice = world.invite("bob@here", "viewer")
    with pytest.raises(NotAllowed):
        world.start("a")


# many


def test_jobs_are_started_by_the_trigger_that_was_matched(world: World) -> None:
    world.deploy_jobs(("a", NIGHTLY, "tag:ingest"), ("b", "tag:other"))
    response = world.trigger("tag:ingest")
    [row] = response.succeeded
    assert (row.job_ref, row.trigger, row.matched_triggers) == ("jobs.a", "tag:ingest", ["tag:ingest"])
    assert row.job_run.id == row.job_run_id == world.runs_of("a")[0].id


def test_a_job_by_its_id_fires_its_default_trigger(world: World) -> None:
    world.deploy_jobs(("a", NIGHTLY), ("b",))
    ids = [world.current(name).job.id for name in "ab"]
    triggers = {row.job_ref: row.trigger for row in world.trigger(job_ids=ids).succeeded}
    assert triggers == {"jobs.a": NIGHTLY, "jobs.b": "manual:jobs.b"}


@pytest.mark.parametrize(
    ("selector", "names"),
    [
        ("schedule:*", {"a"}),
        ("batch", {"a", "b"}),
        ("manual:*", {"a", "b"}),
        ("manual:jobs.b", {"b"}),
        ("tag:nothing", set()),
        ("*", {"a", "b"}),
    ],
)
def test_selectors_match_expanded_triggers_and_job_types(world: World, selector: str, names: set[str]) -> None:
    world.deploy_jobs(("a", NIGHTLY), ("b",), ("gone",))
    world.deploy_jobs(("a", NIGHTLY), ("b",))
    response = world.trigger(selector)
    assert set(statuses(response)) == names
    assert response.failed == []


def test_unknown_ids_have_failed_and_the_others_start(world: World) -> None:
    world.deploy(definition("a"))
    unknown = uuid4()
    response = world.trigger(job_ids=[unknown, world.current("a").job.id])
    assert [row.ref for row in response.failed] == [str(unknown)]
    assert statuses(response) == {"a": "triggered"}


def test_nothing_named_is_a_bad_request(world: World) -> None:
    with pytest.raises(BadRequest):
        world.trigger()


@on_both
def test_a_batch_starts_upstream_first_and_leaves_the_downstream_to_it(world: World) -> None:
    world.deploy(definition("down", freshness=["job.is_fresh:jobs.up"]), definition("up"))
    response = world.trigger("batch")
    assert statuses(response) == {"up": "triggered", "down": "skipped_upstream_pending"}
    assert "jobs.up" in response.skipped[0].reasons[0]


def test_runs_of_a_batch_are_asked_for_in_dependency_order(world: World) -> None:
    world.deploy_jobs(("c", "job.success:jobs.b"), ("b", "job.success:jobs.a"), ("a",))
    assert [row.job_ref for row in world.trigger("batch").succeeded] == ["jobs.a", "jobs.b", "jobs.c"]


@on_both
def test_a_dry_run_answers_the_same_and_starts_nothing(world: World) -> None:
    world.deploy(definition("down", freshness=["job.is_fresh:jobs.up"]), definition("up"), definition("busy"))
    world.start("busy")
    dry = world.trigger("batch", dry_run=True)
    assert [(row.job_run, row.job_run_id) for row in dry.succeeded] == [(None, None)]
    assert world.runs_of("up") == []
    assert statuses(dry) == statuses(world.trigger("batch"))


def test_a_job_that_hides_its_manual_trigger_is_not_started_by_hand(world: World) -> None:
    world.deploy(definition("a", expose={"manual": False}))
    [row] = world.trigger(job_ids=[world.current("a").job.id]).skipped
    assert row.status == "skipped_no_trigger"
    assert "expose.manual" in row.reasons[0]


def test_a_batch_takes_a_profile_for_all(world: World) -> None:
    world.deploy_jobs(("a",), ("b",))
    world.trigger("batch", profile="access")
    assert {world.runs_of(name)[0].profile for name in "ab"} == {"access"}


# refresh


def test_the_first_run_is_a_refresh_and_the_next_is_not(world: World) -> None:
    world.deploy(definition("a"))
    assert [world.complete("a").refresh, world.complete("a").refresh] == [True, False]


def chain(world: World, **middle: object) -> None:
    """up <- mid <- down by freshness, all completed."""
    world.deploy(
        definition("up"),
        definition("mid", freshness=["job.is_fresh:jobs.up"], **middle),
        definition("down", freshness=["job.is_fresh:jobs.mid"]),
    )
    for name in ("up", "mid", "down"):
        world.complete(name)


def pending(world: World) -> dict[str, tuple[bool, bool]]:
    """Whether each job has a completed window, and whether its next run is a refresh."""
    found = {name: world.current(name).job for name in ("up", "mid", "down")}
    return {name: (job.completed_until is not None, job.refresh_pending) for name, job in found.items()}


@on_both
def test_a_refresh_makes_what_is_downstream_void_and_starts_none_of_it(world: World) -> None:
    chain(world)
    run = world.start("up", refresh=True)
    assert run.refresh
    assert pending(world) == {"up": (False, False), "mid": (False, True), "down": (False, True)}
    assert [len(world.runs_of(name)) for name in ("mid", "down")] == [1, 1]


def test_the_next_run_downstream_is_a_refresh_and_the_one_after_is_not(world: World) -> None:
    chain(world)
    world.complete("up", refresh=True)
    assert [world.complete("mid").refresh, world.complete("mid").refresh] == [True, False]


def test_a_refresh_does_not_pass_a_job_that_blocks_it(world: World) -> None:
    chain(world, refresh_propagation="block")
    world.start("up", refresh=True)
    assert pending(world) == {"up": (False, False), "mid": (True, False), "down": (True, False)}
    assert not world.start("mid", refresh=True, skip_freshness=True).refresh


def test_a_job_that_always_refreshes_makes_its_direct_downstream_void_when_it_succeeds(world: World) -> None:
    chain(world)
    world.deploy(
        definition("up", refresh_propagation="always"),
        definition("mid", freshness=["job.is_fresh:jobs.up"]),
        definition("down", freshness=["job.is_fresh:jobs.mid"]),
    )
    runner = world.running("up")
    assert pending(world)["mid"] == (True, False)
    runner.exit(0)
    assert pending(world) == {"up": (True, False), "mid": (False, True), "down": (True, False)}


def test_a_declined_start_makes_nothing_void(world: World) -> None:
    chain(world)
    world.start("up")
    with pytest.raises(StartDeclined):
        world.start("up", refresh=True)
    assert pending(world)["mid"] == (True, False)


def test_a_paused_job_is_started_by_hand(world: World) -> None:
    world.deploy_jobs(("a", NIGHTLY))
    with world.database.write() as tx:
        jobs.save(tx, world.current("a").job, paused_at=NOW)
    assert world.start("a", NIGHTLY).status == "pending"
