"""What the released SDK can do, found by looking at it, and the door through which tests call it.

A test names the operations it stands for in a `covers` mark. Two things keep that honest: a test fails unless it
really called each of them, and `test_ledger.py` holds all marks against the SDK. Other doors are kept the
same way: a door is a fixture that notes what is called through it, and ends with `owed_nothing`.
"""

import asyncio
import importlib
import inspect
from collections.abc import AsyncIterable, Awaitable, Callable, Iterator
from pathlib import Path
from typing import Any

import dlthub_sdk
import pytest

Until = Callable[[Any], bool]

CONNECT = {"sync": "connect", "async": "connect_async"}


def operations() -> set[str]:
    """Every public method of every public class, as `Class.method`. Protocols are what the caller implements."""
    classes = [found for name in dlthub_sdk.__all__ if inspect.isclass(found := getattr(dlthub_sdk, name))]
    return {
        f"{each.__name__}.{name}"
        for each in classes
        if not getattr(each, "_is_protocol", False) and not issubclass(each, Exception)
        for name, member in vars(each).items()
        if inspect.isfunction(member) and not name.startswith("_")
    }


def covered(door: str) -> set[str]:
    """What the tests that go through this door, the name of a fixture, stand for."""
    found: set[str] = set()
    for path in Path(__file__).parent.glob("test_*.py"):
        module = importlib.import_module(f".{path.stem}", __package__)
        for name, test in inspect.getmembers(module, inspect.isfunction):
            if name.startswith("test_") and door in inspect.signature(test).parameters:
                marks = [mark for mark in getattr(test, "pytestmark", []) if mark.name == "covers"]
                found.update(operation for mark in marks for operation in mark.args)
    return found


def owed_nothing(request: pytest.FixtureRequest, called: set[str]) -> None:
    """After the test: all that its mark promises has been called."""
    promised = {each for mark in request.node.iter_markers("covers") for each in mark.args}
    missed = promised - called
    assert not missed, f"the test covers {sorted(missed)} but did not call it"


class Sdk:
    """One flavour of the SDK, with a runtime that is signed in by API key. It notes what is called through it."""

    def __init__(self, flavour: str, url: str, api_key: str, runner: asyncio.Runner) -> None:
        self.flavour = flavour
        self.called: set[str] = set()
        self._url = url
        self._runner = runner
        self.runtime = self.connect(token=api_key)

    def connect(self, **options: Any) -> Any:
        """Another runtime of the same flavour, on the same server."""
        return getattr(dlthub_sdk, CONNECT[self.flavour])(base_url=self._url, **options)

    def __call__(
        self, method: Callable[..., Any], *arguments: Any, stop_at: Until | None = None, **options: Any
    ) -> Any:
        """Call it and see it through: awaited, or walked into a list, to the end or until told to stop."""
        try:
            return self._through(method(*arguments, **options), stop_at)
        finally:
            self.called.add(f"{type(method.__self__).__name__}.{method.__name__}")  # type: ignore[attr-defined]

    def refused(self, how: type[Exception], method: Callable[..., Any], *arguments: Any, **options: Any) -> Any:
        """Call it and expect this very error, which is the answer."""
        with pytest.raises(how) as caught:
            self(method, *arguments, **options)
        assert type(caught.value) is how
        return caught.value

    def _through(self, answer: Any, until: Until | None) -> Any:
        lazy = isinstance(answer, Awaitable | AsyncIterable)
        # nothing reached from one flavour belongs to the other
        assert lazy == (self.flavour == "async"), answer
        if isinstance(answer, AsyncIterable):
            return self._runner.run(_walked(answer, until))
        if isinstance(answer, Awaitable):
            return self._runner.run(_awaited(answer))
        if isinstance(answer, Iterator):
            return _taken(answer, until)
        return answer


async def _awaited(answer: Awaitable[Any]) -> Any:
    return await answer


async def _walked(rows: AsyncIterable[Any], until: Until | None) -> list[Any]:
    found = []
    async for row in rows:
        found.append(row)
        if until is not None and until(row):
            break
    return found


def _taken(rows: Iterator[Any], until: Until | None) -> list[Any]:
    found = []
    for row in rows:
        found.append(row)
        if until is not None and until(row):
            break
    return found
