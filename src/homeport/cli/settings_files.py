"""Settings files of a workspace, changed without harming what is in them."""

import os
import stat
import tempfile
import tomllib
from collections.abc import Iterator, MutableMapping
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import tomlkit
import tomlkit.exceptions

from homeport.errors import CannotConnect

HOSTED = "https://api.dlthub.com"
"""Where the `dlthub` command goes when `api_base_url` is not set."""


class TomlFile:
    """A settings file in `.dlt`, changed value by value: comments, order and spacing stay."""

    def __init__(self, root: Path, name: str, mode: int | None = None) -> None:
        self.label = f".dlt/{name}"
        self._mode = mode
        # a linked settings file stays a link
        self._path = (root / ".dlt" / name).resolve()
        self._written: list[str] = []
        mend = "Mend the file and connect again; nothing was changed."
        try:
            self._before = self._path.read_bytes().decode() if self._path.exists() else None
            self._toml = tomlkit.parse(self._before or "")
        except tomlkit.exceptions.ParseError as broken:
            raise CannotConnect(f"{self._path}, line {broken.line}: {broken}. {mend}") from None
        except (OSError, ValueError) as broken:
            raise CannotConnect(f"{self._path} cannot be read: {broken}. {mend}") from None
        for keys in (("runtime",), ("workspace",), ("workspace", "settings")):
            if not isinstance(self.get(keys), MutableMapping | None):
                raise CannotConnect(f"{self._path}: `{'.'.join(keys)}` is a value, not a table. {mend}")

    def get(self, keys: tuple[str, ...]) -> Any:
        value: Any = self._toml
        for key in keys:
            value = value.get(key) if isinstance(value, MutableMapping) else None
        return value

    def put(self, keys: tuple[str, ...], value: str) -> None:
        if self.get(keys) == value:
            return
        wanted = self._toml.unwrap()
        table: Any = self._toml
        wanted_table = wanted
        for key in keys[:-1]:
            if key not in table:
                table[key] = tomlkit.table(is_super_table=key == "workspace")
            table = table[key]
            wanted_table = wanted_table.setdefault(key, {})
        table[keys[-1]] = wanted_table[keys[-1]] = value
        # an unusual layout must not cost anyone a setting
        if tomllib.loads(tomlkit.dumps(self._toml)) != wanted:
            shown = "the API key" if keys[-1] == "api_key" else value
            raise CannotConnect(
                f"{self._path} cannot be changed without harming it. Set `{'.'.join(keys)}` in it to {shown}"
                " by hand and connect again; the file is as it was."
            )
        self._written.append(keys[-1])

    def write(self) -> Iterator[str]:
        """Put the changes on disk, whole or not at all, and say what they are."""
        if not self._written:
            if self._mode is not None and stat.S_IMODE(self._path.stat().st_mode) != self._mode:
                self._path.chmod(self._mode)
                yield f"{self.label}: only you can read it now"
            return
        mode = self._mode
        if mode is None:
            mode = stat.S_IMODE(self._path.stat().st_mode) if self._before is not None else 0o644
        write_whole(self._path, tomlkit.dumps(self._toml), mode)
        verb = "created with" if self._before is None else "set"
        yield f"{self.label}: {verb} {', '.join(self._written)}"


def write_whole(path: Path, text: str, mode: int) -> None:
    try:
        descriptor, scratch = tempfile.mkstemp(dir=path.parent, prefix=f".{path.name}.")
    except OSError as failure:
        raise CannotConnect(f"{path} cannot be written: {failure.strerror}.") from None
    try:
        with os.fdopen(descriptor, "wb") as file:
            os.fchmod(file.fileno(), mode)
            file.write(text.encode())
            file.flush()
            os.fsync(file.fileno())
        Path(scratch).replace(path)
    except OSError as failure:
        with suppress(OSError):
            Path(scratch).unlink()
        raise CannotConnect(f"{path} cannot be written: {failure.strerror}.") from None


@dataclass(frozen=True)
class Pin:
    """What the folder is connected to so far."""

    base_url: str
    workspace_id: str
    organization_id: str
    name: str

    @classmethod
    def read(cls, config: TomlFile) -> "Pin":
        return cls(
            base_url=str(config.get(("runtime", "api_base_url")) or HOSTED).rstrip("/"),
            workspace_id=str(config.get(("runtime", "workspace_id")) or ""),
            organization_id=str(config.get(("runtime", "organization_id")) or ""),
            name=str(config.get(("workspace", "settings", "name")) or ""),
        )
