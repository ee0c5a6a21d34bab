"""A signed call starts one run, whoever signs it and however often it is sent; any other call changes nothing."""

import base64
import json
from typing import Any

import pytest

from homeport.api.requests import DEFAULT_LIMIT
from homeport.dispatch.pruning import PruneExpired
from homeport.operations import change_jobs
from homeport.store import declined_starts, failed_tries, webhooks

from ..builders import at_once, definition
from ..databases import on_both
from ..world import World
from .conftest import BODY, Sender, issue

WAYS = ["homeport", "github", "standard"]


def signed(sender: Sender, way: str, **parts: Any) -> dict[str, str]:
    found: dict[str, str] = getattr(sender, way)(**parts)
    return found


# who is believed


@on_both
@pytest.mark.parametrize("way", WAYS)
def test_a_signed_call_starts_a_run(world: World, sender: Sender, way: str) -> None:
    answer = sender.post(signed(sender, way))
    assert answer.status_code == 201, answer.text
    [run] = world.runs_of("a")
    told = answer.json()
    assert told == {
        "job_run_id": str(run.id),
        "number": 1,
        "is_new": True,
        "url": f"http://homeport.test/w/{world.workspace.id}/runs/{run.id}",
    }
    assert (run.trigger, run.status, run.triggered_by) == ("webhook:", "pending", None)
    assert run.interval_start == run.interval_end


@pytest.mark.parametrize("way", WAYS)
def test_a_call_with_another_body_is_refused(world: World, sender: Sender, way: str) -> None:
    answer = sender.post(signed(sender, way), b'{"order": 18}')
    assert (answer.status_code, answer.json()["code"]) == (401, "webhook_not_signed")
    assert world.runs_of("a") == []


BROKEN = {
    "nothing": {},
    "a bearer": {"Authorization": "Bearer whsec_x"},
    "an empty signature": {"X-Homeport-Signature": ""},
    "no version": {"X-Homeport-Signature": "t=1"},
    "no number": {"X-Homeport-Signature": "t=now,v1=00"},
    "no hex": {"X-Homeport-Signature": "t=1,v1=zz"},
    "rubbish": {"X-Homeport-Signature": "=,=,;,t,v1"},
    "letters beyond ASCII": {"X-Hub-Signature-256": "sha256=ÿÿ"},
    "another hash": {"X-Hub-Signature-256": "sha1=00"},
    "no base64": {"webhook-id": "1", "webhook-timestamp": "1", "webhook-signature": "v1,%%% v2,AA=="},
    "no id": {"webhook-timestamp": "1", "webhook-signature": "v1,AAAA"},
}


@pytest.mark.parametrize("headers", BROKEN.values(), ids=BROKEN)
def test_a_broken_signature_is_refused(world: World, sender: Sender, headers: dict[str, str]) -> None:
    raw = {name: value.encode("latin-1") for name, value in headers.items()}
    answer = sender.post(raw)  # type: ignore[arg-type]
    assert (answer.status_code, answer.json()["code"]) == (401, "webhook_not_signed")
    assert world.runs_of("a") == []


@pytest.mark.parametrize("way", ["homeport", "standard"])
@pytest.mark.parametrize(("late", "status"), [(299, 201), (301, 401), (-299, 201), (-302, 401)])
def test_a_signature_holds_for_five_minutes(sender: Sender, way: str, late: float, status: int) -> None:
    assert sender.post(signed(sender, way, late=late)).status_code == status


def test_an_address_that_leads_nowhere_is_answered_like_a_wrong_signature(sender: Sender) -> None:
    wrong, nowhere = sender.post({}), sender.post(sender.homeport(), path="/hooks/v1/unknown")
    assert (wrong.status_code, wrong.json()["code"]) == (nowhere.status_code, nowhere.json()["code"])


def test_who_guesses_is_slowed_down_and_who_signs_is_let_in_all_the_same(world: World, sender: Sender) -> None:
    answers = [sender.post({}).status_code for _ in range(52)]
    assert (answers[0], answers[-1]) == (401, 429)
    with world.database.read() as tx:
        before = tx.execute(failed_tries.table.select()).all()
    assert sender.post({}).status_code == 429
    with world.database.read() as tx:
        assert tx.execute(failed_tries.table.select()).all() == before
    assert sender.post(sender.homeport()).status_code == 201


def test_a_new_secret_ends_the_one_before_and_the_address_stays(world: World, sender: Sender) -> None:
    old = sender.homeport()
    fresh = issue(world, replace=True)
    assert fresh.urls == sender.webhook.urls
    assert fresh.secret != sender.webhook.secret
    assert sender.post(old).status_code == 401
    sender.webhook = fresh
    assert sender.post(sender.homeport()).status_code == 201


def test_the_secret_of_one_job_opens_no_other(world: World, sender: Sender) -> None:
    world.deploy_jobs(("a", "webhook:"), ("b", "webhook:"))
    other = issue(world, "b").urls[0].removeprefix("http://homeport.test")
    assert sender.post(sender.homeport(), path=other).status_code == 401


def test_a_body_that_is_too_large_is_refused(world: World, sender: Sender) -> None:
    body = b"x" * (DEFAULT_LIMIT + 1)
    answer = sender.post(sender.homeport(body), body)
    assert (answer.status_code, answer.json()["code"]) == (413, "body_too_large")
    assert sender.post(sender.homeport(body[1:]), body[1:]).status_code == 201
    assert len(world.runs_of("a")) == 1


# which delivery it is


@on_both
def test_a_delivery_that_comes_again_gets_the_run_it_has_started(world: World, sender: Sender) -> None:
    for again in (
        lambda: sender.standard(delivery="msg_1"),
        lambda: sender.github(delivery="72d3162e"),
        lambda: sender.homeport() | {"Idempotency-Key": "order-17"},
    ):
        first = sender.post(again())
        world.advance(seconds=90)  # signed anew, as senders do
        second = sender.post(again())
        assert (first.status_code, second.status_code) == (201, 200)
        assert second.json() == first.json() | {"is_new": False}
    assert len(world.runs_of("a")) == 3


@on_both
def test_of_the_same_delivery_at_once_one_starts_a_run(world: World, sender: Sender) -> None:
    headers = sender.standard()
    at_once(4, lambda _number: sender.post(headers))
    assert len(world.runs_of("a")) == 1


def test_without_an_id_each_delivery_counts(world: World, sender: Sender) -> None:
    assert [sender.post(sender.github()).status_code for _ in range(2)] == [201, 201]
    assert len(world.runs_of("a")) == 2


def test_what_was_overheard_starts_nothing_more(world: World, sender: Sender) -> None:
    headers = sender.homeport()
    assert [sender.post(headers).status_code for _ in range(2)] == [201, 200]
    world.advance(seconds=1)
    assert sender.post(sender.homeport()).status_code == 201


def test_ids_of_two_jobs_do_not_meet(world: World, sender: Sender) -> None:
    world.deploy_jobs(("a", "webhook:"), ("b", "webhook:"))
    other = Sender(sender.doors, issue(world, "b"))
    assert [who.post(who.standard()).status_code for who in (sender, other)] == [201, 201]


# what may start


@on_both
def test_a_declined_call_is_answered_with_reasons_kept_and_may_come_again(world: World, sender: Sender) -> None:
    world.deploy_jobs(("a", "webhook:"))
    blocking = world.start("a")
    answer = sender.post(sender.standard())
    assert (answer.status_code, answer.json()["code"]) == (409, "skipped_concurrency_limit")
    assert "execute.concurrency" in answer.text
    with world.database.read() as tx:
        [declined] = declined_starts.of_job(tx, world.current("a").job.id, limit=10)
    assert (declined.trigger, declined.status) == ("webhook:", "skipped_concurrency_limit")
    world.complete_run(blocking)
    assert sender.post(sender.standard()).status_code == 201


def test_a_job_or_workspace_that_is_archived_starts_nothing(world: World, sender: Sender) -> None:
    job_id = world.current("a").job.id
    change_jobs.archive(world.platform, world.alice, world.workspace.id, job_id)
    answer = sender.post(sender.homeport())
    assert (answer.status_code, answer.json()["code"]) == (409, "skipped_job_archived")


def test_a_pause_is_for_the_schedule_only(world: World, sender: Sender) -> None:
    world.deploy_jobs(("a", "webhook:", "every:1h"))
    change_jobs.pause(world.platform, world.alice, world.workspace.id, world.current("a").job.id)
    assert sender.post(sender.homeport()).status_code == 201


def test_paths_are_those_of_the_triggers(world: World, sender: Sender) -> None:
    world.deploy(definition("a", "webhook:orders/new", "webhook:/refunds", execute={"concurrency": None}))
    fresh = Sender(sender.doors, issue(world, replace=True))
    assert [url.removeprefix(sender.webhook.urls[0]) for url in fresh.webhook.urls] == ["/orders/new", "/refunds"]
    for url, trigger in zip(fresh.webhook.urls, ["webhook:orders/new", "webhook:/refunds"], strict=True):
        assert fresh.post(fresh.github(), path=url.removeprefix("http://homeport.test")).status_code == 201
        assert world.runs_of("a")[-1].trigger == trigger
    for path in ("", "/orders", "/orders/new/x", "/%2e%2e"):
        answer = fresh.post(fresh.github(), path=sender.path + path)
        assert (answer.status_code, answer.json()["code"]) == (404, "no_webhook_trigger"), path


def test_a_job_that_is_no_longer_called_starts_nothing(world: World, sender: Sender) -> None:
    world.deploy_jobs(("a", "every:1h"))
    assert sender.post(sender.homeport()).status_code == 404


# what the run gets


@on_both
def test_the_run_is_given_body_headers_and_path_but_no_proof(world: World, sender: Sender) -> None:
    body = bytes(range(256))
    extra = {"Content-Type": "application/octet-stream", "X-GitHub-Event": "push", "Cookie": "c", "X-Secret": "s"}
    assert sender.post(sender.github(body, "1") | extra, body).status_code == 201
    launch = world.claim(world.runs_of("a")[0]).launch
    [file] = launch.inputs
    assert (file.variable, base64.b64decode(file.content)) == ("HOMEPORT_WEBHOOK_BODY_PATH", body)
    given = json.loads(launch.variables["HOMEPORT_WEBHOOK_HEADERS"])
    assert given.pop("user-agent")
    assert given == {
        "content-type": "application/octet-stream",
        "x-github-event": "push",
        "x-github-delivery": "1",
    }
    assert launch.variables["HOMEPORT_WEBHOOK_PATH"] == ""


def test_a_run_that_nobody_called_gets_nothing_of_it(world: World, sender: Sender) -> None:
    launch = world.claim(world.start("a", "webhook:")).launch
    assert launch.inputs == []
    assert [name for name in launch.variables if name.startswith("HOMEPORT_WEBHOOK")] == []


@on_both
def test_nothing_of_it_is_stored_in_the_clear(world: World, sender: Sender) -> None:
    sender.post(sender.standard() | {"ce-subject": "a person"})
    with world.database.read() as tx:
        rows = [*tx.execute(webhooks.deliveries.select()), *tx.execute(webhooks.table.select())]
    stored = b" ".join(
        bytes(value) if isinstance(value, bytes | memoryview) else str(value).encode()
        for row in rows
        for value in row
    )
    for secret in (BODY, b"order", b"a person", sender.webhook.secret.encode()):
        assert secret not in stored


def test_deliveries_are_forgotten_after_thirty_days_and_runs_stay(world: World, sender: Sender) -> None:
    run_id = sender.post(sender.standard()).json()["job_run_id"]
    world.advance(days=29)
    PruneExpired(world.database, world.platform.blobs).work(world.clock.now())
    [run] = world.runs_of("a")
    with world.database.read() as tx:
        assert webhooks.of_run(tx, run.id) is not None
    world.advance(days=2)
    PruneExpired(world.database, world.platform.blobs).work(world.clock.now())
    with world.database.read() as tx:
        assert webhooks.of_run(tx, run.id) is None
    assert str(world.runs_of("a")[0].id) == run_id
