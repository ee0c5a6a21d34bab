"""How a runner is started: `python -I -S -c BOOT <source folder> <server url> <attempt id> <ticket>`.

The engine imports this module for `argv`; nothing else of the runner is meant for it.
"""

from __future__ import annotations

# The source folder goes to the *end* of sys.path: it may be a whole site-packages, and nothing in there
# may stand in for a module of the standard library. `-I -S` keeps PYTHON* variables, the user's
# site-packages and `.pth` files out of the process that holds the secrets.
BOOT = (
    "import sys; sys.path.append(sys.argv[1]); from homeport_runner.main import main; sys.exit(main(sys.argv[2:]))"
)


# An environment is built ahead (`prebuild.py`), under the same terms.
BUILD_BOOT = (
    "import sys; sys.path.append(sys.argv[1]); from homeport_runner.prebuild import main; sys.exit(main())"
)


def build_argv(python: str, source_folder: str) -> list[str]:
    """The command line of a build that no run waits for; its order is read from standard input."""
    return [python, "-I", "-S", "-c", BUILD_BOOT, source_folder]


def argv(python: str, source_folder: str, server_url: str, attempt_id: str, ticket: str) -> list[str]:
    """The command line of the runner for one attempt."""
    return [python, "-I", "-S", "-c", BOOT, source_folder, server_url, attempt_id, ticket]


# Here the source folder is on the path only until the runner's modules are in: runs have the packages of their
# environment and no others. What `main` returns in a run is done on this line, with nothing above it.
WARM_BOOT = (
    "import sys; sys.path[:1] = []; sys.path.append(sys.argv[1]); from homeport_runner import warm; "
    "sys.path.pop(); warm.main(sys.argv[2:])()"
)


def warm_argv(
    python: str, source_folder: str, folder: str, environment: str, owner: str, idle: float, ear: int, module: str
) -> list[str]:
    """The command line of a warm process (`warm.py`); `module` is what its runs execute.

    `ear` reads the pipe that is its standard output and error; it leaves after `idle` seconds of no use.
    """
    arguments = [source_folder, folder, environment, owner, f"{idle:g}", str(ear), module]
    return [python, "-u", "-c", WARM_BOOT, *arguments]
