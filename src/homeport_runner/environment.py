"""The Python environment of a run: built once per content, shared by all runs that need the same.

What is not pinned follows what there is to be had, deploy by deploy (`newest.py`).

    environments/<key>            the environment; usable once `.complete` is in it, which is written last
    environments/<key>.lock       held shared by every run that uses it, exclusively by who builds it
                                  (or removes it: whoever prunes takes this lock first)
    environments/<key>.log        what the build says, while there is one (`build_log.py`)
    environments/<key>.failed     how the last one failed, if it did (`failed_build.py`)

`.complete` is touched by every run that uses the environment, when it begins and when it ends, so its time says
when it was last needed.
"""

from __future__ import annotations

import contextlib
import fcntl
import os
import shutil
import time
from collections.abc import Iterator
from pathlib import Path

from homeport_runner import clocks, failed_build, launch, newest
from homeport_runner.build_log import BuildLog, OthersBuild, processes_left
from homeport_runner.built import MARK, is_usable
from homeport_runner.failed_build import FailedBuild
from homeport_runner.locks import Lock
from homeport_runner.orders import Orders
from homeport_runner.setup_failed import SetupFailed
from homeport_runner.spool import Spool
from homeport_runner.uv import NoSuchPython, Uv, UvFailed

_PAUSE = 0.05
_LONGEST_OUTWAIT = 10.0
_HUB_MODULE = "homeport_dlt_hub"
_SOURCE_FOLDER = Path(__file__).resolve().parent.parent


@contextlib.contextmanager
def ready_environment(
    folder: Path, wanted: launch.Environment, uv: Uv, spool: Spool, orders: Orders
) -> Iterator[Path]:
    """The environment, built if need be, and kept from being removed while in use.

    Raises `SetupFailed` when it cannot be built, or is known not to be.
    """
    folder.mkdir(mode=0o700, parents=True, exist_ok=True)
    wanted = newest.followed(folder, wanted, uv, spool, orders)
    environment = folder / wanted.key
    lock = Lock(folder / (wanted.key + ".lock"))
    others = OthersBuild(_log_of(environment), spool)
    try:
        waiting_since: float | None = None
        while True:
            if lock.take(fcntl.LOCK_SH):
                if waiting_since is not None:
                    others.pass_on()
                if is_usable(environment):
                    break
                lock.let_go()
                if lock.take(fcntl.LOCK_EX):
                    # Somebody may have built it between the two locks.
                    if not is_usable(environment):
                        _check_failed(environment, wanted.asked_at, uv, spool, waiting_since)
                        _outwait_killed_build(environment, orders)
                        _build(environment, wanted, uv, spool)
                    # A lock cannot be weakened without letting go of it for a moment: look again.
                    lock.let_go()
                    continue
            else:
                if waiting_since is None:
                    waiting_since = time.time()
                    spool.remark("This environment is being built already; waiting for it.", "build", "setup")
                others.pass_on()
            orders.check()
            orders.wait(_PAUSE)
        _note_use(environment)
        try:
            yield environment
        finally:
            _note_use(environment)
    finally:
        others.close()
        lock.close()


def build_ahead(folder: Path, wanted: launch.Environment, uv: Uv, spool: Spool) -> None:
    """Build it, unless it is there, or somebody uses or builds it, or building is known to be in vain.

    Raises `SetupFailed` when it cannot be built.
    """
    folder.mkdir(mode=0o700, parents=True, exist_ok=True)
    wanted = newest.followed(folder, wanted, uv, spool, uv.orders)
    environment = folder / wanted.key
    lock = Lock(folder / (wanted.key + ".lock"))
    try:
        if lock.take(fcntl.LOCK_EX) and not is_usable(environment):
            failed = failed_build.load(_failed_of(environment))
            if failed is None or failed.seconds < wanted.asked_at or not failed.is_still_so(uv.circumstances):
                _outwait_killed_build(environment, uv.orders)
                _build(environment, wanted, uv, spool)
    finally:
        lock.close()


def _note_use(environment: Path) -> None:
    with contextlib.suppress(OSError):  # somebody has removed it by hand
        os.utime(environment / MARK)


def _check_failed(environment: Path, asked_at: float, uv: Uv, spool: Spool, waiting_since: float | None) -> None:
    """Raise if building is known to be in vain, or was when somebody else did it while we waited."""
    failed = failed_build.load(_failed_of(environment))
    if failed is None or failed.seconds < asked_at:
        return
    if waiting_since is not None and failed.seconds >= waiting_since:
        raise SetupFailed(failed.reason)
    if failed.is_still_so(uv.circumstances):
        spool.remark(f"This environment could not be built at {failed.at}, where uv said:", "build", "setup")
        for line in failed.lines:
            spool.remark(line, "build", "setup")
        spool.remark(
            "Nothing has changed since, so it is not built again. It is when its requirements change, after a new "
            "deploy (`dlthub deploy`), and a day after it failed.",
            "build",
            "setup",
        )
        raise SetupFailed(f"{failed.reason} (as found at {failed.at}; `dlthub deploy` has it tried again)")


def _outwait_killed_build(environment: Path, orders: Orders) -> None:
    """Who had begun to build may have been killed a moment ago, and its uv still write into the same folder."""
    until = clocks.now() + _LONGEST_OUTWAIT
    while processes_left(_log_of(environment)) and clocks.now() < until:
        orders.check()
        orders.wait(_PAUSE)


def _build(environment: Path, wanted: launch.Environment, uv: Uv, spool: Spool) -> None:
    """Build from nothing; what an interrupted build left is no foundation."""
    log = BuildLog(_log_of(environment), spool)
    try:
        failed_build.forget(_failed_of(environment))
        _try_to_build(environment, wanted, uv, log)
    except UvFailed as error:
        reason = _reason(error, wanted)
        _remember(environment, error, reason, uv, log)
        raise SetupFailed(reason) from error
    finally:
        # who waits has it open, and nobody else is to take it for that of another build
        _log_of(environment).unlink(missing_ok=True)
        log.close()


def _try_to_build(environment: Path, wanted: launch.Environment, uv: Uv, log: BuildLog) -> None:
    started_at = clocks.now()
    shutil.rmtree(environment, ignore_errors=True)
    uv.make_environment(environment, wanted.python_version, log)
    _install(environment, wanted, uv, log)
    _teach_dlt_hub(environment, wanted.python_version)
    # The mark is one small file, which may reach the disk long before all that it stands for.
    os.sync()
    (environment / MARK).touch()
    seconds = clocks.now() - started_at
    log.remark(f"Environment with Python {wanted.python_version} built in {seconds:.1f} s.")


def _remember(environment: Path, error: UvFailed, reason: str, uv: Uv, log: BuildLog) -> None:
    shutil.rmtree(environment, ignore_errors=True)
    at = clocks.timestamp()[:19] + "Z"
    lines = log.last_lines
    failed = FailedBuild(at, time.time(), uv.circumstances, error.is_lasting, reason, lines)
    failed_build.save(_failed_of(environment), failed)


def _reason(error: UvFailed, wanted: launch.Environment) -> str:
    if isinstance(error, NoSuchPython):
        return (
            f"Python {wanted.python_version} is not on the machine that runs this, and uv could not get it: "
            f"install it there (`uv python install {wanted.python_version}`) or deploy with another Python version"
        )
    return f"the environment could not be built: {error}"


def _log_of(environment: Path) -> Path:
    return environment.with_name(environment.name + ".log")


def _failed_of(environment: Path) -> Path:
    return environment.with_name(environment.name + ".failed")


def _install(environment: Path, wanted: launch.Environment, uv: Uv, log: BuildLog) -> None:
    """What is wanted, or, where that does not resolve, what the workspace asked for to the letter."""
    try:
        uv.install(environment, wanted.requirements, log)
    except UvFailed as first:
        if wanted.fallback is None:
            raise
        log.remark("Trying again with the workspace's requirements as they are.")
        try:
            uv.install(environment, wanted.fallback, log)
        except UvFailed as error:
            error.is_lasting = error.is_lasting and first.is_lasting
            raise


def _teach_dlt_hub(environment: Path, python_version: str) -> None:
    """Make `from dlt.hub import run` work in there; the module says how and why."""
    site_packages = environment / "lib" / ("python" + python_version) / "site-packages"
    try:
        shutil.copyfile(_SOURCE_FOLDER / (_HUB_MODULE + ".py"), site_packages / (_HUB_MODULE + ".py"))
    except FileNotFoundError as error:
        raise SetupFailed(f"the runner's installation is incomplete: {error}") from error
    (site_packages / (_HUB_MODULE + ".pth")).write_text(f"import {_HUB_MODULE}\n")
