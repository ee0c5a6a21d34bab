"""What runners are answered: the protocol of `src/homeport_runner/README.md`."""

import pytest

from ..builders import definition
from ..world import Runner, World
from .conftest import Door

LINE = ["2026-03-02T12:00:00.000001+00:00", "stdout", "user", "run", "hello"]


@pytest.fixture
def runner(world: World) -> Runner:
    world.deploy(definition("a"))
    return world.claim(world.start("a"))


def ask(
    door: Door, runner: Runner, verb: str, body: object = None, session: str | None = None
) -> tuple[int, object]:
    method = "GET" if body is None else "POST"
    path = f"/runner/v1/attempts/{runner.attempt_id}/{verb}"
    parts = {} if body is None else {"json": body}
    response = door.ask(method, path, session or runner.launch.session, **parts)
    return response.status_code, response.json()


def test_a_claim_needs_no_credential_but_the_ticket(door: Door, world: World) -> None:
    world.deploy(definition("a"))
    run = world.start("a")
    world.submit()
    path, [placement] = f"/runner/v1/attempts/{world.attempt(run).id}/claim", world.engine.placements
    wrong = door.post(path, None, json={"ticket": "wrong", "host": "h", "pid": 1})
    right = door.post(path, None, json={"ticket": placement.ticket, "host": "h", "pid": 1})
    other = door.post(path, None, json={"ticket": placement.ticket, "host": "h", "pid": 2})
    assert (wrong.status_code, right.status_code, other.status_code) == (409, 200, 409)
    assert right.json()["session"]
    assert placement.ticket not in wrong.text + right.text + other.text


def test_a_whole_attempt_over_the_wire(door: Door, world: World, runner: Runner) -> None:
    assert ask(door, runner, "started", {"pid": 7}) == (200, {"ok": True})
    assert ask(door, runner, "lines", {"first": 0, "lines": [LINE, LINE]}) == (200, {"next": 2, "cancel": False})
    assert ask(door, runner, "control?wait=0") == (200, {"cancel": False})
    end = {"cause": "exited", "exit_code": 0, "detail": None, "lines": 2}
    assert ask(door, runner, "exit", end) == (200, {"ok": True})
    assert world.run(runner.run_id).status == "completed"
    assert ask(door, runner, "exit", end) == (200, {"ok": True})


def test_lines_that_would_leave_a_gap_are_asked_for(door: Door, runner: Runner) -> None:
    assert ask(door, runner, "lines", {"first": 5, "lines": [LINE]}) == (200, {"next": 0, "cancel": False})


def test_an_end_before_its_lines_is_409_and_can_be_repeated(door: Door, runner: Runner) -> None:
    runner.begin()
    end = {"cause": "exited", "exit_code": 0, "lines": 1}
    assert ask(door, runner, "exit", end)[0] == 409
    ask(door, runner, "lines", {"first": 0, "lines": [LINE]})
    assert ask(door, runner, "exit", end)[0] == 200


@pytest.mark.parametrize(
    "body",
    [
        {"first": -1, "lines": []},
        {"first": 0, "lines": [LINE[:4]]},
        {"first": 0, "lines": [[*LINE[:1], "stdhunter2", *LINE[2:]]]},
        {"first": 0, "lines": [["hunter2", *LINE[1:]]]},
        {"lines": []},
    ],
    ids=["a negative number", "a short line", "an unknown stream", "no moment", "no number"],
)
def test_malformed_lines_are_400_and_not_echoed(door: Door, runner: Runner, body: object) -> None:
    status, answer = ask(door, runner, "lines", body)
    assert status == 400
    assert "hunter2" not in str(answer)


def test_orders_are_answered_as_soon_as_there_are_any(door: Door, world: World, runner: Runner) -> None:
    world.cancel(runner.run_id)
    assert ask(door, runner, "control?wait=60") == (200, {"cancel": True})


@pytest.mark.parametrize(
    ("verb", "body"),
    [
        ("lines", {"first": 0, "lines": []}),
        ("control?wait=0", None),
        ("started", {"pid": 1}),
        ("packages/code", None),
        ("exit", {"cause": "exited", "exit_code": 0, "lines": 0}),
    ],
)
def test_an_intruder_is_401_and_one_whose_attempt_is_over_409(
    door: Door, runner: Runner, verb: str, body: object
) -> None:
    assert ask(door, runner, verb, body, session="an intruder's")[0] == 401
    runner.begin()
    runner.exit(0)
    assert ask(door, runner, verb, body)[0] == (200 if verb == "exit" else 409)


def test_packages_come_as_archives(door: Door, runner: Runner) -> None:
    path = f"/runner/v1/attempts/{runner.attempt_id}/packages"
    for which in ("code", "configuration"):
        response = door.get(f"{path}/{which}", runner.launch.session)
        assert response.headers["content-type"] == "application/gzip"
        assert response.content[:2] == b"\x1f\x8b"
    assert door.get(f"{path}/secrets", runner.launch.session).status_code == 400
