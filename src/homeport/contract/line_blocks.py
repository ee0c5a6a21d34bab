"""Lines as runners send them, taken in without taking them apart: a run may print hundreds of thousands a second.

What is not in exactly the form that our runner writes is not refused here, but left to the usual way, which knows
every other form and says what is wrong.
"""

import re
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Annotated

from pydantic import Field, TypeAdapter

from homeport.contract.runner_protocol import MAX_LINE_CHARS, MAX_LINES, WireLine

LINES = TypeAdapter(Annotated[list[WireLine], Field(max_length=MAX_LINES)])

_HEAD = re.compile(rb'\{"first": (\d{1,15}), "lines": (?=\[)')
_BETWEEN = b",\n"
"""Rows; inside of one, JSON writes a newline in another way."""

# 29 February is left to the usual way
_DAY = rb"\d{4}-(?:(?:0[1-9]|1[0-2])-(?:0[1-9]|1\d|2[0-8])|(?:0[13-9]|1[0-2])-(?:29|30)|(?:0[13578]|1[02])-31)"
_AT = _DAY + rb"T(?:[01]\d|2[0-3]):[0-5]\d:[0-5]\d\.\d{6}Z"
# all escapes that the runner uses: half characters and NUL are not among them
_ESCAPE = rb'\\(?:["\\bfnrt]|u00(?:0[1-9a-f]|1[0-9a-f]))'
_CONTENT = rb'[^"\\\x00-\x1f]*+(?:' + _ESCAPE + rb'[^"\\\x00-\x1f]*+)*+'
_ROW = (
    rb'\["'
    + _AT
    + rb'", "(?:stdout|stderr|other)", "(?:user|setup|runner)", "(?:build|run)", "'
    + _CONTENT
    + rb'"\]'
)
_ROWS = re.compile(rb"\[(?:" + _ROW + rb"(?:,\n" + _ROW + rb")*+)?\]")


@dataclass(frozen=True)
class LineBlock:
    """Lines numbered from `first`, as the JSON that they came in."""

    first: int
    count: int
    rows: bytes


def read(body: bytes) -> LineBlock | None:
    """The block in a body; none if it is in another form, or holds what cannot be kept as it is."""
    head = _HEAD.match(body)
    if head is None or not body.endswith(b"]}"):
        return None
    return _checked(int(head[1]), body[head.end() : -1])


def of_rows(first: int, rows: Sequence[bytes]) -> LineBlock | None:
    """The same of rows that came one by one."""
    return _checked(first, b"[%s]" % _BETWEEN.join(rows))


def _checked(first: int, rows: bytes) -> LineBlock | None:
    if not _ROWS.fullmatch(rows) or not _is_text(rows):
        return None
    count = rows.count(_BETWEEN) + 1 if rows != b"[]" else 0
    is_short = len(rows) <= MAX_LINE_CHARS or max(map(len, rows.split(_BETWEEN))) <= MAX_LINE_CHARS
    return LineBlock(first, count, rows) if count <= MAX_LINES and is_short else None


def _is_text(rows: bytes) -> bool:
    try:
        rows.decode()
    except UnicodeDecodeError:
        return False
    return True
