"""Where things are on this machine, as the engine says in the runner's environment."""

from __future__ import annotations

import os
import shutil
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path


class NoNode(Exception):
    """HOMEPORT_NODE_DIR is not set: the engine must name the folder of this node."""


@dataclass(frozen=True)
class Node:
    folder: Path
    uv: str

    @classmethod
    def from_variables(cls, variables: Mapping[str, str]) -> Node:
        folder = variables.get("HOMEPORT_NODE_DIR")
        if not folder:
            raise NoNode(NoNode.__doc__)
        return cls(Path(os.path.abspath(folder)), variables.get("HOMEPORT_UV") or "uv")

    @property
    def environments(self) -> Path:
        return self.folder / "environments"

    @property
    def builds(self) -> Path:
        """Working folders of builds that no run waits for."""
        return self.folder / "builds"

    def run_folder(self, attempt: str) -> Path:
        return self.folder / "runs" / attempt

    def carried(self, run: str) -> Path:
        """dlt's working state of a run, handed on from attempt to attempt; the engine removes it in the end."""
        return self.folder / "carried" / run

    def storage(self, name: str) -> Path:
        """What outlives a run: the local data of a workspace in one profile."""
        return self.folder / "workspaces" / name


def make_private(folder: Path) -> Path:
    """The folder, there and for the owner's eyes only."""
    folder.mkdir(mode=0o700, parents=True, exist_ok=True)
    folder.chmod(0o700)
    return folder


def remove(folder: Path) -> None:
    """Remove it all; again, if another thread was just writing into it."""
    for _ in range(3):
        shutil.rmtree(folder, ignore_errors=True)
        if not folder.exists():
            return
