"""A real `homeport up`: a process with a data folder, which can be stopped, killed and started again."""

import json
import os
import secrets
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Mapping
from contextlib import suppress
from pathlib import Path
from typing import Any, TypeVar

import httpx

DEADLINE = 60.0
"""Seconds after which something is not late but broken."""

BIN = Path(sys.executable).parent

Found = TypeVar("Found")


def until(look: Callable[[], Found], seconds: float = DEADLINE, what: str = "it") -> Found:
    """Look again and again until there is something to see."""
    deadline = time.monotonic() + seconds
    while not (found := look()):
        assert time.monotonic() < deadline, f"waited {seconds:g} s for {what} in vain"
        time.sleep(0.02)
    return found


def is_alive(pid: int) -> bool:
    """A zombie is not: nobody has got round to burying it, that is all."""
    try:
        return Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0] not in "ZX"
    except OSError:
        return False


class Homeport:
    """One installation: its data folder, and the process that serves it while there is one."""

    def __init__(self, folder: Path, environment: Mapping[str, str], environments: Path | None = None) -> None:
        self.folder = folder
        self.data = folder / "data"
        self.api_key = "dlt_u_" + secrets.token_urlsafe(30)
        # what nobody runs is not built: the machine has enough to do
        self.settings: dict[str, str] = {"HOMEPORT_BUILD_AHEAD": "off"}
        """`HOMEPORT_…` variables of its next start."""
        self._environment = dict(environment)
        self.port = 0
        """Where it listens; 0: its first start takes a free one."""
        self.http = httpx.Client()
        self._launched: list[subprocess.Popen[bytes]] = []
        (self.data / "node").mkdir(mode=0o700, parents=True)
        if environments is not None:
            # building one takes seconds; a lock per environment makes sharing safe
            (self.data / "node" / "environments").symlink_to(environments)

    def start(self, inside: tuple[str, ...] = ()) -> "Homeport":
        """Up and answering; a second start takes the same port, as a service manager would. `inside`: the start of
        a command that runs in the network where it is to be."""
        self.process = self.launch("--port", str(self.port), inside=inside)
        line = until(self._greeting, 30, "the server's greeting")
        self.reach(next(word for word in line.split() if word.startswith("http://")))
        self.port = self.port or int(self.url.rpartition(":")[2])
        return self

    def reach(self, url: str) -> None:
        """From now on it is there."""
        self.url = url
        self.http.close()
        self.http = httpx.Client(base_url=url, headers={"Authorization": f"Bearer {self.api_key}"}, timeout=30)

    def launch(self, *options: str, inside: tuple[str, ...] = ()) -> "subprocess.Popen[bytes]":
        """Just the process."""
        environment = self._environment | {"HOMEPORT_BOOTSTRAP_API_KEY": self.api_key} | self.settings
        with (self.folder / "server.out").open("wb") as out, (self.folder / "server.err").open("ab") as err:
            process = subprocess.Popen(
                [*inside, BIN / "homeport", "up", "--data-dir", str(self.data), *options],
                env=environment,
                stdin=subprocess.DEVNULL,
                stdout=out,
                stderr=err,
                start_new_session=True,
            )
        self._launched.append(process)
        return process

    @property
    def printed(self) -> str:
        return (self.folder / "server.out").read_text()

    def _greeting(self) -> str | None:
        assert self.process.poll() is None, (self.folder / "server.err").read_text()
        return next((line for line in self.printed.splitlines() if "is up" in line), None)

    def kill(self) -> None:
        """As a crash would."""
        self._end(signal.SIGKILL)

    def stop(self, how: signal.Signals = signal.SIGTERM) -> int:
        """As a service manager would; the answer is the exit code."""
        return self._end(how)

    def _end(self, how: signal.Signals) -> int:
        self.http.close()
        self.process.send_signal(how)
        return self.process.wait(20)

    def close(self) -> None:
        """End everything that belongs to this installation, whatever state a test left it in."""
        self.http.close()
        for process in self._launched:
            if process.poll() is None:
                process.kill()
            process.wait()
        for pid in self.runner_pids():
            with suppress(ProcessLookupError):
                os.kill(pid, signal.SIGKILL)

    def runner_pids(self) -> list[int]:
        """Of the runners that live; each has one run."""
        found = []
        for record in (self.data / "node" / "runs").glob("*/runner.json"):
            with suppress(OSError, ValueError):
                found.append(int(json.loads(record.read_text())["pid"]))
        return [pid for pid in found if is_alive(pid)]

    def get(self, path: str, **parameters: Any) -> Any:
        answer = self.http.get(f"/api/v1{path}", params=parameters)
        assert answer.status_code == 200, answer.text
        return answer.json()

    def post(self, path: str, body: Mapping[str, Any]) -> Any:
        answer = self.http.post(f"/api/v1{path}", json=dict(body))
        assert answer.status_code in (200, 201), answer.text
        return answer.json()

    def organization_id(self) -> str:
        return str(self.get("/organizations")["items"][0]["id"])
