"""An app beside its process: waits until it answers, opens the tunnel, tells the server that the run serves."""

from __future__ import annotations

import threading
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass

from homeport_runner import app_port, clocks
from homeport_runner.orders import Orders
from homeport_runner.tunnel import Tunnel

_LOOK_EVERY_SECONDS = 0.1


@dataclass(frozen=True)
class Wanted:
    """What the launch says of an app."""

    ready_path: str | None
    """Where it says that it is well; none: it is when it accepts a connection."""
    start_seconds: float
    """How long it may take until then."""


class App:
    def __init__(self, wanted: Wanted, orders: Orders, make_tunnel: Callable[[int], Tunnel]) -> None:
        self.port = app_port.choose()
        self._wanted = wanted
        self._orders = orders
        self._tunnel = make_tunnel(self.port)
        self._over = threading.Event()

    def command(self, command: Sequence[str]) -> list[str]:
        return app_port.command_with(command, self.port)

    def variables(self, variables: Mapping[str, str]) -> dict[str, str]:
        return {**variables, "PORT": str(self.port)}

    def attend(self, on_ready: Callable[[], object]) -> None:
        """Call `on_ready` once the app answers and can be reached; have the run stopped if it never does."""
        threading.Thread(target=self._wait, args=(on_ready,), name="app", daemon=True).start()

    def finish(self) -> None:
        """Its process is gone."""
        self._over.set()
        self._tunnel.finish()

    def _wait(self, on_ready: Callable[[], object]) -> None:
        until = clocks.now() + self._wanted.start_seconds
        while not self._over.wait(_LOOK_EVERY_SECONDS):
            if app_port.answers(self.port, self._wanted.ready_path):
                try:
                    app_port.check_owner(self.port)
                except app_port.PortTaken as error:
                    self._orders.give_up(str(error))
                    return
                self._tunnel.start()
                on_ready()
                return
            if clocks.now() >= until:
                self._orders.give_up(self._why_not())
                return

    def _why_not(self) -> str:
        elsewhere = [str(port) for port in app_port.ports_of_descendants() if port != self.port]
        words = f"the app did not answer on its port {self.port} within {self._wanted.start_seconds:g} s"
        if elsewhere:
            words += f"; it listens on {', '.join(elsewhere)} instead"
        return words + ": bind the port in run_context['run_args']['port'], or in the variable PORT"
