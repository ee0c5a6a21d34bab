"""Replace the master key. The data keys stay as they are, so nothing else has to be encrypted again."""

from collections.abc import Callable
from dataclasses import dataclass

from homeport.auth.encryption import check_fits, unwrap, wrap
from homeport.auth.master_keys import MasterKey, MasterKeys, Source
from homeport.errors import SetupError
from homeport.store import data_keys
from homeport.store.database import Database
from homeport.store.schema import Tx


@dataclass(frozen=True)
class Rotated:
    """Fingerprints, and how many data keys were wrapped anew."""

    old: str
    new: str
    data_keys: int


def rotate(
    database: Database, source: Source, record: Callable[[Tx, str], None] = lambda tx, key_id: None
) -> Rotated:
    """Put a new master key in force; the caller has the data folder for itself.

    1. keep the next key beside the current one
    2. wrap every data key with it, in one transaction
    3. put it in the current one's place

    Cut short before 2 is committed, the current key is still the right one; after that, the next one is. A server
    accepts both, and whoever comes next goes on with the key that is there. `record` writes the change down in
    that transaction; it gets the new key's fingerprint.
    """
    with database.read() as tx:
        in_use = data_keys.master_key_ids(tx)
    keys = source.load(may_make=False)
    check_fits(keys, in_use, source)
    new = source.begin_rotation()
    if new.id == keys.current.id:
        raise SetupError("The new master key is the one that is in force already; nothing was changed.")
    count = _rewrap_all(database, MasterKeys(keys.current, new), new, record)
    source.finish_rotation()
    return Rotated(keys.current.id, new.id, count)


def _rewrap_all(database: Database, keys: MasterKeys, new: MasterKey, record: Callable[[Tx, str], None]) -> int:
    with database.write() as tx:
        old = [found for found in data_keys.lock_all(tx) if found.master_key_id != new.id]
        for found in old:
            data_keys.rewrap(tx, wrap(unwrap(found, keys), found.workspace_id, new))
        record(tx, new.id)
    return len(old)
