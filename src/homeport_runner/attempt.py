"""Carries out one claimed attempt.

The main thread prepares, starts and watches. Beside it: the uplink (lines to the server), control (a
cancel from the server), the lease (the right to go on), and the reader of the pipes.
"""

from __future__ import annotations

import os
import sys
import threading
import traceback
from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path
from typing import NoReturn

from homeport_runner import clocks, network
from homeport_runner.ahead import Ahead
from homeport_runner.app import App
from homeport_runner.control import Control
from homeport_runner.environment import ready_environment
from homeport_runner.image import Image
from homeport_runner.inbox import Inbox
from homeport_runner.launch import Launch
from homeport_runner.lease import Lease
from homeport_runner.masking import Masking
from homeport_runner.node import Node, make_private, remove
from homeport_runner.orders import LOST, Orders, Stopped
from homeport_runner.outbox import Outbox
from homeport_runner.packages import carry_state, lay_out_workspace
from homeport_runner.phone import Fenced, Phone
from homeport_runner.pipes import Pipes
from homeport_runner.process import CannotStart, Tethered, TetherGone
from homeport_runner.reasons import exception_in, reason_of
from homeport_runner.report import REPORT_SECONDS, report_exit
from homeport_runner.setup_failed import SetupFailed
from homeport_runner.spool import Spool
from homeport_runner.supervise import EXITED, SETUP_FAILED, Ending, supervise
from homeport_runner.tunnel import Tunnel
from homeport_runner.uplink import Uplink
from homeport_runner.uv import Uv
from homeport_runner.variables import variables_of_run

_DRAIN_SECONDS = 2.0
_PATIENCE_OF_LEASE = 5
"""The part of a lease that a server is asked to take artifacts when it takes lines: usually a minute."""
_LAST_LINES = 300
"""In which the end of a failed run is looked for: dlt's tracebacks have a hundred lines or two."""
LEASE_OVER = 75
"""Exit status when the server was not to be reached for a lease (EX_TEMPFAIL)."""
FENCED = 0


class Attempt:
    def __init__(
        self,
        node: Node,
        attempt_id: str,
        server_url: str,
        launch: Launch,
        tethered: Tethered,
        orders: Orders,
        claimed_at: float,
        image: Image | None = None,
    ) -> None:
        self._image = image
        self._node = node
        self._launch = launch
        self._tethered = tethered
        self._orders = orders
        self._leaving = threading.Lock()
        self._is_started = False
        self._folder = make_private(node.run_folder(attempt_id))
        self._masking = Masking(launch.secrets)
        self._spool_folder = make_private(self._folder / "spool")
        self._spool = Spool(
            self._spool_folder, launch.spool_bytes, log_limit=launch.log_limit_bytes, masking=self._masking
        )
        self._lease = Lease(launch.lease_seconds, claimed_at, lambda: self._leave(LEASE_OVER))

        def phone() -> Phone:
            # Far below the lease, so that a server that hangs is noticed in time to try again.
            timeout = min(30.0, launch.lease_seconds / 4)
            return Phone(server_url, attempt_id, launch.session, self._lease.renew, timeout)

        def tunnel(port: int) -> Tunnel:
            return Tunnel(server_url, attempt_id, launch.session, port, network.name())

        self._outbox = None if launch.artifacts is None else self._make_outbox(phone())
        self._inbox: Inbox | None = None
        self._app = None if launch.app is None else App(launch.app, orders, tunnel)
        self._new_phone = phone
        self._phone = phone()
        self._uplink = Uplink(phone(), self._spool, orders, lambda: self._leave(FENCED))
        self._control = Control(phone(), orders, launch.lease_seconds, lambda: self._leave(FENCED))

    def carry_out(self) -> bool:
        """Do it all; False if the server never heard how it ended."""
        for thread in (self._lease, self._uplink, self._control):
            thread.start()
        try:
            ending = self._ending()
            self._lease.disarm()
            self._tethered.bring_down()
            # before the report: a server whose disk this run has filled could not take that
            if self._inbox is not None:
                self._inbox.finish()
            self._clear_away_the_run()
            return self._report(ending)
        finally:
            remove(self._folder)

    def _ending(self) -> Ending:
        """Prepare and run, and put whatever comes of it into words for the server."""
        try:
            return self._explained(self._prepare_and_run())
        except SetupFailed as error:
            self._spool.remark(str(error), "build", "setup")
            return Ending(SETUP_FAILED, None, _one_line(error))
        except Stopped as stopped:
            self._spool.remark("Stopped while being prepared.", "build")
            return Ending(stopped.cause, None, self._orders.detail)
        except Fenced:
            self._leave(FENCED)
        except TetherGone:
            self._spool.remark("The process that held the run was killed, and the run with it.", "run", "setup")
            return Ending(LOST, None, "the process that held the run was killed")
        except Exception as error:
            # Something of ours, or of the machine (a full disk): not the run's doing, and not to be hidden.
            sys.stderr.write(self._masking.text(traceback.format_exc()))
            cause = LOST if self._is_started else SETUP_FAILED
            return Ending(cause, None, f"the runner failed: {type(error).__name__}: {_one_line(error)}")

    def _explained(self, ending: Ending) -> Ending:
        """With the reason in the report, and in the log where the process could not give it itself."""
        if ending.cause != EXITED or ending.exit_code is None or ending.detail is not None:
            return ending
        last_lines = list(self._spool.last(_LAST_LINES))
        reason = reason_of(ending.exit_code, last_lines, serves=self._app is not None)
        if reason is not None:
            self._spool.remark(f"{reason[0].upper()}{reason[1:]}.", "run", "setup")
            return replace(ending, detail=reason)
        return replace(ending, detail=exception_in(last_lines) if ending.exit_code else None)

    def _prepare_and_run(self) -> Ending:
        launch, orders, spool = self._launch, self._orders, self._spool
        for note in (*launch.notes, *launch.environment.notes):
            spool.remark(note, "build", "setup")
        root = self._folder / "work" / launch.root_name
        remove(root.parent)  # the claim was ours alone: what is there, nobody uses any more
        lay_out_workspace(self._phone, launch, self._folder, root, orders)
        if launch.carry is not None:
            carry_state(root, make_private(self._node.carried(launch.carry)))
        uv = Uv(self._node.uv, make_private(self._folder / "build"), self._tethered, spool, orders)
        with ready_environment(self._node.environments, launch.environment, uv, spool, orders) as environment:
            orders.check()
            self._fetch_artifacts(root)
            return self._run(environment, root)

    def _run(self, environment: Path, root: Path) -> Ending:
        launch = self._launch
        app = self._app
        arguments = launch.command if app is None else app.command(launch.command)
        variables = self._variables(environment)
        variables = variables if app is None else app.variables(variables)
        try:
            command = [str(environment / "bin" / "python"), *arguments]
            # an app starts once and stays: what a warm start saves there, nobody would notice
            forked = app is None and self._can_be_forked(environment, root, variables)
            process = self._tethered.spawn(
                command, variables, str(root), forked=forked, rest=str(self._spool_folder)
            )
        except CannotStart as error:
            raise SetupFailed(f"the run's process cannot be started: {error}") from error
        self._is_started = True
        for beside in (self._outbox, self._inbox):
            if beside is not None:
                beside.start()
        ahead = Ahead(self._spool_folder, self._spool)
        pipes = Pipes(process.output, self._spool, "user", "run", ahead)
        pipes.start()
        if app is None:
            self._uplink.report_started(process.pid)
        else:
            app.attend(lambda: self._uplink.report_started(process.pid))
        try:
            return supervise(
                process,
                self._orders,
                self._spool,
                launch.timeout_seconds,
                launch.grace_seconds,
                "run",
                launch.memory,
            )
        except TetherGone:
            self._tethered.bring_down()  # what the run had started came to us; first that, it holds the pipes
            raise
        finally:
            self._lease.disarm()
            if app is not None:
                app.finish()
            if not pipes.finish(_DRAIN_SECONDS):
                self._spool.remark("A process out of reach still holds the run's output; not waiting.", "run")

    def _can_be_forked(self, environment: Path, root: Path, variables: Mapping[str, str]) -> bool:
        if self._image is None:
            return False
        owner = f"{self._launch.storage.partition('/')[0]}/{variables.get('WORKSPACE__PROFILE', '')}"
        why = self._image.misfit(environment, owner, root, self._launch.command, variables)
        if why is not None:
            sys.stderr.write(f"homeport runner: a plain start, for {why}\n")
        return why is None

    def _variables(self, environment: Path) -> dict[str, str]:
        return variables_of_run(
            os.environ,
            {**self._launch.variables, **self._input_files()},
            environment,
            home=make_private(self._folder / "home"),
            temporary=make_private(self._folder / "tmp"),
            storage=make_private(self._node.storage(self._launch.storage)),
            artifacts={
                **({"SEND": self._outbox.folder} if self._outbox is not None else {}),
                **({"SYNC": self._folder / "synced"} if self._inbox is not None else {}),
            },
        )

    def _make_outbox(self, phone: Phone) -> Outbox:
        storage = self._node.storage(self._launch.storage)
        return Outbox(phone, make_private(self._folder / "left"), storage, self._masking, self._remark)

    def _fetch_artifacts(self, root: Path) -> None:
        wanted = self._launch.artifacts
        if wanted is not None and wanted.sync:
            attach_below = root if wanted.attach else None
            synced = self._folder / "synced"
            lease = self._launch.lease_seconds
            self._inbox = Inbox(self._new_phone(), synced, wanted.profile, attach_below, lease, self._remark)
            self._inbox.fetch(self._orders)

    def _remark(self, words: str) -> None:
        self._spool.remark(words, "run")

    def _input_files(self) -> dict[str, str]:
        """Lay out what the run reads, for the owner's eyes only; the variables that say where it is."""
        folder = make_private(self._folder / "inputs")
        for file in self._launch.inputs:
            path = folder / file.name
            path.touch(mode=0o600)
            path.write_bytes(file.content)
        return {file.variable: str(folder / file.name) for file in self._launch.inputs}

    def _report(self, ending: Ending) -> bool:
        """Artifacts and every line first, then how it ended: who reads the exit finds the rest complete."""
        detail = None if ending.detail is None else self._masking.text(ending.detail)
        ending = replace(ending, detail=detail)
        until = clocks.now() + REPORT_SECONDS
        self._send_artifacts()
        self._spool.close()
        self._uplink.finish()
        if not self._uplink.wait_until_drained(REPORT_SECONDS):
            return False
        self._control.finish()
        return report_exit(self._phone, ending, self._spool.total, until)

    def _send_artifacts(self) -> None:
        outbox = self._outbox
        if outbox is None:
            return
        outbox.finish()
        if outbox.send_rest(patience=0):
            return
        patience = self._launch.lease_seconds / _PATIENCE_OF_LEASE
        # A server that is away is waited for anyway, with the lines; only then does patience begin.
        if not (self._uplink.wait_until_caught_up(REPORT_SECONDS) and outbox.send_rest(patience)):
            outbox.give_up()

    def _leave(self, code: int) -> NoReturn:
        """The attempt is no longer ours: end what was started, at once and from whichever thread.

        Never returns, and does not wait for the main thread, which may be waiting for something itself.
        """
        self._leaving.acquire()  # for good: whoever comes second waits for the end
        try:
            self._tethered.bring_down()
            if code == LEASE_OVER:
                self._clear_away_the_run()  # the log stays for the server, which may come back
            else:
                remove(self._folder)
        finally:
            os._exit(code)

    def _clear_away_the_run(self) -> None:
        for used in ("work", "tmp", "home", "inputs", "build", "synced"):
            remove(self._folder / used)


def _one_line(error: Exception) -> str:
    return " ".join(str(error).split())
