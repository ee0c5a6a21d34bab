"""What migrations make is what the code declares."""

import pytest
import sqlalchemy as sa
from alembic.autogenerate import compare_metadata
from alembic.migration import MigrationContext

from homeport.store.database import Database
from homeport.store.tables import metadata

from ..builders import at_once


def test_migrations_from_empty_make_the_declared_schema(database: Database) -> None:
    with database.read() as tx:
        context = MigrationContext.configure(tx, opts={"compare_type": True, "compare_server_default": True})
        assert compare_metadata(context, metadata) == []


def test_migrations_make_the_declared_checks(database: Database) -> None:
    # autogenerate does not look at CHECK constraints
    with database.read() as tx:
        inspector = sa.inspect(tx)
        for table in metadata.sorted_tables:
            declared = {c.name for c in table.constraints if isinstance(c, sa.CheckConstraint)}
            assert {check["name"] for check in inspector.get_check_constraints(table.name)} == declared, table.name


def test_migrating_again_changes_nothing(database: Database) -> None:
    database.migrate()
    database.ping()


def test_servers_that_start_at_once_on_an_empty_database_all_come_up(empty_database_url: str) -> None:
    if empty_database_url.startswith("sqlite"):
        pytest.skip("one server uses a data folder, and keeps the others out with a lock on it")
    databases = [Database(empty_database_url) for _ in range(3)]
    at_once(3, lambda number: databases[number].migrate())
    for database in databases:
        database.ping()
        database.close()
