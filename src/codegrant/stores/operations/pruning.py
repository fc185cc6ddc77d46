"""Expired rows go away in small numbers during normal traffic. Layer: stores, no I/O.

The store has no clock: what is expired is judged by the time that the effects bring.
"""

from __future__ import annotations

from collections.abc import Iterable

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

__all__ = ["prune", "prune_tokens", "time_of"]

_SQL = load_statements("pruning")
_OF_TOKENS = ("prune_logins", "prune_callbacks", "prune_leases")

# How long a row stays after its end: machines' clocks differ, and `expired` says more in an
# event than `unknown`.
_REST = 60


def prune(now: int, limit: int) -> Flow[bool]:
    """Delete at most `limit` expired rows of each table; True when some may be left."""
    return (yield from _prune(_SQL, now, limit))


def prune_tokens(now: int, limit: int) -> Flow[bool]:
    """As `prune`, in a store that has the tables of the client role alone."""
    return (yield from _prune(_OF_TOKENS, now, limit))


def _prune(names: Iterable[str], now: int, limit: int) -> Flow[bool]:
    left = False
    for name in names:
        left |= len((yield from execute(_SQL[name], before=now - _REST, limit=limit))) == limit
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
