"""Where a program keeps the tokens of one login. Layer: client, no I/O.

`codegrant.stores.TokenFile` keeps them in an encrypted file, `MemoryTokens` in this process.
"""

from __future__ import annotations

from typing import Protocol

from codegrant.client.tokens import Tokens

__all__ = ["SavedTokens"]


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
