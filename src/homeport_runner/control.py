"""Hears of a cancel within milliseconds, and renews the lease of a run that has nothing to say."""

from __future__ import annotations

import threading
from collections.abc import Callable

from homeport_runner import clocks
from homeport_runner.orders import Orders
from homeport_runner.phone import Backoff, Fenced, Phone, PhoneError

_LONGEST_POLL = 20.0
_PAUSE = 0.2


class Control(threading.Thread):
    def __init__(
        self, phone: Phone, orders: Orders, lease_seconds: float, on_fenced: Callable[[], object]
    ) -> None:
        super().__init__(name="control", daemon=True)
        self._phone = phone
        self._orders = orders
        self._on_fenced = on_fenced
        # A poll counts for the lease from the moment it was sent, so it must be short against the lease:
        # with a hung server, two of them have to fit.
        self._poll_seconds = min(_LONGEST_POLL, lease_seconds / 4)
        self._answer_seconds = min(10.0, lease_seconds / 4)
        self._over = threading.Event()

    def finish(self) -> None:
        self._over.set()

    def run(self) -> None:
        backoff = Backoff()
        has_cancel = False
        while not self._over.is_set():
            asked_at = clocks.now()
            wait = 0.0 if has_cancel else self._poll_seconds
            try:
                answer = self._phone.get(f"control?wait={wait:g}", wait + self._answer_seconds)
            except Fenced:
                if not self._over.is_set():
                    self._on_fenced()
                return
            except PhoneError:
                self._over.wait(backoff.delay())
                continue
            backoff.reset()
            if answer.get("cancel"):
                self._orders.cancel()
                has_cancel = True
            if has_cancel:
                # From now on it answers at once, every time: only the lease is left to be renewed.
                self._over.wait(self._poll_seconds)
            elif clocks.now() - asked_at < self._poll_seconds / 2:
                # A server on its way out answers early. So might a gateway, for ever.
                self._over.wait(min(_PAUSE, self._poll_seconds))
