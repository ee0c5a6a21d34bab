"""The last thing a runner says: how the attempt ended."""

from __future__ import annotations

import time
from dataclasses import asdict

from homeport_runner import clocks
from homeport_runner.phone import Backoff, Fenced, Phone, PhoneError
from homeport_runner.supervise import Ending

# The run is over and nobody waits for its place; only its exit status would be lost.
REPORT_SECONDS = 24 * 3600.0


def report_exit(phone: Phone, ending: Ending, lines: int, until: float) -> bool:
    """Tell the server until it has heard; False when `until` has come.

    A fenced answer is an answer: either somebody else has decided, or the server has had this report
    before and its reply was lost.
    """
    document = {
        "cause": ending.cause,
        "exit_code": ending.exit_code,
        "detail": ending.detail,
        "lines": lines,
        "usage": None if ending.usage is None else asdict(ending.usage),
    }
    backoff = Backoff()
    while clocks.now() < until:
        try:
            phone.post("exit", document)
            return True
        except Fenced:
            return True
        except PhoneError:
            time.sleep(backoff.delay())
    return False
