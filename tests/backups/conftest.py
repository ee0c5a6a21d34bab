"""A world with an own data folder, which can be backed up and restored elsewhere."""

import copy
import subprocess
import sys
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest

from homeport.auth import master_keys
from homeport.auth.master_keys import MasterKey
from homeport.config import Settings
from homeport.execution.engines.fake import FakeEngine
from homeport.operations.backup import Made, Making
from homeport.operations.restore import Restored, Restoring
from homeport.store import snapshots
from homeport.store.database import Database

from ..world import MASTER_KEY, World

HOMEPORT = Path(sys.executable).with_name("homeport")


@dataclass
class Place:
    """An installation that is to be backed up, and an empty place for it to be restored to."""

    world: World
    settings: Settings
    folder: Path
    target: Settings
    closing: ExitStack

    @property
    def key(self) -> Path:
        return self.settings.data_dir / "keys" / "master.key"

    def back_up(self, **options: Any) -> Made:
        return Making(self.settings, self.world.clock, timedelta(0), **options).into(self.folder)

    def restore(self, backup: Path, **options: Any) -> Restored:
        given = {"key": self.key, **options}
        return Restoring(self.target, self.world.clock, **given).of(backup)

    def restored(self) -> World:
        """The world as it is in its new place; its engine knows nothing of the old one."""
        there = copy.copy(self.world)
        there.database = Database(self.target.effective_database_url)
        self.closing.callback(there.database.close)
        there.engine = FakeEngine(node="elsewhere")
        there.platform = there.platform_with(data_dir=self.target.data_dir)
        there.restart_services()
        return there

    @property
    def is_untouched(self) -> bool:
        """Whether nothing is where a backup would be restored to."""
        return not self.target.data_dir.exists() and snapshots.is_empty(self.target.effective_database_url)

    @contextmanager
    def command(self, *words: object) -> "Iterator[subprocess.Popen[str]]":
        """The command of a person, as it goes on."""
        command = [HOMEPORT, *map(str, words)]
        with subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True) as process:
            yield process
            process.kill()


@pytest.fixture
def place(
    world: World, backend: str, database_url: str, tmp_path: Path, request: pytest.FixtureRequest
) -> Iterator[Place]:
    data_dir = world.platform.settings.data_dir
    (data_dir / "server.lock").touch()
    master_keys.put(data_dir / "keys", MasterKey(MASTER_KEY))
    (data_dir / "node" / "workspaces" / "w" / "prod").mkdir(parents=True)
    (data_dir / "node" / "workspaces" / "w" / "prod" / "data.parquet").write_bytes(b"loaves")
    (tmp_path / "backups").mkdir()
    target_url = None
    with ExitStack() as closing:
        if backend == "postgresql":
            postgres = request.getfixturevalue("postgres")
            target_url = closing.enter_context(postgres.database(from_template=False))
        settings = Settings(data_dir=data_dir, database_url=database_url)
        target = Settings(data_dir=tmp_path / "new", database_url=target_url)
        yield Place(world, settings, tmp_path / "backups", target, closing)
