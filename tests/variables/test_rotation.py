"""The master key is replaced without a moment at which what is stored cannot be read."""

import base64
import json
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from uuid import UUID

import pytest
from typer.testing import CliRunner

from homeport.auth import encryption, key_rotation
from homeport.auth.encryption import Vault
from homeport.auth.master_keys import MasterKey, MasterKeys, source_of
from homeport.auth.secrets import KEY_BYTES
from homeport.cli import app
from homeport.config import Settings
from homeport.errors import SetupError, Unavailable
from homeport.execution.engines.fake import FakeEngine
from homeport.server import Server
from homeport.store import data_keys, variables
from homeport.store.variables import WORKSPACE_SCOPE, Variable

from ..world import MASTER_KEY, World
from .conftest import Variables

OLD, NEW = MasterKey(MASTER_KEY), MasterKey(b"n" * KEY_BYTES)


def text(key: MasterKey) -> str:
    return base64.b64encode(key.value).decode()


@pytest.fixture
def keys(tmp_path: Path) -> Path:
    """The world's master key in a file."""
    folder = tmp_path / "data" / "keys"
    folder.mkdir(parents=True)
    (folder / "master.key").write_text(text(OLD))
    return folder


def key_ids(world: World) -> set[str]:
    with world.database.read() as tx:
        return data_keys.master_key_ids(tx)


def names(folder: Path) -> list[str]:
    return sorted(path.name for path in folder.iterdir())


def test_everything_opens_with_the_new_key_and_nothing_with_the_old(
    world: World, keys: Path, vars_: Variables
) -> None:
    vars_.change(secret={"PASSWORD": "hunter2"})
    rotated = key_rotation.rotate(world.database, source_of(keys, None))
    assert (rotated.old, rotated.data_keys) == (OLD.id, 1)
    assert names(keys) == ["master.key"]
    vault = encryption.open_vault(world.database, source_of(keys, None))
    assert MasterKey(vault.master_key).id == rotated.new != OLD.id
    with world.database.read() as tx:
        [item] = variables.of_run(tx, world.workspace.id, "prod")
        assert vault.cipher(tx, world.workspace.id)
        with pytest.raises(Unavailable, match=rotated.new):
            world.platform.vault.cipher(tx, item.workspace_id)


def test_a_key_that_does_not_fit_cannot_be_rotated_away_from(world: World, keys: Path) -> None:
    (keys / "master.key").write_text(text(NEW))
    with pytest.raises(SetupError, match="fingerprint"):
        key_rotation.rotate(world.database, source_of(keys, None))
    assert names(keys) == ["master.key"]
    assert key_ids(world) == {OLD.id}


def test_a_next_key_that_was_left_behind_is_taken_up(world: World, keys: Path) -> None:
    (keys / "master.key.new").write_text(text(NEW))
    assert MasterKey(encryption.open_vault(world.database, source_of(keys, None)).master_key).id == OLD.id
    assert key_rotation.rotate(world.database, source_of(keys, None)).new == NEW.id
    assert key_ids(world) == {NEW.id}


def test_a_start_finishes_a_rotation_that_had_done_its_work(world: World, keys: Path) -> None:
    key_rotation.rotate(world.database, source_of(keys, None))
    (keys / "master.key").replace(keys / "master.key.new")
    (keys / "master.key").write_text(text(OLD))
    vault = encryption.open_vault(world.database, source_of(keys, None))
    assert key_ids(world) == {MasterKey(vault.master_key).id}
    assert names(keys) == ["master.key"]


def test_a_given_key_is_replaced_by_a_given_one(world: World, keys: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    command = f"echo {text(OLD)}"
    with pytest.raises(SetupError, match="HOMEPORT_NEW_MASTER_KEY"):
        key_rotation.rotate(world.database, source_of(keys, command))
    monkeypatch.setenv("HOMEPORT_NEW_MASTER_KEY", text(OLD))
    with pytest.raises(SetupError, match="already"):
        key_rotation.rotate(world.database, source_of(keys, command))
    monkeypatch.setenv("HOMEPORT_NEW_MASTER_KEY", text(NEW))
    assert key_rotation.rotate(world.database, source_of(keys, command)).new == NEW.id
    # the server starts with both, and with the new one alone
    assert encryption.open_vault(world.database, source_of(keys, command)).master_key == NEW.value
    monkeypatch.delenv("HOMEPORT_NEW_MASTER_KEY")
    with pytest.raises(SetupError, match=NEW.id):
        encryption.open_vault(world.database, source_of(keys, command))
    monkeypatch.setenv("HOMEPORT_MASTER_KEY", text(NEW))
    assert encryption.open_vault(world.database, source_of(keys, None)).master_key == NEW.value


@pytest.mark.parametrize("backend", ["sqlite"])
def test_killed_at_any_moment_it_leaves_an_installation_that_starts(
    world: World, keys: Path, tmp_path: Path
) -> None:
    _, elsewhere = world.stranger()
    for number, workspace_id in enumerate((world.workspace.id, elsewhere.id)):
        add_variable(world, f"A{number}", workspace_id)
    world.database.close()  # so that all is in the one file
    (keys.parent / "homeport.db").write_bytes((tmp_path / "homeport.db").read_bytes())
    program = [sys.executable, str(Path(__file__).with_name("killed_rotations.py")), str(keys.parent)]
    done = subprocess.run(program, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    reports = [json.loads(line) for line in done.stdout.splitlines()]
    assert len(reports) > 30
    for report in reports:
        assert report["after_kill"] == report["in_the_end"] == ["of A0", "of A1"]
        assert report["left"] == ["master.key"]
    assert [report["was_killed"] for report in reports] == [True] * (len(reports) - 1) + [False]
    # before anything was written, with a key half made, with both keys, and when all was done
    kept = [tuple(report["kept"]) for report in reports]
    assert {("master.key",), ("master.key", "scratch"), ("master.key", "master.key.new")} == set(kept)


def add_variable(world: World, name: str, workspace_id: UUID) -> None:
    now, by = world.clock.now(), world.alice.member_id
    with world.database.write() as tx:
        cipher = Vault(MasterKeys(OLD)).cipher_for_new(tx, workspace_id, now)
        sealed = cipher.seal(f"of {name}".encode(), str(workspace_id))
        variables.add(tx, Variable(workspace_id, WORKSPACE_SCOPE, name, "secret", sealed, by, now, by, now))


def run_command(*options: str) -> tuple[int, str]:
    done = CliRunner().invoke(app, ["key", "rotate-master", *options])
    return done.exit_code, " ".join(done.output.split())


@pytest.mark.parametrize("backend", ["sqlite"])
def test_the_command_tells_both_fingerprints_and_no_key(world: World, keys: Path, database_url: str) -> None:
    (keys.parent / "server.lock").touch()
    exit_code, said = run_command("--data-dir", str(keys.parent), "--database-url", database_url)
    assert exit_code == 0, said
    now = source_of(keys, None).load(may_make=False).current
    assert OLD.id in said
    assert now.id in said
    assert "wrapped with the new one: 1." in said
    assert text(now) not in said
    assert text(OLD) not in said


def test_the_command_leaves_a_running_server_alone(tmp_path: Path) -> None:
    settings = Settings(data_dir=tmp_path / "running", port=0)
    with a_server(settings):
        before = (settings.data_dir / "keys" / "master.key").read_bytes()
        exit_code, said = run_command("--data-dir", str(settings.data_dir))
        assert (exit_code, "Stop the server first" in said) == (1, True)
        assert (settings.data_dir / "keys" / "master.key").read_bytes() == before
    assert run_command("--data-dir", str(settings.data_dir))[0] == 0
    with a_server(settings):
        assert names(settings.data_dir / "keys") == ["master.key"]
        assert (settings.data_dir / "keys" / "master.key").read_bytes() != before


@contextmanager
def a_server(settings: Settings) -> Iterator[None]:
    server = Server(settings, engine=FakeEngine())
    server.open()
    try:
        yield
    finally:
        server.close()


def test_a_folder_without_an_installation_is_left_as_it_is(tmp_path: Path) -> None:
    exit_code, said = run_command("--data-dir", str(tmp_path / "nothing"))
    assert (exit_code, "--data-dir" in said) == (1, True)
    assert not (tmp_path / "nothing").exists()
