"""Subjects: the random ids that stand for people in tokens, and for nothing else.

A subject says nothing about its person and is never given to another. All of them share a
prefix that no client id may have, so that a token about a client can never be taken for
one about a person. Layer: accounts, no I/O.
"""

from __future__ import annotations

from base64 import b32encode

from codegrant.errors import ConfigurationError
from codegrant.flow import Flow, RandomBytes, ask

__all__ = ["SUBJECT_PREFIX", "check_client_id", "new_subject"]

SUBJECT_PREFIX = "person-"


def new_subject() -> Flow[str]:
    """Return a fresh `sub`: the prefix and 26 characters, 130 bits wide, of 128 random ones.

    OIDC Core §2 (at most 255 ASCII characters), §8 (public subject type).
    """
    entropy = yield from ask(RandomBytes(16))
    return SUBJECT_PREFIX + b32encode(entropy).rstrip(b"=").decode().lower()


def check_client_id(client_id: str) -> None:
    """Check that a new client's id cannot be taken for a person's `sub`.

    Compared without case, as a careless resource server might.

    Raises:
        ConfigurationError: it starts with the prefix of subjects.

    RFC 9700 §4.15.1.
    """
    if client_id.casefold().startswith(SUBJECT_PREFIX):
        raise ConfigurationError(
            f"client_id: {client_id!r} is not allowed, ids that start with "
            f"{SUBJECT_PREFIX!r} belong to people"
        )
