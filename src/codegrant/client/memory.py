"""Stores in this process's memory: of a web login, and of one program's tokens. Layer: client.

For development and for tests: they forget everything at a restart and another worker does
not see them.
"""

from __future__ import annotations

from threading import Lock
from typing import NamedTuple, TypeVar, cast

from codegrant.client.effects import (
    CallbackClaim,
    ClaimCallback,
    Claimed,
    DeleteSession,
    FindSession,
    FinishCallback,
    Finished,
    InProgress,
    SaveSession,
    StoredSession,
)
from codegrant.client.tokens import Tokens
from codegrant.errors import StoreError
from codegrant.flow import Effect

__all__ = ["MemoryTokenStore", "MemoryTokens"]

T = TypeVar("T")


class _Claim(NamedTuple):
    expires_at: int
    sealed_answer: str = ""
    answer_until: int = 0
    finished: bool = False


class MemoryTokenStore:
    """Performs the effects of `client/effects.py`; safe to share between threads and tasks."""

    def __init__(self) -> None:
        self._lock = Lock()
        self._sessions: dict[bytes, StoredSession] = {}
        self._claims: dict[bytes, _Claim] = {}

    def perform(self, effect: Effect[T]) -> T:
        """Carry out one effect and return its answer.

        Raises:
            StoreError: the effect is none of a token store's, or a callback is finished
                that nobody claimed.
        """
        with self._lock:
            return cast("T", self._perform(effect))

    async def perform_async(self, effect: Effect[T]) -> T:
        """As `perform`: nothing here ever waits."""
        return self.perform(effect)

    def _perform(self, effect: object) -> object:
        match effect:
            case ClaimCallback():
                return self._claim(effect)
            case FinishCallback():
                self._finish(effect)
                return None
            case SaveSession(session, now):
                return self._replace(session, now)
            case FindSession(digest, now):
                return self._find(digest, now)
            case DeleteSession(digest):
                return self._sessions.pop(digest, None) is not None
            case _:
                raise StoreError(f"{type(effect).__name__} is no effect of a token store")

    def _claim(self, effect: ClaimCallback) -> CallbackClaim:
        claim = self._claims.get(effect.login_digest)
        if claim is None or claim.expires_at <= effect.now:
            self._forget_expired(effect.now)
            self._claims[effect.login_digest] = _Claim(effect.expires_at)
            return Claimed()
        if not claim.finished:
            return InProgress()
        return Finished(claim.sealed_answer if effect.now < claim.answer_until else "")

    def _finish(self, effect: FinishCallback) -> None:
        claim = self._claims.get(effect.login_digest)
        if claim is None:
            raise StoreError("a callback was finished that nobody had claimed")
        if effect.session is not None:
            self._sessions[effect.session.digest] = effect.session
        self._claims[effect.login_digest] = claim._replace(
            sealed_answer=effect.sealed_answer, answer_until=effect.answer_until, finished=True
        )

    def _replace(self, session: StoredSession, now: int) -> bool:
        if self._find(session.digest, now) is None:
            return False
        self._sessions[session.digest] = session
        return True

    def _find(self, digest: bytes, now: int) -> StoredSession | None:
        session = self._sessions.get(digest)
        return session if session is not None and now < session.expires_at else None

    def _forget_expired(self, now: int) -> None:
        self._claims = {k: c for k, c in self._claims.items() if c.expires_at > now}
        self._sessions = {k: s for k, s in self._sessions.items() if s.expires_at > now}


class MemoryTokens:
    """The tokens of one login as `SavedTokens` wants them kept; safe to share between threads.

    Args:
        tokens: of a login; without them nobody is logged in.
    """

    def __init__(self, tokens: Tokens | None = None) -> None:
        self._lock = Lock()
        self._tokens = tokens

    def load(self) -> Tokens | None:
        """Return the tokens; `None` when nobody is logged in."""
        return self._tokens

    def save(self, tokens: Tokens, *, replacing: Tokens | None = None) -> bool:
        """Keep `tokens`; see `SavedTokens.save`."""
        with self._lock:
            if replacing is not None and not self._holds(replacing):
                return False
            self._tokens = tokens
            return True

    def delete(self, tokens: Tokens | None = None) -> bool:
        """Forget the tokens; see `SavedTokens.delete`."""
        with self._lock:
            if self._tokens is None or (tokens is not None and not self._holds(tokens)):
                return False
            self._tokens = None
            return True

    def _holds(self, tokens: Tokens) -> bool:
        return self._tokens is not None and self._tokens.is_same(tokens)
