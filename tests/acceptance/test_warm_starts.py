"""Warm starts with a real server: on, off, and what becomes of the warm process when the server is killed."""

import os
import signal

import pytest

from .conftest import NewWorkspace
from .servers import Homeport, is_alive, until
from .workspaces import Workspace

pytestmark = pytest.mark.acceptance

SHOP = """
from pathlib import Path

from dlt.hub import run


@run.job
def who():
    words = Path("/proc/self/cmdline").read_text().split(chr(0))
    print("FORKED" if "--run-id" not in words else "PLAIN")
"""
FILES = {"shop.py": SHOP, "__deployment__.py": "from shop import who\n\n__all__ = ['who']\n"}


def warm_pids(server: Homeport) -> list[int]:
    """Of warm processes that answer."""
    found = [path.with_name("pid") for path in server.data.glob("node/warm/*/socket")]
    return [pid for path in found if path.exists() and is_alive(pid := int(path.read_text()))]


def how(workspace: Workspace) -> str:
    """How a run of the job was started."""
    run = workspace.run("who")
    text = workspace.text(run["id"])
    assert run["status"] == "completed", text
    return "forked" if "FORKED" in text else "plain"


@pytest.mark.parametrize("setting", ["on", "off"])
def test_the_setting_decides_whether_runs_are_forked(
    own_server: Homeport, new_workspace: NewWorkspace, setting: str
) -> None:
    own_server.settings["HOMEPORT_WARM"] = setting
    workspace = new_workspace(own_server.start(), FILES)
    workspace.dlthub("deploy")
    # a warm process is begun beside a run that finds its environment, so it is there for the third at the latest
    assert how(workspace) == "plain"
    how(workspace)
    if setting == "on":
        until(lambda: warm_pids(own_server), what="a warm process")
        assert how(workspace) == "forked"
    else:
        assert [how(workspace), how(workspace)] == ["plain", "plain"]
        assert not (own_server.data / "node" / "warm").exists()


def test_after_a_kill_of_the_server_the_next_one_finds_the_warm_process(
    own_server: Homeport, new_workspace: NewWorkspace
) -> None:
    workspace = new_workspace(own_server.start(), FILES)
    workspace.dlthub("deploy")
    how(workspace)
    how(workspace)
    [warm] = until(lambda: warm_pids(own_server), what="a warm process")
    own_server.kill()
    own_server.start()
    assert how(workspace) == "forked"
    assert warm_pids(own_server) == [warm]
    assert own_server.stop() == 0
    until(lambda: not is_alive(warm), what="the end of the warm process")


def test_after_a_kill_of_both_runs_start_plainly_and_then_warm_again(
    own_server: Homeport, new_workspace: NewWorkspace
) -> None:
    workspace = new_workspace(own_server.start(), FILES)
    workspace.dlthub("deploy")
    how(workspace)
    how(workspace)
    [warm] = until(lambda: warm_pids(own_server), what="a warm process")
    own_server.kill()
    os.kill(warm, signal.SIGKILL)
    until(lambda: not is_alive(warm))
    own_server.start()
    assert how(workspace) == "plain"
    [another] = until(lambda: warm_pids(own_server), what="another warm process")
    assert another != warm
    assert how(workspace) == "forked"
