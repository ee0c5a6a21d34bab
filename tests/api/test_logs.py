"""The log of a run, as a stream while it lives and whole when it is over, in the frames that the client reads."""

import json
from collections.abc import Callable
from typing import Any
from uuid import UUID

import pytest

from homeport import bells

from ..builders import definition
from ..world import Runner, World
from .conftest import Door, Listening


@pytest.fixture
def runner(world: World) -> Runner:
    world.deploy(definition("a"))
    return world.running("a")


def frames(text: str) -> list[tuple[str, Any]]:
    """Event and data of each frame, read as strictly as the client does; comments are left out."""
    found = []
    for frame in text.split("\n\n"):
        lines = [line for line in frame.split("\n") if line and not line.startswith(":")]
        if lines:
            event, data = lines
            assert event.startswith("event: ")
            assert data.startswith("data: ")
            found.append((event.removeprefix("event: "), json.loads(data.removeprefix("data: "))))
    return found


def contents(text: str) -> list[str]:
    return [data["content"] for event, data in frames(text) if event == "log"]


def test_the_stream_of_a_run_that_is_over_has_every_line_and_ends(door: Door, runner: Runner) -> None:
    runner.say(0, "one", "two\nlines?", "✓")
    runner.exit(0, lines=3)
    response = door.logs(runner.run_id, "log-stream")
    assert response.headers["content-type"].startswith("text/event-stream")
    assert response.text.startswith(":")
    assert contents(response.text) == ["one", "two\nlines?", "✓"]


def test_a_line_has_what_the_client_prints(door: Door, runner: Runner) -> None:
    runner.say(0, "one")
    runner.exit(0, lines=1)
    [(event, line)] = frames(door.logs(runner.run_id, "log-stream").text)
    assert event == "log"
    assert {name: line[name] for name in ("line_num", "source", "stage", "io_stream", "content")} == {
        "line_num": 0,
        "source": "user",
        "stage": "run",
        "io_stream": "stdout",
        "content": "one",
    }
    assert line["reported_at"].startswith("2026-03-02T12:00:00.123456")


def test_the_first_byte_comes_before_there_is_anything_to_say(
    world: World, runner: Runner, listen: Callable[[UUID], Listening]
) -> None:
    stream = listen(runner.run_id)
    assert stream.next()["status"] == 200
    assert stream.text().startswith(":")
    runner.exit(0)


def test_lines_are_passed_on_as_they_come_until_the_run_is_over(
    world: World, runner: Runner, listen: Callable[[UUID], Listening]
) -> None:
    runner.say(0, "before")
    stream = listen(runner.run_id)
    stream.next()
    stream.next()
    assert contents(stream.text()) == ["before"]
    runner.say(1, "while it runs")
    assert contents(stream.text()) == ["while it runs"]
    runner.exit(0, lines=2)
    stream.wait()
    assert stream.next() == {"type": "http.response.body", "body": b"", "more_body": False}


def test_a_server_that_stops_says_so_in_the_stream(
    world: World, runner: Runner, listen: Callable[[UUID], Listening]
) -> None:
    stream = listen(runner.run_id)
    stream.next()
    stream.next()
    world.platform.bells.silence()
    [(event, data)] = frames(stream.text())
    assert event == "error"
    assert "stopping" in data["error"]


def test_a_run_that_waits_has_a_stream_too(world: World, door: Door, listen: Callable[[UUID], Listening]) -> None:
    world.deploy(definition("a"))
    run = world.start("a")
    stream = listen(run.id)
    assert stream.next()["status"] == 200
    world.cancel(run.id)


def test_the_stored_log_is_there_as_soon_as_the_run_is_over(door: Door, runner: Runner) -> None:
    runner.say(0, "one", "two")
    early = door.logs(runner.run_id, "logs")
    assert (early.status_code, early.json()["code"]) == (404, "log_not_stored")
    runner.exit(1, lines=2)
    response = door.logs(runner.run_id, "logs")
    assert response.headers["content-type"].startswith("application/x-ndjson")
    assert [json.loads(line)["content"] for line in response.text.splitlines()] == ["one", "two"]


def test_a_long_log_is_stored_whole(door: Door, runner: Runner) -> None:
    for first in range(0, 300, 5):
        runner.say(first, *map(str, range(first, first + 5)))
    runner.exit(0, lines=300)
    lines = door.logs(runner.run_id, "logs").text.splitlines()
    assert [json.loads(line)["line_num"] for line in lines] == list(range(300))


def test_a_run_without_a_line_has_an_empty_log(door: Door, world: World) -> None:
    world.deploy(definition("a"))
    run = world.cancel(world.start("a").id)
    assert door.logs(run.id, "logs").text == ""
    assert frames(door.logs(run.id, "log-stream").text) == []


@pytest.mark.parametrize("which", ["logs", "log-stream"])
def test_logs_of_another_workspace_are_not_read(door: Door, world: World, runner: Runner, which: str) -> None:
    charlie, elsewhere = world.stranger()
    key = world.key_of(charlie)
    token = door.post(f"/api/v1/workspaces/{elsewhere.id}/-issue-dataplane-token", key).json()["token"]
    path = f"/logs/v1/workspaces/{elsewhere.id}/job-runs/{runner.run_id}/{which}"
    assert door.get(path, token).status_code == 404
    assert door.logs(runner.run_id, which, token).status_code == 401


def test_a_ring_without_news_ends_nothing(
    world: World, runner: Runner, listen: Callable[[UUID], Listening]
) -> None:
    stream = listen(runner.run_id)
    stream.next()
    stream.next()
    world.platform.bells.ring(bells.log_of(runner.run_id))
    runner.say(0, "still there")
    assert contents(stream.text()) == ["still there"]
    runner.exit(0, lines=1)
