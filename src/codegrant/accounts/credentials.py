"""Usernames and passwords in their one comparable form. Layer: accounts, no I/O.

The same text can be typed in several ways (composed or not, full width or not); whichever
way a person types it, it must be the same person and the same password, and never another
person. RFC 8265, with NFKC in place of width mapping and NFC.
"""

from __future__ import annotations

from unicodedata import normalize

from codegrant.secret import Secret

__all__ = [
    "MAX_PASSWORD_BYTES",
    "MAX_USERNAME_LENGTH",
    "MIN_PASSWORD_LENGTH",
    "read_password",
    "read_username",
]

MAX_USERNAME_LENGTH = 150
MAX_PASSWORD_BYTES = 1024
MIN_PASSWORD_LENGTH = 8
"""Characters of a password that a person chooses; an operator is warned. NIST SP 800-63B §3.1.1."""


def read_username(text: str) -> str | None:
    """Return the comparable form of a username; None for one that nobody can have.

    Two texts with one form are one person. Invisible and control characters, surrounding
    spaces, and more than `MAX_USERNAME_LENGTH` characters are nobody's.

    RFC 8265 §3.3.
    """
    if len(text) > MAX_USERNAME_LENGTH:
        return None
    key = normalize("NFKC", normalize("NFKC", text).casefold())
    # isprintable() is False for controls, format characters, private use and surrogates.
    if not key or not key.isprintable() or key != key.strip():
        return None
    return key if len(key) <= MAX_USERNAME_LENGTH else None


def read_password(text: str) -> Secret | None:
    """Return a password as it is hashed, whole; None for one that nobody can have.

    Bounded before it is hashed, and never cut: at most `MAX_PASSWORD_BYTES` bytes of UTF-8,
    no control character, spaces counted as they are.

    RFC 8265 §4.2.
    """
    # A character is at least one byte: what is longer need not be normalised to be refused.
    if len(text) > MAX_PASSWORD_BYTES:
        return None
    password = normalize("NFKC", text)
    if not password or any(c < " " or "\x7f" <= c < "\xa0" or _is_surrogate(c) for c in password):
        return None
    return Secret(password) if len(password.encode()) <= MAX_PASSWORD_BYTES else None


def _is_surrogate(character: str) -> bool:
    """Return whether it is half a character, which has no bytes."""
    return "\ud800" <= character <= "\udfff"
