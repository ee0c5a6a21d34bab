"""Makes two things work where only open `dlt` is installed: `from dlt.hub import run`, and DuckDB 2.

`dlt.hub` answers every attribute with `MissingDependencyException` unless a package that Homeport may
not use is installed, although `dlt.hub.run` itself is part of open dlt. And dlt 1.31 gets Arrow tables from
DuckDB (`dataset().….arrow()`, every query of its dashboard) by a method that DuckDB 2 has under its new name only.

`homeport_dlt_hub.pth` imports this module at the start of every interpreter; it costs one small import and then
waits on the import of `dlt.hub` to teach that module its own submodules, and of `duckdb` to give it that name
back. Nothing of either is imported before the user does.

Standard library only and one file: environments of runs get a copy of it.
"""

import sys

_TAUGHT = frozenset({"dlt.hub", "duckdb"})
_SUBMODULES = frozenset({"run"})


class _Finder:
    """Finds the modules where they always were, and has them taught when they have been loaded."""

    def __init__(self) -> None:
        self._lessons = {"dlt.hub": _teach_hub, "duckdb": _teach_duckdb}

    def find_spec(self, name, path=None, target=None):  # type: ignore[no-untyped-def]
        if name not in self._lessons:
            return None
        from importlib.machinery import PathFinder

        spec = PathFinder.find_spec(name, path, target)
        if spec is not None and spec.loader is not None:
            spec.loader = _Loader(spec.loader, self, name)  # type: ignore[assignment]
        return spec

    def teach(self, name, module):  # type: ignore[no-untyped-def]
        # not before: to look for a module is not to import it
        self._lessons.pop(name)(module)
        if not self._lessons:
            sys.meta_path.remove(self)


class _Loader:
    def __init__(self, loader, finder, name):  # type: ignore[no-untyped-def]
        self._loader = loader
        self._finder = finder
        self._name = name

    def __getattr__(self, name):  # type: ignore[no-untyped-def]
        return getattr(self._loader, name)

    def create_module(self, spec):  # type: ignore[no-untyped-def]
        return self._loader.create_module(spec)

    def exec_module(self, module):  # type: ignore[no-untyped-def]
        self._loader.exec_module(module)
        self._finder.teach(self._name, module)


def _teach_hub(module):  # type: ignore[no-untyped-def]
    refuse = module.__dict__.get("__getattr__")
    if refuse is None:
        return

    def hand_out_submodules(name):  # type: ignore[no-untyped-def]
        if name in _SUBMODULES:
            from importlib import import_module

            return import_module("dlt.hub." + name)
        return refuse(name)

    module.__getattr__ = hand_out_submodules


def _teach_duckdb(module):  # type: ignore[no-untyped-def]
    connection = getattr(module, "DuckDBPyConnection", None)
    if hasattr(connection, "to_arrow_table") and not hasattr(connection, "fetch_arrow_table"):
        connection.fetch_arrow_table = connection.to_arrow_table


def install() -> None:
    """Put the finder in place; a second call changes nothing."""
    is_there = any(isinstance(finder, _Finder) for finder in sys.meta_path)
    if not is_there and any(name not in sys.modules for name in _TAUGHT):
        sys.meta_path.insert(0, _Finder())  # type: ignore[arg-type]


install()
