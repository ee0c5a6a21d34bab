"""Archives come back as they went in; configurations cannot be read off the disk."""

from pathlib import Path
from tempfile import NamedTemporaryFile
from uuid import UUID, uuid4

import pytest

from homeport.auth.ciphers import Cipher
from homeport.errors import SetupError, Unavailable
from homeport.store.blobs import Blobs


class OneKey:
    """Seals everything with the same key."""

    def __init__(self, key: bytes) -> None:
        self._cipher = Cipher(key)

    def seal(self, workspace_id: UUID, content: bytes, place: str) -> bytes:
        return self._cipher.seal(content, place)

    def open(self, workspace_id: UUID, sealed: bytes, place: str) -> bytes:
        return self._cipher.open(sealed, place)


KEY, OTHER_KEY = OneKey(b"a" * 32), OneKey(b"b" * 32)
SECRET = b'api_key = "hunter2-hunter2"'


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """Where the storage is."""
    return tmp_path / "storage"


def put(blobs: Blobs, workspace: UUID, kind: str, content: bytes = SECRET) -> None:
    with NamedTemporaryFile() as file:
        file.write(content)
        file.flush()
        blobs.put(workspace, kind, "digest", Path(file.name))


@pytest.mark.parametrize("kind", ["deployments", "configurations"])
def test_bytes_come_back_as_they_went_in(folder: Path, kind: str) -> None:
    workspace = uuid4()
    put(Blobs(str(folder), KEY), workspace, kind)
    # a server that starts later, on the same folder
    assert Blobs(str(folder), KEY).get(workspace, kind, "digest") == SECRET


def test_the_same_bytes_may_be_stored_twice(folder: Path) -> None:
    blobs, workspace = Blobs(str(folder), KEY), uuid4()
    for _ in range(2):
        put(blobs, workspace, "configurations")
    assert blobs.get(workspace, "configurations", "digest") == SECRET


def test_no_file_of_the_storage_holds_a_configuration_in_the_clear(folder: Path) -> None:
    put(Blobs(str(folder), KEY), uuid4(), "configurations")
    files = [path for path in folder.rglob("*") if path.is_file()]
    assert files
    assert not [path for path in files if b"hunter2" in path.read_bytes()]


def test_equal_configurations_do_not_look_equal(folder: Path) -> None:
    blobs = Blobs(str(folder), KEY)
    for _ in range(2):
        put(blobs, uuid4(), "configurations")
    first, second = [path.read_bytes() for path in folder.rglob("*.tar.gz")]
    assert first != second


def test_a_wrong_master_key_is_said_to_be_one(folder: Path) -> None:
    workspace = uuid4()
    put(Blobs(str(folder), KEY), workspace, "configurations")
    with pytest.raises(Unavailable, match="master key"):
        Blobs(str(folder), OTHER_KEY).get(workspace, "configurations", "digest")


def test_a_configuration_put_in_the_place_of_another_is_not_taken(folder: Path) -> None:
    blobs, alice, charlie = Blobs(str(folder), KEY), uuid4(), uuid4()
    for workspace in (alice, charlie):
        put(blobs, workspace, "configurations", str(workspace).encode())
    path_of = {name: folder / f"workspaces/{name}/configurations/digest.tar.gz" for name in (alice, charlie)}
    path_of[alice].write_bytes(path_of[charlie].read_bytes())
    with pytest.raises(Unavailable):
        blobs.get(alice, "configurations", "digest")


@pytest.mark.parametrize("content", [b"", b"hp1", b"hp1" + b"0" * 12, b"hp1" + b"0" * 40])
def test_a_damaged_configuration_is_unavailable(folder: Path, content: bytes) -> None:
    blobs, workspace = Blobs(str(folder), KEY), uuid4()
    put(blobs, workspace, "configurations")
    (folder / f"workspaces/{workspace}/configurations/digest.tar.gz").write_bytes(content)
    with pytest.raises(Unavailable):
        blobs.get(workspace, "configurations", "digest")


def test_a_missing_archive_is_unavailable_and_named(folder: Path) -> None:
    with pytest.raises(Unavailable, match="deployments/digest"):
        Blobs(str(folder), KEY).get(uuid4(), "deployments", "digest")


def test_a_storage_that_is_gone_is_noticed(folder: Path) -> None:
    blobs = Blobs(str(folder), KEY)
    blobs.check()
    (folder / "readiness").unlink()
    (folder).rmdir()
    (folder).write_text("not a folder any more")
    with pytest.raises(Unavailable, match="storage"):
        blobs.check()


@pytest.mark.parametrize("url", ["ftp://somewhere/else", "/proc/no/such/folder"])
def test_a_storage_that_cannot_be_used_says_what_can(url: str) -> None:
    with pytest.raises(SetupError, match="s3://"):
        Blobs(url, KEY)
