"""Keeps the file with the API key out of git."""

import stat
import subprocess
from collections.abc import Iterator
from contextlib import suppress
from fnmatch import fnmatch
from pathlib import Path

from homeport.cli.settings_files import write_whole

IGNORED = ".dlt/*secrets.toml"


def ignore_secrets(root: Path) -> Iterator[str]:
    """Keep the key out of git.

    A new `.gitignore` at the top would do harm: where there is none, the `dlthub` command leaves virtual
    environments, caches and the like out of a deploy by itself. The one in `.dlt` only git reads.
    """
    top, inner = root / ".gitignore", root / ".dlt" / ".gitignore"
    if any(
        _ignores_secrets(place.read_text(), depth)
        for place, depth in ((top, ".dlt/"), (inner, ""))
        if place.is_file()
    ):
        return
    place, line = (top, IGNORED) if top.is_file() else (inner, Path(IGNORED).name)
    text = place.read_text() if place.is_file() else ""
    if text and not text.endswith("\n"):
        text += "\n"
    write_whole(place, f"{text}{line}\n", stat.S_IMODE(place.stat().st_mode) if text else 0o644)
    yield f"{place.relative_to(root)}: added {line}"


def _ignores_secrets(gitignore: str, folder: str) -> bool:
    """Whether git's last word on `secrets.toml` in these lines is to ignore it."""
    ignored = False
    for line in map(str.strip, gitignore.splitlines()):
        pattern = line.removeprefix("!").rstrip("/")
        names = {f"{folder}secrets.toml", folder.rstrip("/")}
        if "/" not in pattern or pattern.startswith("**/"):
            names.add("secrets.toml")
        pattern = pattern.removeprefix("**/").removeprefix("/")
        if pattern and not line.startswith("#") and any(fnmatch(name, pattern) for name in names):
            ignored = not line.startswith("!")
    return ignored


def tracked_secrets(root: Path) -> Iterator[str]:
    with suppress(OSError, subprocess.SubprocessError):
        listed = subprocess.run(
            ["git", "ls-files", "--", ".dlt/secrets.toml"],
            cwd=root,
            capture_output=True,
            timeout=10,
            check=False,
        )
        if listed.stdout.strip():
            yield "git keeps track of .dlt/secrets.toml, key included: git rm --cached .dlt/secrets.toml"
