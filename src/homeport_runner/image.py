"""What a warm process has in memory, whether a run may begin with it, and how a fork of it becomes the run.

A forked run has to be what `python -u -m <module>` would have been. What cannot be made so after the start (an
environment variable that a module read when it was imported, a file of the workspace that would have been imported
instead of a module that is there already) is a *misfit*: then there is a plain start, with the same result.
"""

from __future__ import annotations

import atexit
import contextlib
import json
import os
import runpy
import signal
import sys
import tempfile
import time
import types
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any, ClassVar

from homeport_runner import family, memory

_PLAIN_COMMAND = ["-u", "-m"]
# Read by Python itself, the C library or native libraries when they start, where nobody can watch.
_READ_AT_START = (
    "PYTHON", "LD_", "LC_", "LANGUAGE", "MALLOC_", "GLIBC_", "OMP_", "OPENBLAS_", "GOTO_", "MKL_", "NUMEXPR_",
    "ARROW_", "OPENSSL_", "FSSPEC_",
)  # fmt: skip
# A fresh folder in every run, as in the warm process: what was found there, nothing, holds for both.
_FRESH_FOLDERS = frozenset({"HOME", "TMPDIR"})
_MUST_AGREE = frozenset({"LANG", "TZ"})
_MOST_DESCRIPTORS = 65536


class BecomeRun(BaseException):
    """Unwinds a fork of the tether up to the first line of the process, where the run begins."""

    def __init__(self, module: str) -> None:
        super().__init__(module)
        self.module = module


_Environ = type(os.environ)


class _Watched(_Environ):  # type: ignore[valid-type, misc] # the class has no public name
    """`os.environ` while modules are imported."""

    asked: ClassVar[set[str]] = set()

    def __getitem__(self, name: str) -> str:
        self.asked.add(name)
        return super().__getitem__(name)  # type: ignore[no-any-return]

    def __contains__(self, name: object) -> bool:
        self.asked.add(str(name))
        return bool(super().__contains__(name))


@contextlib.contextmanager
def watched_variables() -> Iterator[set[str]]:
    """The environment variables that are asked for in the meantime, as far as Python code does."""
    _Watched.asked = set()
    os.environ.__class__ = _Watched
    try:
        yield _Watched.asked
    finally:
        os.environ.__class__ = _Environ


class Image:
    """The warm process's memory, as its forks find it."""

    def __init__(self, environment: Path, owner: str, folder: Path) -> None:
        self.owner = owner
        """`<workspace id>/<profile>`: nobody else's runs begin with it."""
        self.folder = folder
        self.variables = dict(os.environ)
        self.asked: set[str] = set()
        self.launchers: list[str] = []
        """Modules that are there for what they import; a run executes them anew."""
        self.path = list(sys.path)
        self._environment = environment
        self._built = identity(environment)

    @property
    def is_current(self) -> bool:
        """Whether the environment is still the one that the modules come from."""
        return self._built is not None and identity(self._environment) == self._built

    def misfit(
        self, environment: Path, owner: str, root: Path, command: Sequence[str], variables: Mapping[str, str]
    ) -> str | None:
        """Why a run cannot begin with this; None if it can."""
        if owner != self.owner:
            return "it is for another workspace or profile"
        if self._built is None or identity(environment) != self._built:
            return "the environment is another"
        if list(command[:2]) != _PLAIN_COMMAND or len(command) < 3:
            return "the command is not `-u -m <module>`"
        return self._misfit_of_variables(variables) or self._misfit_of_files(root)

    def _misfit_of_variables(self, variables: Mapping[str, str]) -> str | None:
        for name in variables.keys() | self.variables.keys():
            if name in _FRESH_FOLDERS or variables.get(name) == self.variables.get(name):
                continue
            if name in self.asked or name in _MUST_AGREE or name.startswith(_READ_AT_START):
                return f"the variable {name} is read before a run begins"
        return None

    def _misfit_of_files(self, root: Path) -> str | None:
        """The workspace comes first on the path: a file of it may stand for a module that is here already."""
        there = {name.partition(".")[0] for name in sys.modules}
        for entry in os.scandir(root):
            name = entry.name.partition(".")[0]
            if name in there and (entry.is_dir() or entry.name.endswith((".py", ".pyc", ".so"))):
                return f"{entry.name} of the workspace stands for a module of the environment"
        return None

    def become(self, order: Mapping[str, Any], stdout: int, stderr: int, parent: int) -> BecomeRun:
        """In the fork: what a process that was just started has, and nothing else."""
        os.setsid()
        family.die_with_parent(parent)
        memory.prefer_as_victim()
        _default_signals()
        null = os.open(os.devnull, os.O_RDONLY)
        for number, descriptor in enumerate((null, stdout, stderr)):
            os.dup2(descriptor, number)
        os.closerange(3, _MOST_DESCRIPTORS)
        os.environ.clear()
        os.environ.update(order["env"])
        time.tzset()
        os.chdir(order["cwd"])
        module, *arguments = order["argv"][3:]
        sys.argv = ["-m", *arguments]
        if hasattr(sys, "orig_argv"):
            sys.orig_argv = list(order["argv"])
        sys.path[:] = [os.getcwd(), *self.path]
        self._clear_modules()
        atexit.register(_remember_imports, self.folder, frozenset(sys.modules))
        return BecomeRun(module)

    def _clear_modules(self) -> None:
        for name in list(sys.modules):
            if name in self.launchers or name.partition(".")[0] == "homeport_runner":
                module = sys.modules.pop(name)
                above, _, own = name.rpartition(".")
                if above in sys.modules and getattr(sys.modules[above], own, None) is module:
                    delattr(sys.modules[above], own)
        main = types.ModuleType("__main__")
        main.__dict__["__builtins__"] = sys.modules["builtins"]
        if "__annotations__" in vars(sys.modules["__main__"]):  # up to Python 3.13
            main.__annotations__ = {}
        sys.modules["__main__"] = main
        tempfile.tempdir = None
        # Python's own generator starts anew in every fork, numpy's does not
        if "numpy.random" in sys.modules:
            sys.modules["numpy.random"].seed()


def run_as_main(module: str) -> None:
    """The rest of `python -m module`; the interpreter then ends as it always does."""
    try:
        runpy._run_module_as_main(module)  # type: ignore[attr-defined] # what `-m` itself calls
    except (SystemExit, KeyboardInterrupt):
        raise
    except BaseException as error:
        # without our own frame on top, which a plain start would not have
        trace = error.__traceback__
        error.__traceback__ = trace.tb_next if trace is not None else None
        sys.excepthook(type(error), error, error.__traceback__)
        code = 1
    else:
        return
    sys.exit(code)


def _default_signals() -> None:
    """As Python leaves them when it starts."""
    signal.set_wakeup_fd(-1)
    for number in (signal.SIGCHLD, signal.SIGTERM, signal.SIGHUP, signal.SIGQUIT):
        signal.signal(number, signal.SIG_DFL)
    signal.signal(signal.SIGINT, signal.default_int_handler)
    signal.signal(signal.SIGPIPE, signal.SIG_IGN)
    signal.pthread_sigmask(signal.SIG_SETMASK, [])


def _remember_imports(folder: Path, known: frozenset[str]) -> None:
    """At the end of a run: which modules of the environment it used that were not here before."""
    with contextlib.suppress(Exception):
        used = [name for name, module in list(sys.modules.items()) if name not in known and _is_installed(module)]
        if used and folder.is_dir():
            scratch = folder / f"used-{os.getpid()}.new"
            scratch.write_text(json.dumps(used))
            scratch.replace(folder / f"used-{os.getpid()}.json")


def _is_installed(module: Any) -> bool:
    """Part of a package of the environment: nothing of the workspace, which is another each time."""
    origin = getattr(getattr(module, "__spec__", None), "origin", None)
    installed = os.path.join(sys.prefix, "lib") + os.sep
    return isinstance(origin, str) and origin.startswith(installed) and f"{os.sep}site-packages{os.sep}" in origin


def identity(environment: Path) -> tuple[int, ...] | None:
    """Tells a built environment from one that was built again in its place."""
    try:
        stat = (environment / "pyvenv.cfg").stat()
    except OSError:
        return None
    return (stat.st_dev, stat.st_ino, stat.st_mtime_ns)
