"""What a run is given, and what becomes of it."""

import json
import os
from base64 import b64encode
from collections.abc import Iterator
from datetime import datetime
from pathlib import Path
from typing import Any

import pytest

from .conftest import NewWorkspace
from .servers import Homeport
from .workspaces import Workspace

pytestmark = pytest.mark.acceptance

JOBS = """
import json, os, sys
from pathlib import Path

import dlt
from dlt.hub import run
from dlt.hub.run import trigger


@run.job(trigger=trigger.schedule("0 3 1 1 *"), require={"timezone": "Europe/Berlin"})
def look_around(run_context):
    seen = {name: str(value) for name, value in run_context.items()}
    interval = dlt.current.interval()
    seen["current"] = [str(interval[0]), str(interval[1])]
    seen["profile"] = dlt.current.run_context().profile
    seen["workspace"] = dlt.current.run_context().name
    seen["greeting"] = dlt.config["greeting"]
    seen["password"] = dlt.secrets["password"]
    seen["files"] = sorted(str(p) for p in Path().rglob("*") if p.is_file() and "__pycache__" not in p.parts)
    seen["variables"] = sorted(os.environ)
    seen["values"] = sorted(os.environ.values())
    print("SEEN " + json.dumps(seen))


@run.job
def succeed():
    print("all sold")


@run.job(trigger=succeed.success)
def after_success(run_context):
    print("follows", run_context["trigger"])


@run.job
def break_down():
    print("before the fall")
    raise RuntimeError("the oven is cold")


@run.job(trigger=break_down.fail)
def after_failure():
    print("somebody has to clean up")


@run.job(trigger=break_down.success)
def never():
    print("this does not happen")


@run.job
def leave():
    sys.exit(7)
"""

FILES = {
    "__deployment__.py": """
        from shop import after_failure, after_success, break_down, leave, look_around, never, succeed

        __all__ = ["after_failure", "after_success", "break_down", "leave", "look_around", "never", "succeed"]
    """,
    "shop.py": JOBS,
    "recipes/bread.txt": "flour\n",
    ".dlt/prod.config.toml": 'greeting = "good morning"\n',
    ".dlt/access.config.toml": 'greeting = "just looking"\n',
    ".dlt/dev.config.toml": 'greeting = "at home"\n',
    ".dlt/prod.secrets.toml": 'password = "loaf"\n',
    ".dlt/access.secrets.toml": 'password = "crumb"\n',
}


@pytest.fixture(scope="module")
def shop(server: Homeport, new_workspace: NewWorkspace) -> Workspace:
    """Deployed once; every test has jobs of its own in it."""
    shop = new_workspace(server, FILES)
    shop.dlthub("deploy")
    return shop


def seen(shop: Workspace, **request: Any) -> dict[str, Any]:
    run = shop.run("look_around", **request)
    text = shop.text(run["id"])
    assert run["status"] == "completed", text
    line = next(line for line in text.splitlines() if line.startswith("SEEN "))
    return dict(json.loads(line.removeprefix("SEEN ")))


def test_a_run_is_told_its_id_trigger_refresh_and_interval(server: Homeport, new_workspace: NewWorkspace) -> None:
    shop = new_workspace(server, FILES)
    shop.dlthub("deploy")
    started = shop.trigger("schedule:*")
    first = shop.ended(started["id"])
    line = next(line for line in shop.text(first["id"]).splitlines() if line.startswith("SEEN "))
    context = json.loads(line.removeprefix("SEEN "))
    assert context["run_id"] == first["id"]
    assert context["trigger"] == "schedule:0 3 1 1 *"
    assert context["refresh"] == "True"  # the first run of a job starts from nothing
    for bound, in_run in (("interval_start", context["current"][0]), ("interval_end", context["current"][1])):
        assert context[bound] == in_run
        assert datetime.fromisoformat(in_run) == datetime.fromisoformat(first[bound])
        assert in_run.endswith("+01:00"), "the bounds are in the job's own zone"
    again = seen(shop)
    assert again["refresh"] == "False"
    assert seen(shop, refresh=True)["refresh"] == "True"


def test_a_batch_run_works_under_prod_and_any_other_profile_is_asked_for(shop: Workspace) -> None:
    by_default, as_asked = seen(shop), seen(shop, profile="access")
    assert [by_default[name] for name in ("profile", "greeting", "password")] == ["prod", "good morning", "loaf"]
    assert [as_asked[name] for name in ("profile", "greeting", "password")] == ["access", "just looking", "crumb"]


def test_code_and_configuration_are_laid_out_like_the_workspace_at_home(shop: Workspace) -> None:
    files = seen(shop)["files"]
    assert {"shop.py", "__deployment__.py", "recipes/bread.txt"} <= set(files)
    assert {".dlt/.workspace", ".dlt/config.toml", ".dlt/prod.config.toml"} <= set(files)
    assert ".dlt/dev.config.toml" not in files


def test_a_run_sees_nothing_of_the_servers_own_environment(shop: Workspace) -> None:
    context = seen(shop)
    assert context["workspace"] == shop.folder.name
    assert not [name for name in context["variables"] if name.startswith(("HOMEPORT_", "UV_"))]


def test_a_run_is_given_no_secret_of_the_server(own_server: Homeport, new_workspace: NewWorkspace) -> None:
    theirs = {
        "HOMEPORT_MASTER_KEY": b64encode(bytes(range(32))).decode(),
        "HOMEPORT_GITHUB_CLIENT_ID": "homeport-at-home",
        "HOMEPORT_GITHUB_CLIENT_SECRET": "github-hush-hush",
        "HOMEPORT_SMTP_URL": "smtp://baker:mail-hush-hush@127.0.0.1:1",
        "HOMEPORT_MAIL_FROM": "homeport@mail.example",
        "AWS_SECRET_ACCESS_KEY": "storage-hush-hush",
        "PGPASSWORD": "database-hush-hush",
    }
    own_server.settings = theirs
    shop = new_workspace(own_server.start(), FILES)
    shop.dlthub("deploy")
    for _ in range(2):  # the second may be forked from a warm process
        context = seen(shop)
        assert not theirs.keys() & set(context["variables"])
        given = "\n".join(context["values"])
        assert [value for value in (*theirs.values(), own_server.api_key) if value in given] == []


def reachable(folder: Path) -> Iterator[Path]:
    """What somebody who is not the folder's owner can read below it."""
    for path in folder.iterdir():
        mode = path.lstat().st_mode
        if path.is_symlink():
            continue
        if path.is_dir():
            if mode & 0o011:
                yield from reachable(path)
            if mode & 0o044:
                yield path
        elif mode & 0o044:
            yield path


def test_other_users_of_the_machine_reach_nothing_that_is_kept(
    own_server: Homeport, new_workspace: NewWorkspace
) -> None:
    before = os.umask(0o022)  # as on most machines; the server gets it from us
    try:
        own_server.data.chmod(0o755)  # made by somebody else, such as for a volume
        shop = new_workspace(own_server.start(), FILES)
        shop.dlthub("deploy")
        shop.run("look_around")
    finally:
        os.umask(before)
    assert (own_server.data / "homeport.db").exists()
    assert {path.name for path in reachable(own_server.data)} <= {"server.lock"}


def test_a_failing_job_ends_its_follower_with_exit_code_1_and_a_traceback_in_the_log(shop: Workspace) -> None:
    ended = shop.call("dlthub", "run", "break_down", "-f")
    assert ended.exit_code == 1
    assert "before the fall" in ended.output
    assert "Traceback (most recent call last)" in ended.output
    assert "RuntimeError: the oven is cold" in ended.output
    assert "status: failed" in ended.output
    assert shop.await_run("after_failure")["trigger"] == "job.fail:jobs.shop.break_down"
    assert shop.runs("never") == []


def test_a_follow_up_starts_when_its_upstream_has_succeeded(shop: Workspace) -> None:
    upstream = shop.run("succeed")
    follow_up = shop.await_run("after_success")
    assert follow_up["status"] == "completed"
    assert follow_up["previous_job_run_id"] == upstream["id"]
    assert "follows job.success:jobs.shop.succeed" in shop.text(follow_up["id"])


def test_a_process_that_ends_with_a_code_of_its_own_has_failed(shop: Workspace) -> None:
    assert shop.run("leave")["status"] == "failed"


def test_a_plain_script_runs_as_it_does_at_home(workspace: Workspace) -> None:
    workspace.write({"count.py": "if __name__ == '__main__':\n    print('counted', 3 * 4)\n"})
    output = workspace.dlthub("run", "count.py", "-f")
    assert "counted 12" in output
    assert "status: completed" in output
    [run] = workspace.runs()
    assert run["job"]["job_ref"] == "jobs.count"
    assert run["trigger"] == "manual:jobs.count"
