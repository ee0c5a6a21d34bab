"""The port of an app: chosen on this machine, told to the app, watched until the app answers on it.

A port is chosen by binding it and letting go of it again, so another process may take it in between. Whoever
answers there must therefore be of the run itself, as far as the machine can tell (Linux).
"""

from __future__ import annotations

import contextlib
import http.client
import json
import os
import socket
from collections.abc import Sequence

from homeport_runner import family

_ANSWER_SECONDS = 5.0
_LISTENING = "0A"
_ENTRY_POINT = "--entry-point"


class PortTaken(Exception):
    """A process that is not of the run listens on the port."""


def choose() -> int:
    """A port that is free on every address of this machine: launchers bind them all."""
    with socket.socket() as probe:
        probe.bind(("", 0))
        return int(probe.getsockname()[1])


def command_with(command: Sequence[str], port: int) -> list[str]:
    """The launcher's command with the port in `run_args` of its entry point (run contract §9)."""
    changed = list(command)
    place = changed.index(_ENTRY_POINT) + 1
    entry_point = json.loads(changed[place])
    entry_point["run_args"] = {**(entry_point.get("run_args") or {}), "port": port}
    changed[place] = json.dumps(entry_point)
    return changed


def answers(port: int, path: str | None) -> bool:
    """Whether the app can be used: it accepts a connection, and says it is well where there is a place to ask."""
    try:
        if path is None:
            socket.create_connection(("127.0.0.1", port), _ANSWER_SECONDS).close()
            return True
        connection = http.client.HTTPConnection("127.0.0.1", port, timeout=_ANSWER_SECONDS)
        with contextlib.closing(connection):
            connection.request("GET", path)
            return connection.getresponse().status < 400
    except (OSError, http.client.HTTPException):
        return False


def check_owner(port: int) -> None:
    """Raise `PortTaken` when the machine shows that none of our descendants listens on the port."""
    listening = {inode for number, inode in _listening() if number == port}
    if listening and not listening & _sockets_of_descendants():
        raise PortTaken(f"port {port} was taken by another process of this machine")


def ports_of_descendants() -> list[int]:
    """Where the run listens; empty where the machine does not tell."""
    own = _sockets_of_descendants()
    return sorted({port for port, inode in _listening() if inode in own})


def _listening() -> list[tuple[int, str]]:
    """Port and inode of every listening TCP socket of this machine."""
    found = []
    for name in ("tcp", "tcp6"):
        try:
            with open(f"/proc/net/{name}", encoding="ascii") as table:
                rows = table.read().splitlines()[1:]
        except OSError:
            continue
        for row in rows:
            fields = row.split()
            if fields[3] == _LISTENING:
                found.append((int(fields[1].rpartition(":")[2], 16), fields[9]))
    return found


def _sockets_of_descendants() -> set[str]:
    inodes = set()
    for pid in family.living_descendants():
        with contextlib.suppress(OSError):
            for descriptor in os.listdir(f"/proc/{pid}/fd"):
                with contextlib.suppress(OSError):
                    target = os.readlink(f"/proc/{pid}/fd/{descriptor}")
                    if target.startswith("socket:["):
                        inodes.add(target[8:-1])
    return inodes
