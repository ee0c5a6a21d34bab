"""A run's log and status, as they come."""

import json
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import httpx

from ..world import World

Event = tuple[str, Any]


@contextmanager
def _following(browser: httpx.Client, address: str, **options: Any) -> Iterator[Iterator[Event]]:
    with browser.stream("GET", address, **options) as answer:
        assert answer.status_code == 200
        assert answer.headers["content-type"].startswith("text/event-stream")
        yield _events(answer.iter_lines())


def _events(lines: Iterator[str]) -> Iterator[Event]:
    name = ""
    for line in lines:
        key, _, value = line.partition(": ")
        if key == "event":
            name = value
        elif key == "data":
            yield name, json.loads(value)


def _line(event: Event) -> tuple[int, str]:
    assert event[0] == "log"
    return event[1]["line_num"], event[1]["content"]


def test_a_run_is_followed_to_its_end(alice: httpx.Client, home: str, shop: World) -> None:
    run = shop.start("shop.load")
    with _following(alice, f"{home}/runs/{run.id}/events") as events:
        assert next(events) == ("status", {"status": "pending"})
        runner = shop.claim(run)
        runner.begin()
        while (event := next(events)) != ("status", {"status": "running"}):
            assert event == ("status", {"status": "starting"})
        runner.say(0, "one", "\x1b[1mtwo\x1b[0m")
        assert [_line(next(events)) for _ in range(2)] == [(0, "one"), (1, "two")]
        runner.say(2, "<b>three</b>")
        assert _line(next(events)) == (2, "<b>three</b>")
        runner.exit(0, lines=3)
        assert list(events) == [("status", {"status": "completed"}), ("end", {"status": "completed"})]


def test_a_browser_goes_on_where_its_page_ended(alice: httpx.Client, home: str, shop: World) -> None:
    runner = shop.running("shop.load")
    runner.say(0, "one", "two", "three")
    runner.exit(1, lines=3)
    address = f"{home}/runs/{runner.run_id}/events?from=1"
    with _following(alice, address) as events:
        assert [_line(event) for event in events if event[0] == "log"] == [(1, "two"), (2, "three")]
    with _following(alice, address, headers={"Last-Event-ID": "2"}) as events:
        assert [_line(event) for event in events if event[0] == "log"] == [(2, "three")]


def test_a_run_that_is_over_is_told_so_at_once(alice: httpx.Client, home: str, shop: World) -> None:
    run = shop.complete("shop.load")
    with _following(alice, f"{home}/runs/{run.id}/events") as events:
        assert [name for name, _ in events] == ["status", "end"]


def test_who_is_not_signed_in_hears_nothing(nobody: httpx.Client, home: str, shop: World) -> None:
    run = shop.complete("shop.load")
    assert nobody.get(f"{home}/runs/{run.id}/events").status_code == 303
