"""Which tokens came of which, as one client of one process remembers it. Layer: client, no I/O.

A server that rotates refresh tokens takes one that is sent twice for a stolen one. So what
a refresh gave is remembered: who still holds the old tokens gets the new ones. And what it did
not give: neither a server in trouble nor an API that takes no token at all is asked with every
call.
"""

from __future__ import annotations

from hashlib import sha256
from itertools import islice
from typing import TypeVar

from codegrant.client.tokens import Tokens
from codegrant.errors import CodegrantError

__all__ = ["Lineage"]

K = TypeVar("K")
T = TypeVar("T")

_MOST = 2048
# Seconds for which tokens are brand-new; and until a refresh that failed is tried again, while the
# access token is still good, or when the server says so.
_NEW_SECONDS = 60
_TRY_AGAIN_AFTER = 5
_LONGEST_WAIT = 60


class Lineage:
    """Successors of tokens, tokens that were revoked, and tokens that are of no use.

    Safe to share between threads: every step is one operation on a dictionary. Tokens have
    one fate, a successor or a revocation, and whichever comes first is it.
    """

    def __init__(self) -> None:
        self._fates: dict[bytes, Tokens | None] = {}  # None: revoked
        self._useless: dict[bytes, None] = {}
        self._useless_until: dict[tuple[str, str], int] = {}
        self._failed: dict[bytes, tuple[int, CodegrantError]] = {}

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

    def note_useless(self, tokens: Tokens, now: int) -> None:
        """Remember that an API refused `tokens` when they were brand-new."""
        self._useless[_key(tokens)] = None
        self._useless_until[_person(tokens)] = now + _NEW_SECONDS
        _shorten(self._useless)
        _shorten(self._useless_until)

    def is_useless(self, tokens: Tokens, now: int) -> bool:
        """Return whether another refresh of `tokens` would help against a refusal no more.

        Where brand-new ones of a person were refused a moment ago, those that another process
        has got since are no better: else each would refresh what the other has just refreshed.
        """
        if _key(tokens) in self._useless:
            return True
        is_fresh = now < tokens.received_at + _NEW_SECONDS
        return is_fresh and now < self._useless_until.get(_person(tokens), 0)

    def note_failure(self, tokens: Tokens, error: CodegrantError, now: int) -> None:
        """Remember that the server could not refresh `tokens`, and what it said."""
        self._failed[_key(tokens)] = (now, error)
        _shorten(self._failed)

    def recent_failure(self, tokens: Tokens, now: int) -> CodegrantError | None:
        """Return why the server is not to be asked about `tokens` yet; `None` if it may be.

        Where nothing is left to use it waits for as long as the server asks for, and no longer.
        """
        failed_at, error = self._failed.get(_key(tokens), (0, None))
        if error is None:
            return None
        wait = min(int(error.facts.get("retry_after", 0)), _LONGEST_WAIT)
        if not tokens.is_expired(now):
            wait = max(wait, _TRY_AGAIN_AFTER)
        return error if 0 <= now - failed_at < wait else None


def _key(tokens: Tokens) -> bytes:
    refresh_token = tokens.refresh_token
    refresh_digest = b"" if refresh_token is None else refresh_token.digest()
    return sha256(tokens.access_token.digest() + refresh_digest).digest()


def _person(tokens: Tokens) -> tuple[str, str]:
    """Return whose tokens they are; the same for all at a server that identifies nobody."""
    who = tokens.identity
    return ("", "") if who is None else (who.issuer, who.subject)


def _shorten(known: dict[K, T]) -> None:
    """Drop the older half when there are too many."""
    if len(known) > _MOST:
        for oldest in list(islice(known, _MOST // 2)):
            known.pop(oldest, None)
