"""What a person sees at the addresses that the client prints."""

from uuid import uuid4

import httpx
import pytest

from homeport.contract.identity import CreateWorkspaceRequest
from homeport.dispatch.storage import MeasureStorage
from homeport.execution.engines import Stored
from homeport.operations import artifacts, workspaces
from homeport.scheduling.instances import Room
from homeport.web.run import LINES_AT_ONCE

from ..builders import definition
from ..furnished import artifacts_archive
from ..world import World


def _text(browser: httpx.Client, address: str, status: int = 200) -> str:
    answer = browser.get(address)
    assert answer.status_code == status, answer.text
    return answer.text


def test_with_one_workspace_the_start_page_is_that_workspace(alice: httpx.Client, home: str) -> None:
    assert alice.get("/").headers["location"] == home


def test_with_several_workspaces_the_start_page_lists_them(alice: httpx.Client, world: World) -> None:
    request = CreateWorkspaceRequest(name="second", description="of two")
    workspaces.create_workspace(world.platform, world.alice, world.alice.organization_id, request, "http://here")
    page = _text(alice, "/")
    assert "second" in page
    assert "of two" in page
    assert world.workspace.name in page


def test_an_empty_workspace_says_what_to_type(alice: httpx.Client, home: str, world: World) -> None:
    page = _text(alice, home)
    assert f"homeport connect --url {alice.base_url}".rstrip("/") in page
    assert f"--workspace {world.workspace.name}" in page
    assert "dlthub deploy" in page


def test_a_workspace_shows_jobs_runs_and_versions(alice: httpx.Client, home: str, shop: World) -> None:
    shop.complete("shop.load")
    page = _text(alice, home)
    for expected in (
        "Load the shop (fruitshop)",
        "every 5 min",
        "after load succeeds",
        "on weekdays at 08:30 UTC",
        "The revenue per fruit",
        "completed",
        "pending",
        "version 1",
        "profiles: prod",
    ):
        assert expected in page, expected


def test_a_workspace_shows_what_its_local_data_takes(alice: httpx.Client, home: str, world: World) -> None:
    assert "Local data" not in _text(alice, home)
    world.engine.stored = {f"{world.workspace.id}/prod": Stored(3 * 1024**2, 12)}
    duty = MeasureStorage(world.database, world.engine)
    while duty.work(world.clock.now()) < 1:
        pass
    page = _text(alice, home)
    for expected in ("Local data", "3.0 MiB", ">12<", f"node/workspaces/{world.workspace.id}/prod"):
        assert expected in page, expected


def test_archived_jobs_stand_apart(alice: httpx.Client, home: str, shop: World) -> None:
    shop.deploy_jobs(("shop.load", "every:5m"))
    page = _text(alice, home)
    assert page.index("Archived jobs") < page.index("report (shop)")
    assert "Archived: the latest deploy does not have this job" in _text(alice, f"{home}/jobs/jobs.shop.report")


def test_a_job_is_found_by_ref_and_by_id(alice: httpx.Client, home: str, shop: World) -> None:
    by_ref = _text(alice, f"{home}/jobs/jobs.shop.load")
    assert _text(alice, f"{home}/jobs/{shop.current('shop.load').job.id}") == by_ref
    for expected in ("jobs.shop.load", "ingest", "shop:load", "1 at once", "2 h, then 30 s to stop", "fruitshop"):
        assert expected in by_ref, expected


def test_a_job_names_what_it_depends_on_and_what_follows(alice: httpx.Client, home: str, shop: World) -> None:
    load = _text(alice, f"{home}/jobs/jobs.shop.load")
    assert "starts after a success" in load
    assert "waits until this is fresh" in load
    assert "after the success of" in _text(alice, f"{home}/jobs/jobs.shop.report")


def test_the_runs_of_a_job_come_in_pages(alice: httpx.Client, home: str, shop: World) -> None:
    for _ in range(41):
        shop.start("shop.check", skip_freshness=True)
        run = shop.runs_of("shop.check")[-1]
        alice.post(f"{home}/runs/{run.id}/-cancel")
    address = f"{home}/jobs/jobs.shop.check"
    first, second = _text(alice, address), _text(alice, f"{address}?page=2")
    assert ">#41<" in first
    assert ">#1<" not in first
    assert "?page=2" in first
    assert ">#1<" in second
    assert "?page=1" in second
    assert "?page=3" not in second


def test_a_run_tells_where_it_comes_from_and_what_came_of_it(alice: httpx.Client, home: str, shop: World) -> None:
    load = shop.complete("shop.load")
    (report,) = shop.runs_of("shop.report")
    assert f"/runs/{report.id}" in _text(alice, f"{home}/runs/{load.id}")
    page = _text(alice, f"{home}/runs/{report.id}")
    assert f"/runs/{load.id}" in page
    assert "after load succeeds" in page


def test_a_run_tells_which_follow_ups_were_not_started(alice: httpx.Client, home: str, shop: World) -> None:
    shop.start("shop.report")
    load = shop.complete("shop.load")
    page = _text(alice, f"{home}/runs/{load.id}")
    assert "Not started when this ended" in page
    assert "allowed runs of jobs.shop.report are active" in page
    assert f"{home}/jobs/jobs.shop.report" in page


def test_a_run_tells_why_it_failed(alice: httpx.Client, home: str, shop: World) -> None:
    run = shop.running("shop.load").exit(3)
    page = _text(alice, f"{home}/runs/{run.id}")
    assert "The process ended with exit code 3" in page
    assert "code 1, configuration 1, job 1" in page
    assert "owner@localhost, by hand" in page


def test_a_run_that_was_tried_again_shows_its_attempts(alice: httpx.Client, home: str, shop: World) -> None:
    shop.upload("configurations", {"config.toml": "[jobs.retry]\nattempts = 2\nbackoff = 60\n"})
    run = shop.running("shop.load").exit(3)
    page = _text(alice, f"{home}/runs/{run.id}")
    assert "Attempt 2 of 2 follows." in page
    assert "Not before" in page
    shop.advance(minutes=2)
    shop.complete_run(run)
    page = _text(alice, f"{home}/runs/{run.id}")
    assert "<h2>Attempts</h2>" in page
    assert "The process ended with exit code 3" in page


def test_a_run_that_waits_for_another_load_says_so(alice: httpx.Client, home: str, shop: World) -> None:
    shop.deploy(definition("a", deliver={"pipeline_name": "p"}), definition("b", deliver={"pipeline_name": "p"}))
    shop.running("a")
    waiting = shop.start("b")
    shop.submit()
    assert "Waits for run #1 of jobs.a, which loads the same pipeline." in _text(
        alice, f"{home}/runs/{waiting.id}"
    )


def test_a_run_that_waits_for_room_says_so(alice: httpx.Client, home: str, shop: World) -> None:
    shop.restart_services(room=Room(cpus=64, memory_bytes=6 * 1024**3))
    small = {"instance": {"size": "small"}}
    shop.deploy(definition("a", require=small), definition("b", require=small))
    shop.running("a")
    waiting = shop.start("b")
    shop.submit()
    page = _text(alice, f"{home}/runs/{waiting.id}")
    assert "Waits for memory: it asks for 4 GiB, and of 6 GiB 2 GiB are free on " in page
    assert "the rest is taken by run #1 of jobs.a (small)." in page


def test_a_run_shows_what_it_took_and_what_it_may_take(alice: httpx.Client, home: str, shop: World) -> None:
    shop.deploy(definition("a", require={"instance": {"size": "small"}}), definition("b"))
    runner, other = shop.running("a"), shop.running("b")
    took = {"peak_memory_bytes": 3 * 1024**3, "cpu_seconds": 75, "read_bytes": 1000, "written_bytes": 2000}
    runner.exit(0, usage=took)
    page = _text(alice, f"{home}/runs/{runner.run_id}")
    assert "<dt>Instance</dt><dd>small, " in page
    for expected in ("Peak memory", "Processor time", "Read, written"):
        assert f"<dt>{expected}</dt>" in page, expected
    other.exit(0)
    page = _text(alice, f"{home}/runs/{other.run_id}")
    assert "<dt>Instance</dt>" not in page
    assert "<dt>Peak memory</dt>" not in page


def test_a_run_shows_its_log(alice: httpx.Client, home: str, shop: World) -> None:
    runner = shop.running("shop.load")
    runner.say(0, "\x1b[31mred\x1b[0m", "10%\r100%", "\x1b]0;title\x07tab\there")
    page = _text(alice, f"{home}/runs/{runner.run_id}")
    assert "<span>red</span>" in page
    assert "<span>100%</span>" in page
    assert "<span>tab\there</span>" in page
    assert f'data-follow="{home}/runs/{runner.run_id}/events?from=3"' in page


def test_of_a_long_log_the_end_is_shown(alice: httpx.Client, home: str, shop: World) -> None:
    runner = shop.running("shop.load")
    runner.say(0, *(f"line {number}" for number in range(LINES_AT_ONCE)))
    runner.say(LINES_AT_ONCE, "the last one")
    runner.exit(0, lines=LINES_AT_ONCE + 1)
    address = f"{home}/runs/{runner.run_id}"
    page, beginning = _text(alice, address), _text(alice, f"{address}?from=0")
    assert ">line 0<" not in page
    assert "the last one" in page
    assert f"{address}?from=0#log" in page
    assert ">line 0<" in beginning
    assert "the last one" not in beginning
    assert f"{address}?from={LINES_AT_ONCE}#log" in beginning
    assert "data-follow" not in page + beginning


def test_the_log_comes_as_text_too(alice: httpx.Client, home: str, shop: World) -> None:
    runner = shop.running("shop.load")
    runner.say(0, "<b>one</b>", "two")
    answer = alice.get(f"{home}/runs/{runner.run_id}/log.txt")
    assert answer.headers["content-type"] == "text/plain; charset=utf-8"
    assert [line.partition("Z ")[2] for line in answer.text.splitlines()] == ["<b>one</b>", "two"]


def test_a_pipeline_shows_who_loads_it(alice: httpx.Client, home: str, shop: World) -> None:
    shop.start("shop.load")
    page = _text(alice, f"{home}/pipelines/fruitshop")
    assert "Load the shop" in page
    assert "pending" in page
    assert "report (shop)" not in page
    assert "What apps find" not in page


def test_a_pipeline_shows_what_apps_find_of_it_and_which_run_left_that(
    alice: httpx.Client, home: str, shop: World
) -> None:
    runner = shop.running("shop.load")
    artifacts.take_in(shop.platform, runner.attempt_id, runner.launch.session, "fruitshop", artifacts_archive(), 0)
    page = alice.get(f"{home}/pipelines/fruitshop").text
    section = page[page.index("What apps find") :]
    assert f"/runs/{runner.run_id}" in section
    assert "<td>prod</td>" in section


@pytest.mark.parametrize(
    "address",
    [
        "{home}/jobs/jobs.shop.none",
        "{home}/jobs/{unknown}",
        "{home}/runs/{unknown}",
        "{home}/runs/{unknown}/events",
        "{home}/runs/{unknown}/log.txt",
        "{home}/runs/not-an-id",
        "{home}/pipelines/none",
        "{home}/nothing/here",
        "/w/{unknown}",
        "/w/not-an-id",
    ],
)
def test_what_is_not_there_is_answered_with_a_page(
    alice: httpx.Client, home: str, shop: World, address: str
) -> None:
    page = _text(alice, address.format(home=home, unknown=uuid4()), 404)
    assert "<h1>Not found</h1>" in page
    assert "owner@localhost" in page


def test_a_fault_of_ours_is_a_page_without_its_details(alice: httpx.Client, home: str, world: World) -> None:
    with world.database.write() as tx:
        tx.exec_driver_sql("ALTER TABLE packages RENAME TO away")
    page = _text(alice, home, 500)
    assert "Homeport hit a fault of its own" in page
    assert "Traceback" not in page
    assert "packages" not in page


def test_hostile_names_and_lines_stay_text(alice: httpx.Client, home: str, world: World) -> None:
    hostile = """<script>alert("1")</script>'"&{{ 7 * 7 }}"""
    expose = {"display_name": hostile, "tags": [hostile], "manual": True}
    world.deploy(
        definition("shop.load", expose=expose, description=hostile, deliver={"pipeline_name": hostile}),
        description=hostile,
    )
    runner = world.running("shop.load", f"tag:{hostile}")
    runner.say(0, hostile)
    pages = [home, f"{home}/jobs/jobs.shop.load", f"{home}/runs/{runner.run_id}"]
    for page in [
        *pages,
        f"{home}/pipelines/{httpx.QueryParams({'n': hostile})}".replace("n=", "").replace("+", "%20"),
    ]:
        text = _text(alice, page)
        assert "<script>alert" not in text
        assert "alert(&#34;1&#34;)" in text
        assert "{{ 7 * 7 }}" in text


def test_a_job_shows_what_became_of_its_latest_moments(alice: httpx.Client, home: str, world: World) -> None:
    world.deploy(
        definition("up", "schedule:0 * * * *"),
        definition("a", "schedule:0 * * * *", freshness=["job.is_fresh:jobs.up"]),
    )
    world.advance(hours=3)
    world.fire()
    page = alice.get(f"{home}/jobs/jobs.a").text
    assert "Why did it (not) run?" in page
    assert "covered by another run" in page
    assert "upstream jobs.up didn&#39;t process any intervals yet (refresh pending)" in page
    world.complete_run(world.runs_of("up")[0])
    assert 'class="kind warn">waits' not in alice.get(f"{home}/jobs/jobs.a").text
    assert "Why did it" not in alice.get(f"{home}/jobs/jobs.a?page=2").text
