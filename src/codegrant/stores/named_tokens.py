"""`NamedTokens`: the tokens of one login, by a name, in a store that machines share.

For jobs and services that act for one login, several of them perhaps. Layer: stores.
"""

from __future__ import annotations

import os
from collections.abc import Callable
from dataclasses import replace
from typing import Any, Protocol

from codegrant.client.effects import (
    ClaimCallback,
    DeleteSession,
    FindSession,
    FinishCallback,
    ReleaseLease,
    SaveSession,
    StoredSession,
    TakeLease,
)
from codegrant.client.tokens import Tokens
from codegrant.errors import ConfigurationError, SealBroken, StoreError
from codegrant.flow import Effect
from codegrant.remote.transport import machine_time
from codegrant.sealing import KeyRing
from codegrant.secret import digest_of

__all__ = ["NamedTokens"]

_LIFETIME = 400 * 86_400
_CLAIM_SECONDS = 60


class _Store(Protocol):
    def perform(self, effect: Effect[Any], /) -> Any: ...  # noqa: ANN401 - as the flow driver


class NamedTokens:
    """Keeps the tokens of one login as `LeasedTokens` wants them kept; `Client.api` takes it.

    Safe to share between threads, and all processes that give the same store, name and keys
    share the login. Nothing is asked of the store before the first call.

    Args:
        store: `PostgresTokens`, `ValkeyTokens`, or another store of tokens.
        name: of the login, among those in the store.
        key_ring: seals the tokens; by default made of `CODEGRANT_SECRET`.
        lifetime: seconds that they are kept after they were saved the last time.
        clock: returns epoch seconds; for tests.
    """

    def __init__(
        self,
        store: _Store,
        name: str,
        *,
        key_ring: KeyRing | None = None,
        lifetime: int = _LIFETIME,
        clock: Callable[[], float] = machine_time,
    ) -> None:
        self._store = store
        self._name = name
        self._key_ring = key_ring
        self._lifetime = lifetime
        self._clock = clock
        self._digest = digest_of(f"named tokens {name}")
        self._lease = digest_of(f"refresh named tokens {name}")

    def load(self) -> Tokens | None:
        """Return the tokens; `None` when nobody is logged in under that name.

        Raises:
            ConfigurationError: there is no key, or `CODEGRANT_SECRET` is too short.
            StoreError: `store_key`, another key sealed them; `store_damaged`; or the store
                cannot be read.
        """
        found = self._find()
        return None if found is None else self._open(found)

    def save(self, tokens: Tokens, *, replacing: Tokens | None = None) -> bool:
        """Keep `tokens` from now on, and return whether they are kept.

        Args:
            tokens: of a login, or of a refresh.
            replacing: keep them only if these are there.

        Raises:
            ConfigurationError, StoreError: as `load`; or the store cannot be written.
        """
        now = self._now()
        sealed = tokens.seal(self._ring())
        session = StoredSession(digest=self._digest, sealed=sealed, expires_at=now + self._lifetime)
        if replacing is not None:
            found = self._find_same(replacing)
            return found is not None and self._replace(session, now, found.sealed)
        if not self._replace(session, now, None):
            # A session begins with a callback; this one has none, so its claim is a random one.
            claim = os.urandom(32)
            self._store.perform(
                ClaimCallback(login_digest=claim, now=now, expires_at=now + _CLAIM_SECONDS)
            )
            self._store.perform(
                FinishCallback(
                    login_digest=claim, sealed_answer="", answer_until=now, session=session
                )
            )
        return True

    def delete(self, tokens: Tokens | None = None) -> bool:
        """Forget the tokens, and return whether there were any.

        Args:
            tokens: forget them only if these are there.

        Raises:
            ConfigurationError, StoreError: as `load`, if there are `tokens`; or the store
                cannot be written.
        """
        if tokens is None:
            found = self._find()
            return found is not None and bool(self._store.perform(DeleteSession(self._digest)))
        found = self._find_same(tokens)
        if found is None:
            return False
        now = self._now()
        # Over at once, unless others have come in between: one step, as a look and a deletion
        # would not be.
        return self._replace(replace(found, sealed="", expires_at=now), now, found.sealed)

    def take_lease(self, owner: bytes, now: int, duration: int) -> bool:
        """Take the lease, and return whether it is the owner's; see `LeasedTokens.take_lease`."""
        effect = TakeLease(key=self._lease, owner=owner, now=now, duration=duration)
        return bool(self._store.perform(effect))

    def release_lease(self, owner: bytes) -> bool:
        """Give the lease back; see `LeasedTokens.release_lease`."""
        return bool(self._store.perform(ReleaseLease(key=self._lease, owner=owner)))

    def _replace(self, session: StoredSession, now: int, replacing: str | None) -> bool:
        return bool(self._store.perform(SaveSession(session, now, replacing)))

    def _find(self) -> StoredSession | None:
        found: StoredSession | None = self._store.perform(FindSession(self._digest, self._now()))
        return found

    def _find_same(self, tokens: Tokens) -> StoredSession | None:
        found = self._find()
        return found if found is not None and self._open(found).is_same(tokens) else None

    def _open(self, found: StoredSession) -> Tokens:
        try:
            return Tokens.open(found.sealed, self._ring())
        except SealBroken as error:
            unknown = error.code == "seal_unknown_key"
            raise StoreError(
                f"the tokens of {self._name!r} "
                f"{'were sealed by another key' if unknown else 'are damaged'}",
                code="store_key" if unknown else "store_damaged",
                stage="store",
                hint="put back the key that sealed them; or delete() them and log in again",
            ) from None

    def _ring(self) -> KeyRing:
        if self._key_ring is None:
            text = os.environ.get("CODEGRANT_SECRET")
            if not text:
                raise ConfigurationError(
                    "key ring: tokens in a store that machines share need a key of their own",
                    hint="set CODEGRANT_SECRET, the same for all of them",
                )
            self._key_ring = KeyRing.parse(text)
        return self._key_ring

    def _now(self) -> int:
        return int(self._clock())

    def __repr__(self) -> str:
        return f"NamedTokens({self._store!r}, {self._name!r})"
