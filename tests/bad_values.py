"""What may be sent to a server that expects something else: made out of a good value, place by place."""

import json
from collections.abc import Iterator
from typing import Any

Place = tuple[str | int, ...]

MARKER = "q7-not-to-be-told"
"""In every bad text, and in bad credentials: it may come back from nowhere."""

_LONG = MARKER + "x" * 400_000
_HUGE = 10**30
_MANY = 20_000

ODD_TEXTS = (
    "",
    " ",
    MARKER,
    f"{MARKER} 🚀 ﷽ \u202e\u0301",
    f"{MARKER}\x01\x1b[31m\x7f",
    f'{MARKER}"\r\nSet-Cookie: a=b\r\n\r\n<script>',
    f"../../{MARKER}/%00%0d%0a;'--",
)
"""They may be taken or refused."""

UNSTORABLE = (f"{MARKER}\x00", f"{MARKER}\ud800")


def places_of(value: Any, place: Place = ()) -> Iterator[tuple[Place, Any]]:
    """Every place below a document's root, with what is there."""
    if place:
        yield place, value
    inner = value.items() if isinstance(value, dict) else enumerate(value) if isinstance(value, list) else ()
    for key, part in inner:
        yield from places_of(part, (*place, key))


def with_other(document: Any, place: Place, other: Any) -> Any:
    """The document with another value at a place."""
    if not place:
        return other
    copy = dict(document) if isinstance(document, dict) else list(document)
    copy[place[0]] = with_other(document[place[0]], place[1:], other)
    return copy


def wrong(good: Any) -> Iterator[Any]:
    """Values that nothing takes where `good` may stand: of another type, or out of all bounds."""
    if isinstance(good, bool):
        yield from (MARKER, 7, [], {"a": MARKER})
    elif isinstance(good, str):
        yield from (5, 1.5, True, [], [MARKER], {"a": MARKER}, _LONG)
    elif isinstance(good, int):
        yield from (MARKER, [], {"a": MARKER}, 1.5, _HUGE, -_HUGE, 1e400)
    elif isinstance(good, float):
        yield from (MARKER, [], {"a": MARKER}, _HUGE, -_HUGE, 1e400)
    elif isinstance(good, list):
        yield from (MARKER, 5, {"a": MARKER})
        if good:
            yield good[:1] * _MANY
    else:
        yield from (MARKER, 5, [MARKER])


def odd(good: Any) -> Iterator[Any]:
    """Values that may do or not."""
    yield None
    if isinstance(good, str):
        yield from ODD_TEXTS
    elif isinstance(good, int):
        yield from (-1, 0, 2**31, 2**63, 10**400)
    elif isinstance(good, list):
        yield from ([], [None], [[MARKER]], [{}])
    elif isinstance(good, dict):
        yield from ({}, {MARKER: MARKER})


def as_json(document: Any) -> bytes:
    """As a client may write it: with `1e400`, which no float is written as, and lone surrogates."""
    return json.dumps(document).replace("Infinity", "1e400").encode()


_LONG_NAME = "é" * 301
MOMENTS = ("0001-01-01T00:00:00+14:00", "9999-12-31T23:59:59-12:00", "2026-03-02T12:00:00")


def spoiled(document: dict[str, Any]) -> list[tuple[str, dict[str, Any]]]:
    """The document with another value at each place, and with each place's name for it."""
    found = []
    for place, good in places_of(document):
        others = [other for other in wrong(good) if len(repr(other)) < 1000]
        others += odd(good)
        if isinstance(good, str):
            others += [_LONG_NAME, "x" * 70_000, *UNSTORABLE, *MOMENTS, good + "x" * 290]
        if isinstance(good, list) and good:
            others += [good * 2, [*good, ODD_TEXTS[3]]]
        found += [(f"{place}: {repr(other)[:50]}", with_other(document, place, other)) for other in others]
        if isinstance(good, dict):
            found += [(f"{place} without {key}", with_other(document, place, _without(good, key))) for key in good]
    return found


def _without(value: dict[str, Any], key: str) -> dict[str, Any]:
    return {name: inner for name, inner in value.items() if name != key}
