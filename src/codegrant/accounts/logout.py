"""The logout page: a link asks, a form of the page answers. Layer: accounts, no I/O.

Logging out ends the session of this browser and nothing else: applications keep what they
were allowed, as somebody expects whose mail goes on arriving. `accounts.account` withdraws.
"""

from __future__ import annotations

from codegrant.accounts.effects import FindAccountBySubject
from codegrant.accounts.forms import check_csrf, csrf_of, read_form
from codegrant.accounts.pages.render import Form, Pages
from codegrant.accounts.sessions import end_session, find_session
from codegrant.flow import Flow, ask
from codegrant.http import Request, Response
from codegrant.server.answers import redirect
from codegrant.server.server import AuthorizationServer

__all__ = ["answer_logout", "show_logout"]


def show_logout(
    server: AuthorizationServer, pages: Pages, request: Request, now: int
) -> Flow[Response]:
    """Return the page that asks whether to log out; a link alone never logs anybody out."""
    session = yield from find_session(server.policy, request, now)
    if session is None:
        return pages.logout(Form(csrf=""), None)
    account = yield from ask(FindAccountBySubject(session.subject))
    return pages.logout(Form(csrf=csrf_of(server, session)), account)


def answer_logout(server: AuthorizationServer, request: Request, now: int) -> Flow[Response]:
    """Return a 303: to the account page for `no`, else to the page that says it is done.

    Raises:
        OAuthError, MessageError: the form is malformed, or is not this session's.

    RFC 6749 §10.12.
    """
    form = read_form(request)
    session = yield from find_session(server.policy, request, now)
    # A form from another site brings no Lax cookie: it sees nobody, and changes nothing.
    if session is None:
        return redirect(server.policy.endpoint("logout"))
    check_csrf(server, session, form)
    if form.single("decision") != "yes":
        return redirect(server.policy.endpoint("account"))
    cookie = yield from end_session(server.policy, session, now)
    return redirect(server.policy.endpoint("logout"), (cookie,))
