"""How the login and the consent page of a transaction open. Layer: accounts, no I/O."""

from __future__ import annotations

from typing import NamedTuple

from codegrant.accounts.records import Session
from codegrant.accounts.sessions import authentication_of, find_session
from codegrant.flow import Flow
from codegrant.http import Request, Response
from codegrant.server.interaction import (
    BoundTransaction,
    NeedConsent,
    NeedLogin,
    bind_transaction,
    next_step,
)
from codegrant.server.server import AuthorizationServer

__all__ = ["Visit", "visit_transaction"]


class Visit(NamedTuple):
    """A transaction in its browser, who is logged in there, and what it needs next."""

    bound: BoundTransaction
    session: Session | None
    step: NeedLogin | NeedConsent | Response


def visit_transaction(
    server: AuthorizationServer, request: Request, transaction_id: str | None, now: int
) -> Flow[Visit]:
    """Return what a page of a transaction is to show.

    Args:
        transaction_id: as in the page's address.

    Raises:
        OAuthError, MessageError: no transaction that this browser may go on with.
    """
    bound = yield from bind_transaction(server, request, transaction_id, now)
    session = yield from find_session(server.policy, request, now)
    authentication = None if session is None else authentication_of(session)
    step = yield from next_step(server, bound, authentication, now)
    return Visit(bound, session, step)
