"""Passwords: argon2id with the library's parameters (RFC 9106, low memory), rehashed when those change."""

import threading
from functools import cache

from argon2 import PasswordHasher
from argon2.exceptions import Argon2Error, InvalidHashError

from homeport.errors import BadRequest

MIN_CHARS = 10
MAX_CHARS = 200

_hasher = PasswordHasher()
_AT_ONCE = threading.BoundedSemaphore(4)
"""One hash takes 64 MiB: a flood of sign-ins waits in line instead of filling the memory."""


def check_form(password: str) -> str:
    """The password, if it can serve as one."""
    if not MIN_CHARS <= len(password) <= MAX_CHARS:
        raise BadRequest(f"A password has {MIN_CHARS} to {MAX_CHARS} characters.", code="weak_password")
    return password


def hash_of(password: str) -> str:
    with _AT_ONCE:
        return _hasher.hash(password)


def is_right(password: str, hash_: str | None) -> bool:
    """Whether the password is the one behind the hash. Without a hash it takes as long, and is not."""
    try:
        with _AT_ONCE:
            # longer than any of ours: hashing megabytes is work that nobody may order
            _hasher.verify(hash_ or _hash_of_nobody(), password[:MAX_CHARS])
    except (Argon2Error, InvalidHashError):
        return False
    return hash_ is not None and len(password) <= MAX_CHARS


def is_outdated(hash_: str) -> bool:
    """Whether the hash was made with other parameters than today's."""
    return _hasher.check_needs_rehash(hash_)


@cache
def _hash_of_nobody() -> str:
    return _hasher.hash("the password of an account that does not exist")
