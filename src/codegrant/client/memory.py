"""Stores in this process's memory: of a web login, and of one program's tokens. Layer: client.

For development and for tests: they forget everything at a restart and another worker does
not see them.
"""

from __future__ import annotations

from dataclasses import replace
from threading import Lock
from typing import NamedTuple, TypeVar, cast

from codegrant.client.effects import (
    CallbackClaim,
    ClaimCallback,
    Claimed,
    DeleteSession,
    EndSessions,
    FindSession,
    FinishCallback,
    Finished,
    InProgress,
    ReleaseLease,
    SaveSession,
    StoredSession,
    TakeLease,
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


class _Lease(NamedTuple):
    owner: bytes
    expires_at: int

    def excludes(self, owner: bytes, now: int, duration: int) -> bool:
        """Return whether `owner` has to wait for it; see `TakeLease`."""
        return self.owner != owner and now < self.expires_at <= now + 2 * duration


class MemoryTokenStore:
    """Performs the effects of `client/effects.py`; safe to share between threads and tasks."""

    def __init__(self) -> None:
        self._lock = Lock()
        self._sessions: dict[bytes, StoredSession] = {}
        self._claims: dict[bytes, _Claim] = {}
        self._leases: dict[bytes, _Lease] = {}

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
            case SaveSession():
                return self._replace(effect)
            case FindSession(digest, now):
                return self._find(digest, now)
            case DeleteSession(digest):
                return self._sessions.pop(digest, None) is not None
            case EndSessions():
                return self._end(effect)
            case TakeLease():
                return self._take(effect)
            case ReleaseLease():
                return self._release(effect)
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

    def _replace(self, effect: SaveSession) -> bool:
        found = self._find(effect.session.digest, effect.now)
        if found is None or effect.replacing not in (None, found.sealed):
            return False
        self._sessions[effect.session.digest] = replace(
            effect.session, person=found.person, provider_session=found.provider_session
        )
        return True

    def _end(self, effect: EndSessions) -> int | None:
        claim = ClaimCallback(
            login_digest=effect.token_digest, now=effect.now, expires_at=effect.remember_until
        )
        if not isinstance(self._claim(claim), Claimed):
            return None
        ended = [digest for digest, one in self._sessions.items() if effect.ends(one)]
        for digest in ended:
            del self._sessions[digest]
        return len(ended)

    def _take(self, effect: TakeLease) -> bool:
        lease = self._leases.get(effect.key)
        if lease is not None and lease.excludes(effect.owner, effect.now, effect.duration):
            return False
        if lease is None:
            self._forget_expired(effect.now)
        self._leases[effect.key] = _Lease(effect.owner, effect.now + effect.duration)
        return True

    def _release(self, effect: ReleaseLease) -> bool:
        lease = self._leases.get(effect.key)
        if lease is None or lease.owner != effect.owner:
            return False
        del self._leases[effect.key]
        return True

    def _find(self, digest: bytes, now: int) -> StoredSession | None:
        session = self._sessions.get(digest)
        return session if session is not None and now < session.expires_at else None

    def _forget_expired(self, now: int) -> None:
        self._claims = {k: c for k, c in self._claims.items() if c.expires_at > now}
        self._sessions = {k: s for k, s in self._sessions.items() if s.expires_at > now}
        self._leases = {k: one for k, one in self._leases.items() if one.expires_at > now}


class MemoryTokens:
    """The tokens of one login as `LeasedTokens` wants them kept; safe to share between threads.

    Args:
        tokens: of a login; without them nobody is logged in.
    """

    def __init__(self, tokens: Tokens | None = None) -> None:
        self._lock = Lock()
        self._tokens = tokens
        self._lease: _Lease | None = None

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

    def take_lease(self, owner: bytes, now: int, duration: int) -> bool:
        """Take the lease, between the clients of this process; see `LeasedTokens.take_lease`."""
        with self._lock:
            if self._lease is not None and self._lease.excludes(owner, now, duration):
                return False
            self._lease = _Lease(owner, now + duration)
            return True

    def release_lease(self, owner: bytes) -> bool:
        """Give the lease back; see `LeasedTokens.release_lease`."""
        with self._lock:
            if self._lease is None or self._lease.owner != owner:
                return False
            self._lease = None
            return True

    def _holds(self, tokens: Tokens) -> bool:
        return self._tokens is not None and self._tokens.is_same(tokens)
