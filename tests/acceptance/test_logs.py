"""What a run writes is what people read: every line, in order, as it comes."""

from pathlib import Path
from textwrap import dedent

import pytest

from .conftest import NewWorkspace
from .servers import Homeport
from .workspaces import Workspace

pytestmark = pytest.mark.acceptance

LONG = 300_000

JOBS = """
import sys
import time
from pathlib import Path

from dlt.hub import run

SIGNS = Path({signs!r})


@run.job
def alternate():
    for number in range(6):
        print(f"line {{number}}", file=(sys.stdout, sys.stderr)[number % 2], flush=True)
        # two pipes have no common clock: what is to be told apart must not come at once
        time.sleep(0.2)


@run.job
def speak():
    print("Grüße, 你好, 🥖, naïve café")
    sys.stdout.buffer.write(b"broken \\xff byte\\n")
    print("x" * {long})
    print("[red]not a colour[/red] [1] {{}} %s")
    print()
    print("no newline at the end", end="")


@run.job
def count():
    for number in range(20_000):
        print("number", number)


@run.job
def wait_for_a_sign():
    print("here I am")
    while not (SIGNS / "go").exists():
        time.sleep(0.01)
    print("gone again")
"""

NAMES = ["alternate", "count", "speak", "wait_for_a_sign"]


@pytest.fixture(scope="module")
def signs(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tmp_path_factory.mktemp("signs")


@pytest.fixture(scope="module")
def shop(server: Homeport, new_workspace: NewWorkspace, signs: Path) -> Workspace:
    shop = new_workspace(
        server,
        {
            "shop.py": dedent(JOBS).format(signs=str(signs), long=LONG),
            "__deployment__.py": f"from shop import {', '.join(NAMES)}\n\n__all__ = {NAMES}\n",
        },
    )
    shop.dlthub("deploy")
    return shop


def said(shop: Workspace, name: str) -> list[tuple[str, str]]:
    run = shop.run(name)
    lines = shop.lines(run["id"])
    assert [line["line_num"] for line in lines] == list(range(len(lines)))
    return [(line["io_stream"], line["content"]) for line in lines if line["source"] == "user"]


def test_stdout_and_stderr_stay_in_the_order_they_were_written_in(shop: Workspace) -> None:
    assert said(shop, "alternate") == [(("stdout", "stderr")[number % 2], f"line {number}") for number in range(6)]


def test_any_text_arrives_as_it_was_written(shop: Workspace) -> None:
    contents = [content for _, content in said(shop, "speak")]
    assert contents[0] == "Grüße, 你好, 🥖, naïve café"
    assert contents[1] == "broken \ufffd byte"
    assert "".join(contents[2:-3]) == "x" * LONG, "longer than a line may be: it comes in pieces"
    assert contents[-3:] == ["[red]not a colour[/red] [1] {} %s", "", "no newline at the end"]
    printed = shop.dlthub("job", "logs", "speak")
    assert "🥖" in printed
    assert "[red]not a colour[/red] [1] {} %s" in printed


def test_a_log_of_many_lines_is_complete(shop: Workspace) -> None:
    assert [content for _, content in said(shop, "count")] == [f"number {number}" for number in range(20_000)]
    printed = shop.dlthub("job", "runs", "logs", "count", "1")
    assert printed.count("[user]") == 20_000


def test_following_shows_lines_before_the_run_ends_and_reading_shows_those_so_far(
    shop: Workspace, signs: Path
) -> None:
    started = shop.trigger("manual:*wait_for_a_sign")
    with shop.popen("job", "logs", "wait_for_a_sign", "-f") as follower:
        assert follower.stdout is not None
        while "here I am" not in (line := follower.stdout.readline()):
            assert line, "the log ended too early"
        assert shop.state_of(started["id"])["status"] == "running"
        assert "here I am" in shop.dlthub("job", "logs", "wait_for_a_sign")
        (signs / "go").touch()
        assert "gone again" in follower.stdout.read()
        assert follower.wait(30) == 0
    assert shop.ended(started["id"])["status"] == "completed"
