"""Envelope encryption: a random data key for every workspace, each wrapped by the installation's master key.

The master key encrypts data keys and nothing else, so it can be replaced without touching what they protect.
"""

import os
from contextlib import suppress
from datetime import datetime
from uuid import UUID

from homeport.auth import secrets
from homeport.auth.ciphers import Cipher
from homeport.auth.master_keys import MasterKey, MasterKeys, Source
from homeport.clock import Clock
from homeport.errors import SetupError, Unavailable
from homeport.store import data_keys
from homeport.store.data_keys import DataKey
from homeport.store.database import Database
from homeport.store.schema import Tx


class Vault:
    """Gives out the ciphers of workspaces.

    It remembers none of them: a key that was made in a transaction which is rolled back never existed.
    """

    def __init__(self, keys: MasterKeys) -> None:
        self._keys = keys

    @property
    def master_key(self) -> bytes:
        """For keys that are derived from it and may change with it, such as those of short-lived tokens."""
        return self._keys.current.value

    def cipher(self, tx: Tx, workspace_id: UUID) -> Cipher:
        """For what is stored already."""
        found = data_keys.get(tx, workspace_id)
        if found is None:
            raise Unavailable(
                f"The data key of the workspace {workspace_id} is missing from the database, so what it protects "
                "cannot be read. Restore the database from a backup."
            )
        return Cipher(unwrap(found, self._keys))

    def cipher_for_new(self, tx: Tx, workspace_id: UUID, now: datetime) -> Cipher:
        """For what is to be stored: the first thing that needs a data key has it made."""
        found = data_keys.get(tx, workspace_id)
        if found is None:
            fresh = wrap(os.urandom(secrets.KEY_BYTES), workspace_id, self._keys.current)
            found = data_keys.add(tx, fresh, now)
        return Cipher(unwrap(found, self._keys))


class ArchiveSealing:
    """Encrypts what the storage keeps; `store/blobs.py` says of what."""

    def __init__(self, database: Database, vault: Vault, clock: Clock) -> None:
        self._database, self._vault, self._clock = database, vault, clock

    def seal(self, workspace_id: UUID, content: bytes, place: str) -> bytes:
        with self._database.write() as tx:
            cipher = self._vault.cipher_for_new(tx, workspace_id, self._clock.now())
        return cipher.seal(content, place)

    def open(self, workspace_id: UUID, sealed: bytes, place: str) -> bytes:
        try:
            with self._database.read() as tx:
                cipher = self._vault.cipher(tx, workspace_id)
            return cipher.open(sealed, place)
        except Unavailable:
            # what was stored before workspaces had keys of their own is under one that hangs on the master key
            with suppress(Unavailable):
                return Cipher(secrets.derive(self._vault.master_key, "configurations")).open(sealed, place)
            raise


def open_vault(database: Database, source: Source) -> Vault:
    """The vault of an installation; `SetupError` when the master key is not the one that it needs.

    A rotation that was cut short after its work was done is brought to its end here.
    """
    with database.read() as tx:
        in_use = data_keys.master_key_ids(tx)
    keys = source.load(may_make=not in_use)
    check_fits(keys, in_use, source)
    if keys.next is not None and in_use == {keys.next.id}:
        source.finish_rotation()
        return Vault(MasterKeys(keys.next))
    return Vault(keys)


def check_fits(keys: MasterKeys, in_use: set[str], source: Source) -> None:
    """Raise `SetupError` unless these keys unwrap everything."""
    missing = sorted(key_id for key_id in in_use if keys.by_id(key_id) is None)
    if missing:
        raise SetupError(
            f"The master key in {source.name} has the fingerprint {keys.current.id}, but what is stored needs the "
            f"one with {', '.join(missing)}. Put that key back from its backup, or the database that belongs to "
            "this key. After `homeport key rotate-master`, only the new key fits."
        )


def wrap(key: bytes, workspace_id: UUID, master_key: MasterKey) -> DataKey:
    """A data key as it is stored."""
    return DataKey(workspace_id, master_key.cipher.seal(key, _place(workspace_id)), master_key.id)


def unwrap(found: DataKey, keys: MasterKeys) -> bytes:
    master_key = keys.by_id(found.master_key_id)
    if master_key is None:
        raise Unavailable(
            f"The data key of the workspace {found.workspace_id} needs the master key with the fingerprint "
            f"{found.master_key_id}, which this server was not started with. Restart it with that key."
        )
    return master_key.cipher.open(found.wrapped, _place(found.workspace_id))


def _place(workspace_id: UUID) -> str:
    return f"the data key of workspace {workspace_id}"
