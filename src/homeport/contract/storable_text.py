"""Text that can be kept: neither database nor any encoder takes NUL or half a character (a lone surrogate)."""

from typing import Any


def is_whole(text: str) -> bool:
    """No half of a character is in it."""
    if text.isascii():  # answered without looking
        return True
    try:
        text.encode()
    except UnicodeEncodeError:
        return False
    return True


def repaired(value: Any) -> Any:
    """A JSON document with a mark for what cannot be kept. For what runs say: nobody is there to say it better."""
    if isinstance(value, str):
        if "\x00" not in value and is_whole(value):
            return value
        return value.replace("\x00", "\ufffd").encode("utf-16", "surrogatepass").decode("utf-16", "replace")
    if isinstance(value, list):
        return [repaired(inner) for inner in value]
    if isinstance(value, dict):
        return {repaired(key): repaired(inner) for key, inner in value.items()}
    return value
