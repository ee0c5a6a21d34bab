"""Limits, cursors, sorting: the rules that every list keeps."""

from typing import Any

import pytest

from ..builders import definition
from ..world import World
from .conftest import Ask

LISTS = ["/jobs", "/job-runs", "/deployments", "/configurations", "/members"]


@pytest.fixture
def five_runs(world: World) -> list[int]:
    """Numbers of a job's runs, newest first; the last one is still going."""
    world.deploy(definition("load", execute={"concurrency": None}))
    for _ in range(4):
        world.complete("load")
        world.advance(seconds=10)
    world.start("load")
    return [5, 4, 3, 2, 1]


@pytest.mark.parametrize("path", LISTS)
@pytest.mark.parametrize(
    "wrong",
    [
        {"limit": 0},
        {"limit": 1001},
        {"limit": "many"},
        {"offset": -1},
        {"offset": 10_001},
        {"cursor": "made up"},
        {"cursor": "bnVsbA"},
        {"cursor": "abc", "offset": 5},
        {"sort": "colour", "order": "asc"},
        {"sort": "created_at"},
        {"order": "asc"},
        {"sort": "created_at", "order": "sideways"},
        {"sort": ["created_at", "created_at"], "order": ["asc", "desc"]},
        {"cursor": "\x00"},
    ],
    ids=str,
)
def test_what_no_list_can_answer_is_refused_with_the_reason(ask: Ask, path: str, wrong: dict[str, Any]) -> None:
    answer = ask("GET", path, **wrong)
    assert answer.status_code == 400, answer.text
    assert answer.json()["code"] in ("malformed_request", "invalid_cursor")


@pytest.mark.parametrize("order", [None, "asc", "desc"])
@pytest.mark.parametrize("sort", ["created_at", "duration_seconds", "finished_at", "number", "started_at"])
def test_cursors_lead_through_all_runs_once_in_every_order(
    ask: Ask, five_runs: list[int], sort: str, order: str | None
) -> None:
    sorting = {} if order is None else {"sort": sort, "order": order}
    whole = [run["number"] for run in ask("GET", "/job-runs", **sorting).json()["items"]]
    walked, cursor = [], None
    while True:
        # clients send offset=0 with everything
        page = ask(
            "GET", "/job-runs", limit=2, offset=0, **sorting, **({"cursor": cursor} if cursor else {})
        ).json()
        walked += [run["number"] for run in page["items"]]
        cursor = page["next_cursor"]
        if cursor is None:
            break
    assert walked == whole
    assert sorted(walked, reverse=True) == five_runs


def test_the_usual_order_of_runs_is_newest_first_and_offsets_go_through_it(ask: Ask, five_runs: list[int]) -> None:
    page = ask("GET", "/job-runs", limit=2, offset=1).json()
    assert [run["number"] for run in page["items"]] == five_runs[1:3]
    assert (page["limit"], page["offset"], page["total"]) == (2, 1, 5)


@pytest.mark.parametrize("order", ["asc", "desc"])
@pytest.mark.parametrize("sort", ["finished_at", "duration_seconds"])
def test_a_run_that_is_not_over_comes_last_in_both_directions(
    ask: Ask, five_runs: list[int], sort: str, order: str
) -> None:
    assert ask("GET", "/job-runs", sort=sort, order=order).json()["items"][-1]["number"] == five_runs[0]


def test_a_cursor_belongs_to_its_list_and_order(ask: Ask, five_runs: list[int]) -> None:
    cursor = ask("GET", "/job-runs", limit=2).json()["next_cursor"]
    other_order = {"sort": "number", "order": "asc"}
    assert ask("GET", "/job-runs", cursor=cursor, **other_order).json()["code"] == "invalid_cursor"
    assert ask("GET", "/jobs", cursor=cursor).json()["code"] == "invalid_cursor"


def test_a_cursor_is_not_moved_by_runs_that_come_meanwhile(world: World, ask: Ask, five_runs: list[int]) -> None:
    first = ask("GET", "/job-runs", limit=2).json()
    world.advance(seconds=10)
    world.start("load")
    second = ask("GET", "/job-runs", limit=2, cursor=first["next_cursor"]).json()
    assert [run["number"] for run in second["items"]] == [3, 2]


def test_short_lists_have_cursors_too(world: World, ask: Ask) -> None:
    world.upload("deployments", {"job.py": "print('two')"})
    first = ask("GET", "/deployments", limit=1).json()
    second = ask("GET", "/deployments", limit=1, cursor=first["next_cursor"]).json()
    assert [item["version"] for item in first["items"] + second["items"]] == [2, 1]
    assert second["next_cursor"] is None
    oldest_first = ask("GET", "/deployments", sort="version", order="asc").json()["items"]
    assert [item["version"] for item in oldest_first] == [1, 2]


def test_workspaces_are_sorted_and_paged_after_leaving_out_those_one_may_not_see(world: World, ask: Ask) -> None:
    path = f"/api/v1/organizations/{world.alice.organization_id}/workspaces"
    for name in ("beta", "alpha"):
        world.advance(seconds=1)
        ask("POST", path, json={"name": name})
    page = ask("GET", path, sort="name", order="asc", limit=2).json()
    assert [item["name"] for item in page["items"]] == ["alpha", "beta"]
    assert page["total"] == 3
    bob = world.key_of(world.invite("bob@x", "developer"))
    assert ask("GET", path, key=bob).json()["total"] == 1


def test_members_are_narrowed_by_kind_and_sorted_by_address(world: World, ask: Ask) -> None:
    world.invite("bob@x", "developer")
    emails = [item["email"] for item in ask("GET", "/members", sort="email", order="asc").json()["items"]]
    assert emails == sorted(emails)
    assert len(emails) == 2
    assert ask("GET", "/members", kind="service_account").json()["items"] == []
    assert ask("GET", "/members", kind="robot").status_code == 400
