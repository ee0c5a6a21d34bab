"""Archives survive the storage, and configuration is unreadable in it."""

from pathlib import Path
from uuid import uuid4

import pytest

from homeport.errors import Unavailable
from homeport.store.blobs import Blobs

SECRET = b'api_token = "very-secret-value"'


def _archive(folder: Path, content: bytes) -> Path:
    path = folder / "archive.tar.gz"
    path.write_bytes(content)
    return path


@pytest.mark.parametrize("kind", ["deployments", "configurations"])
def test_an_archive_comes_back_as_it_was(tmp_path: Path, kind: str) -> None:
    blobs, workspace = Blobs(str(tmp_path / "storage"), b"k" * 32), uuid4()
    blobs.put(workspace, kind, "digest", _archive(tmp_path, SECRET))
    assert blobs.get(workspace, kind, "digest") == SECRET


def test_configuration_cannot_be_read_in_the_storage(tmp_path: Path) -> None:
    blobs = Blobs(str(tmp_path / "storage"), b"k" * 32)
    blobs.put(uuid4(), "configurations", "digest", _archive(tmp_path, SECRET))
    stored = [path.read_bytes() for path in (tmp_path / "storage").rglob("*") if path.is_file()]
    assert stored
    assert not any(b"very-secret-value" in content for content in stored)


def test_another_key_reads_nothing_and_says_why(tmp_path: Path) -> None:
    workspace = uuid4()
    Blobs(str(tmp_path / "storage"), b"k" * 32).put(workspace, "configurations", "d", _archive(tmp_path, SECRET))
    with pytest.raises(Unavailable, match="master key"):
        Blobs(str(tmp_path / "storage"), b"x" * 32).get(workspace, "configurations", "d")
