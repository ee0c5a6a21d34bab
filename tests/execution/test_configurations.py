"""Runs get the workspace's configuration without the credentials of the person who deployed it."""

import io
import tarfile
from pathlib import Path

import pytest

from homeport.execution.configurations import for_runs, plain_documents

from ..builders import package


def unpacked(archive: bytes) -> dict[str, str]:
    with tarfile.open(fileobj=io.BytesIO(archive), mode="r:gz") as tar:
        return {
            member.name.removeprefix("files/"): file.read().decode(errors="replace")
            for member in tar
            if (file := tar.extractfile(member)) is not None
        }


@pytest.mark.parametrize("name", ["api_key", "auth_token", "refresh_token"])
@pytest.mark.parametrize("file", ["secrets.toml", "prod.secrets.toml", "config.toml"])
def test_credentials_are_left_out_and_all_else_is_kept(name: str, file: str) -> None:
    content = f'# mine\n[runtime]\n{name} = "hunter2"\nlog_level = "INFO"\n\n[sources.shop]\napi_key = "theirs"\n'
    after = unpacked(for_runs(package({file: content})))[file]
    assert "hunter2" not in after
    assert ("# mine" in after, 'log_level = "INFO"' in after, 'api_key = "theirs"' in after) == (True, True, True)


@pytest.mark.parametrize("content", ["", "[runtime]\n", "runtime = 1\n", "not toml [", "\x00"])
def test_files_without_credentials_stay_as_they_are(content: str) -> None:
    assert unpacked(for_runs(package({"config.toml": content})))["config.toml"] == content


def test_the_same_input_gives_the_same_bytes() -> None:
    archive = package({"secrets.toml": '[runtime]\napi_key = "hunter2"\n', "config.toml": ""})
    assert for_runs(archive) == for_runs(archive)


def test_the_manifest_is_still_the_last_member() -> None:
    assert list(unpacked(for_runs(package({"config.toml": ""}))))[-1] == "manifest.yaml"


def test_plain_files_of_all_profiles_are_read_and_those_with_secrets_are_not(tmp_path: Path) -> None:
    archive = tmp_path / "configuration.tar.gz"
    files = {
        "config.toml": "[jobs]\na = 1",
        "prod.config.toml": "b = 2",
        "secrets.toml": "c = 3",
        "prod.secrets.toml": "d = 4",
        "staging.config.toml": "broken [",
        "deep.config.toml": "a = " + "[" * 50_000,
        "deeper/config.toml": "e = 5",
    }
    archive.write_bytes(package(files))
    assert plain_documents(archive) == {"": {"jobs": {"a": 1}}, "prod": {"b": 2}}


def test_a_run_gets_no_files_of_other_profiles() -> None:
    files = ["config.toml", "secrets.toml", "prod.config.toml", "prod.secrets.toml", "access.config.toml"]
    of_access = unpacked(for_runs(package(dict.fromkeys(files, "")), profile="access"))
    assert [name for name in files if name in of_access] == ["config.toml", "secrets.toml", "access.config.toml"]
    assert set(unpacked(for_runs(package(dict.fromkeys(files, ""))))) >= set(files)
