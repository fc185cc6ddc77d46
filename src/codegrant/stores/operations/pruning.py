"""Expired rows go away in small numbers during normal traffic. Layer: stores, no I/O.

The store has no clock: what is expired is judged by the time that the effects bring.
"""

from __future__ import annotations

from codegrant.client.effects import ClaimCallback, EndSessions, SaveSession, TakeLease
from codegrant.flow import Flow
from codegrant.server.effects import (
    BindTransaction,
    RedeemCode,
    SaveAccessToken,
    SaveCode,
    SaveFailure,
    SaveTransaction,
)
from codegrant.server.refresh_effects import RotateRefreshToken
from codegrant.stores.statements import execute, load_statements

__all__ = ["prune", "time_of"]

_SQL = load_statements("pruning")

# How long a row stays after its end: machines' clocks differ, and `expired` says more in an
# event than `unknown`.
_REST = 60


def prune(now: int, limit: int) -> Flow[bool]:
    """Delete at most `limit` expired rows of each table; True when some may be left."""
    left = False
    for statement in _SQL.values():
        left |= len((yield from execute(statement, before=now - _REST, limit=limit))) == limit
    return left


def time_of(effect: object) -> int:
    """Return the time that an effect of everyday traffic brings, or 0."""
    match effect:
        case (
            RedeemCode()
            | RotateRefreshToken()
            | BindTransaction()
            | ClaimCallback()
            | EndSessions()
            | SaveSession()
            | TakeLease()
        ):
            return effect.now
        case SaveTransaction(transaction):
            return transaction.created_at
        case SaveCode(_, code):
            return code.created_at
        case SaveAccessToken(token):
            return token.created_at
        case SaveFailure():
            return effect.at
        case _:
            return 0
