"""Which tokens came of which, as one client of one process remembers it. Layer: client, no I/O.

A server that rotates refresh tokens takes one that is sent twice for a stolen one. So what
a refresh gave is remembered: who still holds the old tokens gets the new ones.
"""

from __future__ import annotations

from hashlib import sha256
from itertools import islice
from typing import TypeVar

from codegrant.client.tokens import Tokens

__all__ = ["Lineage"]

T = TypeVar("T")

_MOST = 2048


class Lineage:
    """Successors of tokens, tokens that were revoked, and tokens that are of no use.

    Safe to share between threads: every step is one operation on a dictionary. Tokens have
    one fate, a successor or a revocation, and whichever comes first is it.
    """

    def __init__(self) -> None:
        self._fates: dict[bytes, Tokens | None] = {}  # None: revoked
        self._useless: dict[bytes, None] = {}

    def latest(self, tokens: Tokens) -> Tokens:
        """Return what `tokens` have become; themselves, if nothing newer is known."""
        for _ in range(_MOST):
            newer = self._fates.get(_key(tokens))
            if newer is None:
                break
            tokens = newer
        return tokens

    def add(self, old: Tokens, new: Tokens) -> bool:
        """Remember that `new` came of `old`; False when `old` were revoked meanwhile.

        A server may also give the same once more.
        """
        if old.is_same(new):
            return not self.has_ended(old)
        self._fates.pop(_key(new), None)  # the newest have no successor, whatever they were
        fate = self._fates.setdefault(_key(old), new)
        _shorten(self._fates)
        return fate is not None

    def end(self, tokens: Tokens) -> Tokens:
        """Remember that `tokens`, or what they have become, are being revoked; return those.

        What still comes of them is revoked too.
        """
        for _ in range(_MOST):
            tokens = self.latest(tokens)
            if self._fates.setdefault(_key(tokens), None) is None:
                break  # else a refresh was quicker, and what it gave is to be revoked
        _shorten(self._fates)
        return tokens

    def resume(self, tokens: Tokens) -> None:
        """Take `end` back: the server could not revoke them."""
        if self.has_ended(tokens):
            self._fates.pop(_key(tokens), None)

    def has_ended(self, tokens: Tokens) -> bool:
        """Return whether `tokens` were revoked here."""
        return self._fates.get(_key(tokens), tokens) is None

    def note_useless(self, tokens: Tokens) -> None:
        """Remember that an API refused `tokens` when they were brand-new."""
        self._useless[_key(tokens)] = None
        _shorten(self._useless)

    def is_useless(self, tokens: Tokens) -> bool:
        """Return whether another refresh of `tokens` would help against a refusal no more."""
        return _key(tokens) in self._useless


def _key(tokens: Tokens) -> bytes:
    refresh_token = tokens.refresh_token
    refresh_digest = b"" if refresh_token is None else refresh_token.digest()
    return sha256(tokens.access_token.digest() + refresh_digest).digest()


def _shorten(known: dict[bytes, T]) -> None:
    """Drop the older half when there are too many."""
    if len(known) > _MOST:
        for oldest in list(islice(known, _MOST // 2)):
            known.pop(oldest, None)
