"""The released command and SDK on a real server, and what a real run gets."""

import asyncio
import json
import re
import subprocess
from pathlib import Path

import dlthub_sdk
import pytest
from dlthub_sdk import WORKSPACE_PROFILE, Variables
from dlthub_sdk._glue.context import Sync
from dlthub_sdk.errors import BadRequest, NotFound

from ..acceptance.conftest import NewWorkspace
from ..acceptance.servers import BIN, Homeport
from ..acceptance.workspaces import Workspace

pytestmark = pytest.mark.acceptance

JOB = """
    import json
    import os

    import dlt
    from dlt.hub import run

    NAMES = ("BAKER__FLOUR", "BAKER__OVEN", "BAKER__SALT")


    @run.job
    def show():
        found = {name: dlt.config.get(name.lower().replace("__", ".")) for name in NAMES}
        found["token_length"] = len(os.environ["TOKEN"])
        found["profile"] = os.environ["WORKSPACE__PROFILE"]
        found["argv"] = open("/proc/self/cmdline").read().count("hunter2")
        print("FOUND " + json.dumps(found))
"""


@pytest.fixture
def bakery(own_server: Homeport, new_workspace: NewWorkspace) -> Workspace:
    own_server.start()
    files = {
        "show.py": JOB,
        "__deployment__.py": 'from show import show\n\n__all__ = ["show"]\n',
    }
    bakery = new_workspace(own_server, files)
    config = bakery.folder / ".dlt/config.toml"
    config.write_text(config.read_text() + '\n[baker]\nflour = "file"\noven = "file"\nsalt = "file"\n')
    bakery.dlthub("deploy")
    return bakery


def test_the_command_sets_lists_and_deletes_and_runs_get_what_is_set(
    bakery: Workspace, own_server: Homeport
) -> None:
    assert "No variables set" in bakery.dlthub("variable", "list")
    for words in (
        ["BAKER__FLOUR", "--plain", "--value", "of the workspace", "--workspace"],
        ["BAKER__OVEN", "--plain", "--value", "of the workspace", "--workspace"],
        ["BAKER__OVEN", "--plain", "--value", "of prod", "--profile", "prod"],
        ["TOKEN", "--secret", "--value", "hunter2-hunter2", "--workspace"],
    ):
        assert f"Set {words[0]}" in bakery.dlthub("variable", "set", *words)
    listed = bakery.dlthub("variable", "list")
    assert re.search(r"BAKER__OVEN.*of prod", listed)
    assert "TOKEN" in listed
    assert "hunter2" not in listed
    assert "reserved" in bakery.refused("variable", "set", "PATH", "--plain", "--value", "x", "--workspace")

    run = bakery.run("show")
    found = json.loads(bakery.text(run["id"]).partition("FOUND ")[2].splitlines()[0])
    assert found == {
        "BAKER__FLOUR": "of the workspace",
        "BAKER__OVEN": "of prod",
        "BAKER__SALT": "file",
        "token_length": 15,
        "profile": "prod",
        "argv": 0,
    }
    assert "Removed BAKER__OVEN" in bakery.dlthub("-y", "variable", "delete", "BAKER__OVEN", "--profile", "prod")
    assert "does not exist" in bakery.refused("-y", "variable", "delete", "NEVER", "--workspace")
    bakery.dlthub("-y", "variable", "delete", "NEVER", "--workspace", "--allow-missing")

    assert not [path for path in kept(own_server) if b"hunter2" in path.read_bytes()]
    own_server.stop()
    assert not [path for path in kept(own_server) if b"hunter2" in path.read_bytes()]


def kept(server: Homeport) -> list[Path]:
    """All that the server has written, its log too; environments of runs are not its words."""
    files = [path for path in server.folder.rglob("*") if path.is_file() and "environments" not in path.parts]
    assert {"homeport.db", "server.err", "server.out"} <= {path.name for path in files}
    return files


def test_the_sdk_reads_and_changes_them(bakery: Workspace, own_server: Homeport) -> None:
    with dlthub_sdk.connect(token=own_server.api_key, base_url=own_server.url) as runtime:
        use(runtime.workspaces.get(id=bakery.id).variables)
    asyncio.run(use_async(own_server, bakery.id))


async def use_async(server: Homeport, workspace_id: str) -> None:
    async with dlthub_sdk.connect_async(token=server.api_key, base_url=server.url) as runtime:
        variables = (await runtime.workspaces.get(id=workspace_id)).variables
        assert str((await variables.set("C", "1", profile="prod")).status) == "upserted"
        assert (await variables.get("C", profile="prod")).value == "1"
        assert [scope.profile for scope in await variables.list()] == [None, "prod"]
        assert str((await variables.delete("C", profile="prod")).status) == "removed"
        [change] = await variables.apply(profile="prod", deletes=["C"])
        assert str(change.status) == "not_found"


def use(variables: Variables[Sync]) -> None:
    changes = variables.apply(profile="prod", upserts={"A": ""}, secrets={"B": "hunter2"}, deletes=["C", "C"])
    assert [(change.name, str(change.status)) for change in changes] == [
        ("A", "upserted"),
        ("B", "upserted"),
        ("C", "not_found"),
    ]
    assert str(variables.set("A", "1", profile=WORKSPACE_PROFILE).status) == "upserted"
    assert [(scope.profile, len(scope.variables)) for scope in variables.list()] == [(None, 1), ("prod", 2)]
    assert [scope.profile for scope in variables.list(profile=WORKSPACE_PROFILE)] == [None]
    assert [scope.variables for scope in variables.list(profile="access")] == [()]
    found = variables.get("B", profile="prod")
    assert (found.secret, found.value) == (True, None)
    assert variables.get("A", profile="prod").value == ""
    assert str(variables.delete("B", profile="prod").status) == "removed"
    with pytest.raises(NotFound):
        variables.get("B", profile="prod")
    with pytest.raises(BadRequest, match="reserved"):
        variables.set("PATH", "x", profile=None)


def test_runs_go_on_with_a_new_master_key(bakery: Workspace, own_server: Homeport) -> None:
    bakery.dlthub("variable", "set", "TOKEN", "--secret", "--value", "hunter2-hunter2", "--workspace")
    assert "Stop the server first" in rotate(own_server, exit_code=1)
    own_server.stop()
    before = (own_server.data / "keys" / "master.key").read_bytes()
    assert "The master key was replaced" in rotate(own_server, exit_code=0)
    assert (own_server.data / "keys" / "master.key").read_bytes() != before
    own_server.start()
    run = bakery.run("show")
    assert run["status"] == "completed"
    assert '"token_length": 15' in bakery.text(run["id"])
    entries = own_server.get(f"/organizations/{own_server.organization_id()}/audit-log")["items"]
    assert "master_key.rotate" in [entry["action"] for entry in entries]


def rotate(server: Homeport, exit_code: int) -> str:
    done = subprocess.run(
        [BIN / "homeport", "key", "rotate-master", "--data-dir", str(server.data)],
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == exit_code, done.stdout + done.stderr
    return done.stdout + done.stderr
