"""`homeport up` starts with a clear word, or says why it does not, and stops when it is told."""

import signal
import socket
import subprocess
import time
from contextlib import closing
from pathlib import Path

import httpx
import pytest

from .conftest import NewWorkspace
from .servers import Homeport
from .workspaces import Workspace

pytestmark = pytest.mark.acceptance


WAIT = """
    import time

    if __name__ == "__main__":
        print("hello")
        time.sleep(600)
"""


def refusal(server: Homeport, process: "subprocess.Popen[bytes]") -> str:
    assert process.wait(30) == 1
    complaint = (server.folder / "server.err").read_text()
    assert "Traceback" not in complaint
    return complaint


def test_the_first_start_shows_what_one_needs_and_later_ones_do_not(own_server: Homeport) -> None:
    own_server.start()
    assert "/sign-in?code=" in own_server.printed
    assert own_server.api_key not in own_server.printed
    assert httpx.get(f"{own_server.url}/healthz").status_code == 200
    assert httpx.get(f"{own_server.url}/readyz").status_code == 200
    own_server.stop()
    own_server.start()
    assert "/sign-in?code=" not in own_server.printed
    assert own_server.get("/organizations")["items"]


def test_it_serves_whatever_else_is_installed_beside_it(own_server: Homeport) -> None:
    """uvicorn takes uvloop where it is there (`fastapi[standard]` brings it); the proxy is made for asyncio."""
    libraries = own_server.folder / "libraries"
    libraries.mkdir()
    (libraries / "uvloop.py").write_text('raise RuntimeError("nobody is to use this")')
    own_server.settings["PYTHONPATH"] = str(libraries)
    own_server.start()
    assert httpx.get(f"{own_server.url}/healthz").status_code == 200


def test_a_second_server_on_one_data_folder_is_refused(own_server: Homeport) -> None:
    own_server.start()
    complaint = refusal(own_server, own_server.launch("--port", "0"))
    assert f"The data folder {own_server.data} is in use by another Homeport server" in complaint
    assert "--data-dir" in complaint
    assert httpx.get(f"{own_server.url}/readyz").status_code == 200


def test_a_port_that_is_taken_is_named(own_server: Homeport) -> None:
    with closing(socket.create_server(("127.0.0.1", 0))) as taken:
        port = str(taken.getsockname()[1])
        complaint = refusal(own_server, own_server.launch("--port", port))
    assert f"Cannot listen on 127.0.0.1:{port}" in complaint
    assert "--port" in complaint


def test_a_data_folder_that_cannot_be_written_is_named(own_server: Homeport, tmp_path: Path) -> None:
    (tmp_path / "file").touch()
    unwritable = tmp_path / "file" / "data"
    complaint = refusal(own_server, own_server.launch("--port", "0", "--data-dir", str(unwritable)))
    assert f"The data folder {unwritable} cannot be written" in complaint


@pytest.mark.parametrize("how", [signal.SIGTERM, signal.SIGINT])
def test_a_signal_stops_it_promptly_although_somebody_follows_a_log(
    own_server: Homeport, new_workspace: NewWorkspace, how: signal.Signals
) -> None:
    workspace = new_workspace(own_server.start(), {"wait.py": WAIT})
    workspace.dlthub("run", "wait.py")
    [run] = workspace.runs()
    workspace.in_status(run["id"], "running")
    with follow(workspace) as follower:
        assert follower.stdout is not None
        while "hello" not in follower.stdout.readline():
            assert follower.poll() is None
        asked_at = time.monotonic()
        assert own_server.stop(how) == 0
        assert time.monotonic() - asked_at < 10
        assert "The server is stopping; the run goes on" in follower.stdout.read()
        assert follower.wait(30) != 0


def follow(workspace: Workspace) -> "subprocess.Popen[str]":
    return workspace.popen("job", "logs", "wait", "-f")
