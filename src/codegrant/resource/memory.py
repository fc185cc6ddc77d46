"""Tokens that were judged a moment ago, so that a repeated one costs a look-up. Layer: resource.

A token is known by its digest, never by its text.
"""

from __future__ import annotations

from collections import OrderedDict
from typing import TypeAlias

from codegrant.jose import KeySet
from codegrant.rules.access_token import AccessToken

__all__ = ["RefusedTokens", "VerifiedTokens"]

# A tuple, for ten thousand of them: the token, the keys that verified it, good until.
_Entry: TypeAlias = tuple[AccessToken, KeySet | None, int]


class VerifiedTokens:
    """At most `limit` verified tokens; the least recently used goes first.

    Safe to share between threads: each step is one operation on a dict, and a lost race
    costs a second verification, nothing else.
    """

    __slots__ = ("_entries", "_limit")

    def __init__(self, limit: int = 10_000) -> None:
        self._limit = limit
        self._entries: OrderedDict[bytes, _Entry] = OrderedDict()

    def find(self, digest: bytes, now: int) -> tuple[AccessToken, KeySet | None] | None:
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

    def keep(
        self, digest: bytes, token: AccessToken, *, keys: KeySet | None, good_until: int
    ) -> None:
        """Remember `token` until `good_until` (epoch seconds).

        Args:
            digest: of the text that it came as.
            token: verified.
            keys: that did it; None when its issuer vouched for it.
            good_until: epoch seconds.
        """
        entries = self._entries
        entries.pop(digest, None)  # or it would stay where it was in the order
        entries[digest] = (token, keys, good_until)
        while len(entries) > self._limit:
            entries.popitem(last=False)

    def forget(self, digest: bytes) -> None:
        """Drop one token."""
        self._entries.pop(digest, None)

    def __len__(self) -> int:
        return len(self._entries)


class RefusedTokens:
    """At most `limit` tokens that their issuer does not vouch for; the oldest goes first.

    Apart from the good ones, so that no amount of garbage drives one of those out.
    """

    __slots__ = ("_entries", "_limit")

    def __init__(self, limit: int = 1000) -> None:
        self._limit = limit
        self._entries: OrderedDict[bytes, tuple[str, str, int]] = OrderedDict()

    def find(self, digest: bytes, now: int) -> tuple[str, str] | None:
        """Return code and message of the refusal, if it still holds."""
        entry = self._entries.get(digest)
        if entry is None:
            return None
        code, message, until = entry
        if now >= until:
            self._entries.pop(digest, None)
            return None
        return code, message

    def keep(self, digest: bytes, code: str, message: str, *, until: int) -> None:
        """Remember a refusal until `until` (epoch seconds)."""
        entries = self._entries
        entries.pop(digest, None)
        entries[digest] = (code, message, until)
        while len(entries) > self._limit:
            entries.popitem(last=False)

    def __len__(self) -> int:
        return len(self._entries)
