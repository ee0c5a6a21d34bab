"""Who may do what is decided from rows; the store's own tests hold those on both databases."""

import pytest


@pytest.fixture
def backend() -> str:
    return "sqlite"
