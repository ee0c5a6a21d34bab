"""One server takes one data folder and one port; what keeps it from starting is named with the way out."""

import asyncio
import socket
from collections.abc import Iterator
from pathlib import Path

import pytest

from homeport.clock import FakeClock
from homeport.config import Settings, load_settings
from homeport.errors import SetupError
from homeport.execution.engines.fake import FakeEngine
from homeport.server import Server, _listen

from .conftest import NOW

KEY = "dlt_u_" + "x" * 30


@pytest.fixture
def settings(tmp_path: Path) -> Settings:
    return Settings(data_dir=tmp_path / "data", port=0, bootstrap_api_key=KEY)


@pytest.fixture
def opened() -> Iterator[list[Server]]:
    servers: list[Server] = []
    yield servers
    for server in servers:
        server.close()


def open_server(opened: list[Server], settings: Settings, engine: FakeEngine | None = None) -> Server:
    server = Server(settings, FakeClock(NOW), engine or FakeEngine())
    server.open()
    opened.append(server)
    return server


def test_a_first_start_makes_all_that_is_needed(opened: list[Server], settings: Settings) -> None:
    server = open_server(opened, settings)
    assert server.first_start is not None
    assert server.first_start.api_key is None  # who set it knows it
    assert server.first_start.workspace.name == "default"
    assert server.url.startswith("http://localhost:")


def test_a_second_start_finds_it(opened: list[Server], settings: Settings) -> None:
    open_server(opened, settings).close()
    assert open_server(opened, settings).first_start is None


def test_a_folder_in_use_is_refused(opened: list[Server], settings: Settings) -> None:
    open_server(opened, settings)
    with pytest.raises(SetupError, match="in use by another"):
        Server(settings, FakeClock(NOW), FakeEngine()).open()


def test_a_port_in_use_is_refused_and_lets_go_of_the_folder(opened: list[Server], settings: Settings) -> None:
    with socket.create_server(("127.0.0.1", 0)) as other:
        port = other.getsockname()[1]
        with pytest.raises(SetupError, match=f"{port}.*--port"):
            Server(settings.model_copy(update={"port": port}), FakeClock(NOW), FakeEngine()).open()
    open_server(opened, settings)


@pytest.mark.parametrize("parent", ["/proc", "a file"])
def test_a_folder_that_cannot_be_written_is_refused(tmp_path: Path, parent: str) -> None:
    (tmp_path / "file").write_text("")
    folder = Path("/proc/homeport") if parent == "/proc" else tmp_path / "file" / "data"
    with pytest.raises(SetupError, match="--data-dir"):
        Server(Settings(data_dir=folder, port=0), FakeClock(NOW), FakeEngine()).open()


def test_closing_twice_is_harmless(opened: list[Server], settings: Settings) -> None:
    server = open_server(opened, settings)
    server.close()


def test_every_service_runs_and_stops_with_the_server(opened: list[Server], settings: Settings) -> None:
    server = open_server(opened, settings)
    assert {service.duty.name for service in server._services} == {
        "idle apps",
        "schedules",
        "starts",
        "watch",
        "pruning",
        "logs",
        "environments",
        "builds",
        "storage",
    }
    assert all(service.is_alive for service in server._services)
    server.close()
    assert not any(service.is_alive for service in server._services)


def test_nothing_secret_lies_open_in_the_data_folder(opened: list[Server], settings: Settings) -> None:
    open_server(opened, settings)
    assert settings.data_dir.stat().st_mode & 0o077 == 0
    files = [path for path in settings.data_dir.rglob("*") if path.is_file()]
    assert not [path for path in files if KEY.encode() in path.read_bytes()]


# settings


def test_an_option_beats_the_environment_which_beats_the_file(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    (tmp_path / "homeport.toml").write_text('port = 1\nmax_runs = 1\nhost = "file"\n')
    monkeypatch.setenv("HOMEPORT_PORT", "2")
    monkeypatch.setenv("HOMEPORT_MAX_RUNS", "2")
    settings = load_settings(port=3, host=None)
    assert (settings.port, settings.max_runs, settings.host) == (3, 2, "file")


def test_defaults_live_in_the_data_folder(tmp_path: Path) -> None:
    settings = Settings(data_dir=tmp_path)
    assert settings.effective_database_url == f"sqlite:///{tmp_path}/homeport.db"
    assert settings.effective_storage_url == f"{tmp_path}/storage"


@pytest.mark.parametrize("name", ["port", "max_runs", "lease_seconds"])
def test_a_setting_that_cannot_be_read_is_named_in_every_form(name: str) -> None:
    with pytest.raises(SetupError) as refused:
        load_settings(**{name: "many"})
    for form in (f"--{name.replace('_', '-')}", f"HOMEPORT_{name.upper()}", "homeport.toml"):
        assert form in refused.value.message


def test_the_bootstrap_key_is_not_in_what_settings_print() -> None:
    assert KEY not in repr(Settings(bootstrap_api_key=KEY))


def test_answers_leave_at_once_not_only_when_the_client_has_acknowledged_their_headers() -> None:
    """Nagle's algorithm is off on the connections that asyncio accepts from our socket."""

    async def connect() -> int:
        accepted = asyncio.get_running_loop().create_future()

        def answer(_reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
            here = writer.get_extra_info("socket")
            accepted.set_result(here.getsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY))
            writer.close()

        listening = _listen("127.0.0.1", 0)
        async with await asyncio.start_server(answer, sock=listening):
            _, writer = await asyncio.open_connection(*listening.getsockname())
            is_off: int = await accepted
            writer.close()
            return is_off

    assert asyncio.run(connect())
