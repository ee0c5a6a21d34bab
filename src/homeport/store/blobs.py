"""Archives of code and configuration in object storage: a folder by default; S3, GCS, Azure by URL.

Content is addressed by its digest, so writing the same bytes twice is harmless. Configuration holds secrets and
is encrypted (AES-256-GCM, a fresh nonce for every object) with a key that the storage never sees.
"""

import os
from pathlib import Path
from uuid import UUID

import obstore
from cryptography.exceptions import InvalidTag
from cryptography.hazmat.primitives.ciphers.aead import AESGCM
from obstore.store import LocalStore, ObjectStore, from_url

from homeport.errors import SetupError, Unavailable

_NONCE_BYTES = 12
_FORMAT = b"hp1"
"""First bytes of an encrypted object: the format, for the day there is another."""


class Blobs:
    """Keeps bytes under (workspace, kind, digest)."""

    def __init__(self, url: str, secret_key: bytes) -> None:
        self._store = _open(url)
        self._cipher = AESGCM(secret_key)

    def put(self, workspace_id: UUID, kind: str, sha256: str, archive: Path) -> None:
        """Keep an archive; returns when the storage has it. Only configuration, which is small, is read whole."""
        path = _path(workspace_id, kind, sha256)
        if kind != "configurations":
            obstore.put(self._store, path, archive)
            return
        nonce = os.urandom(_NONCE_BYTES)
        sealed = self._cipher.encrypt(nonce, archive.read_bytes(), path.encode())
        obstore.put(self._store, path, _FORMAT + nonce + sealed)

    def get(self, workspace_id: UUID, kind: str, sha256: str) -> bytes:
        """The archive; `Unavailable` when the storage does not give it."""
        path = _path(workspace_id, kind, sha256)
        try:
            content = bytes(obstore.get(self._store, path).bytes())
        except Exception as error:  # obstore raises its own kinds by backend
            raise Unavailable(f"The storage does not give {path}: {error}") from error
        return self._decrypted(path, content) if kind == "configurations" else content

    def _decrypted(self, path: str, content: bytes) -> bytes:
        nonce = content[len(_FORMAT) : len(_FORMAT) + _NONCE_BYTES]
        try:
            return self._cipher.decrypt(nonce, content[len(_FORMAT) + _NONCE_BYTES :], path.encode())
        except (InvalidTag, ValueError) as error:  # ValueError: cut off so early that even the nonce is missing
            raise Unavailable(
                f"{path} cannot be decrypted: it is damaged, or the server's master key is not the one it was "
                "encrypted with."
            ) from error

    def check(self) -> None:
        """Raise `Unavailable` unless the storage takes and gives an object."""
        try:
            obstore.put(self._store, "readiness", b"ok")
            obstore.get(self._store, "readiness").bytes()
        except Exception as error:
            raise Unavailable(f"The storage does not answer: {error}") from error


def _path(workspace_id: UUID, kind: str, sha256: str) -> str:
    return f"workspaces/{workspace_id}/{kind}/{sha256}.tar.gz"


def _open(url: str) -> ObjectStore:
    try:
        if "://" in url:
            return from_url(url)
        folder = Path(url)
        folder.mkdir(mode=0o700, parents=True, exist_ok=True)
        return LocalStore(folder)
    except Exception as error:
        raise SetupError(
            f"The storage {url!r} cannot be opened: {error}. Give a folder, or an s3://, gs:// or az:// URL."
        ) from error
