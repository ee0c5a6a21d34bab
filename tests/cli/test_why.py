"""`homeport why` and `homeport schedule` ask the server that the folder is connected to."""

import os
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from datetime import UTC, datetime
from pathlib import Path

import pytest
import structlog
import uvicorn
from typer.testing import CliRunner

from homeport.auth import master_keys
from homeport.auth.master_keys import MasterKey
from homeport.cli import app
from homeport.server import build_app

from ..builders import definition, until
from ..world import MASTER_KEY, World

Say = Callable[..., str]


@pytest.fixture
def backend() -> str:
    return "sqlite"


@contextmanager
def served(world: World, readiness: dict[str, Callable[[], None]]) -> Iterator[str]:
    """The world behind a real socket."""
    config = uvicorn.Config(build_app(world.platform, readiness), port=0, log_config=None, lifespan="off")
    server = uvicorn.Server(config)
    thread = threading.Thread(target=server.run)
    thread.start()
    until(lambda: server.started)
    yield f"http://127.0.0.1:{server.servers[0].sockets[0].getsockname()[1]}"
    server.should_exit = True
    thread.join()


@pytest.fixture
def url(world: World) -> Iterator[str]:
    with served(world, {}) as url:
        yield url


@pytest.fixture
def folder(world: World, url: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A folder as `homeport connect` leaves it."""
    for name in list(os.environ):
        if name.startswith(("HOMEPORT_", "RUNTIME__")):
            monkeypatch.delenv(name)
    folder = tmp_path / "fruitshop"
    (folder / ".dlt").mkdir(parents=True)
    (folder / ".dlt" / "config.toml").write_text(
        f'[runtime]\napi_base_url = "{url}"\nworkspace_id = "{world.workspace.id}"\n'
    )
    (folder / ".dlt" / "secrets.toml").write_text(f'[runtime]\napi_key = "{world.api_key}"\n')
    world.deploy(definition("shop.load", "schedule:0 * * * *"), definition("shop.report"), definition("report"))
    world.clock.advance(datetime(2026, 3, 2, 13, tzinfo=UTC) - world.clock.now())
    world.fire()
    return folder


@pytest.fixture
def say(folder: Path) -> Say:
    def say(*words: str, exit_code: int = 0) -> str:
        result = CliRunner().invoke(app, [*words, "--dir", str(folder)])
        assert result.exit_code == exit_code, result.output
        return result.output

    return say


@pytest.mark.parametrize("name", ["load", "shop.load", "jobs.shop.load"])
def test_a_job_is_found_by_any_of_its_names(say: Say, name: str) -> None:
    text = say("why", name, "2026-03-02T13:00")
    assert "The tick of 2026-03-02 13:00 UTC (schedule:0 * * * *) started run #1" in text


def test_without_a_moment_it_tells_the_last_and_the_next(say: Say) -> None:
    text = say("why", "load")
    assert "started run #1" in text
    assert "Next: 2026-03-02 14:00 UTC." in text


def test_unknown_names_are_answered_with_near_ones(say: Say) -> None:
    text = say("why", "laod", exit_code=1)
    assert "The workspace has no job laod. Near names:" in text
    assert "jobs.shop.load" in text
    assert "starts on demand" in say("why", "report")  # the one of exactly this name


def test_what_is_no_moment_is_said_to_be(say: Say) -> None:
    assert "write one such as 2026-11-23T04:00" in say("why", "load", "yesterday", exit_code=1)


def test_the_schedule_is_shown_line_by_line(say: Say) -> None:
    lines = say("schedule", "--hours", "3.5").splitlines()
    assert lines[0] == (
        "2026-03-02 14:00 UTC  jobs.shop.load  schedule:0 * * * *  window 2026-03-02 13:00 to 2026-03-02 14:00 UTC"
    )
    assert len(lines) == 3
    assert "pass --limit" in say("schedule", "--hours", "3.5", "--limit", "2")
    assert '"is_complete": true' in say("schedule", "--json")


def test_the_environment_wins_over_the_files(
    say: Say, folder: Path, world: World, monkeypatch: pytest.MonkeyPatch
) -> None:
    (folder / ".dlt" / "secrets.toml").unlink()
    assert "names no API key" in say("why", "load", exit_code=1)
    monkeypatch.setenv("RUNTIME__API_KEY", world.api_key)
    assert "started run #1" in say("why", "load")


def test_the_key_of_one_server_is_not_shown_to_another(say: Say) -> None:
    assert "names no API key for http://127.0.0.1:9" in say(
        "why", "load", "--url", "http://127.0.0.1:9", exit_code=1
    )


def test_a_folder_that_is_not_connected_is_told_how(tmp_path: Path) -> None:
    result = CliRunner().invoke(app, ["schedule", "--dir", str(tmp_path)])
    assert result.exit_code == 1
    assert "homeport connect" in result.output


@pytest.fixture
def own_log() -> Iterator[None]:
    """A command on the server's machine says how its log looks; other tests have theirs."""
    before = structlog.get_config()
    yield
    structlog.configure(**before)


@pytest.mark.usefixtures("own_log")
def test_on_the_servers_machine_neither_a_key_nor_a_server_is_needed(
    say: Say, folder: Path, world: World, database_url: str
) -> None:
    master_keys.put(world.platform.settings.data_dir / "keys", MasterKey(MASTER_KEY))
    (folder / ".dlt" / "secrets.toml").unlink()
    there = ["--data-dir", str(world.platform.settings.data_dir), "--database-url", database_url]
    assert "started run #1" in say("why", "load", *there)
    assert say("schedule", "--hours", "3.5", *there).splitlines()[0].startswith("2026-")
    world.stranger()
    assert "--workspace NAME" in say("why", "load", *there, exit_code=1)
    assert "started run #1" in say("why", "load", *there, "--workspace", world.workspace.name)
