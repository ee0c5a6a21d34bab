"""The runner from its first to its last moment; README.md says what it promises.

1. fork the tether, while there is one thread and nothing secret in memory
2. claim the attempt
3. carry it out (`attempt.py`): phone home, prepare, run, report, clear up
"""

from __future__ import annotations

import os
import socket
import sys
from collections.abc import Sequence
from typing import Any

from homeport_runner import clocks
from homeport_runner.attempt import LEASE_OVER, Attempt
from homeport_runner.image import Image
from homeport_runner.launch import DEFAULT_LEASE_SECONDS, UnusableLaunch, parse_launch
from homeport_runner.node import Node, NoNode
from homeport_runner.orders import Orders
from homeport_runner.phone import Backoff, Fenced, Phone, Refused, Unreachable
from homeport_runner.process import Tethered
from homeport_runner.report import REPORT_SECONDS, report_exit
from homeport_runner.supervise import SETUP_FAILED, Ending

DONE = 0
NOT_OURS = 0
"""Somebody else has the attempt, or it was cancelled: nothing went wrong."""
MISUSED = 64
NO_SUCH_ATTEMPT = 76


def main(argv: Sequence[str], image: Image | None = None) -> int:
    """`image`: what this process, a fork of a warm one, has in memory."""
    try:
        server_url, attempt_id, ticket = argv
        node = Node.from_variables(os.environ)
    except (ValueError, NoNode) as error:
        return _give_up(MISUSED, f"usage: <server url> <attempt id> <ticket>: {error}")
    orders = Orders()
    tethered = Tethered(image)
    orders.obey_signals()
    contacts: list[float] = []
    try:
        document = claim(Phone(server_url, attempt_id, on_contact=contacts.append), ticket, orders)
    except Unreachable as error:
        return _give_up(LEASE_OVER, f"the server could not be reached: {error}")
    except Refused as error:
        return _give_up(NO_SUCH_ATTEMPT, f"the server did not let us claim the attempt: {error}")
    if document is None:
        return NOT_OURS
    try:
        launch = parse_launch(document)
    except UnusableLaunch as error:
        ending = Ending(SETUP_FAILED, None, f"the server's launch cannot be used: {error}")
        phone = Phone(server_url, attempt_id, document.get("session"))
        return DONE if report_exit(phone, ending, 0, clocks.now() + REPORT_SECONDS) else LEASE_OVER
    attempt = Attempt(node, attempt_id, server_url, launch, tethered, orders, claimed_at=contacts[-1], image=image)
    return DONE if attempt.carry_out() else LEASE_OVER


def claim(
    phone: Phone, ticket: str, orders: Orders, patience: float = DEFAULT_LEASE_SECONDS
) -> dict[str, Any] | None:
    """The launch document, or None if the attempt is not ours to carry out.

    Raises `Unreachable` when the server does not answer for as long as `patience`.
    """
    document = {"ticket": ticket, "host": socket.gethostname(), "pid": os.getpid()}
    backoff = Backoff()
    until = clocks.now() + patience
    while orders.cause is None:
        try:
            return phone.post("claim", document)
        except Fenced:
            return None
        except Unreachable:
            delay = backoff.delay()
            if clocks.now() + delay >= until:
                raise
            orders.wait(delay)
    return None


def _give_up(code: int, why: str) -> int:
    """Nobody can be told but the engine, which keeps our standard error."""
    sys.stderr.write(f"homeport runner: {why}\n")
    return code
