"""Where SQLite and PostgreSQL differ. The statements are shared; the differences sit here."""

import os
import sqlite3
from collections.abc import Callable
from contextlib import suppress
from functools import lru_cache
from pathlib import Path
from typing import Any
from uuid import UUID

import sqlalchemy as sa
from sqlalchemy import event
from sqlalchemy.ext.compiler import compiles
from sqlalchemy.sql.functions import GenericFunction

from homeport.errors import SetupError

_BUSY_TIMEOUT_MS = 30_000
IDLE_TIMEOUT_MS = 10_000
"""A server that stands still in the middle of a transaction (stopped, or on a machine that sleeps) keeps its locks
for so long; then it has never begun, and the others do not wait for it to wake up."""
_MIGRATION_LOCK = 0x686F6D65  # "home"
PLACES_LOCK = 0x706C6163  # "plac"
APP_NAMES_LOCK = 0x61707073  # "apps"
_LOCKS = 0x706F7274  # "port"; a space of its own, since these have two numbers

# errors go to the server's log, and what is in a statement's parameters must not
_COMMON: dict[str, Any] = {"pool_size": 16, "max_overflow": 48, "hide_parameters": True}


def open_engine(url: str) -> sa.Engine:
    """An engine for `sqlite:///path` or `postgresql://…`; anything else is refused."""
    try:
        parsed = sa.make_url(url)
    except sa.exc.ArgumentError as error:
        raise SetupError(f"The database URL cannot be read: {error}. Example: sqlite:///homeport.db") from error
    if parsed.get_backend_name() == "sqlite":
        return _open_sqlite(parsed)
    if parsed.get_backend_name() == "postgresql":
        return _open_postgresql(parsed)
    raise SetupError(
        f"Homeport keeps its data in SQLite or PostgreSQL, not in {parsed.get_backend_name()!r}: "
        "use sqlite:///path or postgresql://user:password@host/database."
    )


class millis_between(GenericFunction[int]):
    """Whole milliseconds from one moment to another; none where one of them is."""

    type = sa.BigInteger()
    inherit_cache = True


@compiles(millis_between, "sqlite")
def _millis_on_sqlite(element: Any, compiler: Any, **options: Any) -> str:
    start, end = (compiler.process(clause, **options) for clause in element.clauses)
    return f"CAST(round((julianday({end}) - julianday({start})) * 86400000.0) AS INTEGER)"


@compiles(millis_between, "postgresql")
def _millis_on_postgresql(element: Any, compiler: Any, **options: Any) -> str:
    start, end = (compiler.process(clause, **options) for clause in element.clauses)
    return f"CAST(round(EXTRACT(EPOCH FROM {end}::timestamptz - {start}::timestamptz) * 1000) AS bigint)"


def lock(connection: sa.Connection, number: int) -> None:
    """One transaction at a time from here on, of all servers; SQLite has one writer anyway."""
    if connection.dialect.name == "postgresql":
        connection.execute(sa.select(sa.func.pg_advisory_xact_lock(number)))


def wait_for_other_migrations(connection: sa.Connection) -> None:
    """Of servers that start at once, one migrates and the others wait; the lock ends with the connection's
    transaction. SQLite needs none: one server uses a data folder."""
    lock(connection, _MIGRATION_LOCK)


_DISK_FULL = "53100"
_BASIC_CODE = 0xFF
"""Of SQLite's codes, which tell more in the bits above."""


def is_out_of_room(error: sa.exc.DBAPIError) -> bool:
    """Whether the disk of the database is full; of SQLite also, whether it fails, which it may say instead."""
    cause = error.orig
    if isinstance(cause, sqlite3.Error):
        return cause.sqlite_errorcode & _BASIC_CODE in (sqlite3.SQLITE_FULL, sqlite3.SQLITE_IOERR)
    return getattr(cause, "sqlstate", None) == _DISK_FULL


def one_at_a_time(connection: sa.Connection, what: str) -> None:
    """Of transactions that do the same thing, one goes on and the others wait for its end. SQLite needs none: it
    has one writer."""
    if connection.dialect.name == "postgresql":
        connection.execute(sa.select(sa.func.pg_advisory_xact_lock(_LOCKS, sa.func.hashtext(what))))


_known_uuid = lru_cache(maxsize=8192)(UUID)
"""Ids repeat, within a list and from one to the next, and making one of its text is slow; they never change."""


class _SqliteUuid(sa.Uuid[UUID]):
    """As usual, but read through what was read before; PostgreSQL's driver makes its own."""

    def result_processor(self, dialect: sa.Dialect, coltype: object) -> Callable[[Any], UUID | None]:
        known = _known_uuid
        return lambda text: None if text is None else known(text)


def _keep_private(path: Path) -> None:
    """Only its owner may read the file: SQLite gives it the rights that any file gets, and the folder may be open.

    What SQLite puts beside it later has the rights that it has.
    """
    with suppress(OSError):  # whatever is wrong with the path, whoever connects is told
        # never opened where it exists: to close it again would end the locks of this process on it
        os.close(os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600))
    for suffix in ("", "-wal", "-shm"):
        with suppress(OSError):
            path.with_name(path.name + suffix).chmod(0o600)


def _open_sqlite(url: sa.URL) -> sa.Engine:
    if url.database and url.database != ":memory:" and not url.database.startswith("file:"):
        _keep_private(Path(url.database))
    engine = sa.create_engine(url, connect_args={"check_same_thread": False}, **_COMMON)
    engine.dialect.colspecs = {**engine.dialect.colspecs, sa.Uuid: _SqliteUuid}

    @event.listens_for(engine, "connect")
    def _configure(connection: sqlite3.Connection, _record: Any) -> None:
        connection.isolation_level = None  # we say BEGIN ourselves: the driver would begin too late
        for pragma in (
            f"busy_timeout={_BUSY_TIMEOUT_MS}",
            "journal_mode=WAL",
            "foreign_keys=ON",
            # with WAL, a crash of our process loses nothing; only a power cut may lose the last commits
            "synchronous=FULL",
        ):
            connection.execute(f"PRAGMA {pragma}")

    @event.listens_for(engine, "begin")
    def _begin(connection: sa.Connection) -> None:
        # a transaction that reads first and writes later may not fail with "database is locked" in
        # between: writers take the lock when they begin, and wait for each other there
        write = connection.get_execution_options().get("homeport_write", False)
        connection.exec_driver_sql("BEGIN IMMEDIATE" if write else "BEGIN")

    return engine


def _open_postgresql(url: sa.URL) -> sa.Engine:
    try:
        import psycopg  # noqa: F401
    except ImportError as error:
        raise SetupError(
            "PostgreSQL needs the postgres extra: pip install 'homeport[server,postgres]'."
        ) from error
    engine = sa.create_engine(url.set(drivername="postgresql+psycopg"), pool_pre_ping=True, **_COMMON)

    @event.listens_for(engine, "connect")
    def _configure(connection: Any, _record: Any) -> None:
        connection.execute(f"SET idle_in_transaction_session_timeout = {IDLE_TIMEOUT_MS}")
        connection.commit()

    return engine


def take_all_the_time(connection: sa.Connection) -> None:
    """This transaction waits for something else than the database."""
    if connection.dialect.name == "postgresql":
        connection.execute(sa.text("SET LOCAL idle_in_transaction_session_timeout = 0"))
