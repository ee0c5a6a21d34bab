"""`pg_dump` and `pg_restore`: what PostgreSQL itself gives for a copy of a database and for the way back."""

import os
import re
import shutil
import subprocess
from collections.abc import Iterator
from pathlib import Path

import sqlalchemy as sa

from homeport.errors import BackupError

_FOLDERS = ("/usr/lib/postgresql/*/bin", "/usr/pgsql-*/bin", "/opt/homebrew/opt/postgresql@*/bin")
"""Where Debian, Red Hat and Homebrew put the programs of each version."""
_VERSION = re.compile(r"\(PostgreSQL\) (\d+)")
_LAST_WORDS = 3


def dump(url: sa.URL, server_major: int, snapshot: str, file: Path) -> int:
    """Copy the database as an exported snapshot sees it; the answer is the version of the program."""
    program, major = _find("pg_dump", server_major)
    # owners and rights are those of the database that it comes back to
    options = ["--format=custom", "--no-owner", "--no-privileges", f"--snapshot={snapshot}", f"--file={file}"]
    _run(url, [program, *options])
    return major


def check_can_restore(made_by: int) -> None:
    """Raise `BackupError` unless there is a program that reads what `pg_dump` of this version wrote."""
    _find("pg_restore", made_by)


def restore(url: sa.URL, made_by: int, file: Path) -> None:
    """Bring a copy back into an empty database: all of it, or nothing."""
    program, _ = _find("pg_restore", made_by)
    _run(url, [program, "--no-owner", "--no-privileges", "--single-transaction", "--exit-on-error", str(file)])


def _find(name: str, at_least: int) -> tuple[str, int]:
    """The program to use and its version: the one in PATH, if it is new enough, or else the newest there is."""
    found = [(program, major) for program in _candidates(name) if (major := _major(program)) is not None]
    for program, major in found:
        if major >= at_least:
            return program, major
    newest = max((major for _, major in found), default=None)
    there = f"{name} is not installed" if newest is None else f"{name} {newest} is too old"
    raise BackupError(
        f"{there}: PostgreSQL {at_least} needs {name} {at_least} or newer. Install PostgreSQL's client programs "
        f"(`apt-get install postgresql-client-{at_least}`, `brew install libpq`), and see to it that {name} is in "
        "PATH."
    )


def _candidates(name: str) -> Iterator[str]:
    in_path = shutil.which(name)
    if in_path is not None:
        yield in_path
    elsewhere = [path for folder in _FOLDERS for path in Path("/").glob(f"{folder[1:]}/{name}")]
    yield from sorted(map(str, elsewhere), key=lambda program: _major(program) or 0, reverse=True)


def _major(program: str) -> int | None:
    try:
        said = subprocess.run(
            [program, "--version"], capture_output=True, text=True, timeout=30, check=False
        ).stdout
    except (OSError, subprocess.TimeoutExpired):
        return None
    match = _VERSION.search(said)
    return None if match is None else int(match[1])


def _run(url: sa.URL, command: list[str]) -> None:
    password = url.password or url.query.get("password")
    address = url.set(drivername="postgresql", password=None).difference_update_query(["password"])
    environment = dict(os.environ)
    if password:
        # not in the address: everybody on the machine can read what a program is started with
        environment["PGPASSWORD"] = str(password)
    command = [*command, f"--dbname={address.render_as_string(hide_password=False)}", "--no-password"]
    done = subprocess.run(
        command, env=environment, stdin=subprocess.DEVNULL, capture_output=True, text=True, errors="replace"
    )
    if done.returncode != 0:
        said = done.stderr.strip().splitlines()[-_LAST_WORDS:]
        raise BackupError(f"{Path(command[0]).name} ended with exit code {done.returncode}.", reasons=said)
