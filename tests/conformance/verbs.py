"""The verbs of the released `dlthub` command, found by asking it, and the door through which tests call them."""

import json
import subprocess
from collections.abc import Mapping
from pathlib import Path

from ..acceptance.servers import BIN
from ..acceptance.workspaces import Workspace

LOCAL = {
    "ai init": "files for coding agents, kept in the workspace's folder",
    "ai mcp install": "writes an agent's settings",
    "ai mcp run": "asks the server: test_mcp.py calls each of its tools",
    "ai secrets": "the workspace's own secrets.toml",
    "ai status": "what is installed in the workspace's folder",
    "ai toolkit": "files for coding agents, kept in the workspace's folder",
    "init": "makes a workspace's folder",
    "local": "local on purpose: runs, serves and cleans on this machine",
    "pipeline init": "writes the code of a pipeline",
    "profile": "profiles of the workspace's folder",
}
"""Verbs, or families of them, that no server hears of, and why."""

_ASK = """
import argparse, json
from dlt._workspace.cli._dlt import _create_parser

def verbs(parser, words=()):
    deeper = [action for action in parser._actions if isinstance(action, argparse._SubParsersAction)]
    if not deeper:
        yield " ".join(words)
    for action in deeper:
        for word, below in action.choices.items():
            yield from verbs(below, (*words, word))

print(json.dumps(list(verbs(_create_parser("dlthub")[0]))))
"""


def ask(folder: Path, environment: Mapping[str, str]) -> set[str]:
    """All verbs, as `job runs list`; many are there inside of a workspace only."""
    (folder / ".dlt").mkdir()
    (folder / ".dlt" / ".workspace").touch()
    command = [BIN / "python", "-c", _ASK]
    told = subprocess.run(command, cwd=folder, env=environment, capture_output=True, text=True, check=True)
    return set(json.loads(told.stdout))


def is_local(verb: str) -> bool:
    return any(f"{verb} ".startswith(f"{family} ") for family in LOCAL)


class Dlthub:
    """The command in a workspace's folder. It notes which verbs it was called with."""

    def __init__(self, place: Workspace, verbs: set[str], called: set[str], **environment: str) -> None:
        self.place = place
        self.called = called
        self._verbs = verbs
        self._environment = environment

    def at(self, place: Workspace, **environment: str) -> "Dlthub":
        """The same door to another workspace."""
        return Dlthub(place, self._verbs, self.called, **environment)

    def __call__(self, *words: str, **environment: str) -> str:
        """What it prints; it must succeed."""
        self._note(words)
        return self.place.dlthub(*words, **self._environment, **environment)

    def refused(self, *words: str, **environment: str) -> str:
        """What it prints; it must not succeed, nor fall over."""
        self._note(words)
        return self.place.refused(*words, **self._environment, **environment)

    def exit_code(self, *words: str) -> int:
        self._note(words)
        return self.place.call("dlthub", *words, **self._environment).exit_code

    def _note(self, words: tuple[str, ...]) -> None:
        # `workspace deployment 1 info`, `-y variable delete`
        said = " ".join(word for word in words if not word.startswith("-") and not word.isdigit())
        self.called.add(next(verb for verb in self._verbs if f"{said} ".startswith(f"{verb} ")))
