"""The tokens of a session, where an API session of the client looks for them. Layer: web."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from typing import Any

from codegrant.client.tokens import Tokens
from codegrant.flow import Flow
from codegrant.web.login_sessions import LoginSessions, SignedIn

__all__ = ["SessionTokens"]


class SessionTokens:
    """Keeps the tokens of one session as `LeasedTokens` wants them kept.

    A session that has ended gets no tokens any more.

    Args:
        sessions: of the application.
        signed_in: whose tokens they are, as the request has just found them.
        drive: runs a flow of `sessions` to its end; in whatever thread it is called.
        clock: returns epoch seconds.
        tell: called with the session when its tokens have changed.
    """

    def __init__(
        self,
        sessions: LoginSessions,
        signed_in: SignedIn,
        *,
        drive: Callable[[Flow[Any]], Any],
        clock: Callable[[], int],
        tell: Callable[[SignedIn], None],
    ) -> None:
        self._sessions = sessions
        self._signed_in = signed_in
        self._drive = drive
        self._clock = clock
        self._tell = tell
        self._is_new = True

    def load(self) -> Tokens | None:
        """Return the tokens; at first those that the request has found, then the stored ones."""
        if self._is_new:
            self._is_new = False
            return self._signed_in.tokens
        found = self._find()
        if found is None:
            return None
        self._tell(found)
        return found.tokens

    def save(self, tokens: Tokens, *, replacing: Tokens | None = None) -> bool:
        """Keep `tokens` while the session lasts; see `SavedTokens.save`."""
        changed = replace(self._signed_in, tokens=tokens)
        flow = self._sessions.replace(changed, self._clock(), replacing=replacing)
        kept: bool = self._drive(flow)
        if kept:
            self._tell(changed)
        return kept

    def delete(self, tokens: Tokens | None = None) -> bool:
        """End the session, if these are still its tokens."""
        found = self._find()
        if found is None or (tokens is not None and not found.tokens.is_same(tokens)):
            return False
        ended: bool = self._drive(self._sessions.end(found))
        return ended

    def take_lease(self, owner: bytes, now: int, duration: int) -> bool:
        """Take the lease of the session's tokens; see `LeasedTokens.take_lease`."""
        flow = self._sessions.take_lease(self._signed_in, owner, now, duration)
        taken: bool = self._drive(flow)
        return taken

    def release_lease(self, owner: bytes) -> bool:
        """Give the lease back; see `LeasedTokens.release_lease`."""
        released: bool = self._drive(self._sessions.release_lease(self._signed_in, owner))
        return released

    def _find(self) -> SignedIn | None:
        digest = self._signed_in.session
        found: SignedIn | None = self._drive(self._sessions.find_by_digest(digest, self._clock()))
        return found
