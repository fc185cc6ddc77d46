"""The login page: of a transaction, or to see one's own account. Layer: accounts, no I/O.

Without a transaction in the address it is the account's. Nothing in an address or a form
says where a login leads: to the next step of the transaction, or to the account page.
"""

from __future__ import annotations

import hmac
import re
from hashlib import sha256
from typing import NamedTuple, assert_never

from codegrant.accounts.authentication import Limited, LoggedIn, Wrong, log_in
from codegrant.accounts.forms import foreign_form, read_form, read_query
from codegrant.accounts.pages.render import Form, Pages
from codegrant.accounts.pages.words import too_many_attempts
from codegrant.accounts.sessions import authentication_of, find_session
from codegrant.accounts.visit import visit_transaction
from codegrant.flow import Flow, RandomBytes, ask
from codegrant.http import Request, Response, find_cookies
from codegrant.jose import base64url
from codegrant.messages.parameters import Parameters
from codegrant.secret import same_secret
from codegrant.server.answers import redirect
from codegrant.server.cookies import build_cookie, cookie_name
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

_PAGE = "login"
_WRONG = "The username or the password is not right."
_PURPOSE = "account login form"
_COOKIE_SECRET = re.compile(r"[0-9a-f]{64}")
_COOKIE_LIFETIME = 86_400


class _Failed(NamedTuple):
    """What the page says of an attempt that failed."""

    error: str
    status: int
    retry_after: int | None = None


def show_login(
    server: AuthorizationServer, pages: Pages, request: Request, now: int
) -> Flow[Response]:
    """Return the login page, or what comes next when no login is needed.

    Raises:
        OAuthError, MessageError: no transaction that this browser may go on with.

    OIDC Core §3.1.2.3.
    """
    transaction_id = read_query(request).single("transaction")
    if transaction_id is None:
        return (yield from _show_for_account(server, pages, request, now))
    bound, _, step = yield from visit_transaction(server, request, transaction_id, now)
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
    form = read_form(request)
    transaction_id = form.single("transaction")
    if transaction_id is None:
        return (yield from _answer_for_account(server, pages, request, form, now))
    bound = yield from bind_transaction(server, request, transaction_id, now)
    bound.check_csrf(form.single("csrf"), _PAGE)
    username, password = _typed(form)
    client_id = bound.checked.client.client_id
    result = yield from log_in(server.policy, request, username, password, now, client_id=client_id)
    if not isinstance(result, LoggedIn):
        return _page(pages, bound, username, failed=_failed(result))
    authentication = authentication_of(result.session)
    bound = yield from record_login(bound, authentication, now, cookies=(result.cookie,))
    step = yield from next_step(server, bound, authentication, now)
    return answer_step(server, bound, step)


def _show_for_account(
    server: AuthorizationServer, pages: Pages, request: Request, now: int
) -> Flow[Response]:
    """Return the login page that leads to the account page; that page, if nobody need log in."""
    if (yield from find_session(server.policy, request, now)) is not None:
        return redirect(server.policy.endpoint("account"))
    name = _cookie_name(server)
    secret = _cookie_secret(server, request) or (yield from ask(RandomBytes(32))).hex()
    cookie = build_cookie(server.policy, name, secret, max_age=_COOKIE_LIFETIME)
    return pages.login(Form(csrf=_csrf(server, secret)), cookies=(cookie,))


def _answer_for_account(
    server: AuthorizationServer, pages: Pages, request: Request, form: Parameters, now: int
) -> Flow[Response]:
    """Return a 303 to the account page, or the form once more.

    A form that another site sends, to log somebody in as somebody else, has no token of
    this browser. RFC 6749 §10.12.
    """
    secret = _cookie_secret(server, request)
    if secret is None or not same_secret(form.single("csrf") or "", _csrf(server, secret)):
        raise foreign_form()
    username, password = _typed(form)
    result = yield from log_in(server.policy, request, username, password, now)
    if isinstance(result, LoggedIn):
        return redirect(server.policy.endpoint("account"), (result.cookie,))
    failed = _failed(result)
    return pages.login(Form(csrf=_csrf(server, secret)), username=username, **failed._asdict())


def _cookie_name(server: AuthorizationServer) -> str:
    """Return the name of the cookie that ties the account's login form to a browser."""
    return cookie_name(server.policy, "login")


def _cookie_secret(server: AuthorizationServer, request: Request) -> str | None:
    """Return the value of that cookie; None when there is none to trust. RFC 6265 §8.6."""
    values = find_cookies(request.headers, _cookie_name(server))
    return values[0] if len(values) == 1 and _COOKIE_SECRET.fullmatch(values[0]) else None


def _csrf(server: AuthorizationServer, secret: str) -> str:
    """Return the value of the hidden field `csrf` of the account's login form."""
    key = server.key_ring.derive(_PURPOSE)
    return base64url.encode(hmac.digest(key, secret.encode(), sha256))


def _typed(form: Parameters) -> tuple[str, str]:
    """Return username and password."""
    # Keyboards of phones add a space after a completed word; no username has one.
    return (form.single("username") or "").strip(), form.single("password") or ""


def _failed(result: Wrong | Limited) -> _Failed:
    """Return what the page says; why exactly it was wrong it never says."""
    match result:
        case Wrong():
            return _Failed(_WRONG, 400)
        case Limited(seconds):
            return _Failed(too_many_attempts(seconds), 429, seconds)
        case _:
            assert_never(result)


def _page(
    pages: Pages,
    bound: BoundTransaction,
    username: str,
    *,
    failed: _Failed | None = None,
    again: bool = False,
) -> Response:
    """Return the login page of a transaction."""
    client = bound.checked.client
    error, status, retry_after = failed or _Failed("", 200)
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
