"""Random values are long, keys are derived per purpose, and the master key is made once."""

import base64
from pathlib import Path

import pytest

from homeport.auth import secrets
from homeport.errors import SetupError

from ..builders import at_once


def test_an_api_key_is_one_that_the_client_recognises() -> None:
    key = secrets.new_api_key()
    assert key.startswith("dlt_u_")
    assert secrets.check_api_key_form(key) == key
    assert len({secrets.new_api_key() for _ in range(100)}) == 100


@pytest.mark.parametrize("key", ["", "hunter2-hunter2-hunter2-hunter2", "dlt_u_short", "dlt_sa_" + "x" * 40])
def test_a_bootstrap_key_that_cannot_serve_is_refused_and_not_repeated(key: str) -> None:
    with pytest.raises(SetupError, match="HOMEPORT_BOOTSTRAP_API_KEY") as refused:
        secrets.check_api_key_form(key)
    assert "hunter2" not in refused.value.message


def test_purposes_have_keys_of_their_own() -> None:
    master = b"m" * 32
    keys = {secrets.derive(master, purpose) for purpose in ("configurations", "dataplane tokens")}
    assert len(keys) == 2
    assert secrets.derive(master, "configurations") in keys
    assert secrets.derive(b"n" * 32, "configurations") not in keys


def test_the_master_key_is_made_once_and_for_the_owners_eyes_only(tmp_path: Path) -> None:
    key = secrets.load_master_key(tmp_path / "keys")
    assert len(key) == 32
    assert secrets.load_master_key(tmp_path / "keys") == key
    assert (tmp_path / "keys" / "master.key").stat().st_mode & 0o777 == 0o600
    assert (tmp_path / "keys").stat().st_mode & 0o777 == 0o700


def test_servers_that_start_at_once_agree_on_one_key(tmp_path: Path) -> None:
    keys = at_once(6, lambda _number: secrets.load_master_key(tmp_path / "keys"))
    assert len(set(keys)) == 1


def test_the_environment_comes_first(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("HOMEPORT_MASTER_KEY", base64.b64encode(b"e" * 32).decode())
    assert secrets.load_master_key(tmp_path / "keys") == b"e" * 32
    assert not (tmp_path / "keys").exists()


@pytest.mark.parametrize("value", ["hunter2", "aHVudGVyMg==", "not base64!"])
def test_a_master_key_of_another_form_is_refused_and_not_repeated(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, value: str
) -> None:
    monkeypatch.setenv("HOMEPORT_MASTER_KEY", value)
    with pytest.raises(SetupError, match="32 bytes") as refused:
        secrets.load_master_key(tmp_path / "keys")
    assert value not in refused.value.message


@pytest.mark.parametrize("content", [b"", b"broken", b"aHVudGVyMg==", b"\xff\xfe"])
def test_a_damaged_key_file_is_not_replaced(tmp_path: Path, content: bytes) -> None:
    path = tmp_path / "keys" / "master.key"
    path.parent.mkdir()
    path.write_bytes(content)
    with pytest.raises(SetupError, match="backup"):
        secrets.load_master_key(tmp_path / "keys")
    assert path.read_bytes() == content
