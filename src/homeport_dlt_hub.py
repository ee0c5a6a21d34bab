"""Makes the documented import `from dlt.hub import run` work where only open `dlt` is installed.

`dlt.hub` answers every attribute with `MissingDependencyException` unless a package that Homeport may
not use is installed, although `dlt.hub.run` itself is part of open dlt. `homeport_dlt_hub.pth` imports
this module at the start of every interpreter; it costs one small import and then waits on the import
of `dlt.hub` to teach that module its own submodules. Nothing of dlt is imported before the user does.

Standard library only and one file: environments of runs get a copy of it.
"""

import sys

_SUBMODULES = frozenset({"run"})


class _HubFinder:
    """Finds `dlt.hub` where it always was, and has its loader hand out the submodules."""

    def find_spec(self, name, path=None, target=None):  # type: ignore[no-untyped-def]
        if name != "dlt.hub":
            return None
        sys.meta_path.remove(self)
        from importlib.machinery import PathFinder

        spec = PathFinder.find_spec(name, path, target)
        if spec is not None and spec.loader is not None:
            spec.loader = _HubLoader(spec.loader)  # type: ignore[assignment]
        return spec


class _HubLoader:
    def __init__(self, loader):  # type: ignore[no-untyped-def]
        self._loader = loader

    def __getattr__(self, name):  # type: ignore[no-untyped-def]
        return getattr(self._loader, name)

    def create_module(self, spec):  # type: ignore[no-untyped-def]
        return self._loader.create_module(spec)

    def exec_module(self, module):  # type: ignore[no-untyped-def]
        self._loader.exec_module(module)
        refuse = module.__dict__.get("__getattr__")
        if refuse is None:
            return

        def hand_out_submodules(name):  # type: ignore[no-untyped-def]
            if name in _SUBMODULES:
                from importlib import import_module

                return import_module("dlt.hub." + name)
            return refuse(name)

        module.__getattr__ = hand_out_submodules


def install() -> None:
    """Put the finder in place; a second call changes nothing."""
    if "dlt.hub" not in sys.modules and not any(isinstance(f, _HubFinder) for f in sys.meta_path):
        sys.meta_path.insert(0, _HubFinder())  # type: ignore[arg-type]


install()
