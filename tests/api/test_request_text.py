"""Whatever is sent ends, and is text that can be kept: looked at before any endpoint."""

import json
from collections.abc import Iterator

import pytest

from homeport.api.requests import DEFAULT_LIMIT

from ..builders import definition
from ..databases import on_both
from ..world import World
from .conftest import Door
from .test_errors import shape

JSON = {"Content-Type": "application/json"}


@on_both
@pytest.mark.parametrize(
    "body",
    [
        r'{"name": "\ud800"}',
        r'{"name": "a\u0000b"}',
        r'{"name": "good", "description": "\udfff"}',
        r'{"name": "good", "ignored": ["\ud83d"]}',
        r'{"name": "good", "\ud800": 1}',
        '{"name": "good", "ignored": NaN}',
        '{"name": "good", "ignored": 1e999}',
        '{"name": "good", "ignored": ' + "[" * 200 + "]" * 200 + "}",
        '{"name": "good", "ignored": ' + "[" * 100_000,
        '{"name": "good", "ignored": ' + "9" * 5000 + "}",
    ],
    ids=["half", "nul", "later half", "ignored", "key", "NaN", "infinite", "deep", "deeper", "digits"],
)
def test_text_that_cannot_be_kept_is_the_requests_fault(door: Door, world: World, body: str) -> None:
    path = f"/api/v1/organizations/{world.alice.organization_id}/workspaces"
    answer = door.post(path, content=body.encode(), headers=JSON)
    assert shape(answer) == (400, "malformed_request")
    assert answer.json()["extra"]["reasons"]


def test_a_pair_of_surrogates_is_one_character(door: Door, world: World) -> None:
    path = f"/api/v1/organizations/{world.alice.organization_id}/workspaces"
    answer = door.post(path, content=rb'{"name": "\ud83d\ude80"}', headers=JSON)
    assert (answer.status_code, answer.json()["name"]) == (201, "🚀")


def test_a_body_that_is_not_utf8_is_malformed(door: Door, world: World) -> None:
    path = f"/api/v1/organizations/{world.alice.organization_id}/workspaces"
    assert shape(door.post(path, content=b'{"name": "\xff"}', headers=JSON)) == (400, "malformed_request")


@on_both
@pytest.mark.parametrize(
    "path",
    [
        "ws:/jobs?q=a%00b",
        "ws:/jobs?profile=%00",
        "ws:/jobs?%00=1",
        "/runner/v1/attempts/a%00b/control",
        "/beacon/v1/a%00b/trace",
    ],
)
def test_a_nul_in_an_address_is_malformed(door: Door, path: str) -> None:
    method = "PUT" if "beacon" in path else "GET"
    assert shape(door.ask(method, path)) == (400, "malformed_request")


@on_both
def test_what_a_run_says_is_repaired_instead(door: Door, world: World) -> None:
    world.deploy(definition("a"))
    runner = world.claim(world.start("a"))
    path = f"/runner/v1/attempts/{runner.attempt_id}"
    line = r'["2026-03-02T12:00:00+00:00", "stdout", "user", "run", "a\u0000b\ud800c"]'
    body = '{"first": 0, "lines": [' + line + "]}"
    session = runner.launch.session
    assert door.post(f"{path}/lines", session, content=body, headers=JSON).status_code == 200
    end = r'{"cause": "setup_failed", "detail": "broken\u0000 \udfff", "lines": 1}'
    assert door.post(f"{path}/exit", session, content=end, headers=JSON).status_code == 200
    assert json.loads(door.logs(runner.run_id, "logs").text)["content"] == "a\ufffdb\ufffdc"
    assert world.run(runner.run_id).status == "failed"


# length


def pieces(size: int) -> Iterator[bytes]:
    yield b'{"name": "'
    for _ in range(size // 1000):
        yield b"x" * 1000
    yield b'"}'


def test_a_body_over_the_limit_is_refused_with_and_without_a_length(door: Door, world: World) -> None:
    for content in (b"x" * (DEFAULT_LIMIT + 1), pieces(DEFAULT_LIMIT + 1000)):
        answer = door.post("/api/v1/keys", content=content, headers=JSON)
        assert shape(answer) == (413, "body_too_large")
        assert str(DEFAULT_LIMIT) in answer.json()["detail"]


def test_a_body_just_below_the_limit_is_read(door: Door) -> None:
    answer = door.post("/api/v1/keys", content=pieces(DEFAULT_LIMIT - 2000), headers=JSON)
    assert shape(answer) == (400, "malformed_request")


def test_a_manifest_may_be_longer(door: Door, world: World) -> None:
    long = {"description": "x" * 3000}
    jobs = [definition(f"job_{number}", **long) for number in range(500)]
    body = {
        "job_definition_engine_version": 2,
        "job_definition_hash": "h",
        "jobs": jobs,
        "deployment_module": "__deployment__",
        "dry_run": True,
    }
    assert len(json.dumps(body)) > DEFAULT_LIMIT
    assert door.post("ws:/-deploy", json=body).status_code == 200


def test_no_endpoint_reads_without_end(door: Door, world: World) -> None:
    answer = door.post("ws:/-deploy", content=pieces(17 * DEFAULT_LIMIT), headers=JSON)
    assert shape(answer) == (413, "body_too_large")
