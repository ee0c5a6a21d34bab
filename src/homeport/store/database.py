"""Opens and ends transactions, and brings the schema up to date."""

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import alembic.command
import alembic.config
import sqlalchemy as sa
from alembic.script import ScriptDirectory

from homeport.errors import OutOfRoom, SetupError, Unavailable
from homeport.store import dialects
from homeport.store.schema import Tx

_MIGRATIONS = Path(__file__).parent / "migrations"


class Database:
    """One database; all servers of an installation share it.

    `read()` gives a consistent view. `write()` commits when its block ends and rolls back when it raises;
    on SQLite it holds the write lock from its first statement.
    """

    def __init__(self, url: str) -> None:
        self._engine = dialects.open_engine(url)

    @property
    def is_sqlite(self) -> bool:
        return self._engine.dialect.name == "sqlite"

    @contextmanager
    def read(self) -> Iterator[Tx]:
        with self._connected() as connection, connection.begin():
            yield connection

    @contextmanager
    def write(self) -> Iterator[Tx]:
        with self._connected() as connection:
            connection = connection.execution_options(homeport_write=True)
            with connection.begin():
                yield connection

    @contextmanager
    def _connected(self) -> Iterator[sa.Connection]:
        try:
            connection = self._engine.connect()
        except sa.exc.OperationalError as error:
            raise Unavailable(f"The database cannot be reached: {_first_line(error)}") from error
        try:
            with connection:
                yield connection
        except sa.exc.DBAPIError as error:
            if dialects.is_out_of_room(error):
                raise OutOfRoom(
                    "The disk of the server's database is full, or fails; nothing was changed. Whoever runs the "
                    "server makes room there; then try again."
                ) from error
            raise

    def ping(self) -> None:
        """Raise `Unavailable` unless the database answers."""
        with self.read() as tx:
            tx.execute(sa.text("SELECT 1"))

    def migrate(self) -> None:
        """Bring the schema to this version's; safe to call at every start."""
        try:
            with self._engine.connect() as connection:
                dialects.take_all_the_time(connection)
                dialects.wait_for_other_migrations(connection)
                alembic.command.upgrade(_alembic_config(connection), "head")
                connection.commit()
        except sa.exc.OperationalError as error:
            raise SetupError(
                f"The database cannot be opened: {_first_line(error)}. "
                "Check --database-url, and that the folder is writable."
            ) from error

    def close(self) -> None:
        self._engine.dispose()


def revisions() -> list[str]:
    """Of the schema, newest first. What is not among them is of a later version."""
    scripts = ScriptDirectory.from_config(_alembic_config())
    return [script.revision for script in scripts.walk_revisions()]


def failed_itself(error: Exception) -> bool:
    """Whether it was the database that failed, whatever it was asked: gone, locked for long, out of room, or tired
    of waiting for us."""
    if isinstance(error, sa.exc.DBAPIError) and error.connection_invalidated:
        return True
    return isinstance(error, (Unavailable, sa.exc.OperationalError, sa.exc.InterfaceError))


def _alembic_config(connection: sa.Connection | None = None) -> alembic.config.Config:
    config = alembic.config.Config()
    config.set_main_option("script_location", str(_MIGRATIONS))
    config.attributes["connection"] = connection
    return config


def _first_line(error: Exception) -> str:
    return str(error).splitlines()[0]
