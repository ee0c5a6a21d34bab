"""As good as another machine: a network of its own with one cable to here, and none of the server's files.

Made of a network namespace and a mount namespace, which takes root and iproute2.
"""

import os
import shutil
import subprocess
import sys
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path

import pytest

import homeport_runner
from homeport.execution.engines import Placement
from homeport_runner.boot import argv

_SYSTEM_PYTHON = Path("/usr/bin/python3")


class NoNamespaces(Exception):
    """This user may not make network namespaces, or iproute2 is missing."""


class OtherMachine:
    """`address_here` is where it finds a server that listens on this end of the cable."""

    def __init__(self, folder: Path, hidden: Path, environment: Mapping[str, str]) -> None:
        self.node = folder / "node"
        self._sources = folder / "sources"
        self._hidden = hidden
        self._environment = dict(environment)
        self._runners: list[subprocess.Popen[bytes]] = []
        self._name = f"hp{os.getpid()}"
        subnet = f"10.213.{os.getpid() % 250}"
        self.address_here = f"{subnet}.1"
        self._here = f"{self._name}h"
        shutil.copytree(Path(homeport_runner.__file__).parent, self._sources / "homeport_runner")
        for extra in Path(homeport_runner.__file__).parents[1].glob("homeport_dlt_hub.py"):
            shutil.copy(extra, self._sources)
        self.node.mkdir(parents=True)
        try:
            _ip("netns", "add", self._name)
            _ip("link", "add", self._here, "type", "veth", "peer", "name", "eth0", "netns", self._name)
            _ip("addr", "add", f"{subnet}.1/30", "dev", self._here)
            _ip("link", "set", self._here, "up")
            for words in (("addr", "add", f"{subnet}.2/30", "dev", "eth0"), ("link", "set", "eth0", "up")):
                _ip("-n", self._name, *words)
            _ip("-n", self._name, "link", "set", "lo", "up")
        except BaseException:
            self.close()
            raise

    def start(self, placement: Placement) -> None:
        """What an engine does there."""
        python = str(_SYSTEM_PYTHON if _SYSTEM_PYTHON.exists() else Path(sys.executable))
        command = argv(python, str(self._sources), placement.server_url, placement.attempt, placement.ticket)
        inside = ("ip", "netns", "exec", self._name, "unshare", "--mount")
        hide = 'mount -t tmpfs tmpfs "$0" && exec "$@"'
        with (self.node / "runner.log").open("ab") as log:
            runner = subprocess.Popen(
                [*inside, "sh", "-c", hide, str(self._hidden), *command],
                env=self._environment | {"HOMEPORT_NODE_DIR": str(self.node)},
                cwd=self.node,
                stdin=subprocess.DEVNULL,
                stdout=log,
                stderr=log,
                start_new_session=True,
            )
        self._runners.append(runner)

    @property
    def said(self) -> str:
        return (self.node / "runner.log").read_text()

    def pull_the_cable(self) -> None:
        _ip("link", "set", self._here, "down")

    def put_it_back(self) -> None:
        _ip("link", "set", self._here, "up")

    def close(self) -> None:
        for runner in self._runners:
            if runner.poll() is None:
                runner.kill()
            runner.wait()
        subprocess.run(["ip", "netns", "delete", self._name], capture_output=True, check=False)


@contextmanager
def lone_network() -> Iterator[tuple[str, ...]]:
    """The start of a command that runs with a loopback and no other network; skips where none may be made."""
    name = f"hp{os.getpid()}l"
    try:
        try:
            _ip("netns", "add", name)
            _ip("-n", name, "link", "set", "lo", "up")
        except NoNamespaces as reason:
            pytest.skip(f"no network to be alone in: {reason}")
        yield ("ip", "netns", "exec", name)
    finally:
        subprocess.run(["ip", "netns", "delete", name], capture_output=True, check=False)


def _ip(*words: str) -> None:
    try:
        done = subprocess.run(["ip", *words], capture_output=True, text=True, check=False)
    except FileNotFoundError as error:
        raise NoNamespaces("`ip` is not installed (Debian: iproute2)") from error
    if done.returncode != 0:
        raise NoNamespaces(done.stderr.strip())
