"""Which values of a configuration and of variables are hidden in logs, and which stay readable."""

from textwrap import dedent

import pytest

from homeport.execution import secret_values

from ..builders import package

SECRETS = """
    api_key = "sk_live_51Hq"
    debug = "true"
    number = 12345678
    page = 1000
    when = 2026-01-01

    [sources.shop]
    tokens = ["token-one", "token-two"]
    placeholder = "<configure me>"

    [destination.postgres.credentials]
    drivername = "postgresql"
    host = "db.internal.example"
    port = 5432
    database = "warehouse_of_fruit"
    username = "loader_of_fruit"
    password = "hunter2!"

    [destination.mssql]
    credentials = "mssql://loader:p%40ss%2Fword@db.internal.example:1433/fruit?driver=ODBC&access_token=tok123456"

    [destination.snowflake]
    credentials = '{"user": "loader_of_fruit", "private_key": "-----BEGIN KEY-----\\nMIIEvQ\\n", "port": 443}'
"""


def of_files(**files: str) -> list[str]:
    named = {name.replace("_toml", ".toml").replace("__", "."): dedent(text) for name, text in files.items()}
    return secret_values.of_archive(package(named))


def test_what_secrets_files_hold_is_secret() -> None:
    found = of_files(secrets_toml=SECRETS)
    assert {"sk_live_51Hq", "12345678", "token-one", "token-two", "hunter2!"} <= set(found)
    assert {"p%40ss%2Fword", "p@ss/word", "tok123456"} <= set(found)
    assert any(value.startswith("-----BEGIN KEY-----") for value in found)


def test_what_dlt_shows_itself_and_everyday_words_stay_readable() -> None:
    found = set(of_files(secrets_toml=SECRETS))
    shown = ["true", "1000", "postgresql", "db.internal.example", "5432", "warehouse_of_fruit", "loader_of_fruit"]
    assert not found & {*shown, "<configure me>", "443"}


def test_secrets_of_all_profiles_count_for_a_run_can_read_them() -> None:
    assert of_files(dev__secrets_toml='a = "of-development"', prod__secrets_toml='a = "of-prod-profile"') == [
        "of-development",
        "of-prod-profile",
    ]


def test_plain_configuration_has_secrets_in_addresses_only() -> None:
    plain = 'name = "a plain value"\nurl = "https://user:pass-word@example.org/x"\n'
    assert of_files(config_toml=plain) == ["pass-word"]


def test_a_secrets_file_that_is_no_toml_is_no_way_out() -> None:
    assert "sk_live_51Hq" in of_files(secrets_toml='api_key = "sk_live_51Hq"\n[[broken\n')


@pytest.mark.parametrize(
    ("address", "hidden"),
    [
        ("postgres://u:pass-word@host/db", {"pass-word"}),
        ("postgres://u:p%40ssw0rd@host/db", {"p%40ssw0rd", "p@ssw0rd"}),
        ("postgres://u:p@ssw0rd@host/db", {"p@ssw0rd"}),
        ("https://ghp_0123456789abcdef@github.com/o/r", {"ghp_0123456789abcdef"}),
        ("https://h/x?sig=abc%2Bdef&page=2", {"abc%2Bdef", "abc+def"}),
        ("Server=h;Database=fruit_db;Uid=someone;Pwd=hunter2!;", {"hunter2!"}),
        ("AccountName=fruit;AccountKey=Zm9vYmFy==", {"Zm9vYmFy=="}),
        ("https://example.org/path", set()),
    ],
)
def test_addresses(address: str, hidden: set[str]) -> None:
    assert set(secret_values.of_address(address)) & hidden == hidden
    if not hidden:
        assert not list(secret_values.of_address(address))


@pytest.mark.parametrize(
    ("value", "is_hidden"),
    [
        ("https://api.example.org/v2/", False),
        ("https://api.example.org:8443", False),
        ("https://hooks.example.org/services/T0001/B0001/XyZ123abcDEF456", True),
        ("https://api.example.org/v2?x=1", True),
        ("https://u:pass-word@api.example.org", True),
        ("2026-01-01", False),
        ("2026-01-01T00:00:00+00:00", False),
        ("192.168.100.200", False),
        ("192.168.100.200:5432", False),
        ("192168100200", True),
    ],
)
def test_addresses_and_dates_in_secrets_files(value: str, is_hidden: bool) -> None:
    assert (value in of_files(secrets_toml=f'a = "{value}"')) == is_hidden


def test_an_address_that_is_a_secret_variable_is_secret() -> None:
    assert secret_values.of_variables(["https://api.example.org/v2/"]) == ["https://api.example.org/v2/"]


@pytest.mark.parametrize("value", ["", "abc12", "true", "password", "1234567", "1.2.3.4", "******", "xxxxxxxx"])
def test_values_that_would_spoil_logs_are_not_hidden(value: str) -> None:
    assert secret_values.of_variables([value]) == []


def test_of_plain_variables_only_passwords_count() -> None:
    assert secret_values.of_variables(["a secret"], ["a plain one", "redis://:pass-word@h"]) == [
        "a secret",
        "pass-word",
    ]
