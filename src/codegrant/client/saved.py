"""Where a program keeps the tokens of one login. Layer: client, no I/O.

`codegrant.stores.TokenFile` keeps them in an encrypted file, `MemoryTokens` in this process.
"""

from __future__ import annotations

from typing import Protocol, runtime_checkable

from codegrant.client.tokens import Tokens

__all__ = ["LeasedTokens", "SavedTokens"]


class SavedTokens(Protocol):
    """The tokens of one login, kept for as long as it lasts.

    Each call is one atomic step, also between threads and processes that share the place,
    and durable when it returns; it may wait for a disk. What cannot be read or written is
    a `StoreError`.
    """

    def load(self) -> Tokens | None:
        """Return the tokens; `None` when nobody is logged in."""
        ...

    def save(self, tokens: Tokens, *, replacing: Tokens | None = None) -> bool:
        """Keep `tokens` from now on.

        Args:
            tokens: of a login, or of a refresh.
            replacing: keep them only if these are there, so that a refresh neither brings
                back a login that has ended meanwhile nor undoes what another process did.

        Returns:
            Whether they are kept.
        """
        ...

    def delete(self, tokens: Tokens | None = None) -> bool:
        """Forget the tokens.

        Args:
            tokens: forget them only if these are there.

        Returns:
            Whether any were forgotten.
        """
        ...


@runtime_checkable
class LeasedTokens(SavedTokens, Protocol):
    """A place that several processes share, with a lease: one of them at a time refreshes.

    Without it a server that takes a refresh token only once may end the login of two that
    refresh at the same moment.
    """

    def take_lease(self, owner: bytes, now: int, duration: int) -> bool:
        """Take the lease, or renew it, and return whether it is the owner's.

        It is free when nobody has it, and when it has run out: `now` is not before its end,
        or more than two durations before it, since a clock was set back.

        Args:
            owner: 16 random bytes, drawn anew for every lease.
            now: epoch seconds.
            duration: seconds.
        """
        ...

    def release_lease(self, owner: bytes) -> bool:
        """Give the lease back, and return whether it was the owner's."""
        ...
