"""`Secret`: text that never prints, logs or pickles itself. Layer: foundation."""

from __future__ import annotations

import hmac
from hashlib import sha256
from typing import NoReturn

__all__ = ["Secret", "digest_of", "same_secret"]


class Secret:
    """A text that only `reveal()` shows.

    Its `repr`, `str` and f-string are a mask; pickling and copying it into JSON fail
    loudly. Two secrets are equal when their texts are, compared in constant time.

    Args:
        text: the secret; at least one character.

    Raises:
        ValueError: `text` is empty.
    """

    __slots__ = ("_text",)

    def __init__(self, text: str) -> None:
        if not text:
            raise ValueError("a secret must not be empty")
        self._text = text

    def reveal(self) -> str:
        """Return the text itself. Call it where it goes on the wire, and nowhere else."""
        return self._text

    def digest(self) -> bytes:
        """Return the SHA-256 of the text, the only form in which a store keeps it."""
        return digest_of(self._text)

    def __repr__(self) -> str:
        return "Secret(***)"

    __str__ = __repr__

    def __format__(self, spec: str) -> str:
        return "Secret(***)"

    def __eq__(self, other: object) -> bool:
        return isinstance(other, Secret) and same_secret(self._text, other._text)

    def __hash__(self) -> int:
        return hash(("codegrant.Secret", self._text))

    def __reduce__(self) -> NoReturn:
        raise TypeError("a Secret does not pickle: seal it instead (codegrant.sealing)")


def digest_of(text: str) -> bytes:
    """Return the 32-byte SHA-256 of `text` in UTF-8.

    Enough for generated secrets of 256 bits; never for passwords.
    """
    return sha256(text.encode("utf-8", "surrogatepass")).digest()


def same_secret(one: str | bytes, other: str | bytes) -> bool:
    """Return whether the two are equal, in time that does not depend on where they differ."""
    a = one.encode("utf-8", "surrogatepass") if isinstance(one, str) else one
    b = other.encode("utf-8", "surrogatepass") if isinstance(other, str) else other
    return hmac.compare_digest(a, b)
