"""Authenticated encryption with key rotation, for cookies and for rows. Layer: foundation.

AES-256-GCM under a key that HKDF derives from a master key and a purpose, so that text
sealed for one purpose never opens for another. A sealed value is

    version (1 byte) · key id (4 bytes) · nonce (12 bytes) · ciphertext and tag

in unpadded base64url. The key id only says which master key to try.
"""

from __future__ import annotations

import binascii
import os
from base64 import urlsafe_b64decode, urlsafe_b64encode
from collections.abc import Sequence
from functools import lru_cache
from hashlib import sha256
from typing import NoReturn

from cryptography.exceptions import InvalidTag
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.ciphers.aead import AESGCM
from cryptography.hazmat.primitives.kdf.hkdf import HKDF

from codegrant.errors import ConfigurationError, SealBroken
from codegrant.secret import Secret

__all__ = ["KeyRing", "SealBroken", "derive", "open_with", "seal_with"]

_VERSION = b"\x01"
_NONCE = 12
_OVERHEAD = 1 + 4 + _NONCE + 16
MINIMUM_KEY_LENGTH = 32


def derive(master: bytes, purpose: str, length: int = 32) -> bytes:
    """Return `length` bytes that depend on `master` and `purpose` alone. RFC 5869."""
    hkdf = HKDF(algorithm=hashes.SHA256(), length=length, salt=None, info=purpose.encode())
    return hkdf.derive(master)


class KeyRing:
    """One or more master keys; the first seals, all of them open.

    Args:
        keys: texts of at least 32 characters. They should come from a random source
            (`python -c "import secrets; print(secrets.token_urlsafe(32))"`).

    Raises:
        ConfigurationError: no key, or one that is too short.
    """

    __slots__ = ("__weakref__", "_ids", "_masters")

    def __init__(self, keys: Sequence[str]) -> None:
        if isinstance(keys, str):
            raise ConfigurationError("key ring: expected a list of keys, got one text")
        if not keys:
            raise ConfigurationError("key ring: at least one key is needed")
        for key in keys:
            if len(key) < MINIMUM_KEY_LENGTH:
                raise ConfigurationError(
                    f"key ring: a key has {len(key)} characters, "
                    f"at least {MINIMUM_KEY_LENGTH} are needed"
                )
        self._masters = tuple(_master(key) for key in keys)
        self._ids = tuple(sha256(b"codegrant key id\0" + m).digest()[:4] for m in self._masters)

    @classmethod
    def parse(cls, text: str) -> KeyRing:
        """Return the ring of a comma-separated setting such as `CODEGRANT_SECRET`."""
        return cls([key.strip() for key in text.split(",") if key.strip()])

    @property
    def key_id(self) -> bytes:
        """The 4-byte id of the key that seals."""
        return self._ids[0]

    def knows(self, key_id: bytes) -> bool:
        """Return whether a key with this 4-byte id is in the ring."""
        return key_id in self._ids

    def derive(self, purpose: str, length: int = 32) -> bytes:
        """Return a sub-key of the first master key, for HMAC and the like."""
        return derive(self._masters[0], purpose, length)

    def seal(self, purpose: str, data: bytes) -> str:
        """Return `data` encrypted and authenticated for `purpose`, as base64url text."""
        nonce = os.urandom(_NONCE)
        head = _VERSION + self._ids[0]
        body = _cipher(self._masters[0], purpose).encrypt(nonce, data, head)
        return urlsafe_b64encode(head + nonce + body).rstrip(b"=").decode()

    def open(self, purpose: str, sealed: str) -> bytes:
        """Return what was sealed for `purpose`.

        Raises:
            SealBroken: with code `seal_unknown_key` when no key of the ring made it, else
                `seal_broken`.
        """
        raw = _decode(sealed)
        if len(raw) < _OVERHEAD or raw[:1] != _VERSION:
            raise SealBroken("the sealed text is malformed")
        key_id, nonce, body = raw[1:5], raw[5 : 5 + _NONCE], raw[5 + _NONCE :]
        if key_id not in self._ids:
            raise SealBroken("the sealed text was made with another key", code="seal_unknown_key")
        for candidate, master in zip(self._ids, self._masters, strict=True):
            if candidate != key_id:
                continue
            try:
                return _cipher(master, purpose).decrypt(nonce, body, raw[:5])
            except InvalidTag:
                continue
        raise SealBroken("the sealed text was altered or made for another purpose")

    def __repr__(self) -> str:
        return f"KeyRing({len(self._masters)} keys)"

    def __reduce__(self) -> NoReturn:
        raise TypeError("a KeyRing does not pickle: make it again from its setting")


def seal_with(secret: Secret, purpose: str, data: bytes) -> str:
    """Return `data` sealed so that only a holder of `secret` opens it, as base64url text.

    Args:
        secret: of at least 128 random bits, e.g. a token. Nothing of it is in the text.
    """
    nonce = os.urandom(_NONCE)
    body = AESGCM(derive(secret.reveal().encode(), purpose)).encrypt(nonce, data, _VERSION)
    return urlsafe_b64encode(_VERSION + nonce + body).rstrip(b"=").decode()


def open_with(secret: Secret, purpose: str, sealed: str) -> bytes:
    """Return what `seal_with` sealed.

    Raises:
        SealBroken: the text was altered, or made with another secret or purpose.
    """
    raw = _decode(sealed)
    nonce, body = raw[1 : 1 + _NONCE], raw[1 + _NONCE :]
    try:
        return AESGCM(derive(secret.reveal().encode(), purpose)).decrypt(nonce, body, raw[:1])
    except (InvalidTag, ValueError):
        raise SealBroken("the sealed text was altered or made with another secret") from None


def _master(key: str) -> bytes:
    """Return the 32-byte master key of a text, also of one with undecodable bytes."""
    return sha256(b"codegrant master\0" + key.encode("utf-8", "surrogatepass")).digest()


@lru_cache(maxsize=256)
def _cipher(master: bytes, purpose: str) -> AESGCM:
    return AESGCM(derive(master, purpose))


def _decode(text: str) -> bytes:
    try:
        raw = urlsafe_b64decode(text.encode("ascii") + b"=" * (-len(text) % 4))
    except (ValueError, binascii.Error):
        raise SealBroken("the sealed text is malformed") from None
    # base64 forgives foreign characters and stray bits; a seal has exactly one spelling.
    if urlsafe_b64encode(raw).rstrip(b"=").decode() != text:
        raise SealBroken("the sealed text is malformed")
    return raw
