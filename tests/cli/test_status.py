"""`homeport status`: one look at a server, for people and for scripts."""

from pathlib import Path

import pytest
from typer.testing import CliRunner

from homeport.cli import app
from homeport.errors import Unavailable

from ..world import World
from .test_why import backend, folder, served, url

__all__ = ["backend", "folder", "url"]


def status(*words: object, exit_code: int = 0) -> str:
    result = CliRunner().invoke(app, ["status", *map(str, words)])
    assert result.exit_code == exit_code, result.output
    return result.output


def test_on_the_servers_machine_it_needs_no_key(world: World, url: str, folder: Path, database_url: str) -> None:
    data_dir = world.platform.settings.data_dir
    (data_dir / "server.lock").touch()
    said = status("--url", url, "--data-dir", data_dir, "--database-url", database_url)
    assert f"is ready at {url}" in said
    assert "0 going on, 1 waiting" in said
    assert "next start   2026-03-02 14:00:00 UTC" in said
    assert f"data folder  {data_dir}: " in said


def test_elsewhere_it_asks_about_the_workspace_that_the_folder_is_connected_to(url: str, folder: Path) -> None:
    said = status("--dir", folder, "--url", url)
    assert "0 going on, 1 waiting" in said
    assert "next start   2026-03-02 14:00:00 UTC" in said
    (folder / ".dlt" / "secrets.toml").unlink()
    assert "not told" in status("--dir", folder, "--url", url), "whether it is ready needs no key"


def test_a_server_that_is_not_ready_and_none_have_their_exit_codes(world: World, folder: Path) -> None:
    def gone() -> None:
        raise Unavailable("The storage does not answer.")

    with served(world, {"storage": gone}) as url:
        said = status("--url", url, "--dir", folder, exit_code=1)
    assert "is not ready" in said
    assert "storage      The storage does not answer." in said
    assert "Nothing answers at" in status("--url", url, "--dir", folder, exit_code=2)


def test_the_environment_says_which_server(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("RUNTIME__API_BASE_URL", "http://127.0.0.1:9")
    assert "Nothing answers at http://127.0.0.1:9" in status("--dir", folder, exit_code=2)
