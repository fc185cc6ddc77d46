"""The login page. Layer: accounts, no I/O."""

from __future__ import annotations

from dataclasses import replace
from typing import assert_never

from codegrant.accounts.authentication import Limited, LoggedIn, Wrong, log_in
from codegrant.accounts.pages.render import Form, Pages
from codegrant.accounts.sessions import authentication_of, find_session
from codegrant.flow import Flow
from codegrant.http import Headers, Request, Response
from codegrant.server.forms import parse_form, parse_query
from codegrant.server.interaction import (
    BoundTransaction,
    NeedLogin,
    answer_step,
    bind_transaction,
    next_step,
    record_login,
)
from codegrant.server.server import AuthorizationServer

__all__ = ["answer_login", "show_login"]

MAX_QUERY_BYTES = 1024
MAX_FORM_BYTES = 16_384
_PAGE = "login"
_WRONG = "The username or the password is not right."


def show_login(
    server: AuthorizationServer, pages: Pages, request: Request, now: int
) -> Flow[Response]:
    """Return the login page of a transaction, or what comes next when no login is needed.

    Raises:
        OAuthError, MessageError: no transaction that this browser may go on with.

    OIDC Core §3.1.2.3.
    """
    query = parse_query(request, max_bytes=MAX_QUERY_BYTES)
    bound = yield from bind_transaction(server, request, query.single("transaction"), now)
    session = yield from find_session(server.policy, request, now)
    authentication = None if session is None else authentication_of(session)
    step = yield from next_step(server, bound, authentication, now)
    if not isinstance(step, NeedLogin):
        return answer_step(server, bound, step)
    username = bound.checked.request.login_hint or ""
    return _page(pages, bound, username, again=step.reason != "no_session")


def answer_login(
    server: AuthorizationServer, pages: Pages, request: Request, now: int
) -> Flow[Response]:
    """Return the answer to the login form: a 303 to what comes next, or the form once more.

    Checked in this order: the transaction is open and this browser's, the form is this
    page's, the failures so far, the password.

    Raises:
        OAuthError, MessageError: the form is malformed, or does not belong to an open
            transaction of this browser.
        StoreError: also when too many passwords wait to be hashed.

    RFC 6749 §10.12; OIDC Core §3.1.2.3.
    """
    form = parse_form(request, max_bytes=MAX_FORM_BYTES)
    bound = yield from bind_transaction(server, request, form.single("transaction"), now)
    bound.check_csrf(form.single("csrf"), _PAGE)
    # Keyboards of phones add a space after a completed word; no username has one.
    username, password = (form.single("username") or "").strip(), form.single("password") or ""
    client_id = bound.checked.client.client_id
    result = yield from log_in(server.policy, request, username, password, now, client_id=client_id)
    match result:
        case Wrong():
            return _page(pages, bound, username, error=_WRONG, status=400)
        case Limited(seconds):
            error = f"Too many attempts have failed. Try again in {_in_words(seconds)}."
            return _page(pages, bound, username, error=error, status=429, retry_after=seconds)
        case LoggedIn(session, cookie):
            authentication = authentication_of(session)
            bound = yield from record_login(bound, authentication, now)
            step = yield from next_step(server, bound, authentication, now)
            answer = answer_step(server, bound, step)
            headers = Headers((*answer.headers.pairs(), ("set-cookie", cookie)))
            return replace(answer, headers=headers)
        case _:
            assert_never(result)


def _page(
    pages: Pages,
    bound: BoundTransaction,
    username: str,
    *,
    error: str = "",
    again: bool = False,
    status: int = 200,
    retry_after: int | None = None,
) -> Response:
    """Return the login page of a transaction."""
    client = bound.checked.client
    return pages.login(
        Form(transaction=bound.id, csrf=bound.csrf(_PAGE)),
        client_name=client.client_name or client.client_id,
        username=username,
        error=error,
        again=again,
        status=status,
        retry_after=retry_after,
        cookies=bound.cookies_to_set,
    )


def _in_words(seconds: int) -> str:
    """Return a waiting time as a person would say it, never too short."""
    count, unit = (seconds, "second") if seconds < 60 else (-(-seconds // 60), "minute")
    return f"{count} {unit}" if count == 1 else f"{count} {unit}s"
