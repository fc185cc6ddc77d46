"""Fetching an issuer's public keys. Layer: remote, no I/O.

Cached, and fetched again when no longer fresh. A `kid` that is not in the copy causes one
fetch per minute, however many ask; while the server is out of reach the old keys serve.
"""

from __future__ import annotations

import logging
from collections.abc import Callable

from codegrant.errors import CodegrantError, MetadataRejected, TokenRejected
from codegrant.flow import Flow, ask
from codegrant.jose import KeySet, UnverifiedJwt, VerifiedJwt, verify_signature
from codegrant.remote.effects import Report, SingleFlight
from codegrant.remote.fetch import (
    RETRY_AFTER,
    Copy,
    LastFailure,
    fresh_until,
    get_document,
)

__all__ = ["RemoteKeySet"]


class RemoteKeySet:
    """The key set at one address; safe to share between threads and tasks.

    Args:
        jwks_uri: a checked URL.
        guarded: somebody else chose it: public addresses only.
        failure_holds: seconds for which a failed attempt counts while there is no copy; for
            a role that has a reason to try with every request.
    """

    def __init__(self, jwks_uri: str, *, guarded: bool = False, failure_holds: int = 0) -> None:
        self._uri = jwks_uri
        self._failure = LastFailure(failure_holds)
        self._guarded = guarded
        self._copy: Copy[KeySet] | None = None
        self._retry_at = 0

    @property
    def current(self) -> KeySet | None:
        """The copy in use, another value after each fetch; None while there is none."""
        return self._copy.value if self._copy is not None else None

    @property
    def fetched_at(self) -> int:
        """Epoch seconds of the copy in use; 0 while there is none."""
        return self._copy.fetched_at if self._copy is not None else 0

    @property
    def fresh_until(self) -> int:
        """Epoch seconds until which the copy in use is fresh; 0 while there is none."""
        return self._copy.fresh_until if self._copy is not None else 0

    @property
    def serves_until(self) -> int:
        """Epoch seconds until which the copy is used as it is; 0 while there is none.

        As long as it is fresh, and in an outage until the next attempt to replace it.
        """
        return 0 if self._copy is None else self._copy.serves_until(self._retry_at)

    def forget(self) -> None:
        """Be as at the beginning: without a copy, and without a failure that counts."""
        self._failure.forget()
        self._copy, self._retry_at = None, 0

    def find(self, kid: str | None, now: int) -> Flow[KeySet]:
        """Return the keys to verify a token with.

        Args:
            kid: the key id in the token's header: unless the copy has it, one fetch per
                minute tries to get it. The answer may still be without it.
            now: epoch seconds.

        Raises:
            MetadataRejected: the address has no key set we may use, and there is no copy.
            TransportError: the server is out of reach, and no copy is left that serves.

        OpenID Connect Core §10.1.1.
        """
        copy = self._serving(kid, now)
        if copy is not None:
            return copy.value
        # All who ask at once wait for one fetch: with a rotated key the old copy would be
        # of no use to any of them.
        return (yield from self._fly(lambda: self._find_again(kid, now)))

    def verify(self, jwt: UnverifiedJwt, now: int) -> Flow[tuple[VerifiedJwt, KeySet]]:
        """Return `jwt` as verified, and the keys that did it.

        Without a `kid` only a failure tells that the keys may have changed.

        Raises:
            TokenRejected: as `verify_signature`.
            MetadataRejected, TransportError: as `find`.
        """
        copy = self._serving(jwt.kid, now)
        keys = copy.value if copy is not None else (yield from self.find(jwt.kid, now))
        try:
            return verify_signature(jwt, keys.find(jwt.kid, jwt.alg)), keys
        except TokenRejected:
            if jwt.kid is not None:
                raise
        keys = yield from self.refresh(now)
        return verify_signature(jwt, keys.find(jwt.kid, jwt.alg)), keys

    def refresh(self, now: int) -> Flow[KeySet]:
        """Return the keys after one fetch, if none was tried within the last minute.

        For a token without `kid` that none of the keys verifies: they may have changed.
        Raises as `find` does.
        """
        return (yield from self._fly(lambda: self._refresh(now)))

    def _fly(self, start: Callable[[], Flow[KeySet]]) -> Flow[KeySet]:
        return (yield from ask(SingleFlight(f"keys {self._uri}", start)))

    def _serving(self, kid: str | None, now: int) -> Copy[KeySet] | None:
        """Return the copy if it has the key and is fresh, or cannot be replaced right now."""
        copy = self._copy
        if copy is None or not copy.serves(now) or (kid is not None and kid not in copy.value.kids):
            return None
        return copy if now < copy.fresh_until or now < self._retry_at else None

    def _find_again(self, kid: str | None, now: int) -> Flow[KeySet]:
        """Fetch, unless the flight before this one has just done so."""
        copy = self._serving(kid, now)
        return copy.value if copy is not None else (yield from self._refresh(now))

    def _refresh(self, now: int) -> Flow[KeySet]:
        """Fetch unless that was tried a moment ago; fall back on the copy."""
        copy = self._copy
        if copy is None or not copy.serves(now):
            return (yield from self._fetch_first(now))
        if now < self._retry_at:
            return copy.value
        before, self._retry_at = self._retry_at, now + RETRY_AFTER
        try:
            return (yield from self._fetch(now))
        except GeneratorExit:
            # Cancelled before there was an answer: the next in line must not wait a minute.
            self._retry_at = before
            raise
        except CodegrantError as error:
            yield from ask(
                Report(
                    logging.WARNING,
                    "keys could not be fetched again",
                    {"endpoint": self._uri, "code": error.code, "age": now - copy.fetched_at},
                )
            )
            return copy.value

    def _fetch_first(self, now: int) -> Flow[KeySet]:
        """Fetch, unless that has failed a moment ago."""
        self._failure.check(now)
        try:
            return (yield from self._fetch(now))
        except CodegrantError as error:
            self._failure.note(error, now)
            raise

    def _fetch(self, now: int) -> Flow[KeySet]:
        """Fetch, parse and remember."""
        response = yield from get_document(self._uri, stage="id_token", guarded=self._guarded)
        if response.status != 200:
            raise MetadataRejected(
                f"the key set at {self._uri} answered {response.status}",
                code="keys_unavailable",
                hint="a redirect is not followed: jwks_uri must be the final address"
                if 300 <= response.status < 400
                else "is jwks_uri right?",
                facts={"endpoint": self._uri, "status": response.status},
            )
        keys = KeySet.parse(response.body)
        if keys.dropped:
            left_out = f"keys left out of the set: {'; '.join(keys.dropped)}"
            yield from ask(Report(logging.INFO, left_out, {"endpoint": self._uri}))
        self._copy = Copy(keys, now, fresh_until(response, now))
        return keys
