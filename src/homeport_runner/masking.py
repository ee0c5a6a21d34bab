"""Takes secrets out of what a run says, before it is written anywhere.

The server names the values (`launch.secrets`). Here they are known in the forms in which programs show them: as
they are, in base64 (alone or inside of something longer), URL-encoded, escaped as in JSON, Python and HTML. A
value of several lines is known line by line, too.

The usual line holds no secret, so what counts is how soon that is clear: whole blocks of lines are searched for
each form with `in`, which looks at some gigabytes a second. Only a block with a secret is looked at more closely.
"""

from __future__ import annotations

import base64
import html
import json
import re
from collections.abc import Callable, Iterable, Iterator
from urllib.parse import quote, quote_plus

MASK = b"***"
_STAR = b"*"

_SHORTEST = 6
"""Characters; anything shorter is too likely to be part of something harmless."""
_SHORTEST_OF_SEVERAL = 8
"""Of a line of a value that has several."""
_LONGEST = 8 * 1024
"""Longer values are known in parts, so that the longest form stays below a fraction of the longest line."""
_BASE64_LINE = 57
"""Bytes in a line of base64 as mail and `base64.encodebytes` break it."""
_URL_SAFE = bytes.maketrans(b"+/", b"-_")


class Masking:
    """Knows the secrets of one run. Immutable, so any thread may use it."""

    def __init__(self, values: Iterable[str] = ()) -> None:
        found = {form for value in values for part in _parts(value) for form in part}
        self._forms = sorted(form for form in found if len(form) >= _SHORTEST)
        self.longest = max(map(len, self._forms), default=0)
        """Bytes of the longest form: what is cut within fewer from its end may hold half a secret."""

    def __repr__(self) -> str:
        return f"<Masking of {len(self._forms)} forms>"

    def data(self, data: bytes) -> bytes:
        """The same with `***` in the place of every secret."""
        present = [form for form in self._forms if form in data]
        return _covered(data, present) if present else data

    def in_place(self, data: bytes) -> bytes:
        """The same with as many stars: what tells lengths, as a pickle does, stays readable."""
        present = [form for form in self._forms if form in data]
        return _covered(data, present, lambda length: _STAR * length) if present else data

    def text(self, text: str) -> str:
        if not self._forms:
            return text
        data = text.encode("utf-8", "surrogatepass")
        masked = self.data(data)
        return text if masked is data else masked.decode("utf-8", "surrogatepass")


def _covered(data: bytes, forms: Iterable[bytes], mask: Callable[[int], bytes] = lambda length: MASK) -> bytes:
    """Secrets may overlap: everything that belongs to one of them is covered."""
    pieces: list[bytes] = []
    kept_to = 0
    for start, end in _merged(sorted(_places(data, forms))):
        pieces += (data[kept_to:start], mask(end - start))
        kept_to = end
    return b"".join((*pieces, data[kept_to:]))


def _places(data: bytes, forms: Iterable[bytes]) -> Iterator[tuple[int, int]]:
    for form in forms:
        start = data.find(form)
        while start >= 0:
            yield start, start + len(form)
            start = data.find(form, start + 1)


def _merged(places: Iterable[tuple[int, int]]) -> Iterator[tuple[int, int]]:
    current: tuple[int, int] | None = None
    for start, end in places:
        if current is not None and start < current[1]:
            current = (current[0], max(current[1], end))
            continue
        if current is not None:
            yield current
        current = (start, end)
    if current is not None:
        yield current


def _parts(value: str) -> Iterator[Iterable[bytes]]:
    """The forms of a value, and of its lines and pieces."""
    for start in range(0, len(value), _LONGEST):
        yield _forms(value[start : start + _LONGEST])
    lines = [line.strip() for line in value.splitlines()]
    if len(lines) > 1:
        yield from (_forms(line) for line in lines if _tells_something(line))


def _tells_something(line: str) -> bool:
    is_frame = line.startswith("-----") and line.endswith("-----")  # of a key in PEM
    return len(line) >= _SHORTEST_OF_SEVERAL and not is_frame


_WRITTEN: tuple[Callable[[str], str], ...] = (
    str,
    lambda value: quote(value, safe=""),
    quote,
    lambda value: quote(value, safe=" +"),  # SQLAlchemy
    lambda value: quote(value, safe="!'()*"),  # JavaScript's encodeURIComponent
    quote_plus,
    lambda value: _with_small_escapes(quote(value, safe="")),
    lambda value: _with_small_escapes(quote_plus(value)),
    lambda value: json.dumps(value)[1:-1],
    lambda value: json.dumps(value, ensure_ascii=False)[1:-1],
    lambda value: json.dumps(json.dumps(value))[3:-3],  # JSON in JSON
    lambda value: repr(value)[1:-1],
    html.escape,
    lambda value: html.escape(value, quote=False),
)


def _forms(value: str) -> set[bytes]:
    """All ways of writing it that fit into a line."""
    # a lone surrogate is nothing that can be printed in UTF-8, and no reason to fail
    data = value.encode("utf-8", "replace")
    value = data.decode()
    written = {write(value).encode() for write in _WRITTEN} | {repr(data)[2:-1].encode()}
    encoded = [_core(data, before) for before in range(3)]
    encoded.append(base64.b64encode(data).rstrip(b"="))
    if len(data) > _BASE64_LINE:
        starts = range(0, len(data), _BASE64_LINE)
        encoded += (base64.b64encode(data[start : start + _BASE64_LINE]).rstrip(b"=") for start in starts)
    written.update(encoded, (form.translate(_URL_SAFE) for form in encoded))
    return {form for form in written if b"\n" not in form and b"\r" not in form}


def _core(data: bytes, before: int) -> bytes:
    """What base64 makes of it behind so many other bytes (modulo 3): the characters that hang on it alone."""
    encoded = base64.b64encode(bytes(before) + data)
    return encoded[-(-before * 8 // 6) : (before + len(data)) * 8 // 6]


def _with_small_escapes(quoted: str) -> str:
    return re.sub("%[0-9A-F]{2}", lambda escape: escape[0].lower(), quoted)
