"""Transactions end as their block ends; an unreachable database is said to be one."""

from contextlib import suppress
from pathlib import Path

import pytest
import sqlalchemy as sa

from homeport.errors import SetupError, Unavailable
from homeport.store import organizations
from homeport.store.database import Database

from ..builders import at_once
from ..conftest import NOW


def test_a_block_that_raises_leaves_nothing(database: Database) -> None:
    with suppress(LookupError), database.write() as tx:
        organizations.create(tx, "Acme", NOW)
        raise LookupError
    with database.read() as tx:
        assert organizations.first(tx) is None


def test_writers_that_read_first_wait_for_each_other(database: Database) -> None:
    def read_then_write(number: int) -> None:
        with database.write() as tx:
            organizations.first(tx)
            organizations.create(tx, f"Acme {number}", NOW)

    at_once(8, read_then_write)
    with database.read() as tx:
        assert tx.execute(sa.select(sa.func.count()).select_from(organizations.table)).scalar_one() == 8


def test_a_reader_does_not_see_what_is_not_committed(database: Database) -> None:
    with database.write() as tx:
        organizations.create(tx, "Acme", NOW)
        with database.read() as other:
            assert organizations.first(other) is None


@pytest.mark.parametrize("url", ["sqlite:////proc/no/such.db", "postgresql://nobody@/x?host=/proc/no"])
def test_a_database_that_cannot_be_reached_is_unavailable(url: str) -> None:
    database = Database(url)
    with pytest.raises(Unavailable, match="cannot be reached"):
        database.ping()


def test_a_database_that_cannot_be_opened_names_the_setting(tmp_path: Path) -> None:
    database = Database(f"sqlite:///{tmp_path}/missing/homeport.db")
    with pytest.raises(SetupError, match="--database-url"):
        database.migrate()


@pytest.mark.parametrize(
    ("url", "words"),
    [("mysql://root@localhost/x", "SQLite or PostgreSQL"), ("no url", "cannot be read")],
)
def test_other_databases_are_refused_with_an_example(url: str, words: str) -> None:
    with pytest.raises(SetupError, match=words) as refusal:
        Database(url)
    assert "sqlite:///" in refusal.value.message


def test_nobody_else_may_read_the_file_of_sqlite_be_it_new_or_from_before(tmp_path: Path) -> None:
    path = tmp_path / "homeport.db"
    for _ in range(2):
        database = Database(f"sqlite:///{path}")
        database.migrate()
        modes = {file.name: file.stat().st_mode & 0o777 for file in tmp_path.iterdir()}
        assert modes == dict.fromkeys(["homeport.db", "homeport.db-wal", "homeport.db-shm"], 0o600)
        database.close()
        path.chmod(0o644)
