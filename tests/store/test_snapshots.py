"""A copy of the database is of one moment, whatever servers write meanwhile."""

import threading
from pathlib import Path

from homeport.store import organizations, snapshots
from homeport.store.database import Database
from homeport.store.schema import Tx

from ..builders import until
from ..conftest import NOW


def _pair(tx: Tx) -> None:
    organizations.create(tx, "one", NOW)
    organizations.create(tx, "other", NOW)


def test_a_copy_holds_whole_transactions_while_others_write(
    database: Database, database_url: str, empty_database_url: str, tmp_path: Path
) -> None:
    over, written = threading.Event(), threading.Semaphore(0)

    def write() -> None:
        while not over.is_set():
            with database.write() as tx:
                _pair(tx)
            written.release()

    writer = threading.Thread(target=write)
    writer.start()
    try:
        until(lambda: written.acquire(blocking=False))
        snapshots.take(database_url, tmp_path / "copy", lambda doing: None)
        assert written.acquire(timeout=60), "nobody waits for the copy"
    finally:
        over.set()
        writer.join()
    if database.is_sqlite:
        copy = Database(f"sqlite:///{tmp_path / 'copy'}")
    else:
        snapshots.bring_back(empty_database_url, 0, tmp_path / "copy")
        copy = Database(empty_database_url)
    with copy.read() as tx:
        found = len(organizations.all_ids(tx))
    copy.close()
    assert found >= 2
    assert found % 2 == 0
