"""How lines are kept: rows of JSON, `["2026-03-02T12:00:00.123456Z", "stdout", "user", "run", "the text"]`.

A list of them has a comma and a newline between two, which no row has inside. So rows are told apart, and made
into what readers get, without being read as JSON: a run may print hundreds of thousands of them a second.
"""

import json
from collections.abc import Iterable, Sequence
from contextlib import suppress
from datetime import UTC, datetime
from json.encoder import encode_basestring_ascii
from typing import Any

from pydantic import TypeAdapter

from homeport.contract.log_lines import LogLine
from homeport.contract.runner_protocol import WireLine

BETWEEN = ",\n"
_MOMENT = TypeAdapter(datetime)


def join(lines: Iterable[WireLine | Sequence[Any]]) -> bytes:
    """Lines as they are kept."""
    rows = (json.dumps([_in_utc(at), *rest], ensure_ascii=False) for at, *rest in lines)
    return f"[{BETWEEN.join(rows)}]".encode()


def split(kept: bytes, count: int) -> list[str]:
    """Rows of so many lines."""
    text = kept.decode()
    rows = text[1:-1].split(BETWEEN)
    if len(rows) == count and rows[0][28:33] == 'Z", "':
        return rows
    # kept by an earlier version, in another form
    return split(join(json.loads(text)), count)


def line_of(row: str, number: int) -> LogLine:
    at, io_stream, source, stage, content = json.loads(row)
    return LogLine(
        line_num=number,
        reported_at=datetime.fromisoformat(at),
        io_stream=io_stream,
        source=source,
        stage=stage,
        content=content,
    )


def json_of(row: str, number: int) -> str:
    """What a `LogLine` writes of itself, at a fraction of the cost.

    In ASCII, since some readers take more than a newline for the end of a line.
    """
    at, io_stream, source, stage, content = row[2:-1].split('", "', 4)
    if not content.isascii():
        content = encode_basestring_ascii(json.loads(f'"{content}'))[1:]
    return (
        f'{{"line_num":{number},"reported_at":"{at}","io_stream":"{io_stream}","source":"{source}",'
        f'"stage":"{stage}","content":"{content}}}'
    )


def _in_utc(at: Any) -> str:
    moment: datetime = _MOMENT.validate_python(at)
    if moment.tzinfo is not None:
        with suppress(OverflowError):  # at the edge of the calendar there may be no such moment in UTC
            moment = moment.astimezone(UTC)
    return moment.replace(tzinfo=None).isoformat(timespec="microseconds") + "Z"
