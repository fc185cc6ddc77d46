"""What the authorization server asks of its store about refresh tokens.

As in `server.effects`, every effect is one atomic step and may raise StoreError inside the
flow. Layer: server, no I/O.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Literal, TypeAlias

from codegrant.flow import Effect
from codegrant.server.records import GrantRecord, RefreshTokenRecord

__all__ = [
    "FindFamily",
    "FindRefreshToken",
    "NewRefreshToken",
    "RefreshRefused",
    "Retried",
    "Reused",
    "RotateRefreshToken",
    "Rotated",
    "Rotation",
]


@dataclass(frozen=True, slots=True)
class NewRefreshToken:
    """A refresh token about to be stored.

    Attributes:
        family: digest of what it shares with every token that it follows.
        idle_until: epoch seconds; it expires then, or when its family ends.
        ends_at: epoch seconds; where a family begins, it ends then.
    """

    digest: bytes
    family: bytes
    idle_until: int
    ends_at: int


@dataclass(frozen=True, slots=True)
class Rotated:
    """The one success of a refresh token; its successor is stored."""

    grant: GrantRecord


@dataclass(frozen=True, slots=True)
class Retried:
    """The token was rotated a moment ago by the same client, and its successor is unused (D5).

    Attributes:
        sealed_successor: what the rotation stored; opens with the token that was presented.
    """

    grant: GrantRecord
    sealed_successor: str = field(repr=False)


@dataclass(frozen=True, slots=True)
class Reused:
    """A rotated token came back, valid in every other way: the grant has been revoked (D5)."""

    grant: GrantRecord


@dataclass(frozen=True, slots=True)
class RefreshRefused:
    """No rotation. `reason` is for events and logs only, but for scope and resource."""

    reason: Literal[
        "unknown",
        "expired",
        "wrong_client",
        "wrong_scope",
        "wrong_resource",
        "superseded",
        "revoked",
    ]


Rotation: TypeAlias = Rotated | Retried | Reused | RefreshRefused


@dataclass(frozen=True, slots=True)
class RotateRefreshToken(Effect[Rotation]):
    """Exchange a refresh token for its successor: one success for any number of callers.

    Judged in one atomic step, in this order: unknown, wrong client, the grant is dead; a
    token that was rotated before its grace window is `Reused`, which revokes the grant;
    inside the window it is `superseded` when its successor has been used, too; expired (a
    token inside its window: when its family has ended); a scope beyond the grant's, a
    resource that is not the grant's audience. A token inside its grace window is `Retried`,
    any other is `Rotated`.

    The successor has the grant, the client, the sender constraint and the end of the token
    that it follows. What was rotated is forgotten after its window: a token that is unknown
    while its family has a live one counts as rotated.

    Attributes:
        family: digest of the family that the token says it is of.
        scope: as asked for; empty for all of the grant's.
        resource: as asked for, or None.
        sealed_successor: the successor, sealed so that only the old token's holder reads it.
        grace: seconds after a rotation (D5).
    """

    digest: bytes
    family: bytes
    client_id: str
    scope: tuple[str, ...]
    resource: str | None
    successor: NewRefreshToken
    sealed_successor: str = field(repr=False)
    grace: int
    now: int


@dataclass(frozen=True, slots=True)
class FindRefreshToken(Effect[RefreshTokenRecord | None]):
    """The refresh token with this digest, whose grant is alive, while a client may use it.

    That is: unexpired, or rotated a moment ago.
    """

    digest: bytes
    now: int


@dataclass(frozen=True, slots=True)
class FindFamily(Effect[GrantRecord | None]):
    """The grant, if alive, of this family of refresh tokens, while one of them is."""

    family: bytes
    now: int
