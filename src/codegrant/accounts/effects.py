"""What people's accounts ask of the store and of the password hasher. Layer: accounts, no I/O.

Every effect on the store is one atomic step: it happens whole or not at all, and a writing
effect is durable before its answer comes back. Nothing about people is ever cached: a
disabled person is out with the next request. All of them may raise StoreError inside the
flow. `stores/` performs them, `hashing` the last two.
"""

from __future__ import annotations

from dataclasses import dataclass

from codegrant.accounts.records import Access, Account, Session
from codegrant.flow import Effect
from codegrant.secret import Secret

__all__ = [
    "AddAccount",
    "AgreedSession",
    "ChangePassword",
    "EndOtherSessions",
    "EndSession",
    "EndSessionOf",
    "EndSessionsOf",
    "FindAccount",
    "FindAccountBySubject",
    "FindAgreedSession",
    "FindConsent",
    "FindSession",
    "HashPassword",
    "ListAccess",
    "ListAccounts",
    "ListSessions",
    "ReplacePassword",
    "SaveConsent",
    "SaveSession",
    "TouchSession",
    "UpdateAccount",
    "VerifyPassword",
    "WithdrawAccess",
]


@dataclass(frozen=True, slots=True)
class FindAccount(Effect[Account | None]):
    """The account with this username key, disabled ones included."""

    username_key: str


@dataclass(frozen=True, slots=True)
class FindAccountBySubject(Effect[Account | None]):
    """The account with this `sub`, disabled ones included."""

    subject: str


@dataclass(frozen=True, slots=True)
class ListAccounts(Effect[tuple[Account, ...]]):
    """Every account, by username key."""


@dataclass(frozen=True, slots=True)
class AddAccount(Effect[bool]):
    """Store a new account. False, and nothing stored, when its username key is taken."""

    account: Account


@dataclass(frozen=True, slots=True)
class UpdateAccount(Effect[bool]):
    """Store all of an account but its password hash, found by its `sub`.

    False, and nothing stored, when there is none or the username key is another's. An
    account that is stored disabled loses its sessions and grants in the same step: enabled
    again, it begins anew.
    """

    account: Account


@dataclass(frozen=True, slots=True)
class ReplacePassword(Effect[bool]):
    """Store a new password hash; end the person's sessions, grants and consents with it.

    Whoever knew the old password keeps nothing. False when there is no such account.
    """

    subject: str
    password_hash: str
    now: int

    def __repr__(self) -> str:
        return f"ReplacePassword({self.subject!r})"


@dataclass(frozen=True, slots=True)
class ChangePassword(Effect[bool]):
    """Store a new password hash that the person chose; end all that `ReplacePassword` ends.

    The browser that it was chosen in is logged in on `session`, stored in the same step.
    False, and nothing stored or ended, unless the person is enabled, their password hash
    is still the one that was verified, and the session of that browser is still there: of
    two changes one wins, and a logout that comes between wins.

    Attributes:
        session: the new one, of the same person.
        verified_hash: the PHC text the old password was verified against.
        replaces: digest of the browser's session until now.
    """

    session: Session
    verified_hash: str
    password_hash: str
    replaces: bytes
    now: int

    def __repr__(self) -> str:
        return f"ChangePassword({self.session.sid!r})"


@dataclass(frozen=True, slots=True)
class SaveSession(Effect[bool]):
    """Store a new session and delete, in the same step, the one it replaces.

    False, and nothing stored or deleted, unless the person is enabled and their password
    hash is still the one that was verified: a password that is changed or an account that
    is disabled during a login wins.

    Attributes:
        session: the new one.
        verified_hash: the PHC text the presented password was verified against.
        replaces: digest of the browser's session until now, or None.
    """

    session: Session
    verified_hash: str
    replaces: bytes | None = None

    def __repr__(self) -> str:
        return f"SaveSession({self.session.sid!r})"


@dataclass(frozen=True, slots=True)
class FindSession(Effect[Session | None]):
    """The session with this digest, while it is alive.

    That is: its person is enabled, `now < expires_at`, and `seen_at > idle_since`.
    """

    digest: bytes
    now: int
    idle_since: int


@dataclass(frozen=True, slots=True)
class AgreedSession:
    """A session, and the scope that its person agreed to; None where nothing is remembered."""

    session: Session
    consent: frozenset[str] | None


@dataclass(frozen=True, slots=True)
class FindAgreedSession(Effect[AgreedSession | None]):
    """What `FindSession` and `FindConsent` find, in one look."""

    digest: bytes
    now: int
    idle_since: int
    client_id: str
    audience: str


@dataclass(frozen=True, slots=True)
class TouchSession(Effect[None]):
    """Move `seen_at` forward to `now`; nothing when the session has ended."""

    digest: bytes
    now: int


@dataclass(frozen=True, slots=True)
class EndSession(Effect[bool]):
    """Delete a session. True when there was one."""

    digest: bytes


@dataclass(frozen=True, slots=True)
class EndSessionsOf(Effect[int]):
    """Delete every session of a person; how many there were."""

    subject: str


@dataclass(frozen=True, slots=True)
class ListSessions(Effect[tuple[Session, ...]]):
    """The sessions of a person that are alive as `FindSession` says, last used first."""

    subject: str
    now: int
    idle_since: int
    limit: int


@dataclass(frozen=True, slots=True)
class EndSessionOf(Effect[bool]):
    """Delete the session with this `sid` if it is this person's. True when there was one."""

    subject: str
    sid: str


@dataclass(frozen=True, slots=True)
class EndOtherSessions(Effect[tuple[str, ...]]):
    """Delete every session of a person but the one with digest `keep`; the `sid` of each."""

    subject: str
    keep: bytes


@dataclass(frozen=True, slots=True)
class FindConsent(Effect[frozenset[str] | None]):
    """The remembered scope that the person agreed to for this client and audience, or None."""

    subject: str
    client_id: str
    audience: str


@dataclass(frozen=True, slots=True)
class SaveConsent(Effect[None]):
    """Remember that the person agreed; what was remembered before is kept (the union).

    It comes after the grant, and nothing is remembered unless one of theirs to that client
    and audience is alive: a withdrawal, a new password or the client's removal that comes
    between wins.
    """

    subject: str
    client_id: str
    audience: str
    scope: frozenset[str]
    now: int


@dataclass(frozen=True, slots=True)
class ListAccess(Effect[tuple[Access, ...]]):
    """What each client may do for a person, by live grants and remembered consents; newest first.

    Attributes:
        limit: how many clients at most.
    """

    subject: str
    now: int
    limit: int


@dataclass(frozen=True, slots=True)
class WithdrawAccess(Effect[bool]):
    """Revoke every grant of a person to a client and forget every consent, in one step.

    Every code and token on those grants is dead with it, and the person is asked again.
    True when there was a live grant or a consent.
    """

    subject: str
    client_id: str
    now: int


@dataclass(frozen=True, slots=True)
class HashPassword(Effect[str]):
    """The Argon2id PHC text of a password that `accounts.credentials` has read."""

    password: Secret


@dataclass(frozen=True, slots=True)
class VerifyPassword(Effect[bool]):
    """Whether a normalised password opens `password_hash`.

    An empty `password_hash` (unknown person, no password) takes the same time as any other
    and is never opened.

    Raises (inside the flow):
        StoreError: `store_busy` when too many wait already.
    """

    password: Secret
    password_hash: str

    def __repr__(self) -> str:
        return "VerifyPassword(***)"
