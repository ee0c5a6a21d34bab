"""Why a run's process ended, where its own last words do not say so, or not what to do about it."""

from __future__ import annotations

import json
import re
import signal
from collections.abc import Sequence

_DUCKDB_LOCK = b"Could not set lock on file"
"""DuckDB's words, in any of the exceptions that dlt and Python put around them."""

_TAKE_TURNS = (
    "a DuckDB file was in use by another process, and DuckDB lets one at a time write a file: let runs and apps "
    "that share it take turns, or give each a file of its own"
)
_RETURNED = b"NotImplementedError: Job returned a"
"""What dlt's launcher says of a function that returns an app of ASGI or WSGI; a FastMCP it serves."""

_SERVE_IT = (
    "the function returned its app, and nothing serves what is returned: start a server in the function, for "
    "example uvicorn.run(app, port=run_context['run_args']['port'])"
)


def reason_of(exit_code: int, last_lines: Sequence[bytes], *, serves: bool) -> str | None:
    """One clause for people; none where there is nothing to add.

    `serves`: it is an app, which was to stay. An ordinary failure (exit code 1) has its traceback, see
    `exception_in`.
    """
    if exit_code < 0:
        return f"the process was ended by {_name(-exit_code)}, which Homeport did not send"
    if exit_code > 0 and any(_DUCKDB_LOCK in line for line in last_lines):
        return _TAKE_TURNS
    missing = _MISSING.match(exception_in(last_lines) or "") if exit_code > 0 else None
    if missing is not None:
        return _missing(missing[1])
    return _of_app(exit_code, last_lines) if serves else _of_code(exit_code)


def _of_app(exit_code: int, last_lines: Sequence[bytes]) -> str:
    if any(_RETURNED in line for line in last_lines):
        return _SERVE_IT
    advice = ": it must go on listening on the port that it is given" if exit_code == 0 else ""
    return f"the app ended by itself, with exit code {exit_code}{advice}"


def _of_code(exit_code: int) -> str | None:
    return f"the process ended with exit code {exit_code}" if exit_code > 1 else None


_MISSING = re.compile(r"ModuleNotFoundError: No module named '([\w.]+)'")


def _missing(module: str) -> str:
    return (
        f"there is no module {module!r} in its environment: add its package to the workspace's dependencies, or "
        "to a group that the job requires, and deploy; a module of your own must not be left out by .gitignore"
    )


_TRACEBACK = "Traceback (most recent call last):"
_EXCEPTION = re.compile(r"(?:\w+\.)*(\w+)(:.*)?")
_CLASS = re.compile(r"<class '(?:\w+\.)*(\w+)'>\s*")
"""How dlt quotes the kind of the exception that it wraps."""
_MOST_CHARACTERS = 300


def exception_in(last_lines: Sequence[bytes]) -> str | None:
    """The exception that the last traceback of a log ends with, on one line; none where there is none.

    `PipelineStepFailed: Pipeline execution failed at `step=sync` with exception: ValueError: no such table`
    """
    rows = [json.loads(line) for line in last_lines]
    lines = [str(content) for _at, stream, _source, _stage, content in rows if stream == "stderr"]
    starts = [number for number, line in enumerate(lines) if line == _TRACEBACK]
    if not starts:
        return None
    # frames are indented, and what follows the exception's first line is the rest of its message
    after = iter(lines[starts[-1] + 1 :])
    first = next((found for line in after if (found := _EXCEPTION.fullmatch(line))), None)
    if first is None:
        return None
    words = " ".join([first[1] + (first[2] or ""), *after])
    words = " ".join(_CLASS.sub(r"\1: ", words).split())
    return words if len(words) <= _MOST_CHARACTERS else words[: _MOST_CHARACTERS - 1].rstrip() + "\u2026"


def _name(number: int) -> str:
    try:
        return f"signal {number} ({signal.Signals(number).name})"
    except ValueError:  # a real-time signal has none
        return f"signal {number}"
