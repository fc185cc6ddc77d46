"""The keys that all providers of a process begin with, made once. Layer: testing.

An RSA key takes its time, and a client that a test shares with the next one knows it already.
"""

from __future__ import annotations

import secrets
from functools import cache

from codegrant.sealing import KeyRing
from codegrant.server.keys import FIRST_ALGORITHMS, make_key
from codegrant.server.records import KeyRecord

__all__ = ["first_keys", "key_ring"]


@cache
def key_ring() -> KeyRing:
    """Return what seals them."""
    return KeyRing([secrets.token_urlsafe(32)])


@cache
def first_keys() -> tuple[KeyRecord, ...]:
    """Return the signing keys, good since the beginning of time: a clock may be set back."""
    return tuple(make_key(key_ring(), alg, 0) for alg in FIRST_ALGORITHMS)
