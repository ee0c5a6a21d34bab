"""Random values that let somebody in, their hashes, and keys derived from the master key for one purpose each."""

import hashlib
import secrets
import string

from cryptography.hazmat.primitives.hashes import SHA256
from cryptography.hazmat.primitives.kdf.hkdf import HKDF

from homeport.errors import SetupError

PERSONAL_KEY_PREFIX = "dlt_u_"
WORKSPACE_KEY_PREFIX = "dlt_sa_"
KEY_BYTES = 32

_LETTERS_AND_DIGITS = string.ascii_letters + string.digits


def new_api_key() -> str:
    """A personal API key; the prefix is what the client recognises (wire contract §4.1)."""
    return PERSONAL_KEY_PREFIX + secrets.token_urlsafe(30)


def new_workspace_key() -> str:
    """A workspace's API key."""
    return WORKSPACE_KEY_PREFIX + secrets.token_urlsafe(30)


def new_token() -> str:
    """190 random bits for anything that is used once or for a while, as 32 letters and digits.

    Nothing else, since such a value is an argument of commands (`dlthub login --resume`), where a `-` at its start
    would make an option of it.
    """
    return "".join(secrets.choice(_LETTERS_AND_DIGITS) for _ in range(32))


def hash_of(value: str) -> str:
    """What is stored of such a value: hex SHA-256."""
    return hashlib.sha256(value.encode()).hexdigest()


def check_api_key_form(value: str) -> str:
    """The bootstrap key as given, if it can serve as one."""
    if not value.startswith(PERSONAL_KEY_PREFIX) or len(value) < len(PERSONAL_KEY_PREFIX) + 20:
        raise SetupError(
            f"HOMEPORT_BOOTSTRAP_API_KEY must start with {PERSONAL_KEY_PREFIX!r} and have at least 20 more "
            'characters. Make one with: python -c "import secrets; '
            f"print('{PERSONAL_KEY_PREFIX}' + secrets.token_urlsafe(30))\""
        )
    return value


def derive(master_key: bytes, purpose: str) -> bytes:
    """A key for one purpose, so that no two uses share one."""
    return HKDF(algorithm=SHA256(), length=KEY_BYTES, salt=None, info=purpose.encode()).derive(master_key)
