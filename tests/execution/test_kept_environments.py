"""Environments go when there is no room for them, and never from under a run."""

import fcntl
import os
import subprocess
import sys
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest

from homeport.execution.engines.kept_environments import KeptEnvironments

UV = Path(sys.prefix) / "bin" / "uv"
NOW = datetime(2026, 11, 24, 12, tzinfo=UTC)
MIB = 1024 * 1024


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    folder = tmp_path / "environments"
    folder.mkdir()
    return folder


def build(folder: Path, name: str, idle: timedelta, size: int = MIB, is_complete: bool = True) -> Path:
    """A real one, with a file of that size in it."""
    environment = folder / name
    subprocess.run([UV, "venv", "-q", "--no-config", "--python", sys.executable, str(environment)], check=True)
    (environment / "large").write_bytes(os.urandom(size))
    (folder / (name + ".lock")).touch()
    if is_complete:
        (environment / ".complete").touch()
    at = (NOW - idle).timestamp()
    os.utime(environment / ".complete" if is_complete else environment, (at, at))
    return environment


def names(folder: Path) -> set[str]:
    return {path.name for path in folder.iterdir()}


def hours(number: float) -> timedelta:
    return timedelta(hours=number)


def test_those_used_least_recently_go_when_there_is_no_room(folder: Path) -> None:
    for name, idle in (("old", 30), ("oldest", 40), ("recent", 20)):
        build(folder, name, hours(idle))
    kept = KeptEnvironments(folder, int(1.5 * MIB))
    assert kept.collect(NOW) == ["oldest", "old"]
    assert names(folder) == {"recent", "recent.lock"}
    assert kept.collect(NOW) == []


@pytest.mark.parametrize("budget", [0, 100 * MIB])
def test_all_stay_where_there_is_room(folder: Path, budget: int) -> None:
    build(folder, "old", hours(9_000))
    assert KeptEnvironments(folder, budget).collect(NOW) == []
    assert names(folder) == {"old", "old.lock"}


def test_one_that_was_used_within_the_hour_stays(folder: Path) -> None:
    build(folder, "idle", hours(1.1))
    build(folder, "used", hours(0.9))
    assert KeptEnvironments(folder, 1).collect(NOW) == ["idle"]


def test_one_in_use_stays_however_long_it_has_been(folder: Path) -> None:
    build(folder, "running", hours(9_000))
    with (folder / "running.lock").open() as lock:
        fcntl.flock(lock, fcntl.LOCK_SH)
        assert KeptEnvironments(folder, 1).collect(NOW) == []
    assert KeptEnvironments(folder, 1).collect(NOW) == ["running"]


def test_what_interrupted_builds_and_removals_left_goes_whatever_the_room(folder: Path) -> None:
    build(folder, "half", hours(2), is_complete=False)
    build(folder, "begun", hours(0.5), is_complete=False)
    (folder / "gone.0a1b.removed" / "bin").mkdir(parents=True)
    assert KeptEnvironments(folder, 0).collect(NOW) == ["half"]
    assert names(folder) == {"begun", "begun.lock"}


def test_memories_of_failed_builds_go_in_the_end(folder: Path) -> None:
    for name, idle in (("long-ago", hours(50)), ("lately", hours(20))):
        for ending in (".lock", ".failed"):
            path = folder / (name + ending)
            path.touch()
            os.utime(path, ((NOW - idle).timestamp(),) * 2)
    KeptEnvironments(folder, 0).collect(NOW)
    assert names(folder) == {"lately.lock", "lately.failed"}


def test_notes_of_the_newest_packages_go_with_their_environment(folder: Path) -> None:
    build(folder, "here", hours(0.1))
    for key, environment in (("gone", "nowhere"), ("kept", "here")):
        note = folder / f"{key}.newest"
        note.write_text(environment)
        at = (NOW - timedelta(days=3)).timestamp()
        os.utime(note, (at, at))
    KeptEnvironments(folder, 0).collect(NOW)
    assert names(folder) == {"here", "here.lock", "kept.newest"}


@pytest.fixture
def wheel(tmp_path: Path) -> Iterator[Path]:
    """With six megabytes in it."""
    import zipfile

    path = tmp_path / "heavy-1.0-py3-none-any.whl"
    with zipfile.ZipFile(path, "w") as archive:
        archive.writestr("heavy.bin", os.urandom(6 * MIB))
        archive.writestr("heavy-1.0.dist-info/METADATA", "Metadata-Version: 2.1\nName: heavy\nVersion: 1.0\n")
        archive.writestr(
            "heavy-1.0.dist-info/WHEEL", "Wheel-Version: 1.0\nRoot-Is-Purelib: true\nTag: py3-none-any\n"
        )
        archive.writestr("heavy-1.0.dist-info/RECORD", "heavy.bin,,\n")
    return path


def test_files_that_environments_share_count_once(folder: Path, wheel: Path, tmp_path: Path) -> None:
    for name, idle in (("one", 3), ("two", 4), ("three", 5)):
        environment = build(folder, name, hours(idle), size=1)
        python = str(environment / "bin/python")
        command = [UV, "pip", "install", "-q", "--no-config", "--python", python, str(wheel)]
        subprocess.run(command, check=True, env={**os.environ, "UV_CACHE_DIR": str(tmp_path / "cache")})
    assert KeptEnvironments(folder, 7 * MIB).collect(NOW) == []
    assert KeptEnvironments(folder, 5 * MIB).collect(NOW) == ["three", "two", "one"]


def test_nothing_was_built_yet(tmp_path: Path) -> None:
    assert KeptEnvironments(tmp_path / "environments", 1).collect(NOW) == []
