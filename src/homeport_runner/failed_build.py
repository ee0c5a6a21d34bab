"""A build that failed, as it is remembered: the next runs are told so at once, and do not build again in vain.

    environments/<key>.failed    JSON; gone as soon as a build succeeds, or is asked for by a deploy

A lasting failure is one that building again cannot mend: requirements that contradict each other, a package that
does not compile. Anything else (the index was away, the disk full, no such Python) counts only for the runs that
were waiting for that very build.
"""

from __future__ import annotations

import contextlib
import json
import os
import time
from dataclasses import asdict, dataclass
from pathlib import Path

KEPT_SECONDS = 24 * 3600.0
"""After that it is tried again: what an index has to offer may have changed, which cannot be seen from here."""


@dataclass(frozen=True)
class FailedBuild:
    at: str
    """For people."""
    seconds: float
    """The same by the clock of the wall."""
    circumstances: str
    """What else the build depended on: equal if nothing has changed since."""
    is_lasting: bool
    reason: str
    lines: list[str]

    def is_still_so(self, circumstances: str) -> bool:
        """Whether building again would come to the same."""
        is_recent = 0 <= time.time() - self.seconds < KEPT_SECONDS
        return self.is_lasting and is_recent and self.circumstances == circumstances


def load(path: Path) -> FailedBuild | None:
    try:
        return FailedBuild(**json.loads(path.read_text()))
    except (OSError, ValueError, TypeError):
        return None


def save(path: Path, failed: FailedBuild) -> None:
    scratch = path.with_name(path.name + ".new")
    # what is not remembered is done again: no reason to fail
    with contextlib.suppress(OSError):
        descriptor = os.open(scratch, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600)
        with os.fdopen(descriptor, "w") as file:
            json.dump(asdict(failed), file)
        scratch.replace(path)


def forget(path: Path) -> None:
    path.unlink(missing_ok=True)
