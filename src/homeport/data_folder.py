"""The folder with everything that an installation keeps: one process at a time has it."""

import fcntl
from contextlib import ExitStack
from pathlib import Path

from homeport.errors import SetupError

RESTORING = "restoring"
"""In the folder: what a restore has not put in its place yet."""


def check_whole(folder: Path) -> None:
    """Raise `SetupError` where a restore was begun and is not done."""
    unfinished = folder / RESTORING
    if unfinished.is_dir() and any(unfinished.iterdir()):
        raise SetupError(
            f"A backup was being restored into {folder.resolve()}, and that was cut short: not everything is "
            "there. Run `homeport restore` again."
        )


def lock(folder: Path, closing: ExitStack, way_out: str) -> None:
    """Take the folder; the lock ends with `closing`, or with the process, however that ends."""
    try:
        folder.mkdir(mode=0o700, parents=True, exist_ok=True)
        file = closing.enter_context((folder / "server.lock").open("w"))
    except OSError as error:
        raise SetupError(
            f"The data folder {folder} cannot be written: {error.strerror or error}. Give another one with "
            "--data-dir, or make it writable for the user that runs Homeport."
        ) from error
    try:
        fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError as error:
        raise SetupError(
            f"The data folder {folder.resolve()} is in use by another Homeport server. {way_out}"
        ) from error
