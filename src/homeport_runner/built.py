"""What makes an environment usable."""

from __future__ import annotations

import os
from pathlib import Path

MARK = ".complete"
"""The file that is written last."""


def is_usable(environment: Path) -> bool:
    # The interpreter is a link to one of the machine's, which may have been removed since.
    return (environment / MARK).exists() and os.access(environment / "bin" / "python", os.X_OK)
