"""Why a run's process ended, where its own last words do not say so, or not what to do about it."""

from __future__ import annotations

import signal
from collections.abc import Iterable

_DUCKDB_LOCK = b"Could not set lock on file"
"""DuckDB's words, in any of the exceptions that dlt and Python put around them."""

_TAKE_TURNS = (
    "a DuckDB file was in use by another process, and DuckDB lets one at a time write a file: let runs and apps "
    "that share it take turns, or give each a file of its own"
)


def reason_of(exit_code: int, last_lines: Iterable[bytes], *, serves: bool) -> str | None:
    """One clause for people; none where there is nothing to add.

    `serves`: it is an app, which was to stay. An ordinary failure (exit code 1) has its traceback.
    """
    if exit_code < 0:
        return f"the process was ended by {_name(-exit_code)}, which Homeport did not send"
    if exit_code > 0 and any(_DUCKDB_LOCK in line for line in last_lines):
        return _TAKE_TURNS
    if serves:
        return f"the app ended by itself, with exit code {exit_code}"
    return f"the process ended with exit code {exit_code}" if exit_code > 1 else None


def _name(number: int) -> str:
    try:
        return f"signal {number} ({signal.Signals(number).name})"
    except ValueError:  # a real-time signal has none
        return f"signal {number}"
