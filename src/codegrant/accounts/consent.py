"""The consent page: may this application have what it asks for? Layer: accounts, no I/O.

What is allowed is the stored transaction, never what a form says. The form's `csrf` covers
the scope and the address that were on the page, so that an answer to an older page counts
for nothing, and the person who saw it, in the one browser that holds the transaction. The
session itself it does not cover: somebody who starts ten tabs logs in once more in the
second, and what they answer in the first is still their answer.
"""

from __future__ import annotations

from codegrant.accounts.effects import FindAccountBySubject, SaveConsent
from codegrant.accounts.forms import read_form, read_query
from codegrant.accounts.pages.render import Form, Pages
from codegrant.accounts.records import Session
from codegrant.accounts.sessions import authentication_of, end_session, find_session
from codegrant.accounts.visit import visit_transaction
from codegrant.errors import OAuthError
from codegrant.flow import Flow, ask
from codegrant.http import Request, Response
from codegrant.rules.scope import format_scope
from codegrant.server.answers import redirect
from codegrant.server.authorization_request import CheckedAuthorization
from codegrant.server.effects import Emit
from codegrant.server.events import Event
from codegrant.server.interaction import (
    BoundTransaction,
    NeedConsent,
    answer_step,
    approve,
    bind_transaction,
    refuse,
    remembers_consent,
)
from codegrant.server.server import AuthorizationServer

__all__ = ["answer_consent", "show_consent"]


def show_consent(
    server: AuthorizationServer, pages: Pages, request: Request, now: int
) -> Flow[Response]:
    """Return the consent page of a transaction, or what comes next when it is not needed.

    Raises:
        OAuthError, MessageError: no transaction that this browser may go on with.

    OIDC Core §3.1.2.4.
    """
    transaction_id = read_query(request).single("transaction")
    bound, session, step = yield from visit_transaction(server, request, transaction_id, now)
    if session is None or not isinstance(step, NeedConsent):
        return answer_step(server, bound, step)
    account = yield from ask(FindAccountBySubject(session.subject))
    checked, client = bound.checked, bound.checked.client
    return pages.consent(
        Form(transaction=bound.id, csrf=bound.csrf(_page_of(checked), session.subject)),
        client_name=client.client_name or client.client_id,
        person="" if account is None else account.name or account.username,
        scope=checked.scope,
        redirect_uri=checked.redirect_uri,
        resource="" if checked.audience == server.policy.issuer else checked.audience,
        remembered=remembers_consent(checked),
        cookies=bound.cookies_to_set,
    )


def answer_consent(server: AuthorizationServer, request: Request, now: int) -> Flow[Response]:
    """Return the answer to the consent form: a 303, to the client unless a login is missing.

    Checked in this order: the transaction is open and this browser's, somebody is logged
    in, the form is the page that this person was shown for this very request.

    Raises:
        OAuthError, MessageError: the form is malformed, or is not the page's.

    RFC 6749 §10.2, §10.12; OIDC Core §3.1.2.4.
    """
    form = read_form(request)
    bound = yield from bind_transaction(server, request, form.single("transaction"), now)
    session = yield from find_session(server.policy, request, now)
    if session is None:
        return _to_login(server, bound)
    bound.check_csrf(form.single("csrf"), _page_of(bound.checked), session.subject)
    match form.single("decision"):
        case "allow":
            return (yield from _allow(server, bound, session, now))
        case "deny":
            denied = OAuthError("access_denied", "the person did not allow it")
            return (yield from refuse(server, bound, denied, now))
        case "switch":
            cookie = yield from end_session(server.policy, session, now)
            return _to_login(server, bound, (cookie,))
        case _:
            raise OAuthError(
                "invalid_request", "the form says neither allow nor deny", redirectable=False
            )


def _allow(
    server: AuthorizationServer, bound: BoundTransaction, session: Session, now: int
) -> Flow[Response]:
    """Remember the consent where that is allowed (D16), and go on to the client."""
    checked = bound.checked
    scope, client_id = frozenset(checked.scope), checked.client.client_id
    answer = yield from approve(server, bound, authentication_of(session), scope, now)
    if remembers_consent(checked):
        audience = checked.audience
        yield from ask(SaveConsent(session.subject, client_id, audience, scope, now))
    facts = {
        "client_id": client_id,
        "subject": session.subject,
        "scope": format_scope(checked.scope),
    }
    yield from ask(Emit(Event("consent_given", now, facts)))
    return answer


def _page_of(checked: CheckedAuthorization) -> str:
    """Return what a consent page is about, as the name its form is bound to."""
    return "\0".join(("consent", checked.redirect_uri, checked.audience, *checked.scope))


def _to_login(
    server: AuthorizationServer, bound: BoundTransaction, cookies: tuple[str, ...] = ()
) -> Response:
    """Return the way to the login page of the same transaction."""
    return redirect(server.policy.endpoint(f"login?transaction={bound.id}"), cookies)
