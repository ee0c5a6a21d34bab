"""A run on a machine that shares nothing with the server: all it has is the server's address and a ticket."""

import threading
from collections.abc import Iterator
from pathlib import Path
from uuid import UUID

import pytest
import uvicorn

from homeport.config import Settings
from homeport.execution.engines.fake import FakeEngine
from homeport.server import Server
from homeport.store import artifacts

from .conftest import NewWorkspace
from .other_machine import NoNamespaces, OtherMachine
from .servers import BIN, Homeport
from .workspaces import Workspace

pytestmark = pytest.mark.acceptance

JOBS = """
    import os
    import time

    import dlt
    from dlt.hub import run

    @run.job
    def look_around():
        dlt.pipeline("over_there", destination="duckdb").run([{"id": 1}], table_name="seen")
        print("SERVER'S FILES", sorted(os.listdir("HIDDEN")))
        print("NETWORK", sorted(os.listdir("/sys/class/net")))

    @run.job
    def count():
        for number in range(300):
            print("LINE", number, flush=True)
            time.sleep(0.02)
"""
DEPLOYMENT = "from shop import count, look_around\n\n__all__ = ['count', 'look_around']\n"


class _Here(Homeport):
    """A server in this process, whose engine places runs on the other machine."""

    def start_with(self, machine: OtherMachine) -> "_Here":
        settings = Settings(data_dir=self.data, host=machine.address_here, port=0, bootstrap_api_key=self.api_key)
        self._server = Server(settings, engine=FakeEngine(machine.start))
        self._server.open()
        self._doors = uvicorn.Server(
            uvicorn.Config(self._server.app, log_config=None, lifespan="off", timeout_graceful_shutdown=2)
        )
        self._serving = threading.Thread(target=self._doors.run, args=([self._server._socket],))
        self._serving.start()
        self.reach(self._server.url)
        return self

    def pipelines_left_in(self, workspace_id: str) -> list[str]:
        with self._server.platform.database.read() as tx:
            return [item.pipeline for item in artifacts.of_profile(tx, UUID(workspace_id), "prod")]

    def close(self) -> None:
        super().close()
        self._doors.should_exit = True
        self._serving.join()
        self._server.close()


@pytest.fixture
def machine(tmp_path: Path, environment: dict[str, str]) -> Iterator[OtherMachine]:
    hidden = tmp_path / "server"
    hidden.mkdir()
    (tmp_path / "machine").mkdir()
    variables = environment | {"UV_OFFLINE": "1", "HOMEPORT_UV": str(BIN / "uv")}
    try:
        other = OtherMachine(tmp_path / "machine", hidden, variables)
    except NoNamespaces as reason:
        pytest.skip(f"no second machine to run on: {reason}")
    yield other
    other.close()


@pytest.fixture
def workspace(
    machine: OtherMachine,
    server: Homeport,
    tmp_path: Path,
    environment: dict[str, str],
    new_workspace: NewWorkspace,
) -> Iterator[Workspace]:
    files = {"shop.py": JOBS.replace("HIDDEN", str(tmp_path / "server")), "__deployment__.py": DEPLOYMENT}
    # over there is no package index: a run here fills uv's cache with what the same requirements need
    rehearsal = new_workspace(server, files)
    rehearsal.dlthub("deploy")
    assert rehearsal.run("count")["status"] == "completed"
    here = _Here(tmp_path / "server", environment).start_with(machine)
    try:
        workspace = new_workspace(here, files)
        workspace.dlthub("deploy")
        yield workspace
    finally:
        here.close()


def test_a_run_needs_nothing_but_the_servers_address(workspace: Workspace, machine: OtherMachine) -> None:
    ended = workspace.run("look_around")
    text = workspace.text(ended["id"])
    assert ended["status"] == "completed", (text, machine.said)
    assert "SERVER'S FILES []" in text
    assert "NETWORK ['eth0', 'lo']" in text
    assert isinstance(workspace.server, _Here)
    assert workspace.server.pipelines_left_in(workspace.id) == ["over_there"]


def test_a_cable_that_is_pulled_and_put_back_costs_no_line(workspace: Workspace, machine: OtherMachine) -> None:
    run = workspace.trigger("manual:*count")
    workspace.until_said(run["id"], "LINE 20")
    machine.pull_the_cable()
    threading.Event().wait(2)  # what is tested is the time without
    machine.put_it_back()
    assert workspace.ended(run["id"])["status"] == "completed"
    said = [line for line in workspace.text(run["id"]).split("\n") if line.startswith("LINE ")]
    assert said == [f"LINE {number}" for number in range(300)]
