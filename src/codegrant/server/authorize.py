"""The authorization endpoint. Layer: server, no I/O.

Resolve the request, run the ordered checks, decide, answer. A GET that needs no page is
answered at once; everything else becomes a transaction and a 303 to a page.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from codegrant.errors import CodegrantError, OAuthError
from codegrant.flow import Flow, RandomBytes, ask
from codegrant.http import Request, Response
from codegrant.jose import base64url
from codegrant.messages.parameters import Parameters
from codegrant.secret import digest_of
from codegrant.server.answers import AtPage, AtRedirect, as_oauth_error, redirect, render_error
from codegrant.server.authorization_request import (
    CheckedAuthorization,
    Target,
    judge_request,
    resolve_target,
    stored_request,
)
from codegrant.server.codes import issue_code
from codegrant.server.effects import Emit, SaveTransaction
from codegrant.server.events import Event, brief
from codegrant.server.forms import parse_form, parse_query
from codegrant.server.interaction import Decision, NeedConsent, Ready, decide
from codegrant.server.rate_limits import source_of
from codegrant.server.records import Transaction

if TYPE_CHECKING:
    from codegrant.server.server import AuthorizationServer

__all__ = ["answer_authorization"]

MAX_REQUEST_BYTES = 16_384


def answer_authorization(server: AuthorizationServer, request: Request, now: int) -> Flow[Response]:
    """Return the answer of the authorization endpoint: a redirect, or an error page.

    Args:
        request: GET with a query, or POST with a form.

    RFC 6749 §4.1.1; OIDC Core §3.1.2.1.
    """
    parameters = Parameters(())
    target: Target | None = None
    try:
        if request.method == "POST":
            parameters = parse_form(request, max_bytes=MAX_REQUEST_BYTES)
        else:
            parameters = parse_query(request, max_bytes=MAX_REQUEST_BYTES)
        target = yield from resolve_target(parameters)
        checked = yield from judge_request(server, target, parameters, now)
        # A cross-site POST carries no Lax cookie: the session is read by the page's GET.
        page = "login"
        if request.method == "GET":
            decision = yield from _decide(server, request, checked, now)
            if isinstance(decision, Ready):
                location = yield from issue_code(
                    server, checked, decision.authentication, decision.scope, now
                )
                return redirect(location)
            if isinstance(decision, NeedConsent):
                page = "consent"
        return (yield from _start_transaction(server, request, checked, page, now))
    except CodegrantError as error:
        refusal = as_oauth_error(error)
        return (yield from _refuse(server, request, parameters, target, refusal, now=now))


def _decide(
    server: AuthorizationServer, request: Request, checked: CheckedAuthorization, now: int
) -> Flow[Decision]:
    """Return what the request needs, as far as this browser's session goes."""
    find_visitor = server.host.find_visitor
    visitor = yield from find_visitor(request, checked.client.client_id, checked.audience, now)
    if visitor is None:
        return decide(checked, None, None, now)
    return decide(checked, visitor.authentication, visitor.consent, now)


def _start_transaction(
    server: AuthorizationServer,
    request: Request,
    checked: CheckedAuthorization,
    page: str,
    now: int,
) -> Flow[Response]:
    """Store the request and send the browser to a page; its address carries the id alone."""
    transaction_id = base64url.encode((yield from ask(RandomBytes(32))))
    transaction = Transaction(
        digest=digest_of(transaction_id),
        client_id=checked.client.client_id,
        request=stored_request(checked),
        source=source_of(request.peer),
        created_at=now,
        expires_at=now + server.policy.transaction_lifetime,
    )
    yield from ask(SaveTransaction(transaction))
    facts = {"client_id": checked.client.client_id, "source": transaction.source}
    yield from ask(Emit(Event("authorization_requested", now, facts)))
    return redirect(server.policy.endpoint(f"{page}?transaction={transaction_id}"))


def _refuse(
    server: AuthorizationServer,
    request: Request,
    parameters: Parameters,
    target: Target | None,
    error: OAuthError,
    *,
    now: int,
) -> Flow[Response]:
    """Return the error: at the client when it is known good, else as a page."""
    if error.status >= 500:
        yield from server.report_failure(error, request, now)
    else:
        facts = {
            "client_id": brief(next(iter(parameters.all("client_id")), "")),
            "error": error.error,
            "reason": brief(error.reason),
        }
        yield from ask(Emit(Event("authorization_refused", now, facts)))
    if target is None or not error.redirectable:
        return render_error(error, AtPage(server.host.error_page, request))
    place = AtRedirect(target.redirect_uri, target.state, server.policy.issuer)
    return render_error(error, place)
