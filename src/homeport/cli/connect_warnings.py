"""What may lead the `dlthub` command elsewhere, although the files are right."""

import os
import re
import tomllib
from collections.abc import Iterator
from contextlib import suppress
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path

from homeport.cli.settings_files import TomlFile

OLDEST_CLIENT = (0, 28, 7)


def overrides(root: Path, config: TomlFile, secrets: TomlFile) -> Iterator[str]:
    """Places that the `dlthub` command believes more than the two files."""
    written = {key: config.get(("runtime", key)) for key in ("api_base_url", "workspace_id", "organization_id")}
    written["api_key"] = secrets.get(("runtime", "api_key"))
    for key, value in written.items():
        if os.environ.get(f"RUNTIME__{key.upper()}", value) != value:
            yield f"RUNTIME__{key.upper()} is set to something else in this shell and wins: unset it."
    for path in sorted((root / ".dlt").glob("*.toml")):
        is_profile = re.fullmatch(r".+\.(config|secrets)\.toml", path.name)
        if not is_profile and path.name != "secrets.toml":
            continue
        with suppress(OSError, ValueError):
            runtime = tomllib.loads(path.read_text()).get("runtime", {})
            for key, value in written.items():
                if runtime.get(key, value) != value:
                    yield f".dlt/{path.name} has another `runtime.{key}`, which wins: remove it there."


def old_client() -> Iterator[str]:
    oldest = ".".join(map(str, OLDEST_CLIENT))
    try:
        installed = version("dlthub-client")
    except PackageNotFoundError:
        yield f"The `dlthub` command is not installed here: pip install 'dlthub-client>={oldest}'"
        return
    numbers = tuple(int(number) for number in re.findall(r"\d+", installed)[:3])
    if numbers < OLDEST_CLIENT:
        yield f"dlthub-client {installed} is older than {oldest}: pip install -U dlthub-client"
