"""What a workspace has not pinned is looked up again when somebody has deployed since.

Its runs then get the newest packages that its requirements allow, in an environment of their own; runs that are
under way keep theirs.

    environments/<key>.newest    the key of the environment that is that of these requirements now; written when
                                 somebody has looked, so its time says when that was

Where the index is away, or nothing resolves any more, the environment that is there serves on, and the log says
so. One of newer packages that cannot be built fails its runs, as any other does.
"""

from __future__ import annotations

import contextlib
import fcntl
import hashlib
import json
import re
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path

from homeport_runner import launch
from homeport_runner.built import is_usable
from homeport_runner.locks import Lock
from homeport_runner.orders import Orders
from homeport_runner.spool import Spool
from homeport_runner.uv import Uv, UvFailed

ENDING = ".newest"
_ASKED_AGAIN_SECONDS = 600.0
"""For as long uv itself takes what an index has said for what it would say."""
_PAUSE = 0.05
_MOST_TOLD = 12
_NAME = re.compile(r"[A-Za-z0-9][A-Za-z0-9._-]*")
_PIN = re.compile(r"[A-Za-z0-9._-]+\s*(\[[^]]*\])?\s*===?[^,*;@]+(;.*)?")


def key_now(folder: Path, key: str) -> str:
    """Of the environment that serves the requirements with this key now."""
    try:
        return (folder / (key + ENDING)).read_text() or key
    except (OSError, ValueError):
        return key


def is_current(folder: Path, key: str, requirements: Sequence[str], asked_at: float) -> bool:
    """Whether a run would have its environment without a look at any index."""
    return is_usable(folder / key_now(folder, key)) and not _is_due(folder, key, requirements, asked_at)


def is_pinned(requirements: Sequence[str]) -> bool:
    """Whether they name the version of everything that they name."""
    pinned = {_name(line) for line in requirements if _PIN.fullmatch(line)}
    return all(_name(line) in pinned for line in requirements)


def followed(folder: Path, wanted: launch.Environment, uv: Uv, spool: Spool, orders: Orders) -> launch.Environment:
    """What is wanted, with the key of the environment that has the newest packages, as of the last deploy."""
    asked = (folder, wanted.key, wanted.requirements, wanted.asked_at)
    if _is_due(*asked):
        lock = Lock(folder / (wanted.key + ENDING + ".lock"))
        try:
            while not lock.take(fcntl.LOCK_EX):
                orders.check()
                orders.wait(_PAUSE)
            if _is_due(*asked):  # and nobody has looked in the meantime
                key = _look(folder / key_now(folder, wanted.key), wanted, uv, spool)
                _save(folder / (wanted.key + ENDING), key)
        finally:
            lock.close()
    return replace(wanted, key=key_now(folder, wanted.key))


def _is_due(folder: Path, key: str, requirements: Sequence[str], asked_at: float) -> bool:
    """Whether somebody has to look. What has to be built is built of the newest packages anyway."""
    environment = folder / key_now(folder, key)
    if is_pinned(requirements) or not is_usable(environment):
        return False
    # a branch may have moved a moment ago, and is asked for itself
    slack = 0.0 if any("git+" in line for line in requirements) else _ASKED_AGAIN_SECONDS
    return _looked_at(folder, key, environment) < asked_at - slack


def _look(environment: Path, wanted: launch.Environment, uv: Uv, spool: Spool) -> str:
    """The key of the environment to use from now on."""
    try:
        changes = uv.changes(environment, wanted.requirements, wanted.fallback)
    except UvFailed as error:
        why = f"Newer packages could not be looked for, those of the last deploy are used until the next: {error}"
        spool.remark(why, "build", "setup")
        return environment.name
    if not changes:
        return environment.name
    told = [*changes[:_MOST_TOLD], *(["…"] if len(changes) > _MOST_TOLD else [])]
    words = f"There are newer packages since the last deploy ({', '.join(told)}); they are used from now on."
    spool.remark(words, "build", "setup")
    return hashlib.sha256(json.dumps([environment.name, sorted(changes)]).encode()).hexdigest()[:32]


def _looked_at(folder: Path, key: str, environment: Path) -> float:
    """When the packages were chosen, or found to be the newest still."""
    times = [0.0]
    for path in (environment / "pyvenv.cfg", folder / (key + ENDING)):
        with contextlib.suppress(OSError):
            times.append(path.stat().st_mtime)
    return max(times)


def _save(path: Path, key: str) -> None:
    scratch = path.with_name(path.name + ".new")
    # what is not written down is looked up again
    with contextlib.suppress(OSError):
        scratch.write_text(key)
        scratch.replace(path)


def _name(line: str) -> str:
    found = _NAME.match(line)
    return re.sub(r"[-_.]+", "-", found[0]).lower() if found else line
