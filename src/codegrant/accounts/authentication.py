"""Checking a password, and nothing that would help to guess one. Layer: accounts, no I/O.

An unknown person, a wrong password and a disabled account take the same steps, the same
time and lead to the same answer; only events and logs know which it was.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal, TypeAlias

from codegrant.accounts.credentials import read_password, read_username
from codegrant.accounts.effects import FindAccount, VerifyPassword
from codegrant.accounts.records import Account, Session
from codegrant.accounts.sessions import start_session
from codegrant.errors import OAuthError
from codegrant.flow import Flow, ask
from codegrant.http import Request
from codegrant.server.effects import Emit
from codegrant.server.events import Event
from codegrant.server.policy import Policy
from codegrant.server.rate_limits import check_limits, save_failure, source_of

__all__ = ["Limited", "LoggedIn", "LoginResult", "Wrong", "check_password", "log_in"]


@dataclass(frozen=True, slots=True)
class LoggedIn:
    """A new session, and the `Set-Cookie` value that gives it to the browser."""

    session: Session
    cookie: str


@dataclass(frozen=True, slots=True)
class Wrong:
    """Not this person, not this password, or not any more. `reason` is for events only."""

    reason: Literal["unknown", "disabled", "password", "changed"]


@dataclass(frozen=True, slots=True)
class Limited:
    """Too many failures; the next attempt counts after `seconds`."""

    seconds: int


LoginResult: TypeAlias = LoggedIn | Wrong | Limited


def log_in(
    policy: Policy,
    request: Request,
    username: str,
    password: str,
    now: int,
    *,
    client_id: str = "",
) -> Flow[LoginResult]:
    """Return a new session for the person whose username and password these are.

    Failures are limited as `check_password` says.

    Args:
        request: the form post; its session, if it has one, is replaced.
        username: as typed.
        password: as typed; may be far too long.
        client_id: whose authorization request it is for, for the events; empty for none.

    Raises:
        StoreError: also when too many passwords wait to be hashed.

    RFC 6749 §10.10.
    """
    facts: dict[str, str | int] = {"client_id": client_id} if client_id else {}
    facts["source"] = source_of(request.peer)
    outcome = yield from check_password(policy, request, username, password, now)
    if isinstance(outcome, Limited):
        yield from ask(Emit(Event("login_limited", now, facts)))
        return outcome
    if isinstance(outcome, Account):
        started = yield from start_session(policy, request, outcome, ("pwd",), now)
        if started is not None:
            session, cookie = started
            facts |= {"subject": session.subject, "sid": session.sid}
            yield from ask(Emit(Event("login_succeeded", now, facts)))
            return LoggedIn(session, cookie)
        yield from save_failure(policy.limits, "login", outcome.username_key, request.peer, now)
        outcome = Wrong("changed")
    yield from ask(Emit(Event("login_failed", now, facts | {"reason": outcome.reason})))
    return outcome


def check_password(
    policy: Policy, request: Request, username: str, password: str, now: int
) -> Flow[Account | Wrong | Limited]:
    """Return the account that username and password open.

    Failures are limited per (account, source) and per source, wherever a password is asked
    for; a success is never counted.

    Args:
        request: whose sender is the source.
        username: as typed.
        password: as typed; may be far too long.

    Raises:
        StoreError: also when too many passwords wait to be hashed.
    """
    username_key = read_username(username)
    guessed = username if username_key is None else username_key
    try:
        yield from check_limits(policy.limits, "login", guessed, request.peer, now)
        outcome = yield from _verify(username_key, password)
        # Once more: of many guesses sent at the same moment, only the first few get an answer.
        yield from check_limits(policy.limits, "login", guessed, request.peer, now)
    except OAuthError as error:
        return Limited(int(error.facts["retry_after"]))
    if isinstance(outcome, Wrong):
        yield from save_failure(policy.limits, "login", guessed, request.peer, now)
    return outcome


def _verify(username_key: str | None, typed_password: str) -> Flow[Account | Wrong]:
    """Return the account that username and password open, at the same cost if there is none."""
    account: Account | None = None
    if username_key is not None:
        account = yield from ask(FindAccount(username_key))
    password = read_password(typed_password)
    password_hash = "" if account is None else account.password_hash
    # Too long a password costs no hash: that says nothing about who exists.
    if password is None or not (yield from ask(VerifyPassword(password, password_hash))):
        return Wrong("unknown" if account is None else "password")
    if account is None or not account.enabled:
        return Wrong("disabled")
    return account
