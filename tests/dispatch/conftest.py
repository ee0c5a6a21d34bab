"""What the server does by itself is asked of one database; where the outcome hangs on locks or on
rollbacks, `on_both` asks both."""

import pytest


@pytest.fixture
def backend() -> str:
    return "sqlite"
