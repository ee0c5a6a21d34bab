"""AES-256-GCM under one key: what is sealed can neither be read, nor altered, nor put in another's place."""

import os

from cryptography.exceptions import InvalidTag
from cryptography.hazmat.primitives.ciphers.aead import AESGCM

from homeport.errors import Unavailable

_FORMAT = b"hp1"
"""First bytes of everything sealed: the format, for the day there is another."""
_NONCE_BYTES = 12
_START = len(_FORMAT) + _NONCE_BYTES


class Cipher:
    def __init__(self, key: bytes) -> None:
        self._aead = AESGCM(key)

    def seal(self, content: bytes, place: str) -> bytes:
        """The content for one place, under a fresh nonce; opened for any other place it is refused."""
        nonce = os.urandom(_NONCE_BYTES)
        return _FORMAT + nonce + self._aead.encrypt(nonce, content, place.encode())

    def open(self, sealed: bytes, place: str) -> bytes:
        nonce = sealed[len(_FORMAT) : _START]
        try:
            return self._aead.decrypt(nonce, sealed[_START:], place.encode())
        except (InvalidTag, ValueError) as error:  # ValueError: cut off so early that even the nonce is missing
            raise Unavailable(
                f"{place} cannot be decrypted: it is damaged, or the server's master key is not the one it was "
                "encrypted with."
            ) from error
