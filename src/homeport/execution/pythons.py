"""Which versions of Python uv finds on this machine, or could get."""

import json
import os
import re
import shutil
import subprocess
import sys
from collections.abc import Mapping
from pathlib import Path

_SECONDS = 30.0


def find_uv() -> str | None:
    """uv beside our own Python first: it came with the server extra."""
    beside = Path(sys.executable).with_name("uv")
    return str(beside) if beside.exists() else shutil.which("uv")


def is_to_be_had(version: str, uv: str, variables: Mapping[str, str] | None = None) -> bool:
    """False only where that is certain: neither installed nor among what this uv, as it is set up, would download.

    Whether the download succeeds is seen when it is tried.
    """
    if not re.fullmatch(r"3\.\d{1,3}", version):
        return False  # uv would take it for a path, a name or an option
    command = [uv, "python", "list", version, "--output-format", "json"]
    given = os.environ if variables is None else variables
    if "UV_CONFIG_FILE" not in given:
        command.append("--no-config")
    try:
        done = subprocess.run(
            command, env=dict(given), capture_output=True, stdin=subprocess.DEVNULL, timeout=_SECONDS, check=True
        )
        return bool(json.loads(done.stdout))
    except (OSError, subprocess.SubprocessError, ValueError):
        return True
