"""Attempts of real pipelines: what is extracted stays extracted; one run at a time loads a pipeline."""

import json
import os
import signal
from contextlib import suppress
from pathlib import Path
from textwrap import dedent

import pytest

from .conftest import NewWorkspace
from .servers import Homeport, until
from .workspaces import Workspace

pytestmark = pytest.mark.acceptance

JOBS = """
    import os
    import time
    from pathlib import Path

    import dlt
    from dlt.hub import run

    SIGNS = Path({signs!r})


    def note(name, text="once"):
        with (SIGNS / name).open("a") as file:
            file.write(f"{{text}}\\n")


    @dlt.resource
    def loaves():
        note("extracted")
        yield [{{"id": 1}}, {{"id": 2}}]


    @dlt.destination(batch_size=10)
    def shop(items, table):
        note("pids", os.getpid())
        while not (SIGNS / "go").exists():
            time.sleep(0.05)
        note("loaded", [row["id"] for row in items])


    @run.pipeline("ovens")
    def bake():
        dlt.pipeline("ovens", destination=shop, dataset_name="shop").run(loaves())


    @run.pipeline("ovens")
    def bake_more():
        note("more")


    @run.job
    def burn():
        print("smoke")
        raise SystemExit(3)
"""

RETRIES = """
    [jobs.retry]
    backoff = 0

    [jobs.shop.burn.retry]
    attempts = 3
    backoff = "0.2s"
    on = ["failed"]
"""


class Shop:
    def __init__(self, server: Homeport, new_workspace: NewWorkspace, signs: Path) -> None:
        self.server, self.signs = server, signs
        signs.mkdir()
        files = {
            "shop.py": dedent(JOBS).format(signs=str(signs)),
            "__deployment__.py": "from shop import bake, bake_more, burn\n\n"
            "__all__ = ['bake', 'bake_more', 'burn']\n",
        }
        self.workspace: Workspace = new_workspace(server.start(), files)
        self.configure(RETRIES)

    def configure(self, more: str) -> None:
        settings = self.workspace.folder / ".dlt" / "config.toml"
        plain = settings.read_text().partition("\n[jobs.")[0]
        settings.write_text(plain + "\n" + dedent(more))

    def lines(self, name: str) -> list[str]:
        file = self.signs / name
        return file.read_text().splitlines() if file.exists() else []

    def kill_everything(self) -> None:
        """The runner first, so that it cannot tell of the end of its run."""
        for pid in (*self.server.runner_pids(), int(self.lines("pids")[-1])):
            with suppress(ProcessLookupError):
                os.kill(pid, signal.SIGKILL)

    def attempts(self, run_id: str) -> list[dict[str, object]]:
        return list(self.workspace.get(f"/job-runs/{run_id}/attempts")["items"])


@pytest.fixture
def shop(own_server: Homeport, new_workspace: NewWorkspace, tmp_path: Path) -> Shop:
    return Shop(own_server, new_workspace, tmp_path / "signs")


def test_a_pipeline_killed_between_extract_and_load_is_loaded_by_its_second_attempt(shop: Shop) -> None:
    workspace = shop.workspace
    following = workspace.popen("run", "bake", "-f")
    until(lambda: shop.lines("pids"), what="the load")
    [run] = workspace.runs("bake")
    shop.kill_everything()
    until(lambda: len(shop.lines("pids")) == 2, what="the second load")
    (shop.signs / "go").touch()

    ended = workspace.ended(run["id"])
    output, _ = following.communicate(timeout=60)
    assert (following.returncode, ended["status"]) == (0, "completed"), output
    assert "finished with status: completed" in output
    assert "Attempt 2 of 2, after: lost: " in output

    assert shop.lines("extracted") == ["once"]
    assert shop.lines("loaded") == ["[1, 2]"]
    lines = workspace.lines(run["id"])
    assert [line["line_num"] for line in lines] == list(range(len(lines)))
    first, second = shop.attempts(run["id"])
    assert (first["end_cause"], second["end_cause"], second["exit_code"]) == ("lost", "exited", 0)
    assert lines[int(str(second["first_line"]))]["content"].startswith("Attempt 2 of 2")
    assert len(workspace.runs("bake")) == 1
    carried = shop.server.data / "node" / "carried"
    until(lambda: not list(carried.iterdir()), what="the working state to be removed")


def test_what_a_restart_of_the_machine_has_ended_is_told_so_and_tried_again(shop: Shop) -> None:
    workspace = shop.workspace
    workspace.dlthub("deploy")
    run_id = str(workspace.trigger("manual:*bake")["id"])
    until(lambda: shop.lines("pids"), what="the load")
    shop.server.kill()
    shop.kill_everything()
    # as after a restart: another process has the pid of the runner by now
    record = next(shop.server.data.glob("node/runs/*/runner.json"))
    record.write_text(json.dumps({"pid": os.getpid(), "started": "1", "boot": "of the day before"}))
    (shop.signs / "go").touch()
    shop.server.start()
    assert workspace.ended(run_id)["status"] == "completed"
    assert "Attempt 2 of 2, after: lost: the machine was restarted" in workspace.text(run_id)
    assert shop.lines("extracted") == ["once"]
    assert [attempt["end_cause"] for attempt in shop.attempts(run_id)] == ["lost", "exited"]


def test_a_job_that_fails_is_tried_as_often_as_its_configuration_says(shop: Shop) -> None:
    output = shop.workspace.refused("run", "burn", "-f")
    assert output.count("smoke") == 3
    assert "Attempt 3 of 3, after: the process ended with exit code 3" in output
    [run] = shop.workspace.runs("burn")
    assert run["status"] == "failed"
    assert [attempt["exit_code"] for attempt in shop.attempts(run["id"])] == [3, 3, 3]


def test_a_server_killed_between_two_attempts_goes_on_with_the_next(shop: Shop) -> None:
    shop.configure('[jobs.shop.burn.retry]\nattempts = 2\nbackoff = "4s"\n')
    shop.workspace.dlthub("deploy")
    run_id = str(shop.workspace.trigger("manual:*burn")["id"])
    until(lambda: shop.attempts(run_id)[-1:] and shop.attempts(run_id)[-1]["exit_code"] == 3, what="attempt 1")
    assert shop.workspace.state_of(run_id)["status"] == "pending"
    shop.server.kill()
    shop.server.start()
    assert shop.workspace.ended(run_id)["status"] == "failed"
    assert [attempt["number"] for attempt in shop.attempts(run_id)] == [1, 2]


def test_a_run_that_would_load_a_pipeline_at_the_same_time_waits_and_says_for_whom(shop: Shop) -> None:
    workspace = shop.workspace
    workspace.dlthub("deploy")
    first = str(workspace.trigger("manual:*bake")["id"])
    until(lambda: shop.lines("pids"), what="the load")
    second = str(workspace.trigger("manual:*bake_more")["id"])
    reason = "run #1 of jobs.shop.bake, which loads the same pipeline"
    until(lambda: workspace.get(f"/job-runs/{second}/attempts")["waits_for"] == reason, what="the reason")
    assert workspace.state_of(second)["status"] == "pending"
    assert shop.lines("more") == []
    (shop.signs / "go").touch()
    assert workspace.ended(first)["status"] == "completed"
    assert workspace.ended(second)["status"] == "completed"
    assert workspace.lines(second)[0]["content"] == f"Waited for {reason}."


def test_settings_that_cannot_be_used_are_refused_with_their_key_and_the_way_out(shop: Shop) -> None:
    shop.configure("[jobs.shop.burn.retry]\nattempts = 0\n")
    output = shop.workspace.refused("deploy")
    assert "[jobs.shop.burn.retry]" in output
    assert "attempts" in output
    assert "a whole number from 1" in output
