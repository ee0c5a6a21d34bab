"""Files that outlive runs are copied while they are written: a copy is good, or is said to be torn."""

import subprocess
import sys
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import timedelta
from pathlib import Path

import duckdb
import pytest

from homeport.clock import SystemClock
from homeport.execution.kept_files import KeptFiles

from ..builders import until

LOADS = """
import sys, time, duckdb
connection = duckdb.connect(sys.argv[1])
connection.execute("CREATE TABLE loaves (id INTEGER)")
connection.execute("CREATE TABLE crumbs (id INTEGER)")
for number in range(100_000):
    connection.execute("BEGIN")
    connection.execute("INSERT INTO loaves SELECT range FROM range(1000)")
    connection.execute("INSERT INTO crumbs SELECT range FROM range(1000)")
    connection.execute("COMMIT")
    print(number, flush=True)
    time.sleep(float(sys.argv[2]))
"""


@contextmanager
def loading(path: Path, pause: float) -> "Iterator[subprocess.Popen[bytes]]":
    """A process that has a DuckDB database open, commits a thousand rows to each of two tables, and pauses."""
    command = [sys.executable, "-c", LOADS, str(path), str(pause)]
    with subprocess.Popen(command, stdout=subprocess.PIPE) as process:
        assert process.stdout is not None
        process.stdout.readline()
        try:
            yield process
        finally:
            process.kill()


@pytest.fixture
def root(tmp_path: Path) -> Path:
    (tmp_path / "kept" / "prod").mkdir(parents=True)
    return tmp_path / "kept"


def copies(root: Path, patience: float, into: Path) -> KeptFiles:
    """Everything below the root, as it is copied."""
    scratch = into.with_name("scratch")
    scratch.mkdir(exist_ok=True)
    files = KeptFiles(root, scratch, SystemClock(), timedelta(seconds=patience))
    for kept in files:
        if kept.copy is None:
            (into / kept.name).mkdir(parents=True)
        else:
            kept.copy.rename(into / kept.name)
    return files


def counts(database: Path) -> list[int]:
    with duckdb.connect(str(database)) as connection:
        asked = [connection.execute(f"SELECT count(*) FROM {table}").fetchone() for table in ("loaves", "crumbs")]
    return [row[0] for row in asked if row is not None]


def test_a_database_that_is_held_open_is_copied_with_all_that_was_committed(root: Path, tmp_path: Path) -> None:
    with loading(root / "prod" / "warehouse.duckdb", pause=600):
        files = copies(root, 60, tmp_path / "copy")
    assert (files.torn, files.left_out) == ([], [])
    assert counts(tmp_path / "copy" / "prod" / "warehouse.duckdb") == [1000, 1000]


def test_a_database_that_is_loaded_is_copied_in_a_pause_and_holds_whole_transactions(
    root: Path, tmp_path: Path
) -> None:
    with loading(root / "prod" / "warehouse.duckdb", pause=0.3) as process:
        for number in range(3):
            files = copies(root, 60, tmp_path / f"copy{number}")
            assert files.torn == []
            loaves, crumbs = counts(tmp_path / f"copy{number}" / "prod" / "warehouse.duckdb")
            assert loaves == crumbs >= 1000
        assert process.poll() is None, "nobody took its lock"


def test_what_is_written_all_the_time_is_marked_as_torn(root: Path, tmp_path: Path) -> None:
    (root / "prod" / "calm.txt").write_text("calm")
    over, written = threading.Event(), threading.Event()

    def write() -> None:
        with (root / "prod" / "busy.duckdb").open("wb", buffering=0) as file:
            while not over.is_set():
                file.write(b"crumb")
                written.set()

    writer = threading.Thread(target=write)
    writer.start()
    until(written.is_set)
    files = copies(root, 0, tmp_path / "copy")
    over.set()
    writer.join()
    assert files.torn == ["prod/busy.duckdb"]
    assert {path.name for path in (tmp_path / "copy" / "prod").iterdir()} >= {"busy.duckdb.torn"}
    assert (tmp_path / "copy" / "prod" / "busy.duckdb").exists() is False


def test_links_are_not_followed_and_are_told(root: Path, tmp_path: Path) -> None:
    (tmp_path / "secret").write_text("secret")
    (root / "prod" / "link").symlink_to(tmp_path / "secret")
    (root / "prod" / "folder").symlink_to(tmp_path)
    (root / "prod" / "empty").mkdir()
    (root / "prod" / "data").touch()
    (root / "prod" / "data.wal").symlink_to(tmp_path / "secret")
    files = copies(root, 0, tmp_path / "copy")
    assert sorted(files.left_out) == [f"prod/{name} (a link)" for name in ("data.wal", "folder", "link")]
    assert sorted(path.name for path in (tmp_path / "copy" / "prod").iterdir()) == ["data", "empty"]


def test_where_no_run_has_left_a_file_there_is_nothing_to_copy(tmp_path: Path) -> None:
    files = copies(tmp_path / "nothing", 0, tmp_path / "copy")
    assert (files.torn, files.left_out) == ([], [])
