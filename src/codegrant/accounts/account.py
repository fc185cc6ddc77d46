"""The pages of one's own account: who is logged in, and logging out. Layer: accounts, no I/O."""

from __future__ import annotations

import hmac
from hashlib import sha256

from codegrant.accounts.effects import FindAccountBySubject
from codegrant.accounts.pages.render import Form, Pages
from codegrant.accounts.records import Account, Session
from codegrant.accounts.sessions import end_session, find_session
from codegrant.errors import OAuthError
from codegrant.flow import Flow, ask
from codegrant.http import Request, Response
from codegrant.jose import base64url
from codegrant.secret import same_secret
from codegrant.server.answers import redirect
from codegrant.server.forms import parse_form
from codegrant.server.server import AuthorizationServer

__all__ = ["answer_logout", "show_account", "show_logout"]

MAX_FORM_BYTES = 4096
_CSRF_PURPOSE = "account forms"


def show_account(
    server: AuthorizationServer, pages: Pages, request: Request, now: int
) -> Flow[Response]:
    """Return the page that says who is logged in in this browser."""
    form, account = yield from _who(server, request, now)
    return pages.account(form, account)


def show_logout(
    server: AuthorizationServer, pages: Pages, request: Request, now: int
) -> Flow[Response]:
    """Return the page that asks whether to log out; a link alone never logs anybody out."""
    form, account = yield from _who(server, request, now)
    return pages.logout(form, account)


def answer_logout(server: AuthorizationServer, request: Request, now: int) -> Flow[Response]:
    """Return a 303: to the account page for `no`, else to the page that says it is done.

    Raises:
        OAuthError, MessageError: the form is malformed, or is not this session's.

    RFC 6749 §10.12.
    """
    form = parse_form(request, max_bytes=MAX_FORM_BYTES)
    session = yield from find_session(server.policy, request, now)
    # A form from another site brings no Lax cookie: it sees nobody, and changes nothing.
    if session is None:
        return redirect(server.policy.endpoint("logout"))
    if not same_secret(form.single("csrf") or "", _csrf(server, session)):
        raise OAuthError(
            "access_denied",
            "this form does not belong to your browser's page",
            reason="csrf token missing or wrong",
            status=403,
            redirectable=False,
        )
    if form.single("decision") != "yes":
        return redirect(server.policy.endpoint("account"))
    cookie = yield from end_session(server.policy, session, now)
    return redirect(server.policy.endpoint("logout"), (cookie,))


def _who(
    server: AuthorizationServer, request: Request, now: int
) -> Flow[tuple[Form, Account | None]]:
    """Return who is logged in, and what a form of theirs sends back."""
    session = yield from find_session(server.policy, request, now)
    if session is None:
        return Form(csrf=""), None
    account = yield from ask(FindAccountBySubject(session.subject))
    return Form(csrf=_csrf(server, session)), account


def _csrf(server: AuthorizationServer, session: Session) -> str:
    """Return what ties a form to one session. The digest is as hard to guess as the cookie."""
    key = server.key_ring.derive(_CSRF_PURPOSE)
    return base64url.encode(hmac.digest(key, session.digest, sha256))
