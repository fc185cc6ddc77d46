"""What the authorization server asks of its store, and what each answer guarantees.

Every effect is one atomic step: it happens whole or not at all, and a writing effect is
durable before its answer comes back. `stores/` performs them. All of them may raise
StoreError inside the flow. Layer: server, no I/O.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Literal, TypeAlias

from codegrant.flow import Effect
from codegrant.server.events import Event
from codegrant.server.records import (
    AccessTokenRecord,
    ClientRecord,
    CodeRecord,
    GrantRecord,
    KeyRecord,
    ResourceRecord,
    Transaction,
)
from codegrant.server.refresh_effects import NewRefreshToken

__all__ = [
    "AddKey",
    "BindTransaction",
    "CodeRedeemed",
    "CodeRefused",
    "CodeReplayed",
    "CountFailures",
    "DeleteAccessToken",
    "DenyToken",
    "Emit",
    "FailureCount",
    "FailureKind",
    "FindAccessToken",
    "FindAnswer",
    "FindCaller",
    "FindClient",
    "FindGrant",
    "FindResource",
    "FindResourceScopes",
    "FindStanding",
    "FindTransaction",
    "FinishTransaction",
    "FoundCaller",
    "LoadKeys",
    "RecordLogin",
    "RedeemCode",
    "Redemption",
    "RevokeGrant",
    "SaveAccessToken",
    "SaveCode",
    "SaveFailure",
    "SaveTransaction",
    "Standing",
    "TransactionEnd",
]


@dataclass(frozen=True, slots=True)
class FindClient(Effect[ClientRecord | None]):
    """The client with this id as it is now (nothing is cached), disabled ones included."""

    client_id: str


@dataclass(frozen=True, slots=True)
class FindResource(Effect[ResourceRecord | None]):
    """The registered resource with exactly this audience."""

    audience: str


@dataclass(frozen=True, slots=True)
class FindResourceScopes(Effect[frozenset[str]]):
    """Those of these scope tokens that any registered resource lists (D19)."""

    scope: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class SaveTransaction(Effect[None]):
    """Store a transaction; of more than `limit` unbound ones of its source the oldest go."""

    transaction: Transaction
    limit: int = 1000


@dataclass(frozen=True, slots=True)
class BindTransaction(Effect[bool]):
    """Bind an unbound, unexpired transaction to a browser.

    True for exactly one caller; False when it is bound already (to whichever browser),
    has expired or does not exist. Of more than `limit` bound ones of its source the oldest
    go, but never this one.
    """

    digest: bytes
    browser_digest: bytes
    now: int
    limit: int = 1000


@dataclass(frozen=True, slots=True)
class FindTransaction(Effect[Transaction | None]):
    """The unexpired, unfinished transaction with this digest, bound or not."""

    digest: bytes
    now: int


@dataclass(frozen=True, slots=True)
class RecordLogin(Effect[bool]):
    """Remember in an open transaction of this browser that session `sid` logged in for it.

    It is how a login that the request demands (`prompt=login`, `max_age`) is told from one
    that was there before. False, and nothing written, when it is not open for that browser.
    """

    digest: bytes
    browser_digest: bytes
    sid: str
    now: int


@dataclass(frozen=True, slots=True)
class TransactionEnd:
    """The end of a transaction of this browser, and the answer it had.

    Attributes:
        sealed_answer: for whoever sends the very same form again; the store cannot read it.
            Never empty: it is what tells an ended transaction from an open one.
        answer_until: epoch seconds; kept until then, and never shown as an open transaction.
    """

    digest: bytes
    browser_digest: bytes
    sealed_answer: str = field(repr=False)
    answer_until: int


@dataclass(frozen=True, slots=True)
class FinishTransaction(Effect[bool]):
    """End a transaction of this browser without a code (a refusal). True for one caller."""

    end: TransactionEnd
    now: int


@dataclass(frozen=True, slots=True)
class FindAnswer(Effect[str | None]):
    """The sealed answer that ended a transaction of this browser, while it is kept."""

    digest: bytes
    browser_digest: bytes
    now: int


@dataclass(frozen=True, slots=True)
class SaveCode(Effect[bool]):
    """Store grant and code together and, when given, end the transaction they come from.

    False (and nothing stored) when that transaction is no longer open for that browser, or
    when the person's account is in the same store and the session `grant.sid` has ended:
    a logout or a new password that comes between wins.
    """

    grant: GrantRecord
    code: CodeRecord
    end: TransactionEnd | None = None


@dataclass(frozen=True, slots=True)
class CodeRedeemed:
    """The one success of a code."""

    code: CodeRecord
    grant: GrantRecord


@dataclass(frozen=True, slots=True)
class CodeReplayed:
    """A second redemption, valid in every other way: the grant has been revoked (D6)."""

    grant: GrantRecord


@dataclass(frozen=True, slots=True)
class CodeRefused:
    """No redemption. `reason` is for events and logs only; the wire never tells them apart."""

    reason: Literal[
        "unknown",
        "expired",
        "wrong_client",
        "wrong_redirect_uri",
        "missing_redirect_uri",
        "missing_verifier",
        "unexpected_verifier",
        "wrong_verifier",
        "too_many_verifiers",
        "wrong_resource",
        "consumed",
        "revoked",
    ]


Redemption: TypeAlias = CodeRedeemed | CodeReplayed | CodeRefused


@dataclass(frozen=True, slots=True)
class RedeemCode(Effect[Redemption]):
    """Redeem a code: one success for any number of callers.

    Judged in one atomic step, in this order: unknown, wrong client, wrong redirect URI
    (D1: omitted is allowed only with PKCE), a verifier although no challenge was bound or
    none although one was, dead after `max_failures` wrong verifiers, wrong verifier
    (counted, D7), expired, a resource that is not the grant's audience, already consumed
    (then the grant is revoked and the answer is `CodeReplayed`, unless the grant was dead:
    `revoked`).

    Attributes:
        redirect_uri: as sent with the token request, or None.
        presented_challenge: S256 of the verifier that was sent, or None when none was.
        resource: as sent with the token request (D19), or None.
        refresh_token: stored with the one success when the code is `offline`; None when the
            client may have none.
    """

    digest: bytes
    client_id: str
    redirect_uri: str | None
    presented_challenge: str | None
    now: int
    max_failures: int = 5
    resource: str | None = None
    refresh_token: NewRefreshToken | None = None


@dataclass(frozen=True, slots=True)
class FindGrant(Effect[GrantRecord | None]):
    """The grant with this id, revoked ones included."""

    grant_id: str


@dataclass(frozen=True, slots=True)
class RevokeGrant(Effect[bool]):
    """Revoke a grant and so every token on it. True when it was alive."""

    grant_id: str
    now: int


@dataclass(frozen=True, slots=True)
class SaveAccessToken(Effect[bool]):
    """Store an opaque access token; of one on a grant only while that is alive (else False)."""

    token: AccessTokenRecord


@dataclass(frozen=True, slots=True)
class FindAccessToken(Effect[AccessTokenRecord | None]):
    """The unexpired opaque access token with this digest, whose grant (if any) is alive."""

    digest: bytes
    now: int


@dataclass(frozen=True, slots=True)
class DeleteAccessToken(Effect[bool]):
    """Revoke one opaque access token and nothing else. True when there was one."""

    digest: bytes


@dataclass(frozen=True, slots=True)
class DenyToken(Effect[None]):
    """Remember that the JWT access token `jti` was revoked, until `expires_at`."""

    jti: str
    expires_at: int


@dataclass(frozen=True, slots=True)
class Standing:
    """What an access token hangs on.

    Attributes:
        denied: whether this very token was revoked.
        client_enabled: whether its client may act, and is the one that it was issued to:
            one that was added later under the same id inherits nothing.
        grant: its grant, revoked ones included; None when there is none.
    """

    denied: bool
    client_enabled: bool
    grant: GrantRecord | None


@dataclass(frozen=True, slots=True)
class FindStanding(Effect[Standing]):
    """All that an access token hangs on in this store, at one moment.

    Attributes:
        jti: of a JWT access token; empty for an opaque one, which is denied by deletion.
        grant_id: empty for a token that a client got for itself.
        issued_at: epoch seconds.
    """

    jti: str
    client_id: str
    grant_id: str
    issued_at: int


@dataclass(frozen=True, slots=True)
class LoadKeys(Effect[tuple[KeyRecord, ...]]):
    """Every signing key that is not removed at `now`, oldest first."""

    now: int


@dataclass(frozen=True, slots=True)
class AddKey(Effect[tuple[KeyRecord, ...]]):
    """Add a key and return what `LoadKeys` would.

    Attributes:
        only_if_first: add nothing when any key of this algorithm exists, so that of
            several processes at their first start exactly one wins.
        retire_others_at: older keys of the algorithm stop signing then …
        remove_others_at: … and are no longer published from then.
    """

    key: KeyRecord
    only_if_first: bool = True
    retire_others_at: int | None = None
    remove_others_at: int | None = None


FailureKind: TypeAlias = Literal["login", "client_authentication", "introspection"]


@dataclass(frozen=True, slots=True)
class FailureCount:
    """Failures inside the window: how many, and when the oldest of them was (0: none)."""

    of_pair: int
    of_source: int
    oldest_of_pair: int
    oldest_of_source: int


@dataclass(frozen=True, slots=True)
class CountFailures(Effect[FailureCount]):
    """Failures of this kind after `since`: of this (account, source), and of this source.

    Attributes:
        account: digest of what was tried (a username, a client id), never the text itself.
    """

    kind: FailureKind
    account: bytes
    source: str
    since: int


@dataclass(frozen=True, slots=True)
class FoundCaller:
    """Who has an id, as it is now: a client or a resource server, None for nobody."""

    known: ClientRecord | ResourceRecord | None
    failures: FailureCount


@dataclass(frozen=True, slots=True)
class FindCaller(Effect[FoundCaller]):
    """The client or the resource server with this id, and the failures that count against it.

    No id belongs to one of each. Disabled clients are included.
    """

    caller_id: str
    count: CountFailures


@dataclass(frozen=True, slots=True)
class SaveFailure(Effect[None]):
    """Remember one failure. Rows older than `forget_before` may be deleted on the way."""

    kind: FailureKind
    account: bytes
    source: str
    at: int
    forget_before: int


@dataclass(frozen=True, slots=True)
class Emit(Effect[None]):
    """Tell the event sinks what happened. Never raises inside the flow."""

    event: Event
