"""The real `dlthub login`: by device code in two processes, then commands with the tokens that it left."""

import base64
import json
import re
import tomllib
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import httpx
import pytest

from .conftest import NewWorkspace
from .servers import BIN, Homeport
from .workspaces import Workspace

pytestmark = pytest.mark.acceptance


FILES = {
    "checks.py": """
        from dlt.hub import run


        @run.job()
        def check():
            print("checked")
    """,
    "__deployment__.py": '''
        """Checks"""

        from checks import check

        __all__ = ["check"]
    ''',
}


@pytest.fixture
def home(tmp_path: Path) -> dict[str, str]:
    """A home of this test's own: logins are kept there.

    For root, dlt keeps them in a folder of the whole machine, which is not ours to write: the command must not see
    that it is root.
    """
    home = tmp_path / "home"
    home.mkdir()
    (home / "sitecustomize.py").write_text("import os\nos.geteuid = lambda: 1000\n")
    return {"HOME": str(home), "XDG_DATA_HOME": str(home / "share"), "PYTHONPATH": str(home), "CI": "1"}


@pytest.fixture
def person(server: Homeport, new_workspace: NewWorkspace) -> Workspace:
    """A workspace without an API key: whoever uses it has to log in."""
    workspace = new_workspace(server, FILES)
    (workspace.folder / ".dlt" / "secrets.toml").unlink()
    return workspace


@pytest.fixture
def browser(server: Homeport) -> Iterator[httpx.Client]:
    """Where the owner is signed in."""
    with httpx.Client(base_url=server.url, headers={"Origin": server.url}) as browser:
        assert browser.post("/sign-in", data={"api_key": server.api_key}).status_code == 303
        yield browser


def _stored(home: dict[str, str]) -> Any:
    """What the command line keeps of a login."""
    [path] = Path(home["HOME"]).rglob("secrets.toml")
    return tomllib.loads(path.read_text())["runtime"]


def log_in(dlthub: Callable[..., str], browser: httpx.Client, home: dict[str, str]) -> str:
    """By device code; the answer is what the command prints at the end."""
    printed = dlthub("login", "--device", **home)
    user_code = re.search(r"[B-Z]{4}-[B-Z]{4}", printed)
    device_code = re.search(r"--resume (\S+)", printed)
    assert user_code is not None, printed
    assert device_code is not None, printed
    assert browser.post("/device", data={"user_code": user_code[0], "answer": "yes"}).status_code == 200
    return dlthub("login", "--resume", device_code[1].strip("`'\"."), **home)


def test_a_person_logs_in_by_device_code_and_works(
    person: Workspace, browser: httpx.Client, home: dict[str, str]
) -> None:
    assert "owner@localhost" in log_in(person.dlthub, browser, home)
    assert person.folder.name in person.dlthub("workspace", "list", **home)
    assert person.id in person.dlthub("workspace", "info", **home)
    assert "check" in person.dlthub("deploy", **home)
    person.dlthub("job", "trigger", "check", **home)
    person.await_run("check")
    person.dlthub("variable", "list", **home)
    assert "checked" in person.dlthub("job", "logs", "check", **home)


def test_an_expired_token_is_refreshed_on_the_way(
    person: Workspace, browser: httpx.Client, home: dict[str, str]
) -> None:
    log_in(person.dlthub, browser, home)
    before = _stored(home)
    header, claims, signature = before["auth_token"].split(".")
    body = json.loads(base64.urlsafe_b64decode(claims + "=="))
    stale = base64.urlsafe_b64encode(json.dumps({**body, "exp": 1}).encode()).decode().rstrip("=")
    [path] = Path(home["HOME"]).rglob("secrets.toml")
    path.write_text(path.read_text().replace(before["auth_token"], f"{header}.{stale}.{signature}"))
    assert person.id in person.dlthub("workspace", "info", **home)
    after = _stored(home)
    assert after["refresh_token"] != before["refresh_token"]
    assert after["auth_token"].count(".") == 2


def test_a_login_that_is_turned_down_ends(person: Workspace, browser: httpx.Client, home: dict[str, str]) -> None:
    printed = person.dlthub("login", "--device", **home)
    user_code, device_code = re.search(r"[B-Z]{4}-[B-Z]{4}", printed), re.search(r"--resume (\S+)", printed)
    assert user_code is not None
    assert device_code is not None
    browser.post("/device", data={"user_code": user_code[0], "answer": "no"})
    assert "turned down" in person.refused("login", "--resume", device_code[1].strip("`'\"."), **home)


def test_without_a_login_commands_say_so(person: Workspace, home: dict[str, str]) -> None:
    printed = person.call("dlthub", "workspace", "info", **home)
    assert "Traceback" not in printed.output


def test_a_workspace_key_works_where_a_person_would(server: Homeport, new_workspace: NewWorkspace) -> None:
    workspace = new_workspace(server, FILES)
    made = server.post(f"/workspaces/{workspace.id}/keys", {"name": "ci", "role": "developer"})
    (workspace.folder / ".dlt" / "secrets.toml").write_text(f'[runtime]\napi_key = "{made["api_key"]}"\n')
    assert workspace.id in workspace.dlthub("workspace", "info")
    assert "check" in workspace.dlthub("deploy")


BROWSER = """
import sys
import httpx

address, server, key = sys.argv[1], {url!r}, {key!r}
with httpx.Client(base_url=server, headers={{"Origin": server}}) as browser:
    browser.post("/sign-in", data={{"api_key": key}})
    assert browser.get(address).status_code == 200
    form = {{**httpx.URL(address).params, "answer": {answer!r}}}
    back = browser.post("/authorize", data=form).headers["location"]
httpx.get(back)
"""
"""A browser with somebody in front of it who answers."""


def _with_browser(home: dict[str, str], server: Homeport, answer: str) -> dict[str, str]:
    script = Path(home["HOME"]) / "browser.py"
    script.write_text(BROWSER.format(url=server.url, key=server.api_key, answer=answer))
    # addresses are opened with this command
    opener = Path(home["HOME"]) / "bin" / "xdg-open"
    opener.parent.mkdir()
    opener.write_text(f'#!/bin/sh\n"{BIN}/python" "{script}" "$1" &\n')
    opener.chmod(0o755)
    # an empty CI, as on a machine with a screen
    path = f"{opener.parent}:{BIN}:/usr/local/bin:/usr/bin:/bin"
    return {**home, "CI": "", "DISPLAY": ":0", "PATH": path}


def test_a_person_logs_in_with_a_browser(person: Workspace, home: dict[str, str]) -> None:
    assert "owner@localhost" in person.dlthub("login", **_with_browser(home, person.server, "yes"))
    assert _stored(home)["refresh_token"]
    assert person.folder.name in person.dlthub("workspace", "list", **home)


def test_a_person_turns_a_login_with_a_browser_down(person: Workspace, home: dict[str, str]) -> None:
    assert "access_denied" in person.refused("login", **_with_browser(home, person.server, "no"))
