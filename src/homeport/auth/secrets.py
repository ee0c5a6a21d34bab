"""Random values that let somebody in, their hashes, and the master key that everything else hangs on."""

import base64
import hashlib
import os
import secrets
import tempfile
from contextlib import suppress
from pathlib import Path

from cryptography.hazmat.primitives.hashes import SHA256
from cryptography.hazmat.primitives.kdf.hkdf import HKDF

from homeport.errors import SetupError

PERSONAL_KEY_PREFIX = "dlt_u_"
KEY_BYTES = 32


def new_api_key() -> str:
    """A personal API key; the prefix is what the client recognises (wire contract §4.1)."""
    return PERSONAL_KEY_PREFIX + secrets.token_urlsafe(30)


def new_token() -> str:
    """192 random bits for anything that is used once or for a while."""
    return secrets.token_urlsafe(24)


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


def load_master_key(folder: Path) -> bytes:
    """The installation's master key: `HOMEPORT_MASTER_KEY` (base64, 32 bytes), else a file made once."""
    given = os.environ.get("HOMEPORT_MASTER_KEY")
    if given:
        key = _decoded(given.encode())
        if len(key) != KEY_BYTES:
            raise SetupError("HOMEPORT_MASTER_KEY must be 32 bytes in base64: openssl rand -base64 32")
        return key
    return _load_or_make(folder / "master.key")


def _load_or_make(path: Path) -> bytes:
    path.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
    if not path.exists():
        _make(path)
    key = _decoded(path.read_bytes())
    if len(key) != KEY_BYTES:
        raise SetupError(
            f"{path} does not hold a master key. Restore it from a backup: without it, stored "
            "configurations cannot be read. Only if there are none yet, delete it and start again."
        )
    return key


def _make(path: Path) -> None:
    """Written aside and linked into place, so that it is there whole or not at all; of two servers that start at
    once, one makes it and both read it."""
    with tempfile.NamedTemporaryFile(dir=path.parent, prefix=path.name) as file:  # 0600 from the start
        file.write(base64.b64encode(os.urandom(KEY_BYTES)))
        file.flush()
        os.fsync(file.fileno())
        with suppress(FileExistsError):
            os.link(file.name, path)


def _decoded(text: bytes) -> bytes:
    """The key that this stands for; nothing when it stands for none."""
    try:
        return base64.b64decode(text.strip(), validate=True)
    except ValueError:
        return b""


def derive(master_key: bytes, purpose: str) -> bytes:
    """A key for one purpose, so that no two uses share one."""
    return HKDF(algorithm=SHA256(), length=KEY_BYTES, salt=None, info=purpose.encode()).derive(master_key)
