"""`homeport user` and `homeport key`, on the data folder of an installation."""

import os
import subprocess
import sys
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from homeport.config import Settings
from homeport.errors import NotSignedIn
from homeport.execution.engines.fake import FakeEngine
from homeport.operations import sign_in
from homeport.server import Server
from homeport.store import audit_log

from .conftest import PASSWORD

Result = subprocess.CompletedProcess[str]
Run = Callable[..., Result]


@pytest.fixture
def server(tmp_path: Path) -> Iterator[Server]:
    """An installation whose server goes on running: the commands come in between."""
    server = Server(Settings(data_dir=tmp_path / "data", port=0), engine=FakeEngine())
    server.open()
    yield server
    server.close()


def _command(*words: str, input: str = "") -> Result:
    environment = {**os.environ, "COLUMNS": "200", "NO_COLOR": "1"}
    command = [Path(sys.executable).parent / "homeport", *words]
    return subprocess.run(
        command, input=input, capture_output=True, text=True, env=environment, timeout=120, check=False
    )


@pytest.fixture
def keys(server: Server) -> Run:
    def keys(*words: str) -> Result:
        return _command("key", *words, "--data-dir", str(server.settings.data_dir))

    return keys


@pytest.fixture
def run(server: Server) -> Run:
    def run(*words: str, input: str = "") -> Result:
        return _command("user", *words, "--data-dir", str(server.settings.data_dir), input=input)

    return run


def test_somebody_is_added_and_signs_in(server: Server, run: Run) -> None:
    added = run("add", "Bob@Homeport", "--name", "Bob", "--password-stdin", input=PASSWORD + "\n")
    assert added.returncode == 0, added.stderr
    assert PASSWORD not in added.stdout
    assert sign_in.open_session_with_password(server.platform, "bob@homeport", PASSWORD, None)
    assert "bob@homeport  Bob  password" in run("list").stdout
    assert "owner@localhost    no password" in run("list").stdout


def test_a_password_is_made_up_where_nobody_types_one(server: Server, run: Run) -> None:
    output = run("passwd", "owner@localhost").stdout
    password = output.partition("shown once: ")[2].split()[0]
    assert sign_in.open_session_with_password(server.platform, "owner@localhost", password, None)


def test_a_link_signs_in_once(server: Server, run: Run) -> None:
    code = run("link", "owner@localhost").stdout.partition("code=")[2].strip()
    assert sign_in.open_session_with_code(server.platform, code)


def test_personal_keys_are_made_listed_and_revoked(server: Server, keys: Run) -> None:
    value = keys("create", "--for", "owner@localhost", "--name", "laptop", "--days", "7").stdout.strip()
    assert value.startswith("dlt_u_")
    assert sign_in.by_bearer(server.platform, value).email == "owner@localhost"
    line = next(line for line in keys("list").stdout.splitlines() if "laptop" in line)
    assert "owner@localhost" in line
    assert "used 2" in line
    assert value not in keys("list").stdout
    assert "laptop" in keys("list", "--for", "owner@localhost").stdout
    assert "laptop" not in keys("list", "--workspace", "default").stdout
    assert keys("revoke", line.split()[0]).returncode == 0
    assert "laptop" not in keys("list").stdout
    with pytest.raises(NotSignedIn):
        sign_in.by_bearer(server.platform, value)


def test_keys_of_a_workspace_are_made_listed_and_revoked(server: Server, keys: Run) -> None:
    value = keys("create", "--workspace", "default", "--role", "viewer", "--name", "dashboards").stdout.strip()
    assert value.startswith("dlt_sa_")
    assert sign_in.by_bearer(server.platform, value).kind == "service_account"
    [line] = keys("list", "--workspace", "default").stdout.splitlines()
    assert "default (viewer)" in line
    assert "dashboards" in line
    assert keys("revoke", line.split()[0]).returncode == 0
    assert keys("list", "--workspace", "default").stdout == ""


def test_signing_keys_are_rotated(run: Run) -> None:
    assert "are signed with the key" in run("rotate-signing-key").stdout


@pytest.mark.parametrize(
    "words",
    [
        ("add", "no address"),
        ("add", "owner@localhost"),
        ("add", "bob@homeport", "--role", "king"),
        ("passwd", "nobody@homeport"),
        ("link", "nobody@homeport"),
    ],
)
def test_what_cannot_be_done_is_explained(run: Run, words: tuple[str, ...]) -> None:
    result = run(*words)
    assert result.returncode == 1
    assert result.stderr.startswith("Error: ")
    assert "Traceback" not in result.stderr


@pytest.mark.parametrize(
    "words",
    [
        ("create",),
        ("create", "--for", "owner@localhost", "--workspace", "default"),
        ("create", "--for", "nobody@homeport"),
        ("create", "--workspace", "nowhere"),
        ("create", "--workspace", "default", "--role", "owner"),
        ("list", "--workspace", "nowhere"),
        ("revoke", "00000000-0000-0000-0000-000000000007"),
    ],
)
def test_what_cannot_be_done_with_keys_is_explained(keys: Run, words: tuple[str, ...]) -> None:
    result = keys(*words)
    assert result.returncode == 1
    assert result.stderr.startswith("Error: ")
    assert "Traceback" not in result.stderr


def test_a_folder_without_an_installation_is_left_alone(tmp_path: Path) -> None:
    result = _command("user", "list", "--data-dir", str(tmp_path / "empty"))
    assert result.returncode == 1
    assert not (tmp_path / "empty").exists()


def test_the_doctor_finds_an_audit_log_that_was_touched(server: Server, run: Run) -> None:
    folder = str(server.settings.data_dir)
    assert run("passwd", "owner@localhost").returncode == 0
    assert _command("doctor", "--data-dir", folder).returncode == 0
    with server.platform.database.write() as tx:
        tx.execute(audit_log.table.update().values(actor="nobody"))
    found = _command("doctor", "--data-dir", folder)
    assert found.returncode == 1
    assert "was altered" in found.stdout
