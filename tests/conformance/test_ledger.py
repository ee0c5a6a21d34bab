"""The ledger: no operation of the SDK without a test, and no mark without an operation."""

import importlib
import inspect
from pathlib import Path

from .ledger import operations


def _covered() -> set[str]:
    """What tests with the SDK stand for; the fixture `sdk` gives them both flavours on both databases."""
    found: set[str] = set()
    for path in Path(__file__).parent.glob("test_*.py"):
        module = importlib.import_module(f".{path.stem}", __package__)
        for name, test in inspect.getmembers(module, inspect.isfunction):
            if name.startswith("test_") and "sdk" in inspect.signature(test).parameters:
                marks = [mark for mark in getattr(test, "pytestmark", []) if mark.name == "covers"]
                found.update(operation for mark in marks for operation in mark.args)
    return found


def test_the_sdk_is_looked_at_and_has_operations() -> None:
    assert {"Jobs.list", "JobRun.wait", "Runtime.me", "Variables.apply"} <= operations()


def test_every_operation_of_the_sdk_is_covered() -> None:
    assert operations() - _covered() == set()


def test_no_mark_names_an_operation_that_the_sdk_does_not_have() -> None:
    assert _covered() - operations() == set()
