"""A run's packages are those its workspace names, and never the one that must stay out."""

import sys
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest

from ..wheels import Branch
from .conftest import NewWorkspace
from .servers import Homeport, until
from .workspaces import PYPROJECT, Workspace

pytestmark = pytest.mark.acceptance

PACKAGES = """
from importlib.metadata import distributions

from dlt.hub import run


def names():
    return sorted(found.name.lower() for found in distributions())


@run.job
def plain():
    print("HAS", *names())


@run.job(require={"dependency_groups": ["clock"]})
def with_clock():
    import tzlocal

    print("HAS", *names())
"""

NAMES = ["plain", "with_clock"]
DEPLOYMENT = f"from shop import {', '.join(NAMES)}\n\n__all__ = {NAMES}\n"
GROUP = '\n[dependency-groups]\nclock = ["tzlocal==5.3.1"]\n'
ONLY_PLAIN = {"shop.py": PACKAGES, "__deployment__.py": "from shop import plain\n\n__all__ = ['plain']\n"}


def packages(workspace: Workspace, name: str = "plain") -> set[str]:
    run = workspace.run(name)
    text = workspace.text(run["id"])
    assert run["status"] == "completed", text
    return set(text.rpartition("HAS ")[2].split())


def builds_of(server: Homeport) -> list[Path]:
    return [path.parent for path in server.data.glob("node/environments/*/.complete")]


@pytest.fixture
def building_server(tmp_path: Path, environment: dict[str, str]) -> Iterator[Homeport]:
    """With environments of its own, which it builds ahead; not started yet."""
    (tmp_path / "server").mkdir()
    server = Homeport(tmp_path / "server", environment)
    server.settings = {}
    yield server
    server.close()


def test_what_is_deployed_is_built_before_anybody_runs_it(
    building_server: Homeport, new_workspace: NewWorkspace
) -> None:
    """The run then finds it, and so says nothing of a build."""
    workspace = new_workspace(building_server.start(), ONLY_PLAIN)
    workspace.write({"pyproject.toml": PYPROJECT})
    workspace.dlthub("deploy")
    until(lambda: builds_of(building_server), what="the build")
    assert "dlt" in (text := workspace.dlthub("run", "plain", "-f"))
    assert "built in" not in text
    assert "waiting for it" not in text


TINY = """
from pathlib import Path

from dlt.hub import run


@run.job
def says():
    import tiny

    words = Path("/proc/self/cmdline").read_text().split(chr(0))
    print("SAYS", tiny.ANSWER, "plain" if "--run-id" in words else "warm")
"""


def test_a_branch_that_has_moved_is_built_ahead_by_the_next_deploy_and_its_runs_are_warm_again(
    building_server: Homeport, tmp_path: Path, new_workspace: NewWorkspace
) -> None:
    """The same requirements, to the letter; what they lead to has changed."""
    server, branch = building_server, Branch(tmp_path / "branch")
    files = {"shop.py": TINY, "__deployment__.py": "from shop import says\n\n__all__ = ['says']\n"}

    def said() -> str:
        run = workspace.run("says")
        text = workspace.text(run["id"])
        assert run["status"] == "completed", text
        return text.rpartition("SAYS ")[2].strip()

    workspace = new_workspace(server.start(), files)
    workspace.write({"pyproject.toml": PYPROJECT.replace('"]', f'", "{branch.requirement}"]')})
    for number, answer in enumerate(("one", "two"), start=1):
        branch.commit(answer)
        workspace.write({"version.txt": answer})
        workspace.dlthub("deploy")
        until(lambda number=number: len(builds_of(server)) == number, what="the build")  # type: ignore[misc]
        assert said() == f"{answer} plain"
        until(lambda answer=answer: said() == f"{answer} warm", what="a warm start")  # type: ignore[misc]


def test_a_python_that_cannot_be_had_is_refused_at_the_deploy(
    own_server: Homeport, new_workspace: NewWorkspace, tmp_path: Path
) -> None:
    """As on a machine with another Python, where uv may not download any."""
    own_server.settings |= {
        "UV_PYTHON_DOWNLOADS": "never",
        "UV_PYTHON_PREFERENCE": "only-managed",
        "UV_PYTHON_INSTALL_DIR": str(tmp_path / "none"),
    }
    workspace = new_workspace(own_server.start(), ONLY_PLAIN)
    said = workspace.refused("deploy")
    assert f"for Python {sys.version_info.major}.{sys.version_info.minor}" in said
    assert "uv python install" in said
    assert workspace.live_jobs() == set()


def test_a_failed_build_is_told_to_the_next_run_and_tried_again_after_a_deploy(
    server: Homeport, new_workspace: NewWorkspace
) -> None:
    broken = PYPROJECT.replace("dependencies = [", 'dependencies = ["tzlocal==0.0.0.dev998", ')
    workspace = new_workspace(server, ONLY_PLAIN | {"pyproject.toml": broken})
    workspace.dlthub("deploy")

    def log() -> str:
        """Of a run that is started without a deploy, as schedules start theirs."""
        text = workspace.text(workspace.run("plain")["id"])
        assert "there is no version of tzlocal==0.0.0.dev998" in text
        return text

    kept = "Nothing has changed since, so it is not built again."
    assert [kept in log() for _ in range(3)] == [False, True, True]
    workspace.dlthub("deploy")
    assert [kept in log() for _ in range(2)] == [False, True]


def test_requirements_that_do_not_resolve_fail_their_run_in_uvs_words_and_no_other(
    server: Homeport, new_workspace: NewWorkspace
) -> None:
    workspace = new_workspace(
        server,
        {
            "shop.py": PACKAGES,
            "__deployment__.py": DEPLOYMENT,
            "pyproject.toml": PYPROJECT + '\n[dependency-groups]\nclock = ["tzlocal==0.0.0.dev999"]\n',
        },
    )
    workspace.dlthub("deploy")
    ended = workspace.call("dlthub", "run", "with_clock", "-f")
    assert ended.exit_code == 1
    assert "status: failed" in ended.output
    assert "[setup]" in ended.output
    assert "there is no version of tzlocal==0.0.0.dev999" in ended.output
    assert "dlt" in packages(workspace, "plain")


def test_a_job_with_a_dependency_group_has_it_and_others_beside_it_have_not(
    server: Homeport, new_workspace: NewWorkspace
) -> None:
    workspace = new_workspace(
        server,
        {"shop.py": PACKAGES, "__deployment__.py": DEPLOYMENT, "pyproject.toml": PYPROJECT + GROUP},
    )
    workspace.dlthub("deploy")
    with ThreadPoolExecutor(2) as pool:
        with_clock, plain = pool.map(lambda name: packages(workspace, name), ["with_clock", "plain"])
    assert "tzlocal" in with_clock
    assert "tzlocal" not in plain


@pytest.mark.parametrize(
    ("dependencies", "reason"),
    [
        ('"dlt[duckdb]>=1.31,<1.32", "dlthub"', "dlthub is left out: its licence"),
        ('"dlt[duckdb,hub]>=1.31,<1.32"', "is installed without its 'hub' extra"),
    ],
)
def test_a_workspace_that_names_the_excluded_package_deploys_and_runs_without_it(
    server: Homeport, new_workspace: NewWorkspace, dependencies: str, reason: str
) -> None:
    pyproject = PYPROJECT.replace('"dlt[duckdb]>=1.31,<1.32"', dependencies)
    workspace = new_workspace(server, {**ONLY_PLAIN, "pyproject.toml": pyproject})
    workspace.dlthub("deploy")
    output = workspace.dlthub("run", "plain", "-f")
    [line] = [line for line in output.splitlines() if reason in line]
    assert "[setup]" in line
    found = set(output.partition("HAS ")[2].splitlines()[0].split())
    assert "dlt" in found
    assert not found & {"dlthub", "dlt-plus"}


def test_a_workspace_that_does_not_name_it_hears_nothing_of_it(workspace: Workspace) -> None:
    workspace.write(ONLY_PLAIN)
    output = workspace.dlthub("run", "plain", "-f")
    assert "licence" not in output
    assert "dlthub" not in output.partition("HAS ")[2].split()
