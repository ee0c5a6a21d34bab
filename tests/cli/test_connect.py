"""`homeport connect` against a small real HTTP server that answers as the control API does."""

import json
import os
import pty
import socket
import stat
import subprocess
import sys
import threading
import tomllib
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any
from uuid import uuid4

import pytest
from typer.testing import CliRunner

from homeport.cli import app
from homeport.cli.secret_files import _ignores_secrets

KEY = "dlt_u_alice"
NOW = "2026-01-01T00:00:00Z"


@dataclass
class FakeServer:
    """Organizations, workspaces and one key, kept in memory."""

    url: str = ""
    organization_id: str = field(default_factory=lambda: str(uuid4()))
    workspaces: list[dict[str, Any]] = field(default_factory=list)
    requests: list[tuple[str, str]] = field(default_factory=list)

    def add(self, name: str) -> str:
        workspace_id = str(uuid4())
        self.workspaces.append(
            {
                "id": workspace_id,
                "name": name,
                "organization_id": self.organization_id,
                "description": None,
                "created_at": NOW,
                "updated_at": NOW,
                "dataplane_id": "local",
                "dataplane_url": self.url,
            }
        )
        return workspace_id

    def answer(self, method: str, path: str, key: str | None, body: dict[str, Any]) -> tuple[int, Any]:
        self.requests.append((method, path))
        if path == "/healthz":
            return 200, {"status": "ok"}
        if key != f"Bearer {KEY}":
            return 401, {"status_code": 401, "code": "not_authenticated", "detail": "This key is not known here."}
        organization = {
            "id": self.organization_id,
            "name": "Orchard",
            "description": None,
            "dataplane_id": "local",
            "created_at": NOW,
            "updated_at": NOW,
        }
        if path == "/api/v1/organizations":
            return 200, {"items": [organization], "limit": 100, "offset": 0, "total": 1}
        if path == f"/api/v1/organizations/{self.organization_id}/me":
            memberships = [{"role": "owner", "workspace": one} for one in self.workspaces]
            ids = {"user_id": str(uuid4()), "organization_membership_id": str(uuid4())}
            me = {"email": "alice@example.org", "role": "owner", "organization": organization, **ids}
            return 200, {**me, "workspace_memberships": memberships}
        if (method, path) == ("POST", f"/api/v1/organizations/{self.organization_id}/workspaces"):
            assert body["description"] is None
            self.add(body["name"])
            return 201, self.workspaces[-1]
        return 404, {"status_code": 404, "code": "not_found", "detail": "No such thing."}


@pytest.fixture
def server() -> Iterator[FakeServer]:
    fake = FakeServer()

    class Handler(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            length = int(self.headers.get("Content-Length") or 0)
            body = json.loads(self.rfile.read(length) or b"{}")
            path = self.path.partition("?")[0]
            status, answer = fake.answer(self.command, path, self.headers.get("Authorization"), body)
            content = json.dumps(answer).encode()
            self.send_response(status)
            self.send_header("Content-Type", "application/json")
            self.send_header("Content-Length", str(len(content)))
            self.end_headers()
            self.wfile.write(content)

        do_POST = do_GET

        def log_message(self, format: str, *args: Any) -> None:
            pass

    with ThreadingHTTPServer(("127.0.0.1", 0), Handler) as http:
        fake.url = f"http://127.0.0.1:{http.server_port}"
        thread = threading.Thread(target=http.serve_forever, kwargs={"poll_interval": 0.01})
        thread.start()
        yield fake
        http.shutdown()
        thread.join()


@pytest.fixture
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    for name in list(os.environ):
        if name.startswith(("HOMEPORT_", "RUNTIME__")):
            monkeypatch.delenv(name)
    folder = tmp_path / "fruitshop"
    (folder / ".dlt").mkdir(parents=True)
    (folder / ".dlt" / ".workspace").touch()
    (folder / ".gitignore").write_text("*secrets.toml\n")
    return folder


@pytest.fixture
def connect(server: FakeServer, folder: Path) -> Callable[..., Any]:
    def connect(*options: str, key: str | None = KEY) -> Any:
        given = ["--api-key", key] if key else []
        return CliRunner().invoke(app, ["connect", "--url", server.url, "--dir", str(folder), *given, *options])

    return connect


def settings(folder: Path, name: str = "config.toml") -> dict[str, Any]:
    return tomllib.loads((folder / ".dlt" / name).read_text())


def files(folder: Path) -> dict[str, str]:
    return {str(p.relative_to(folder)): p.read_text() for p in folder.rglob("*") if p.is_file()}


def test_writes_what_the_client_reads(server: FakeServer, folder: Path, connect: Callable[..., Any]) -> None:
    workspace_id = server.add("fruitshop")
    result = connect()
    assert result.exit_code == 0, result.stderr
    assert settings(folder) == {
        "runtime": {
            "api_base_url": server.url,
            "workspace_id": workspace_id,
            "organization_id": server.organization_id,
        },
        "workspace": {"settings": {"name": "fruitshop"}},
    }
    assert settings(folder, "secrets.toml") == {"runtime": {"api_key": KEY}}
    assert "fruitshop is connected: workspace fruitshop" in result.stdout
    assert KEY not in result.output


def test_the_released_client_lists_the_workspace(
    server: FakeServer, folder: Path, connect: Callable[..., Any], tmp_path: Path
) -> None:
    workspace_id = server.add("fruitshop")
    connect()
    listed = subprocess.run(
        [Path(sys.executable).with_name("dlthub"), "--non-interactive", "workspace", "list"],
        cwd=folder,
        env={"PATH": os.environ["PATH"], "HOME": str(tmp_path), "RUNTIME__DLTHUB_TELEMETRY": "false"},
        capture_output=True,
        text=True,
        check=False,
    )
    assert listed.returncode == 0, listed.stderr
    assert workspace_id in listed.stdout
    assert settings(folder)["runtime"]["workspace_id"] == workspace_id


def test_comments_order_and_other_settings_stay(
    server: FakeServer, folder: Path, connect: Callable[..., Any]
) -> None:
    server.add("fruitshop")
    config = folder / ".dlt" / "config.toml"
    config.write_text(
        "# ours\ntop = 1 # first\n\n[sources.shop]   # the shop\nurl = 'x'\n\n"
        '[runtime]\n# quiet\nlog_level="ERROR"\n\n[load]\nworkers = 2\n'
    )
    config.chmod(0o640)
    secrets = folder / ".dlt" / "secrets.toml"
    secrets.write_text("# precious\n[sources.shop]\npassword = 'p'\n")
    assert connect().exit_code == 0
    assert config.read_text() == (
        "# ours\ntop = 1 # first\n\n[sources.shop]   # the shop\nurl = 'x'\n\n"
        '[runtime]\n# quiet\nlog_level="ERROR"\n'
        f'api_base_url = "{server.url}"\nworkspace_id = "{server.workspaces[0]["id"]}"\n'
        f'organization_id = "{server.organization_id}"\n\n[load]\nworkers = 2\n\n'
        '[workspace.settings]\nname = "fruitshop"\n'
    )
    assert secrets.read_text().startswith("# precious\n[sources.shop]\npassword = 'p'\n")
    assert [stat.S_IMODE(file.stat().st_mode) for file in (config, secrets)] == [0o640, 0o600]


def test_a_second_time_changes_nothing_and_needs_no_key(
    server: FakeServer, folder: Path, connect: Callable[..., Any]
) -> None:
    server.add("fruitshop")
    connect()
    before = files(folder)
    result = connect(key=None)
    assert result.exit_code == 0, result.stderr
    assert "was connected already, nothing changed" in result.stdout
    assert files(folder) == before


def test_stays_with_the_pinned_workspace(server: FakeServer, folder: Path, connect: Callable[..., Any]) -> None:
    server.add("fruitshop")
    other = server.add("vegetables")
    connect("--workspace", "vegetables")
    connect()
    assert settings(folder)["runtime"]["workspace_id"] == other
    connect("--workspace", server.workspaces[0]["id"])
    assert settings(folder)["workspace"]["settings"]["name"] == "fruitshop"


def test_an_unknown_key_is_named_with_the_servers_reason(folder: Path, connect: Callable[..., Any]) -> None:
    before = files(folder)
    result = connect(key="dlt_u_mallory")
    assert result.exit_code == 1
    assert "This key is not known here. [not_authenticated]" in result.stderr
    assert "mallory" not in result.output
    assert files(folder) == before


@pytest.mark.parametrize(
    ("key", "expected"),
    [(None, "Set HOMEPORT_API_KEY, pass --api-key"), ("hunter2", "keys start with dlt_u_ or dlt_sa_")],
)
def test_without_a_usable_key_nobody_is_asked(
    server: FakeServer, connect: Callable[..., Any], key: str | None, expected: str
) -> None:
    result = connect(key=key)
    assert result.exit_code == 1
    assert expected in result.stderr
    assert server.requests == []


def test_an_unknown_workspace_lists_the_known_and_the_way_out(
    server: FakeServer, folder: Path, connect: Callable[..., Any]
) -> None:
    server.add("vegetables")
    before = files(folder)
    result = connect()
    assert result.exit_code == 1
    assert "There is no workspace fruitshop" in result.stderr
    assert "--create" in result.stderr
    assert "--workspace: vegetables" in result.stderr
    assert files(folder) == before


def test_create_makes_the_workspace_once(server: FakeServer, folder: Path, connect: Callable[..., Any]) -> None:
    result = connect("--create")
    assert result.exit_code == 0, result.stderr
    assert "Created workspace fruitshop" in result.stdout
    connect("--create")
    assert [one["name"] for one in server.workspaces] == ["fruitshop"]
    assert settings(folder)["runtime"]["workspace_id"] == server.workspaces[0]["id"]


def test_two_workspaces_of_one_name_need_an_id(server: FakeServer, connect: Callable[..., Any]) -> None:
    ids = [server.add("fruitshop"), server.add("fruitshop")]
    result = connect()
    assert result.exit_code == 1
    assert all(workspace_id in result.stderr for workspace_id in ids)


@pytest.mark.parametrize(
    ("broken", "expected"),
    [
        ("[runtime]\nlog_level = = 3\n", "config.toml, line 2"),
        ("runtime = 3\n", "`runtime` is a value"),
        ("[workspace]\nsettings = true\n", "`workspace.settings` is a value"),
    ],
)
def test_a_broken_file_is_named_and_nothing_is_written(
    server: FakeServer, folder: Path, connect: Callable[..., Any], broken: str, expected: str
) -> None:
    (folder / ".dlt" / "config.toml").write_text(broken)
    before = files(folder)
    result = connect("--create")
    assert result.exit_code == 1
    assert str(folder / ".dlt") in result.stderr
    assert expected in result.stderr
    assert files(folder) == before
    assert server.workspaces == []


def test_no_server_says_where_the_folder_is_connected(folder: Path) -> None:
    (folder / ".dlt" / "config.toml").write_text(
        "[runtime]\napi_base_url = 'http://orchard:4040'\nworkspace_id = 'w'\n"
    )
    with socket.create_server(("127.0.0.1", 0)) as taken:
        port = taken.getsockname()[1]
    result = CliRunner().invoke(
        app, ["connect", "--url", f"localhost:{port}", "--dir", str(folder), "--api-key", KEY]
    )
    assert result.exit_code == 1
    assert f"Nothing answers at http://localhost:{port}" in result.stderr
    assert "homeport up" in result.stderr
    assert "http://orchard:4040" in result.stderr


def test_something_else_at_the_address_is_not_told_the_key(
    server: FakeServer, connect: Callable[..., Any], monkeypatch: pytest.MonkeyPatch
) -> None:
    seen = []
    monkeypatch.setattr(server, "answer", lambda *request: seen.append(request) or (404, {}))
    result = connect()
    assert result.exit_code == 1
    assert "is not a Homeport server: GET /healthz answers 404" in result.stderr
    assert [request[2] for request in seen] == [None]


def test_another_servers_pin_is_replaced_and_its_key_stays_secret(
    server: FakeServer, folder: Path, connect: Callable[..., Any]
) -> None:
    server.add("fruitshop")
    (folder / ".dlt" / "config.toml").write_text(
        "[runtime]\nlog_level = 'INFO'\nworkspace_id = 'theirs'\norganization_id = 'theirs'\n"
    )
    (folder / ".dlt" / "secrets.toml").write_text("[runtime]\napi_key = 'dlt_u_theirs'\n")
    assert connect(key=None).exit_code == 1
    assert server.requests == []
    result = connect()
    assert "This folder was connected to https://api.dlthub.com" in result.stdout
    assert settings(folder)["runtime"]["organization_id"] == server.organization_id
    assert settings(folder)["runtime"]["log_level"] == "INFO"
    assert settings(folder, "secrets.toml") == {"runtime": {"api_key": KEY}}


def test_a_plain_folder_becomes_a_workspace_and_git_does_not_see_the_key(
    server: FakeServer, folder: Path, connect: Callable[..., Any]
) -> None:
    server.add("fruitshop")
    (folder / ".dlt" / ".workspace").unlink()
    (folder / ".gitignore").unlink()
    result = connect()
    assert ".dlt/.workspace: created" in result.stdout
    # at the top it would switch off what the client leaves out of a deploy by default
    assert not (folder / ".gitignore").exists()
    assert (folder / ".dlt" / ".gitignore").read_text() == "*secrets.toml\n"


def test_an_existing_gitignore_gets_a_line(server: FakeServer, folder: Path, connect: Callable[..., Any]) -> None:
    server.add("fruitshop")
    (folder / ".gitignore").write_text(".venv/")
    connect()
    assert (folder / ".gitignore").read_text() == ".venv/\n.dlt/*secrets.toml\n"


@pytest.mark.parametrize(
    ("line", "ignored"),
    [
        (".dlt/secrets.toml", True),
        ("/.dlt/*secrets.toml", True),
        (".dlt/", True),
        ("secrets.toml", True),
        ("**/secrets.toml", True),
        ("*.toml\n!.dlt/secrets.toml", False),
        ("/secrets.toml", False),
        ("*.secrets.toml", False),
        ("# secrets.toml", False),
        ("", False),
    ],
)
def test_reads_gitignore_as_git_does(line: str, ignored: bool) -> None:
    assert _ignores_secrets(line, ".dlt/") is ignored


def test_warns_of_places_that_win(
    server: FakeServer, folder: Path, connect: Callable[..., Any], monkeypatch: pytest.MonkeyPatch
) -> None:
    server.add("fruitshop")
    (folder / ".dlt" / "dev.secrets.toml").write_text("[runtime]\napi_key = 'dlt_u_old'\n")
    monkeypatch.setenv("RUNTIME__WORKSPACE_ID", "elsewhere")
    result = connect()
    assert result.exit_code == 0
    assert ".dlt/dev.secrets.toml has another `runtime.api_key`" in result.stderr
    assert "RUNTIME__WORKSPACE_ID is set to something else" in result.stderr


def test_warns_of_an_old_client(
    server: FakeServer, connect: Callable[..., Any], monkeypatch: pytest.MonkeyPatch
) -> None:
    server.add("fruitshop")
    monkeypatch.setattr("homeport.cli.connect_warnings.version", lambda _: "0.28.6")
    assert "dlthub-client 0.28.6 is older than 0.28.7" in connect().stderr


@pytest.mark.parametrize("url", ["ftp://localhost", "http://", "http://localhost:4040/api", "http://h:x"])
def test_a_bad_address_is_a_usage_error(folder: Path, url: str) -> None:
    assert CliRunner().invoke(app, ["connect", "--url", url, "--dir", str(folder)]).exit_code == 2


def test_asks_at_a_terminal(server: FakeServer, folder: Path) -> None:
    ours, theirs = pty.openpty()
    command = [sys.executable, "-c", "from homeport.cli import main; main()", "connect", "--url", server.url]
    process = subprocess.Popen(command, cwd=folder, stdin=theirs, stdout=theirs, stderr=theirs)
    os.close(theirs)
    shown = ""
    try:
        # the blank after "key:" comes when the terminal has stopped to echo
        for expected, reply in [("API key: ", f"{KEY}\n"), ("[Y/n]: ", "y\n"), ("secrets.toml: created", "")]:
            while expected not in shown:
                shown += os.read(ours, 4096).decode()
            os.write(ours, reply.encode())
        assert process.wait(timeout=30) == 0
    finally:
        process.kill()
        process.wait()
        os.close(ours)
    assert KEY not in shown
    assert settings(folder)["workspace"]["settings"]["name"] == "fruitshop"
