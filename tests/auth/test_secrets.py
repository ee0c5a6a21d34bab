"""Random values are long, and keys are derived per purpose."""

import pytest

from homeport.auth import secrets
from homeport.errors import SetupError


def test_an_api_key_is_one_that_the_client_recognises() -> None:
    key = secrets.new_api_key()
    assert key.startswith("dlt_u_")
    assert secrets.check_api_key_form(key) == key
    assert len({secrets.new_api_key() for _ in range(100)}) == 100


@pytest.mark.parametrize("key", ["", "hunter2-hunter2-hunter2-hunter2", "dlt_u_short", "dlt_sa_" + "x" * 40])
def test_a_bootstrap_key_that_cannot_serve_is_refused_and_not_repeated(key: str) -> None:
    with pytest.raises(SetupError, match="HOMEPORT_BOOTSTRAP_API_KEY") as refused:
        secrets.check_api_key_form(key)
    assert "hunter2" not in refused.value.message


def test_purposes_have_keys_of_their_own() -> None:
    master = b"m" * 32
    keys = {secrets.derive(master, purpose) for purpose in ("configurations", "dataplane tokens")}
    assert len(keys) == 2
    assert secrets.derive(master, "configurations") in keys
    assert secrets.derive(b"n" * 32, "configurations") not in keys


def test_a_token_can_be_given_to_a_command() -> None:
    """`dlthub login --resume -abc` is refused before it asks: a code must not look like an option."""
    tokens = {secrets.new_token() for _ in range(500)}
    assert len(tokens) == 500
    assert all(token.isascii() and token.isalnum() and len(token) == 32 for token in tokens)
