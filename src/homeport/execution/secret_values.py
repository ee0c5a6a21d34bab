"""Which values of a run must not be seen in its log: from its configuration and its secret variables.

All that `secrets.toml` files hold counts as secret, except what would cost more than it protects:

- values shorter than 6 characters, numbers of fewer than 8 digits, truths
- words that everybody uses (`_COMMON`)
- dates, addresses of machines, and of services without password, parameters or a token in the path
- the parts of credentials that dlt itself shows: hosts, ports, names of users and databases (`_SHOWN`)

Of addresses and connection strings, the password and secret parameters count by themselves, wherever they stand.
"""

import json
import re
import tarfile
import tomllib
from collections.abc import Iterable, Iterator, Mapping
from io import BytesIO
from typing import Any
from urllib.parse import unquote, unquote_plus

_SECRETS = "secrets.toml"
_PLAIN = "config.toml"
_SHORTEST = 6
_FEWEST_DIGITS = 8
_MOST_VALUES = 2_000
"""More is no configuration, and every one costs time with every line."""
_MOST_BYTES = 4 * 1024 * 1024

_COMMON = frozenset(
    """
    account admin123 analytics anonymous change_me changeme configure database default
    development disabled dlt_data dlthub duckdb enabled example examplepassword filesystem localhost loader master
    mysql password postgres postgresql private prod_data production public readonly redshift secret secrets
    snowflake sqlite staging string system testing undefined unknown username warehouse your_password
    """.split()  # noqa: SIM905  # a list of words reads better than a column of strings
) | {"<configure me>"}

_SHOWN = frozenset(
    """
    auth_provider_x509_cert_url auth_uri authenticator azure_storage_account_name aws_region bucket_url catalog
    client_email client_x509_cert_url database dataset_name db dbname destination_name driver drivername
    endpoint_url host hostname http_path location log_level port profile_name project project_id region region_name
    role schema server server_hostname token_uri type universe_domain user username warehouse
    """.split()  # noqa: SIM905
)

_PASSWORD = re.compile(r"://[^/@\s:]*:([^\s@]*)@")
_PASSWORD_WITH_AT = re.compile(r"://[^/@\s:]*:([^\s]*)@")
"""As people write it who do not know that it must be `%40`."""
_TOKEN_AS_USER = re.compile(r"://([^/@\s:]{16,})@")
_PARAMETERS = re.compile(
    r"(?:^|[?&;\s])[\w.-]*(?:pass|pwd|token|secret|key|sig|credential)[\w.-]*=([^&;\s]+)", re.IGNORECASE
)
_DATE_OR_HOST = re.compile(
    r"\d{4}-\d\d(-\d\d)?([T ]\d\d:\d\d(:\d\d(\.\d+)?)?)?(Z|[-+]\d\d:?\d\d)?|\d{1,3}(\.\d{1,3}){3}(:\d+)?(/\d+)?"
)
_PLAIN_ADDRESS = re.compile(r"[a-z][a-z0-9+.-]*://[^\s/@?#]*((?:/[^\s/@?#]*)*)", re.IGNORECASE)
_TOKEN_IN_PATH = re.compile(r"(?=[^/]*\d)[^/.]{12,}")
"""A part of a path that is no word, as in addresses of chat webhooks."""
_QUOTED = re.compile(r"\"([^\"\n]+)\"|'([^'\n]+)'")


def of_archive(archive: bytes) -> list[str]:
    """The secrets in a configuration as runs get it: of all profiles, for a run can read all files."""
    found: list[str] = []
    with tarfile.open(fileobj=BytesIO(archive), mode="r:gz") as source:
        for member in source:
            file = source.extractfile(member) if member.isreg() else None
            if file is None or not member.name.endswith((_SECRETS, _PLAIN)):
                continue
            text = file.read(_MOST_BYTES).decode("utf-8", "replace")
            is_secret = member.name.endswith(_SECRETS)
            found += _of_document(text) if is_secret else _of_plain_document(text)
    return _bounded(found)


def of_variables(secret: Iterable[str], plain: Iterable[str] = ()) -> list[str]:
    """The secrets in values of variables; of plain ones, passwords in addresses."""
    found = [part for value in secret for part in _of_text(value)]
    found += [part for value in plain for part in of_address(value)]
    return _bounded(found)


def of_address(text: str) -> Iterator[str]:
    """Passwords, tokens and secret parameters of an address or a connection string, as written and decoded."""
    for pattern in (_PASSWORD, _PASSWORD_WITH_AT, _TOKEN_AS_USER, _PARAMETERS):
        for match in pattern.finditer(text):
            part = match[1]
            yield from (found for found in (part, unquote(part), unquote_plus(part)) if _counts(found))


def _of_document(text: str) -> Iterable[str]:
    try:
        return list(_of_value(tomllib.loads(text)))
    except (ValueError, RecursionError):
        # dlt will say in the log what is wrong with it, and may quote it
        return [part for match in _QUOTED.finditer(text) for part in _of_text(match[1] or match[2])]


def _of_plain_document(text: str) -> Iterable[str]:
    return [part for line in text.splitlines() for part in of_address(line.replace('"', " ").replace("'", " "))]


def _of_value(value: Any, key: str = "") -> Iterator[str]:
    if isinstance(value, Mapping):
        for name, inner in value.items():
            yield from _of_value(inner, str(name).lower())
    elif isinstance(value, list):
        for inner in value:
            yield from _of_value(inner, key)
    elif isinstance(value, str):
        yield from of_address(value) if key in _SHOWN or _is_plain_address(value) else _of_text(value)
    elif type(value) is int and key not in _SHOWN and len(str(abs(value))) >= _FEWEST_DIGITS:
        yield str(value)


def _is_plain_address(text: str) -> bool:
    """An address that may be seen: that of an API, say, which dlt's own messages are full of."""
    found = _PLAIN_ADDRESS.fullmatch(text)
    return found is not None and _TOKEN_IN_PATH.search(found[1]) is None


def _of_text(text: str) -> Iterator[str]:
    """A secret text; of a JSON document, such as a service account, what is secret in it."""
    document = _parsed(text)
    if document is not None:
        yield from _of_value(document)
    elif _counts(text.strip()):
        yield text.strip()
    yield from of_address(text)


def _parsed(text: str) -> Any:
    """The object or list that a text is, if it is one in JSON."""
    if text.lstrip()[:1] not in ("{", "["):
        return None
    try:
        return json.loads(text)
    except (ValueError, RecursionError):
        return None


def _counts(value: str) -> bool:
    """Whether it is worth hiding: a word that stands in half of all lines is not."""
    is_number = re.fullmatch(r"[-+\d.,:]+", value) is not None
    return (
        _DATE_OR_HOST.fullmatch(value) is None
        and len(value) >= (_FEWEST_DIGITS if is_number else _SHORTEST)
        and value.lower() not in _COMMON
        and not set(value) <= set("*xX.-_ ")
    )


def _bounded(found: Iterable[str]) -> list[str]:
    return list(dict.fromkeys(found))[:_MOST_VALUES]
