"""What a runner that was killed has left of a log on its disk (`homeport_runner/spool.py`).

Files of rows, each named after the number of its first.
"""

from contextlib import suppress
from itertools import islice
from pathlib import Path

_PREFIX = "lines-"
_LONGEST_ROW = 4 * 1024 * 1024
"""What is longer was not written by a runner."""


def read(spool: Path, first: int, count: int) -> list[bytes]:
    """At most so many rows from a number on; one that was being written when the runner died is none."""
    with suppress(OSError, ValueError):
        begins = sorted(int(file.name.removeprefix(_PREFIX)) for file in spool.glob(_PREFIX + "*"))
        begin = max(number for number in begins if number <= first)
        with (spool / f"{_PREFIX}{begin}").open("rb") as file:
            rows = list(islice(file, first - begin, first - begin + count))
        return [row[:-1] for row in rows if row.endswith(b"\n") and len(row) <= _LONGEST_ROW]
    return []
