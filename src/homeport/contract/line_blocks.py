"""Lines as runners send them, taken in without taking them apart: a run may print hundreds of thousands a second.

What is not in exactly the form that our runner writes is not refused here, but left to the usual way, which knows
every other form and says what is wrong.
"""

import re
from dataclasses import dataclass
from typing import Annotated

from pydantic import Field, TypeAdapter, ValidationError

from homeport.contract.runner_protocol import MAX_LINES, WireLine

_HEAD = re.compile(rb'\{"first": (\d{1,15}), "lines": (?=\[)')
LINES = TypeAdapter(Annotated[list[WireLine], Field(max_length=MAX_LINES)])
_NUL = b"\\u0000"


@dataclass(frozen=True)
class LineBlock:
    """Lines numbered from `first`, as the JSON that they came in."""

    first: int
    count: int
    rows: bytes


def read(body: bytes) -> LineBlock | None:
    """The block in a body; none if it is in another form, or holds what cannot be kept as it is."""
    head = _HEAD.match(body)
    if head is None or not body.endswith(b"]}") or _NUL in body:
        return None
    rows = body[head.end() : -1]
    try:
        lines = LINES.validate_json(rows)
    except ValidationError:
        return None
    return LineBlock(int(head[1]), len(lines), rows)
