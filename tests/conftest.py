"""What every room's tests stand on: a fresh database on each backend, and a small world in it."""

import os
import shutil
from collections.abc import Iterator
from datetime import UTC, datetime
from pathlib import Path

import pytest
import structlog

from homeport.clock import FakeClock
from homeport.execution.engines.fake import FakeEngine
from homeport.store.database import Database

from .databases import PostgresCluster, PostgresMissing
from .world import World

NOW = datetime(2026, 3, 2, 12, 0, 0, 123456, tzinfo=UTC)


@pytest.fixture(scope="session", autouse=True)
def _settings_of_nobody() -> None:
    """A developer's own HOMEPORT_… settings are not the tests'."""
    for name in [name for name in os.environ if name.startswith("HOMEPORT_")]:
        if not name.startswith("HOMEPORT_TEST_"):
            del os.environ[name]


@pytest.fixture(scope="session", autouse=True)
def _plain_log() -> None:
    """What the server tells, without the locals of every frame."""
    plain = structlog.dev.ConsoleRenderer(colors=False, exception_formatter=structlog.dev.plain_traceback)
    structlog.configure(processors=[plain])


@pytest.fixture(scope="session")
def sqlite_template(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A database with every migration applied; tests get copies."""
    path = tmp_path_factory.mktemp("template") / "homeport.db"
    database = Database(f"sqlite:///{path}")
    database.migrate()
    database.close()
    return path


@pytest.fixture(scope="session")
def postgres() -> Iterator[PostgresCluster]:
    """One cluster for this process of pytest. Without PostgreSQL: skipped on a laptop, failed in CI."""
    try:
        cluster = PostgresCluster()
    except PostgresMissing as missing:
        if os.environ.get("CI"):
            pytest.fail(f"CI must test PostgreSQL: {missing}")
        pytest.skip(f"not tested on PostgreSQL: {missing}")
    yield cluster
    cluster.stop()


@pytest.fixture(params=["sqlite", "postgresql"])
def backend(request: pytest.FixtureRequest) -> str:
    """Rooms that do not care which database it is override this with one."""
    return str(request.param)


@pytest.fixture
def empty_database_url(backend: str, tmp_path: Path, request: pytest.FixtureRequest) -> Iterator[str]:
    """A database without a single table."""
    if backend == "sqlite":
        yield f"sqlite:///{tmp_path / 'empty.db'}"
        return
    with request.getfixturevalue("postgres").database(from_template=False) as url:
        yield url


@pytest.fixture
def database_url(backend: str, tmp_path: Path, request: pytest.FixtureRequest) -> Iterator[str]:
    """A database of this test's own, with every migration applied and nothing in it."""
    if backend == "sqlite":
        path = tmp_path / "homeport.db"
        shutil.copy(request.getfixturevalue("sqlite_template"), path)
        yield f"sqlite:///{path}"
        return
    with request.getfixturevalue("postgres").database() as url:
        yield url


@pytest.fixture
def database(database_url: str) -> Iterator[Database]:
    database = Database(database_url)
    yield database
    database.close()


@pytest.fixture
def clock() -> FakeClock:
    return FakeClock(NOW)


@pytest.fixture
def engine() -> FakeEngine:
    return FakeEngine()


@pytest.fixture
def world(database: Database, clock: FakeClock, engine: FakeEngine, tmp_path: Path) -> World:
    """An installation after its first start: an organization, its owner Alice, a workspace with code in it."""
    world = World(database, clock, engine, tmp_path / "data")
    world.upload("deployments", {"job.py": "print('hello')"})
    world.upload("configurations", {"config.toml": "", "prod.config.toml": "[runtime]"})
    return world
