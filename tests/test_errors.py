"""Errors are a small tree; a class is a sentence, and every kind has a status."""

import pytest

from homeport import errors
from homeport.api.errors import status_of
from homeport.errors import HomeportError


def tree(kind: type[HomeportError] = HomeportError) -> list[type[HomeportError]]:
    return [kind, *(child for sub in kind.__subclasses__() for child in tree(sub))]


OURS = [kind for kind in tree() if kind.__module__ == errors.__name__]


@pytest.mark.parametrize("kind", OURS, ids=lambda kind: kind.__name__)
def test_an_error_without_words_says_its_sentence(kind: type[HomeportError]) -> None:
    error = kind()
    assert str(error) == error.message
    assert error.message.endswith((".", "`."))
    assert error.code == kind.code
    assert status_of(error) >= 400


@pytest.mark.parametrize("kind", OURS, ids=lambda kind: kind.__name__)
def test_the_drawing_has_every_error(kind: type[HomeportError]) -> None:
    assert kind.__name__ in (errors.__doc__ or "")


def test_codes_are_told_apart() -> None:
    codes = [kind.code for kind in OURS]
    assert len(codes) == len(set(codes))
