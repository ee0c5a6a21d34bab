"""A copy of the database as it is at one moment, while servers go on using it; and the way back.

SQLite copies itself page by page within one read transaction. PostgreSQL's `pg_dump` looks through a snapshot that
this side exports, so that what a copy refers to is read at the very same moment.
"""

import sqlite3
from collections.abc import Callable
from contextlib import closing
from dataclasses import dataclass
from pathlib import Path
from typing import Literal

import sqlalchemy as sa

from homeport.errors import BackupError
from homeport.store import artifacts, blobs, data_keys, dialects, log_objects, packages, postgres_tools
from homeport.store.database import Database
from homeport.store.schema import Tx

_PAGES_AT_ONCE = 4096

Tell = Callable[[str], None]


@dataclass(frozen=True)
class Holds:
    """What a copy holds, and what it needs from elsewhere."""

    revision: str
    """Of its schema."""
    master_keys: list[str]
    """Fingerprints of the keys without which its secrets cannot be read."""
    packages: list[str]
    """Paths of the archives of code and configuration."""
    logs: dict[str, str]
    """Attempts, and the paths of their logs."""
    artifacts: dict[str, str]
    """Objects of what pipelines have left, and their paths."""


@dataclass(frozen=True)
class Copied:
    kind: Literal["sqlite", "postgresql"]
    made_by: int
    """Major version of `pg_dump`; 0 for SQLite."""
    holds: Holds


def take(url: str, file: Path, tell: Tell) -> Copied:
    """Copy the database into a file. It is not migrated, nor changed in any other way."""
    parsed = sa.make_url(url)
    if parsed.get_backend_name() == "sqlite":
        return _take_sqlite(parsed, file, tell)
    return _take_postgresql(url, file)


def _take_sqlite(url: sa.URL, file: Path, tell: Tell) -> Copied:
    path = Path(url.database or "")
    if not path.is_file():
        raise BackupError(f"There is no database {path}. Name the server's folder with --data-dir.")
    with (
        closing(sqlite3.connect(f"{path.absolute().as_uri()}?mode=rw", uri=True, isolation_level=None)) as source,
        closing(sqlite3.connect(file)) as copy,
    ):
        source.execute("PRAGMA busy_timeout=30000")
        # within one view of it: otherwise every write of a server would make the copy begin anew
        source.execute("BEGIN")
        source.execute("SELECT count(*) FROM sqlite_master").fetchone()

        def told(_status: int, left: int, total: int) -> None:
            tell(f"database: {100 * (total - left) // max(total, 1)} %")

        source.backup(copy, pages=_PAGES_AT_ONCE, progress=told)
        [(fault,)] = copy.execute("PRAGMA quick_check(1)").fetchall()
    if fault != "ok":
        raise BackupError(f"The database {path} is damaged ({fault}): a copy of it would be of no use.")
    copied = Database(f"sqlite:///{file}")
    try:
        with copied.read() as tx:
            return Copied("sqlite", 0, _holds(tx))
    finally:
        copied.close()


def _take_postgresql(url: str, file: Path) -> Copied:
    engine = dialects.open_engine(url)
    try:
        with engine.connect().execution_options(isolation_level="REPEATABLE READ") as tx, tx.begin():
            dialects.take_all_the_time(tx)
            found = _holds(tx)
            snapshot = str(tx.execute(sa.select(sa.func.pg_export_snapshot())).scalar_one())
            major = int(tx.execute(sa.text("SHOW server_version_num")).scalar_one()) // 10_000
            return Copied("postgresql", postgres_tools.dump(engine.url, major, snapshot, file), found)
    except sa.exc.OperationalError as error:
        raise BackupError(f"The database cannot be reached: {str(error).splitlines()[0]}") from error
    finally:
        engine.dispose()


def _holds(tx: Tx) -> Holds:
    """The schema may be older than this version: a backup is what comes before an upgrade."""
    tables = set(sa.inspect(tx).get_table_names())
    if "alembic_version" not in tables:
        raise BackupError("There is nothing of Homeport in this database: was a server ever started with it?")
    archives = sa.select(packages.table.c.workspace_id, packages.table.c.kind, packages.table.c.archive_sha256)
    logs = sa.select(log_objects.table.c.attempt_id, log_objects.table.c.path).where(
        log_objects.table.c.path.is_not(None), log_objects.table.c.removed_at.is_(None)
    )
    left = sa.select(artifacts.table.c.workspace_id, artifacts.table.c.object)
    return Holds(
        revision=str(tx.execute(sa.text("SELECT version_num FROM alembic_version")).scalar_one()),
        master_keys=sorted(data_keys.master_key_ids(tx)) if data_keys.table.name in tables else [],
        packages=sorted({blobs.path_of(*row) for row in tx.execute(archives)}),
        logs={row[0]: row[1] for row in tx.execute(logs)} if log_objects.table.name in tables else {},
        artifacts={
            name: blobs.path_of(workspace_id, artifacts.KIND, name) for workspace_id, name in tx.execute(left)
        }
        if artifacts.table.name in tables
        else {},
    )


def is_empty(url: str) -> bool:
    """Whether there is no table in the database; one that does not exist yet is not made."""
    parsed = sa.make_url(url)
    if parsed.get_backend_name() == "sqlite" and not Path(parsed.database or "").exists():
        return True
    engine = dialects.open_engine(url)
    try:
        with engine.connect() as connection:
            inspector = sa.inspect(connection)
            schemas = [name for name in inspector.get_schema_names() if name != "information_schema"]
            return not any(inspector.get_table_names(schema=schema) for schema in schemas)
    except sa.exc.OperationalError as error:
        raise BackupError(f"The database cannot be reached: {str(error).splitlines()[0]}") from error
    finally:
        engine.dispose()


def kind_of(url: str) -> str:
    """sqlite or postgresql."""
    return sa.make_url(url).get_backend_name()


def shown(url: str) -> str:
    """The address of a database without its password."""
    return sa.make_url(url).render_as_string()


def sqlite_path(url: str) -> Path:
    return Path(sa.make_url(url).database or "").absolute()


def check_can_bring_back(made_by: int) -> None:
    """Raise `BackupError` unless a copy that this version of `pg_dump` made can be brought back to PostgreSQL."""
    postgres_tools.check_can_restore(made_by)


def bring_back(url: str, made_by: int, file: Path) -> None:
    """Make an empty database of PostgreSQL what a copy holds, all of it or nothing."""
    postgres_tools.restore(sa.make_url(url), made_by, file)
