"""The Python environment of a run: built once per content, shared by all runs that need the same.

    environments/<key>            the environment; usable once `.complete` is in it, which is written last
    environments/<key>.lock       held shared by every run that uses it, exclusively by who builds it
                                  (or removes it: whoever prunes takes this lock first)

`.complete` is touched by every run that uses the environment, so its time says when it was last needed.
"""

from __future__ import annotations

import contextlib
import fcntl
import os
import shutil
from collections.abc import Iterator
from pathlib import Path

from homeport_runner import clocks, launch
from homeport_runner.orders import Orders
from homeport_runner.setup_failed import SetupFailed
from homeport_runner.spool import Spool
from homeport_runner.uv import NoSuchPython, Uv, UvFailed

_MARK = ".complete"
_PAUSE = 0.05
_HUB_MODULE = "homeport_dlt_hub"
_SOURCE_FOLDER = Path(__file__).resolve().parent.parent


@contextlib.contextmanager
def ready_environment(
    folder: Path, wanted: launch.Environment, uv: Uv, spool: Spool, orders: Orders
) -> Iterator[Path]:
    """The environment, built if need be, and kept from being removed while in use."""
    folder.mkdir(mode=0o700, parents=True, exist_ok=True)
    environment = folder / wanted.key
    lock = os.open(folder / (wanted.key + ".lock"), os.O_RDWR | os.O_CREAT, 0o600)
    try:
        is_waiting = False
        while True:
            if _lock(lock, fcntl.LOCK_SH):
                if _is_usable(environment):
                    break
                fcntl.flock(lock, fcntl.LOCK_UN)
                if _lock(lock, fcntl.LOCK_EX):
                    # Somebody may have built it between the two locks.
                    if not _is_usable(environment):
                        _build(environment, wanted, uv, spool)
                    # A lock cannot be weakened without letting go of it for a moment: look again.
                    fcntl.flock(lock, fcntl.LOCK_UN)
                    continue
            elif not is_waiting:
                is_waiting = True
                spool.remark("Waiting for another run to build the same environment.", "build", "setup")
            orders.check()
            orders.wait(_PAUSE)
        os.utime(environment / _MARK)
        yield environment
    finally:
        os.close(lock)


def _lock(descriptor: int, kind: int) -> bool:
    """Try to; waiting is done by the caller, who can be told to stop."""
    try:
        fcntl.flock(descriptor, kind | fcntl.LOCK_NB)
    except BlockingIOError:
        return False
    return True


def _is_usable(environment: Path) -> bool:
    # The interpreter is a link to one of the machine's, which may have been removed since.
    return (environment / _MARK).exists() and os.access(environment / "bin" / "python", os.X_OK)


def _build(environment: Path, wanted: launch.Environment, uv: Uv, spool: Spool) -> None:
    """Build from nothing; what an interrupted build left is no foundation."""
    started_at = clocks.now()
    shutil.rmtree(environment, ignore_errors=True)
    try:
        uv.make_environment(environment, wanted.python_version)
        _install(environment, wanted, uv, spool)
        _teach_dlt_hub(environment, wanted.python_version)
    except NoSuchPython as error:
        shutil.rmtree(environment, ignore_errors=True)
        raise SetupFailed(
            f"Python {wanted.python_version} is not on the machine that runs this, and uv could not get it: "
            f"install it there (`uv python install {wanted.python_version}`) or deploy with another Python version"
        ) from error
    except UvFailed as error:
        shutil.rmtree(environment, ignore_errors=True)
        raise SetupFailed(f"the environment could not be built: {error}") from error
    (environment / _MARK).touch()
    seconds = clocks.now() - started_at
    spool.remark(f"Environment with Python {wanted.python_version} built in {seconds:.1f} s.", "build", "setup")


def _install(environment: Path, wanted: launch.Environment, uv: Uv, spool: Spool) -> None:
    """What is wanted, or, where that does not resolve, what the workspace asked for to the letter."""
    try:
        uv.install(environment, wanted.requirements)
    except UvFailed:
        if wanted.fallback is None:
            raise
        spool.remark("Trying again with the workspace's requirements as they are.", "build", "setup")
        uv.install(environment, wanted.fallback)


def _teach_dlt_hub(environment: Path, python_version: str) -> None:
    """Make `from dlt.hub import run` work in there; the module says how and why."""
    site_packages = environment / "lib" / ("python" + python_version) / "site-packages"
    try:
        shutil.copyfile(_SOURCE_FOLDER / (_HUB_MODULE + ".py"), site_packages / (_HUB_MODULE + ".py"))
    except FileNotFoundError as error:
        raise SetupFailed(f"the runner's installation is incomplete: {error}") from error
    (site_packages / (_HUB_MODULE + ".pth")).write_text(f"import {_HUB_MODULE}\n")
