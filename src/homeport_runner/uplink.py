"""Brings the lines of the spool to the server, in order, each once.

The server names the number it wants next, and that is where the following request begins: an answer that
was lost, or a server that came back without its last moments, corrects itself.
"""

from __future__ import annotations

import threading
import time
from collections.abc import Callable

from homeport_runner import clocks
from homeport_runner.orders import Orders
from homeport_runner.phone import Backoff, Fenced, Phone, Refused, Unreachable
from homeport_runner.spool import Spool

BATCH_LINES = 5000
BATCH_BYTES = 1024 * 1024
# A line after a pause leaves at once; a chatty run is sent in bundles, twenty a second at most.
_PACE_SECONDS = 0.05
# Other refusals (a 404 of a gateway, say) have nothing to do with what was sent.
_ABOUT_THE_CONTENT = frozenset({400, 413, 422})


class Uplink(threading.Thread):
    def __init__(self, phone: Phone, spool: Spool, orders: Orders, on_fenced: Callable[[], object]) -> None:
        super().__init__(name="uplink", daemon=True)
        self._phone = phone
        self._spool = spool
        self._orders = orders
        self._on_fenced = on_fenced
        self._position = 0
        self._pid_to_report: int | None = None
        self._batch_lines = BATCH_LINES
        self._is_last = threading.Event()
        self._drained = threading.Event()

    def report_started(self, pid: int) -> None:
        """Have the server told, before any further line, that the run's process lives."""
        self._pid_to_report = pid
        self._spool.nudge()

    def finish(self) -> None:
        """No more lines will come."""
        self._is_last.set()
        self._spool.nudge()

    def wait_until_caught_up(self, timeout: float) -> bool:
        """Until the server has every line that there is now."""
        total, until = self._spool.total, clocks.now() + timeout
        while self._position < total and clocks.now() < until:
            time.sleep(_PACE_SECONDS)
        return self._position >= total

    def wait_until_drained(self, timeout: float) -> bool:
        return self._drained.wait(timeout)

    def run(self) -> None:
        backoff = Backoff()
        while not self._drained.is_set():
            self._spool.wait_for_more(self._position, None)
            try:
                self._send_what_there_is()
            except Unreachable:
                self._drained.wait(backoff.delay())
                self._spool.nudge()
            except Refused as refusal:
                if not self._withhold(refusal):
                    self._drained.wait(backoff.delay())
                self._spool.nudge()
            except Fenced:
                self._on_fenced()
                return
            else:
                backoff.reset()

    def _send_what_there_is(self) -> None:
        if self._pid_to_report is not None:
            self._phone.post("started", {"pid": self._pid_to_report})
            self._pid_to_report = None
        rows = self._spool.read(self._position, self._batch_lines, BATCH_BYTES)
        if rows:
            self._post(rows)
            self._batch_lines = BATCH_LINES
            if self._spool.total - self._position < BATCH_LINES:
                self._is_last.wait(_PACE_SECONDS)
        elif self._is_last.is_set() and self._position >= self._spool.total:
            self._drained.set()
        if self._is_last.is_set():
            self._spool.nudge()

    def _post(self, rows: list[bytes]) -> None:
        body = b'{"first": %d, "lines": [%s]}' % (self._position, b",\n".join(rows))
        answer = self._phone.post_bytes("lines", body)
        try:
            wanted = min(int(answer["next"]), self._spool.total)
        except (KeyError, TypeError, ValueError) as error:
            raise Unreachable(f"unusable answer: {error!r}") from error
        if wanted <= self._position:
            # It took none of them. That happens once when lines were lost on its side, not for long.
            self._position = max(wanted, 0)
            raise Unreachable(f"the server wants line {wanted} again")
        self._position = wanted
        self._spool.forget_before(wanted)
        if answer.get("cancel"):
            self._orders.cancel()

    def _withhold(self, refusal: Refused) -> bool:
        """Find the line the server does not take, and go on without it: one line must not end a log.

        False if that is not what is wrong, and there is only waiting.
        """
        if refusal.status not in _ABOUT_THE_CONTENT or self._pid_to_report is not None:
            return False
        if self._batch_lines > 1:
            self._batch_lines = max(1, self._batch_lines // 8)
            return True
        return self._spool.replace(self._position, f"(the server did not accept this line: {refusal})")
