"""What a web login asks of its token store, and what each answer guarantees.

Every effect is one atomic step and durable before its answer comes back. A store sees
digests and sealed text only: it can neither resume a session nor read a token. `stores/`
performs them durably, `client/memory.py` in this process. All of them may raise
StoreError inside the flow. Layer: client, no I/O.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TypeAlias

from codegrant.flow import Effect

__all__ = [
    "CallbackClaim",
    "ClaimCallback",
    "Claimed",
    "DeleteSession",
    "EndSessions",
    "FindSession",
    "FinishCallback",
    "Finished",
    "InProgress",
    "ReleaseLease",
    "SaveSession",
    "StoredSession",
    "TakeLease",
]


@dataclass(frozen=True, slots=True, kw_only=True)
class StoredSession:
    """A finished login as a store keeps it.

    Attributes:
        digest: 32-byte SHA-256 of the session id that the browser's cookie holds.
        sealed: the tokens and what else belongs to the session, sealed by the caller.
        expires_at: epoch seconds; from then on the session is not found.
        person: 32-byte digest of who it is, at which issuer and for which client; empty when
            the login identified nobody. `EndSessions` finds it by this and the next.
        provider_session: 32-byte digest of the session at the provider, for the same issuer
            and client; empty when the provider did not name it.
    """

    digest: bytes
    sealed: str
    expires_at: int
    person: bytes = b""
    provider_session: bytes = b""


@dataclass(frozen=True, slots=True)
class Claimed:
    """This caller, and no other, may exchange the code of that login."""


@dataclass(frozen=True, slots=True)
class InProgress:
    """Another delivery of the same callback was first and has not finished yet."""


@dataclass(frozen=True, slots=True)
class Finished:
    """The callback was answered before.

    Attributes:
        sealed_answer: what `FinishCallback` left for repeats, or empty once `answer_until`
            has passed.
    """

    sealed_answer: str


CallbackClaim: TypeAlias = Claimed | InProgress | Finished


@dataclass(frozen=True, slots=True, kw_only=True)
class ClaimCallback(Effect[CallbackClaim]):
    """Claim the one exchange of a login; a claim is never given twice.

    `Claimed` goes to exactly one caller, whatever happens to it afterwards, until
    `expires_at`: when it dies without a `FinishCallback`, the others stay `InProgress`,
    because its token request may have been sent.

    Attributes:
        login_digest: 32-byte SHA-256 of the login id.
        now: epoch seconds.
        expires_at: epoch seconds until which the claim is remembered; no earlier than the
            end of the pending login.
    """

    login_digest: bytes
    now: int
    expires_at: int


@dataclass(frozen=True, slots=True, kw_only=True)
class FinishCallback(Effect[None]):
    """Store the session of a claimed login and the answer for repeats, both or neither.

    Attributes:
        login_digest: as claimed.
        sealed_answer: handed to later claimants as `Finished`, sealed by the caller.
        answer_until: epoch seconds; afterwards `Finished` carries an empty answer.
        session: the session that began, or `None` when the login failed.
    """

    login_digest: bytes
    sealed_answer: str
    answer_until: int
    session: StoredSession | None = None


@dataclass(frozen=True, slots=True)
class SaveSession(Effect[bool]):
    """Replace a session that is still there, e.g. after a refresh.

    True when it was replaced. False when it is gone: a session that ended in the meantime
    (logout) does not come back. Its `person` and `provider_session` stay as they were when
    it began.

    Attributes:
        replacing: the sealed text that must be there, so that nobody undoes what another
            process did; `None` for whatever is there.
    """

    session: StoredSession
    now: int
    replacing: str | None = None


@dataclass(frozen=True, slots=True)
class FindSession(Effect[StoredSession | None]):
    """The session with this digest, unless it has expired."""

    digest: bytes
    now: int


@dataclass(frozen=True, slots=True)
class DeleteSession(Effect[bool]):
    """End a session. True for exactly one caller."""

    digest: bytes


@dataclass(frozen=True, slots=True, kw_only=True)
class EndSessions(Effect[int | None]):
    """End the sessions that a logout token names, and remember the token: both or neither.

    The number of sessions that ended, of whatever process began them; what has expired may
    count or not. `None` when the token was remembered already, and then nothing ends: of
    all who bring the same token exactly one gets a number, until `remember_until`.

    A session ends when everything fits that the token names: with `person` alone all of that
    person, with `provider_session` alone the sessions that have it. With both, the sessions
    of that person that have it or that have none: the provider may have left it untold.

    Attributes:
        token_digest: 32-byte SHA-256 that stands for the token; no login's digest is the same.
        person: as in `StoredSession`; empty when the token names nobody.
        provider_session: as in `StoredSession`; empty when the token names none. One of the
            two is there.
        now: epoch seconds.
        remember_until: epoch seconds; no earlier than the end of the token.
    """

    token_digest: bytes
    person: bytes = b""
    provider_session: bytes = b""
    now: int
    remember_until: int

    def ends(self, session: StoredSession) -> bool:
        """Return whether a session is one of those that the token names."""
        if self.person and session.person != self.person:
            return False
        if not self.provider_session or session.provider_session == self.provider_session:
            return bool(self.person or self.provider_session)
        return bool(self.person) and not session.provider_session


@dataclass(frozen=True, slots=True, kw_only=True)
class TakeLease(Effect[bool]):
    """Take a lease, or renew it: of all who ask, one has it until `now + duration`.

    True for its owner. False while somebody else has it. A lease that has run out is free:
    its owner died, or stood still. One that ends more than two durations from now was taken
    by a clock that has been set back since, and is free as well.

    Attributes:
        key: 32-byte digest of what the lease is for.
        owner: 16 random bytes, drawn anew for every lease.
        now: epoch seconds.
        duration: seconds.
    """

    key: bytes
    owner: bytes
    now: int
    duration: int


@dataclass(frozen=True, slots=True, kw_only=True)
class ReleaseLease(Effect[bool]):
    """Give a lease back. True if `owner` had it; that of anybody else stays.

    Attributes:
        key: as taken.
        owner: as taken.
    """

    key: bytes
    owner: bytes
