"""What a run gets of its workspace's configuration: all of it but the credentials of the person who deployed.

`.dlt/secrets.toml` holds `[runtime] api_key`, and dlt's client uploads the file as it is. Inside a run that key
would let the run's code act as the person. The stored version stays as it was uploaded, for its content hash must
match; the credentials are left out of what runners fetch.
"""

import gzip
import io
import tarfile
import tomllib
from collections.abc import Mapping, MutableMapping
from pathlib import Path
from typing import Any

import tomlkit
from tomlkit.exceptions import TOMLKitError

_PLAIN = "config.toml"
_CREDENTIALS = ("api_key", "auth_token", "refresh_token")


def for_runs(archive: bytes, profile: str | None = None) -> bytes:
    """The archive without credentials, and with a profile, without the files of other profiles: what `prod` may do
    is no business of an app. The same input always gives the same bytes: their digest is checked."""
    out = io.BytesIO()
    with (
        tarfile.open(fileobj=io.BytesIO(archive), mode="r:gz") as source,
        gzip.GzipFile(fileobj=out, mode="wb", mtime=0) as packed,
        tarfile.open(fileobj=packed, mode="w", format=tarfile.PAX_FORMAT) as target,
    ):
        for member in source:
            if profile is not None and _is_of_another_profile(member.name, profile):
                continue
            file = source.extractfile(member) if member.isreg() else None
            if file is None:
                target.addfile(member)
                continue
            content = file.read()
            if member.name.endswith(".toml"):
                content = _without_credentials(content)
            member.size = len(content)
            target.addfile(member, io.BytesIO(content))
    return out.getvalue()


def _is_of_another_profile(name: str, profile: str) -> bool:
    """`<profile>.config.toml` and `<profile>.secrets.toml` belong to a profile, the plain ones to all."""
    of_profile, dot, rest = name.removeprefix("files/").rpartition(".")[0].rpartition(".")
    return dot == "." and rest in ("config", "secrets") and of_profile != profile


def _without_credentials(content: bytes) -> bytes:
    try:
        document = tomlkit.parse(content.decode())
    except (TOMLKitError, UnicodeDecodeError):
        return content  # dlt will say what is wrong with it
    runtime = document.get("runtime")
    if not isinstance(runtime, MutableMapping):
        return content
    found = [name for name in _CREDENTIALS if name in runtime]
    if not found:
        return content
    for name in found:
        del runtime[name]
    return tomlkit.dumps(document).encode()


def plain_documents(archive: Path) -> dict[str, Mapping[str, Any]]:
    """`config.toml` (as "") and the profiles' `<profile>.config.toml`; files with secrets are not looked at.

    A file that is no TOML is left out: dlt says in the run what is wrong with it.
    """
    found: dict[str, Mapping[str, Any]] = {}
    with tarfile.open(archive, mode="r:gz") as source:
        for member in source:
            name = member.name.removeprefix("files/")
            file = source.extractfile(member) if member.isreg() else None
            if file is None or "/" in name or not (name == _PLAIN or name.endswith("." + _PLAIN)):
                continue
            try:
                found[name.removesuffix(_PLAIN).removesuffix(".")] = tomllib.loads(file.read().decode())
            # RecursionError: brackets in brackets in brackets
            except (ValueError, RecursionError):
                continue
    return found
