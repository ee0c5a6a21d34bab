"""Where the master key comes from: a variable, a command, a file that is made once."""

import base64
import sys
from pathlib import Path

import pytest

from homeport.auth.master_keys import MasterKey, source_of
from homeport.errors import SetupError

ONE, TWO = b"1" * 32, b"2" * 32


def text(key: bytes) -> str:
    return base64.b64encode(key).decode()


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    return tmp_path / "keys"


def current(folder: Path, command: str | None = None) -> bytes:
    return source_of(folder, command).load(may_make=True).current.value


def test_a_file_is_made_once_and_for_the_owners_eyes_only(folder: Path) -> None:
    key = current(folder)
    assert len(key) == 32
    assert current(folder) == key
    assert folder.stat().st_mode & 0o777 == 0o700
    assert [path.name for path in folder.iterdir()] == ["master.key"]
    assert (folder / "master.key").stat().st_mode & 0o777 == 0o600


def test_the_variable_comes_before_the_command_and_the_command_before_the_file(
    folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    command = f"echo {text(TWO)}"
    assert current(folder, command) == TWO
    monkeypatch.setenv("HOMEPORT_MASTER_KEY", text(ONE))
    assert current(folder, command) == ONE
    assert not folder.exists()


def test_a_command_is_started_without_a_shell(folder: Path, tmp_path: Path) -> None:
    script = tmp_path / "give key.py"
    script.write_text(f"import sys; print('{text(ONE)}' if sys.argv[1:] == ['$HOME; false'] else sys.argv)")
    assert current(folder, f"{sys.executable} '{script}' '$HOME; false'") == ONE


@pytest.mark.parametrize(
    ("command", "words"),
    [
        ("/no/such/program", "no/such/program"),
        ("'unbalanced", "quotation"),
        (" ", "without a shell"),
        ("sh -c 'echo hunter2; echo the vault is sealed >&2; exit 3'", "exit code 3: the vault is sealed"),
        ("false", "it said nothing"),
        ("echo hunter2", "32 bytes in base64"),
    ],
)
def test_a_command_that_gives_no_key_is_explained_without_its_output(
    folder: Path, command: str, words: str
) -> None:
    with pytest.raises(SetupError, match=words) as refused:
        current(folder, command)
    assert "hunter2" not in refused.value.message


@pytest.mark.parametrize("value", ["hunter2", "aHVudGVyMg==", "not base64!"])
def test_a_key_of_another_form_is_refused_and_not_repeated(
    folder: Path, monkeypatch: pytest.MonkeyPatch, value: str
) -> None:
    monkeypatch.setenv("HOMEPORT_MASTER_KEY", value)
    with pytest.raises(SetupError, match="HOMEPORT_MASTER_KEY: it must be 32 bytes") as refused:
        current(folder)
    assert value not in refused.value.message


@pytest.mark.parametrize("content", [b"", b"broken", b"aHVudGVyMg==", b"\xff\xfe"])
def test_a_damaged_file_is_not_replaced(folder: Path, content: bytes) -> None:
    folder.mkdir()
    path = folder / "master.key"
    path.write_bytes(content)
    with pytest.raises(SetupError, match="backup"):
        current(folder)
    assert path.read_bytes() == content


def test_a_key_is_shown_by_its_fingerprint_only() -> None:
    key = MasterKey(b"hunter2-hunter2-hunter2-hunter2-")
    assert "hunter2" not in repr(key)
    assert key.id == MasterKey(key.value).id != MasterKey(ONE).id
    assert len(key.id) == 16
