"""What the effects on refresh tokens mean. Layer: stores, no I/O."""

from __future__ import annotations

from codegrant.flow import Flow
from codegrant.server.records import GrantRecord, RefreshTokenRecord
from codegrant.server.refresh_effects import (
    FindFamily,
    FindRefreshToken,
    RefreshRefused,
    Retried,
    Reused,
    Rotated,
    RotateRefreshToken,
    Rotation,
)
from codegrant.stores.operations.grants import revoke, save_refresh_token
from codegrant.stores.statements import SqlValue, execute, load_statements, matched
from codegrant.stores.translation import GRANT, REFRESH_TOKEN

_SQL = load_statements("refresh_tokens")

_TOKEN_COLUMNS = len(REFRESH_TOKEN.columns)


def find_refresh_token(effect: FindRefreshToken) -> Flow[RefreshTokenRecord | None]:
    """Return a refresh token of a live grant that is neither expired nor long rotated."""
    return REFRESH_TOKEN.find(_SQL["find_refresh_token"], digest=effect.digest, now=effect.now)


def find_family(effect: FindFamily) -> Flow[GrantRecord | None]:
    """Return the live grant of a family whose last token has not expired."""
    grant = yield from _find_family(effect.family, effect.now)
    return None if grant is None or grant.revoked_at is not None else grant


def rotate_refresh_token(effect: RotateRefreshToken) -> Flow[Rotation]:
    """Judge and rotate; the checks stand in the order that `RotateRefreshToken` states."""
    found = yield from execute(_SQL["find_rotation"], digest=effect.digest)
    if not found:
        return (yield from _judge_family(effect))
    is_superseded, sealed_successor, *columns = found[0]
    token = REFRESH_TOKEN.record(columns[:_TOKEN_COLUMNS])
    grant = GRANT.record(columns[_TOKEN_COLUMNS:])

    if effect.client_id != token.client_id:
        return RefreshRefused("wrong_client")
    if grant.revoked_at is not None:
        return RefreshRefused("revoked")
    if token.rotated_at is not None:
        # Without a grace there is none, also when the clock of another process is behind.
        if not effect.grace or effect.now >= token.rotated_at + effect.grace:
            return (yield from _reuse(grant, effect.now))
        if is_superseded:
            return RefreshRefused("superseded")
    # What was rotated in time may be asked for again until the whole family ends.
    if (token.expires_at if token.rotated_at is None else token.ends_at) <= effect.now:
        return RefreshRefused("expired")
    if not set(effect.scope) <= set(grant.scope):
        return RefreshRefused("wrong_scope")
    if effect.resource is not None and effect.resource != grant.audience:
        return RefreshRefused("wrong_resource")
    if token.rotated_at is not None:
        return Retried(grant, str(sealed_successor))
    if not (yield from _rotate(token, effect)):
        return (yield from rotate_refresh_token(effect))
    return Rotated(grant)


def _rotate(token: RefreshTokenRecord, effect: RotateRefreshToken) -> Flow[bool]:
    """Mark the token as rotated and store its successor; False when somebody else did."""
    new = effect.successor
    change: dict[str, SqlValue] = {
        "digest": token.digest,
        "now": effect.now,
        "forget_at": effect.now + effect.grace,
        "successor_digest": new.digest,
        "sealed_successor": effect.sealed_successor,
    }
    if not (yield from matched(_SQL["rotate_refresh_token"], **change)):
        return False
    successor = RefreshTokenRecord(
        digest=new.digest,
        grant_id=token.grant_id,
        client_id=token.client_id,
        created_at=effect.now,
        expires_at=min(new.idle_until, token.ends_at),
        ends_at=token.ends_at,
        cnf=token.cnf,
    )
    yield from save_refresh_token(successor)
    return True


def _judge_family(effect: RotateRefreshToken) -> Flow[Rotation]:
    """Judge a token without a row: nobody's, or one that was rotated long ago."""
    grant = yield from _find_family(effect.family, effect.now)
    if grant is None:
        return RefreshRefused("unknown")
    if effect.client_id != grant.client_id:
        return RefreshRefused("wrong_client")
    return (yield from _reuse(grant, effect.now))


def _find_family(family: bytes, now: int) -> Flow[GrantRecord | None]:
    """Return the grant of a family whose last token has not expired."""
    return GRANT.find(_SQL["find_family"], family=family, now=now)


def _reuse(grant: GrantRecord, now: int) -> Flow[Rotation]:
    """Revoke the grant of a token that comes back after its grace."""
    revoked = yield from revoke(grant.grant_id, now)
    return RefreshRefused("revoked") if revoked is None else Reused(revoked)
