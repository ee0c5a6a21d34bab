"""The pieces of every scene: a home, a server, workspaces. Each worker has one server that tests share."""

import os
import subprocess
from collections.abc import Callable, Iterator
from itertools import count
from pathlib import Path

import pytest

from .servers import BIN, Homeport
from .workspaces import Workspace

_PASSED_ON = ("SSL_CERT_", "REQUESTS_CA_BUNDLE", "CURL_CA_BUNDLE", "UV_", "HTTP_PROXY", "HTTPS_PROXY", "NO_PROXY")


@pytest.fixture(scope="session")
def environment(tmp_path_factory: pytest.TempPathFactory) -> dict[str, str]:
    """The variables of every process: a home of its own, no colours, no usage data; uv keeps its cache."""
    home = tmp_path_factory.mktemp("home")
    cache = subprocess.run([BIN / "uv", "cache", "dir"], capture_output=True, text=True, check=True)
    return {
        **{name: value for name, value in os.environ.items() if name.startswith(_PASSED_ON)},
        "PATH": f"{BIN}:/usr/local/bin:/usr/bin:/bin",
        "HOME": str(home),
        "XDG_CONFIG_HOME": str(home / "config"),
        "XDG_CACHE_HOME": str(home / "cache"),
        "XDG_DATA_HOME": str(home / "data"),
        "UV_CACHE_DIR": cache.stdout.strip(),
        "RUNTIME__DLTHUB_TELEMETRY": "false",
        "NO_COLOR": "1",
        "COLUMNS": "200",
        "LANG": "C.UTF-8",
    }


@pytest.fixture(scope="session")
def environments(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Built environments, common to all servers and all workers of this session."""
    base = tmp_path_factory.getbasetemp()
    shared = (base.parent if "PYTEST_XDIST_WORKER" in os.environ else base) / "environments"
    shared.mkdir(exist_ok=True)
    return shared


@pytest.fixture(scope="session")
def server(
    tmp_path_factory: pytest.TempPathFactory, environment: dict[str, str], environments: Path
) -> Iterator[Homeport]:
    """For tests that do not harm it."""
    homeport = Homeport(tmp_path_factory.mktemp("server"), environment, environments)
    try:
        yield homeport.start()
    finally:
        homeport.close()


@pytest.fixture
def own_server(tmp_path: Path, environment: dict[str, str], environments: Path) -> Iterator[Homeport]:
    """For tests that stop or kill it; not started yet."""
    (tmp_path / "server").mkdir()
    homeport = Homeport(tmp_path / "server", environment, environments)
    yield homeport
    homeport.close()


NewWorkspace = Callable[..., Workspace]


@pytest.fixture(scope="session")
def new_workspace(tmp_path_factory: pytest.TempPathFactory, environment: dict[str, str]) -> NewWorkspace:
    """Makes an empty workspace that is connected to a server."""
    numbers = count(1)

    def make(server: Homeport, files: dict[str, str] | None = None) -> Workspace:
        folder = tmp_path_factory.mktemp("work") / f"bakery{next(numbers)}"
        workspace = Workspace(folder, server, environment).connect()
        workspace.write(files or {})
        return workspace

    return make


@pytest.fixture
def workspace(server: Homeport, new_workspace: NewWorkspace) -> Workspace:
    """A fresh one on the shared server."""
    return new_workspace(server)
