"""A PostgreSQL of the tests' own: on a Unix socket, in a folder that is thrown away, without any durability."""

import os
import pwd
import shutil
import subprocess
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager
from itertools import count
from pathlib import Path

import pytest

from homeport.store.database import Database

from .small_disks import small_disk

on_both = pytest.mark.parametrize("backend", ["sqlite", "postgresql"])
"""For a test in a room that otherwise asks one database only."""

_START_WITHIN_SECONDS = 60.0
_TEMPLATE = "homeport_template"

# postgres ends when our end of the pipe does, also when pytest itself is killed
_TETHERED = '"$@" & server=$!; read -r _; kill -QUIT $server; wait $server'


class PostgresMissing(Exception):
    """There is no PostgreSQL server to be found."""


class PostgresCluster:
    """One running server. `database()` gives out fresh databases."""

    def __init__(self, keeps_commits: bool = False) -> None:
        """`keeps_commits`: what was committed survives a crash of PostgreSQL."""
        self._synchronous_commit = "on" if keeps_commits else "off"
        self._bin = _find_binaries()
        self._names = (f"t{number}" for number in count())
        # not pytest's tmp_path: the server runs as another user, and a socket's path must be short
        self._folder = Path(tempfile.mkdtemp(prefix="homeport-pg-"))
        self._as_user = _unprivileged(self._folder)
        self._start()
        self._make_template()

    @contextmanager
    def database(self, from_template: bool = True) -> Iterator[str]:
        """The URL of a new database; it is dropped afterwards, whoever is still connected."""
        name = next(self._names)
        self._execute(f"CREATE DATABASE {name} TEMPLATE {_TEMPLATE if from_template else 'template0'}")
        yield self._url(name)
        self._execute(f"DROP DATABASE {name} WITH (FORCE)")

    @contextmanager
    def small_space(self, size: str) -> Iterator[str]:
        """The name of a place for tables that is soon full; whoever uses it drops them before it goes."""
        name = next(self._names)
        with small_disk(self._folder / name, size) as disk:
            os.chown(disk, self._folder.stat().st_uid, self._folder.stat().st_gid)
            self._execute(f"CREATE TABLESPACE {name} LOCATION '{disk}'")
            yield name
            self._execute(f"DROP TABLESPACE {name}")

    def stop(self) -> None:
        self._admin.close()
        assert self._server.stdin is not None
        self._server.stdin.close()
        self._server.wait(timeout=30)
        shutil.rmtree(self._folder, ignore_errors=True)

    def _start(self) -> None:
        self._run(
            "initdb", "--pgdata", self._data, "--auth=trust", "--username=homeport", "--encoding=UTF8", "--no-sync"
        )
        self.serve()

    @property
    def _data(self) -> Path:
        return self._folder / "data"

    def crash(self) -> None:
        """As a power cut would for its processes; `serve` brings it back."""
        self._admin.close()
        self._run("pg_ctl", "stop", "--pgdata", self._data, "--mode=immediate")
        assert self._server.stdin is not None
        self._server.stdin.close()
        self._server.wait(timeout=30)

    def serve(self) -> None:
        settings = {
            "listen_addresses": "",
            "unix_socket_directories": self._folder,
            "max_connections": 200,
            "fsync": "off",
            "full_page_writes": "off",
            "synchronous_commit": self._synchronous_commit,
            "autovacuum": "off",
            # a lock that is held for too long is a fault of ours: better told than waited for
            "deadlock_timeout": "100ms",
        }
        options = [part for name, value in settings.items() for part in ("-c", f"{name}={value}")]
        command = ["/bin/sh", "-c", _TETHERED, "sh", self._bin / "postgres", "-D", self._data, *options]
        with (self._folder / "server.log").open("w") as log:
            self._server = subprocess.Popen(
                command,
                cwd=self._folder,
                stdin=subprocess.PIPE,
                stdout=log,
                stderr=log,
                start_new_session=True,
                **self._as_user,
            )
        self._admin = self._connect()

    def _connect(self):  # type: ignore[no-untyped-def]
        import psycopg

        until = time.monotonic() + _START_WITHIN_SECONDS
        while True:
            try:
                return psycopg.connect(self._url("postgres"), autocommit=True)
            except psycopg.OperationalError:
                if time.monotonic() > until:
                    raise RuntimeError((self._folder / "server.log").read_text()) from None
                time.sleep(0.02)

    def _make_template(self) -> None:
        self._execute(f"CREATE DATABASE {_TEMPLATE} TEMPLATE template0")
        database = Database(self._url(_TEMPLATE))
        database.migrate()
        database.close()

    def _execute(self, statement: str) -> None:
        self._admin.execute(statement)

    def _url(self, name: str) -> str:
        return f"postgresql://homeport@/{name}?host={self._folder}"

    def _run(self, program: str, *arguments: object) -> None:
        command = [str(self._bin / program), *map(str, arguments)]
        done = subprocess.run(command, cwd=self._folder, capture_output=True, text=True, **self._as_user)
        assert done.returncode == 0, done.stdout + done.stderr


def _find_binaries() -> Path:
    """The folder with initdb and postgres: as told, from PATH, or where Debian puts them; newest first."""
    told = os.environ.get("HOMEPORT_TEST_POSTGRES_BIN")
    on_path = shutil.which("initdb")
    candidates = [Path(told)] if told else []
    # a link in PATH leads to the folder that has them all
    candidates += [Path(on_path).resolve().parent] if on_path else []
    candidates += sorted(Path("/usr/lib/postgresql").glob("*/bin"), key=_version_of, reverse=True)
    for folder in candidates:
        if all((folder / program).exists() for program in ("initdb", "postgres")):
            return folder
    raise PostgresMissing(
        "initdb and postgres were not found. Install the PostgreSQL server, or set HOMEPORT_TEST_POSTGRES_BIN "
        "to the folder that holds them."
    )


def _version_of(folder: Path) -> float:
    try:
        return float(folder.parent.name)
    except ValueError:
        return 0.0


def _unprivileged(folder: Path) -> dict[str, object]:
    """How to start it: PostgreSQL refuses to run as root, so root starts it as somebody else."""
    if os.geteuid() != 0:
        return {}
    for name in ("postgres", "nobody"):
        try:
            user = pwd.getpwnam(name)
        except KeyError:
            continue
        os.chown(folder, user.pw_uid, user.pw_gid)
        return {"user": user.pw_uid, "group": user.pw_gid, "extra_groups": []}
    raise PostgresMissing("PostgreSQL does not run as root, and there is neither a user postgres nor nobody.")
