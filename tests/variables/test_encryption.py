"""A data key for every workspace, wrapped by the master key; without the right one nothing opens."""

from pathlib import Path

import pytest

from homeport.auth import encryption, secrets
from homeport.auth.ciphers import Cipher
from homeport.auth.encryption import ArchiveSealing, Vault
from homeport.auth.master_keys import MasterKey, MasterKeys, source_of
from homeport.errors import SetupError, Unavailable
from homeport.store import data_keys
from homeport.store.data_keys import DataKey

from ..builders import at_once
from ..conftest import NOW
from ..world import MASTER_KEY, World

OTHER = MasterKey(b"o" * 32)


@pytest.fixture
def keys(tmp_path: Path) -> Path:
    """Where the master key is."""
    return tmp_path / "keys"


def stored_keys(world: World) -> list[DataKey]:
    with world.database.write() as tx:
        return data_keys.lock_all(tx)


def seal(world: World, vault: Vault, content: bytes = b"hunter2") -> bytes:
    return ArchiveSealing(world.database, vault, world.clock).seal(world.workspace.id, content, "here")


def unseal(world: World, vault: Vault, sealed: bytes, place: str = "here") -> bytes:
    return ArchiveSealing(world.database, vault, world.clock).open(world.workspace.id, sealed, place)


def test_what_is_sealed_opens_for_its_place_and_no_other(world: World) -> None:
    vault = world.platform.vault
    sealed = seal(world, vault)
    assert b"hunter2" not in sealed
    assert unseal(world, vault, sealed) == b"hunter2"
    with pytest.raises(Unavailable, match="there"):
        unseal(world, vault, sealed, "there")


def test_archives_from_before_workspaces_had_keys_still_open(world: World) -> None:
    vault = Vault(MasterKeys(MasterKey(MASTER_KEY)))
    old = Cipher(secrets.derive(MASTER_KEY, "configurations")).seal(b"hunter2", "here")
    with world.database.write() as tx:
        tx.execute(data_keys.table.delete())
    assert unseal(world, vault, old) == b"hunter2"
    with pytest.raises(Unavailable, match="is missing"):
        unseal(world, vault, old, "there")
    seal(world, vault)
    assert unseal(world, vault, old) == b"hunter2"


def test_each_workspace_has_a_key_of_its_own_and_only_wrapped(world: World) -> None:
    _, elsewhere = world.stranger()
    vault = world.platform.vault
    with world.database.write() as tx:
        foreign = vault.cipher_for_new(tx, elsewhere.id, NOW)
    with pytest.raises(Unavailable):
        foreign.open(seal(world, vault), "here")
    first, second = stored_keys(world)
    assert first.workspace_id != second.workspace_id
    assert {first.master_key_id, second.master_key_id} == {MasterKey(MASTER_KEY).id}
    assert MASTER_KEY not in first.wrapped


def test_a_data_key_cannot_be_moved_to_another_workspace(world: World) -> None:
    _, elsewhere = world.stranger()
    [found] = stored_keys(world)
    with world.database.write() as tx:
        data_keys.add(tx, DataKey(elsewhere.id, found.wrapped, found.master_key_id), NOW)
    with world.database.read() as tx, pytest.raises(Unavailable, match=str(elsewhere.id)):
        world.platform.vault.cipher(tx, elsewhere.id)


def test_a_data_key_that_was_rolled_back_never_existed(world: World) -> None:
    _, elsewhere = world.stranger()
    vault = world.platform.vault

    def change_ones_mind() -> None:
        with world.database.write() as tx:
            vault.cipher_for_new(tx, elsewhere.id, NOW)
            raise LookupError

    with pytest.raises(LookupError):
        change_ones_mind()
    with world.database.read() as tx, pytest.raises(Unavailable, match="missing"):
        vault.cipher(tx, elsewhere.id)


def test_two_who_need_a_data_key_at_once_get_the_same(world: World) -> None:
    _, elsewhere = world.stranger()
    sealing = ArchiveSealing(world.database, world.platform.vault, world.clock)
    sealed = at_once(4, lambda _number: sealing.seal(elsewhere.id, b"hunter2", "here"))
    assert [sealing.open(elsewhere.id, item, "here") for item in sealed] == [b"hunter2"] * 4


def test_a_wrong_master_key_is_found_at_the_start(world: World, keys: Path) -> None:
    keys.mkdir()
    source = source_of(keys, "printf '%s' b29vb29vb29vb29vb29vb29vb29vb29vb29vb29vb28=")
    with pytest.raises(SetupError, match="fingerprint") as refused:
        encryption.open_vault(world.database, source)
    message = refused.value.message
    assert "master_key_command" in message
    assert OTHER.id in message
    assert MasterKey(MASTER_KEY).id in message
    assert "backup" in message


def test_a_lost_key_file_is_not_made_anew_over_stored_secrets(world: World, keys: Path) -> None:
    with pytest.raises(SetupError, match="Restore it"):
        encryption.open_vault(world.database, source_of(keys, None))
    assert not keys.exists()


def test_a_server_without_the_key_of_a_workspace_says_so(world: World) -> None:
    with world.database.read() as tx, pytest.raises(Unavailable, match="fingerprint"):
        Vault(MasterKeys(OTHER)).cipher(tx, world.workspace.id)
