"""Secrets are taken out of what a run says, in whatever form and however it is written."""

from __future__ import annotations

import base64
import html
import json
import random
import re
from urllib.parse import quote, quote_plus

import pytest

from homeport_runner.masking import Masking
from homeport_runner.pipes import LONGEST_LINE, LineSplitter

PASSWORD = "pä ss/w+rd&\"x'<1>\\"
TOKEN = "tok_4f9aB77xQ0-_zz"
KEY = "-----BEGIN PRIVATE KEY-----\n" + "\n".join(
    base64.b64encode(random.Random(n).randbytes(48)).decode() for n in range(20)
)

FORMS = {
    "as it is": str,
    "url": lambda value: quote(value, safe=""),
    "url, slashes": quote,
    "url, plus": quote_plus,
    "url, lower case": lambda value: re.sub("%..", lambda escape: escape[0].lower(), quote(value, safe="")),
    "json": lambda value: json.dumps(value)[1:-1],
    "json, not ascii": lambda value: json.dumps(value, ensure_ascii=False)[1:-1],
    "json in json": lambda value: json.dumps(json.dumps({"a": value})),
    "repr": lambda value: repr(value)[1:-1],
    "repr of bytes": lambda value: repr(value.encode())[2:-1],
    "html": html.escape,
}


@pytest.mark.parametrize("value", [PASSWORD, TOKEN, "sécret", "123456789012"])
@pytest.mark.parametrize("form", FORMS.values(), ids=FORMS)
def test_every_form_is_covered(value: str, form: object) -> None:
    written = form(value)  # type: ignore[operator]
    masked = Masking([value]).text(f"before {written} after")
    assert value not in masked
    assert "before " in masked
    assert " after" in masked
    assert "***" in masked


@pytest.mark.parametrize("before", ["", "u", "us", "user:"])
@pytest.mark.parametrize("after", ["", "a", "ab", "abc"])
@pytest.mark.parametrize("encode", [base64.b64encode, base64.urlsafe_b64encode])
@pytest.mark.parametrize("value", [PASSWORD, TOKEN, "~~~???>>>"])
def test_base64_is_covered_wherever_the_secret_begins(value: str, before: str, after: str, encode: object) -> None:
    encoded = encode((before + value + after).encode()).decode()  # type: ignore[operator]
    masked = Masking([value]).text(f"Basic {encoded} end")
    assert masked.startswith("Basic ")
    assert masked.endswith(" end")
    left = masked.removeprefix("Basic ").removesuffix(" end").partition("***")
    assert left[1] == "***"
    # around it stands only what hangs on its neighbours
    assert len(left[0]) <= -(-len((before).encode()) * 8 // 6)
    assert len(left[2]) <= 4 + -(-len(after) * 8 // 6)


def test_base64_in_lines_is_covered() -> None:
    secret = "x9" * 100
    masked = Masking([secret]).text(base64.encodebytes(secret.encode()).decode())
    assert set(masked) <= set("*\n=")


def test_a_key_of_many_lines_is_covered_line_by_line() -> None:
    masking = Masking([KEY])
    for line in KEY.splitlines()[1:]:
        assert masking.text(f"  {line}") == "  ***"
    assert masking.text(json.dumps({"key": KEY})).count("***") == 1
    assert "***" in masking.text(base64.b64encode(b"k=" + KEY.encode()).decode())
    assert masking.text(KEY.splitlines()[0]) == KEY.splitlines()[0]


def test_secrets_that_overlap_leave_nothing() -> None:
    masking = Masking(["abcdef", "defghi", "aaaaaa"])
    assert masking.text("-abcdefghi-") == "-***-"
    assert masking.text("-aaaaaaaa-") == "-***-"
    assert masking.text("abcdefdefghi") == "******"


def test_what_is_too_short_is_not_looked_for() -> None:
    assert Masking(["true", "5432", "admin"]).text("admin is true on 5432") == "admin is true on 5432"


def split(masking: Masking, *pieces: bytes) -> list[str]:
    splitter = LineSplitter(masking)
    return [line for piece in pieces for line in splitter.feed(piece)] + splitter.rest()


def test_a_secret_in_two_writes_is_covered() -> None:
    written = f"a {TOKEN} b\nlast {TOKEN}".encode()
    for at in range(len(written)):
        assert split(Masking([TOKEN]), written[:at], written[at:]) == ["a *** b", "last ***"]


def test_a_secret_where_a_long_line_is_cut_is_covered() -> None:
    for offset in range(-len(TOKEN) - 2, 3):
        written = b"x" * (LONGEST_LINE + offset) + TOKEN.encode() + b"y" * LONGEST_LINE
        for end in (b"", b"\n"):
            whole = "".join(split(Masking([TOKEN]), written + end))
            assert whole == "x" * (LONGEST_LINE + offset) + "***" + "y" * LONGEST_LINE
            random.seed(offset)
            cuts = sorted(random.sample(range(len(written)), 12))
            pieces = [written[a:b] for a, b in zip([0, *cuts], [*cuts, len(written)], strict=True)]
            assert "".join(split(Masking([TOKEN]), *pieces, end or b"\n")) == whole


def test_a_secret_behind_a_carriage_return_is_covered() -> None:
    assert split(Masking([TOKEN]), b"10%\r20% ", TOKEN.encode(), b"\r30% ", TOKEN.encode(), b"\n") == ["30% ***"]


def test_broken_bytes_around_a_secret_do_not_hide_it() -> None:
    assert split(Masking([TOKEN]), b"\xff\0" + TOKEN.encode() + b"\xc3\n") == ["\ufffd\ufffd***\ufffd"]


def test_its_repr_tells_nothing() -> None:
    assert TOKEN not in repr(Masking([TOKEN]))
