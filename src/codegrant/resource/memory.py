"""Tokens that were verified a moment ago, so that a repeated one costs a look-up. Layer: resource.

A token is known by its digest, never by its text. Nothing that fails is remembered.
"""

from __future__ import annotations

from collections import OrderedDict
from typing import NamedTuple

from codegrant.jose import KeySet
from codegrant.rules.access_token import AccessToken

__all__ = ["VerifiedTokens"]


class _Entry(NamedTuple):
    token: AccessToken
    keys: KeySet
    good_until: int


class VerifiedTokens:
    """At most `limit` verified tokens; the least recently used goes first.

    Safe to share between threads: each step is one operation on a dict, and a lost race
    costs a second verification, nothing else.
    """

    __slots__ = ("_entries", "_limit")

    def __init__(self, limit: int = 10_000) -> None:
        self._limit = limit
        self._entries: OrderedDict[bytes, _Entry] = OrderedDict()

    def find(self, digest: bytes, now: int) -> tuple[AccessToken, KeySet] | None:
        """Return the token and the keys that verified it, if it may still be remembered."""
        entry = self._entries.get(digest)
        if entry is None:
            return None
        token, keys, good_until = entry
        if now >= good_until:
            self.forget(digest)
            return None
        try:
            self._entries.move_to_end(digest)
        except KeyError:  # another thread has just dropped it
            return None
        return token, keys

    def keep(self, digest: bytes, token: AccessToken, *, keys: KeySet, good_until: int) -> None:
        """Remember `token`, which `keys` verified, until `good_until` (epoch seconds)."""
        self._entries.pop(digest, None)  # or it would stay where it was in the order
        self._entries[digest] = _Entry(token, keys, good_until)
        while len(self._entries) > self._limit:
            self._entries.popitem(last=False)

    def forget(self, digest: bytes) -> None:
        """Drop one token."""
        self._entries.pop(digest, None)

    def __len__(self) -> int:
        return len(self._entries)
