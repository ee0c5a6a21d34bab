"""What is not pinned follows what there is to be had, deploy by deploy."""

from __future__ import annotations

import os
import time
from pathlib import Path
from typing import Any

import pytest

from homeport_runner import newest

from ..wheels import Branch, make_wheel
from .conftest import DEADLINE, UV, Stage

ASKS = "import tiny; print(tiny.ANSWER)"
LATER = 601.0
"""Seconds after which uv would ask an index again."""
RECORDS = """#!/bin/sh
echo "$*" >> "$UV_TEST_LOG"
case "$*" in
  *--dry-run*) if [ -n "$UV_TEST_AWAY" ]; then echo "error: error sending request for url" >&2; exit 2; fi;;
esac
exec %s "$@"
"""


class Shelf:
    """Packages of one name, and runs that want it."""

    def __init__(self, stage: Stage, folder: Path) -> None:
        self.stage = stage
        self.wheels = folder / "wheels"
        self.wheels.mkdir()
        self.log = folder / "uv.log"
        self.asked_at = 0.0
        uv = folder / "recording-uv"
        uv.write_text(RECORDS % UV)
        uv.chmod(0o755)
        self.variables = {
            "UV_NO_INDEX": "1",
            "UV_FIND_LINKS": str(self.wheels),
            "UV_CACHE_DIR": str(folder / "cache"),
            "UV_TEST_LOG": str(self.log),
            "HOMEPORT_UV": str(uv),
        }

    def put(self, version: str) -> None:
        make_wheel(self.wheels, "tiny", version, repr(version))

    def deploy(self, after: float = LATER) -> None:
        """So many seconds after what was done last."""
        folder = self.stage.node / "environments"
        for path in (*folder.glob("*/pyvenv.cfg"), *folder.glob("*.newest")):
            os.utime(path, (path.stat().st_atime, path.stat().st_mtime - after))
        self.asked_at = time.time()

    def run(self, *requirements: str) -> list[str]:
        server = self.stage.serve(ASKS, environment=self.wanted(*requirements))
        ended = self.stage.run(server, **self.variables)
        assert ended["exit_code"] == 0, server.contents("setup")
        self.remarks = server.contents("setup")
        return server.contents()

    def wanted(self, *requirements: str) -> dict[str, Any]:
        return {"requirements": list(requirements or ["tiny"]), "asked_at": self.asked_at}

    @property
    def looks(self) -> int:
        return self.log.read_text().count("--dry-run")


@pytest.fixture
def shelf(fresh_stage: Stage, tmp_path: Path) -> Shelf:
    shelf = Shelf(fresh_stage, tmp_path)
    shelf.put("1.0")
    return shelf


def test_a_new_deploy_has_the_newest_package_and_earlier_runs_keep_theirs(shelf: Shelf) -> None:
    assert shelf.run() == ["1.0"]
    shelf.put("2.0")
    assert shelf.run() == ["1.0"]  # nobody has deployed
    shelf.deploy(after=1)
    assert shelf.run() == ["1.0"]  # uv would not ask either
    assert shelf.looks == 0
    shelf.deploy()
    assert shelf.run() == ["2.0"]
    assert "- tiny==1.0, + tiny==2.0" in shelf.remarks[0]
    assert shelf.run() == ["2.0"]
    assert (shelf.looks, shelf.remarks) == (1, [])
    assert len(list((shelf.stage.node / "environments").glob("*/.complete"))) == 2


def test_what_has_not_changed_is_used_on_without_a_word(shelf: Shelf) -> None:
    shelf.run()
    shelf.deploy()
    for _ in range(2):
        assert (shelf.run(), shelf.remarks, shelf.looks) == (["1.0"], [], 1)


def test_a_second_newer_package_follows_the_first(shelf: Shelf) -> None:
    shelf.run()
    for version in ("2.0", "3.0"):
        shelf.put(version)
        shelf.deploy()
        assert shelf.run() == [version]


def test_what_is_pinned_is_never_looked_up(shelf: Shelf) -> None:
    shelf.run("tiny==1.0", "tiny>=0.5")
    shelf.put("2.0")
    shelf.deploy()
    assert shelf.run("tiny==1.0", "tiny>=0.5") == ["1.0"]
    assert shelf.looks == 0


def test_without_an_index_what_is_there_serves_until_the_next_deploy(shelf: Shelf) -> None:
    shelf.run()
    shelf.put("2.0")
    shelf.deploy()
    shelf.variables["UV_TEST_AWAY"] = "yes"
    assert shelf.run() == ["1.0"]
    assert "could not be looked for" in shelf.remarks[0]
    assert "error sending request" in shelf.remarks[0]
    assert (shelf.run(), shelf.remarks, shelf.looks) == (["1.0"], [], 1)
    del shelf.variables["UV_TEST_AWAY"]
    shelf.deploy()
    assert shelf.run() == ["2.0"]


def test_runs_that_begin_at_once_look_once(shelf: Shelf) -> None:
    shelf.run()
    shelf.put("2.0")
    shelf.deploy()
    servers = [shelf.stage.serve(ASKS, environment=shelf.wanted()) for _ in range(3)]
    runners = []
    for number, server in enumerate(servers):
        node = shelf.stage.node / str(number)  # the attempts have the same name
        node.mkdir()
        (node / "environments").symlink_to(shelf.stage.node / "environments")
        runners.append(shelf.stage.start(server, **shelf.variables | {"HOMEPORT_NODE_DIR": str(node)}))
    assert [runner.wait(DEADLINE) for runner in runners] == [0, 0, 0]
    assert [server.contents() for server in servers] == [["2.0"]] * 3
    assert shelf.looks == 1


def test_a_branch_that_has_moved_is_noticed_at_the_next_deploy(shelf: Shelf, tmp_path: Path) -> None:
    """Also within the minutes that uv does not ask an index again."""
    branch = Branch(tmp_path / "project")
    branch.commit("here")
    assert shelf.run(branch.requirement) == ["here"]
    branch.commit("there")
    shelf.deploy(after=1)
    assert shelf.run(branch.requirement) == ["there"]


@pytest.mark.parametrize(
    ("requirements", "is_pinned"),
    [
        ([], True),
        (["dlt==1.31.0", "duckdb==2.0.1 ; python_version < '3.13'", "dlt[duckdb]>=1.31"], True),
        (["dlt[duckdb]==1.31.0"], True),
        (["Py_Yaml==6.0", "py-yaml"], True),
        (["dlt"], False),
        (["dlt==1.*"], False),
        (["dlt==1.31.0", "six>=1"], False),
        (["dlt==1.31.0,!=1.30"], False),
        (["tiny @ git+https://example.org/tiny"], False),
        (["--find-links=here"], False),
    ],
)
def test_only_an_exact_version_of_everything_is_pinned(requirements: list[str], is_pinned: bool) -> None:
    assert newest.is_pinned(requirements) is is_pinned
