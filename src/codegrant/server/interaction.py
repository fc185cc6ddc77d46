"""Where the authorization server asks about people: has somebody logged in, have they agreed?

The host application answers through `Host`, a bundle of flows; `accounts/` is the
ready-made one. `decide` says what an authorization request still needs, both for the
endpoint and for the pages; a page then calls `bind_transaction` and `next_step`, and ends
with `approve` or `refuse`. A form for which these raise may have been sent twice: then
`repeat_answer` has the answer. Layer: server, no I/O.
"""

from __future__ import annotations

import hmac
from dataclasses import dataclass, field, replace
from hashlib import sha256
from typing import TYPE_CHECKING

from codegrant.errors import OAuthError
from codegrant.flow import Flow, RandomBytes, ask
from codegrant.http import Request, Response, find_cookies
from codegrant.jose import base64url
from codegrant.sealing import KeyRing, SealBroken
from codegrant.secret import digest_of, same_secret
from codegrant.server.answers import AtRedirect, redirect, render_error
from codegrant.server.authorization_request import CheckedAuthorization, judge_transaction
from codegrant.server.codes import issue_code, transaction_ended
from codegrant.server.cookies import build_cookie, clear_cookie, cookie_name, find_cookie_names
from codegrant.server.decision import (
    Decision,
    LoginReason,
    NeedConsent,
    NeedLogin,
    Ready,
    decide,
    login_reason,
    remembers_consent,
)
from codegrant.server.effects import (
    BindTransaction,
    Emit,
    FindAnswer,
    FindTransaction,
    FinishTransaction,
    RecordLogin,
    TransactionEnd,
)
from codegrant.server.events import Event, EventName
from codegrant.server.host import Authentication, Host, Visitor
from codegrant.server.records import Transaction

if TYPE_CHECKING:
    from codegrant.server.server import AuthorizationServer

__all__ = [
    "Authentication",
    "BoundTransaction",
    "Decision",
    "Host",
    "LoginReason",
    "NeedConsent",
    "NeedLogin",
    "Ready",
    "Visitor",
    "answer_step",
    "approve",
    "bind_transaction",
    "decide",
    "next_step",
    "record_login",
    "refuse",
    "remembers_consent",
    "repeat_answer",
]

MAX_BOUND_COOKIES = 12
ANSWER_SECONDS = 15
_CSRF_PURPOSE = "page forms"
_ANSWER_PURPOSE = "answer to a form"


@dataclass(frozen=True, slots=True, kw_only=True)
class BoundTransaction:
    """A transaction that belongs to the browser which sent this request.

    Attributes:
        id: as in the address of the pages.
        transaction: as stored.
        checked: its request, judged anew: the client as it is now.
        browser_digest: of the browser's secret for this transaction.
        cookies_to_set: `Set-Cookie` values that the page's answer must carry.
        csrf_key: of this browser's forms for this transaction.
        browser_secret: what the browser's cookie for this transaction holds.
        form: the body of the request, as it came.
        login_cookies: `Set-Cookie` values of a login by this very form.
    """

    id: str
    transaction: Transaction
    checked: CheckedAuthorization
    browser_digest: bytes
    cookies_to_set: tuple[str, ...]
    csrf_key: bytes = field(repr=False)
    browser_secret: str = field(repr=False)
    form: bytes = field(repr=False)
    login_cookies: tuple[str, ...] = field(default=(), repr=False)

    def csrf(self, page: str, subject: str = "") -> str:
        """Return the value of the hidden field `csrf` for a page and the person who sees it."""
        text = f"{page}\0{subject}".encode()
        return base64url.encode(hmac.digest(self.csrf_key, text, sha256))

    def check_csrf(self, presented: str | None, page: str, subject: str = "") -> None:
        """Check the hidden field of a posted form.

        Raises:
            OAuthError: absent or of another browser, page or person; status 403.

        RFC 6749 §10.12.
        """
        if not same_secret(presented or "", self.csrf(page, subject)):
            raise OAuthError(
                "access_denied",
                "this form does not belong to your browser's page; reload the page and try again",
                reason="csrf token missing or wrong",
                status=403,
                redirectable=False,
            )

    def end_with(self, location: str, now: int) -> TransactionEnd:
        """Return the end of this transaction with a redirect to `location`."""
        # Neither an address nor a header can hold a line end.
        answer = "\n".join((location, *self.login_cookies)).encode()
        return TransactionEnd(
            self.transaction.digest,
            self.browser_digest,
            _answer_ring(self.csrf_key, self.form).seal(_ANSWER_PURPOSE, answer),
            now + ANSWER_SECONDS,
        )


def bind_transaction(
    server: AuthorizationServer, request: Request, transaction_id: str | None, now: int
) -> Flow[BoundTransaction]:
    """Return the transaction of a page's address, bound to the browser that asks.

    The first browser that GETs it becomes its browser, by a cookie of its own; nobody else
    can resume it.

    Args:
        transaction_id: parameter `transaction` of the page's address.

    Raises:
        OAuthError: for a page, never for the client: expired, finished, of another
            browser, or no longer valid as the client is now.
    """
    transaction_digest = digest_of(transaction_id or "")
    transaction = yield from ask(FindTransaction(transaction_digest, now))
    if not transaction_id or transaction is None:
        raise transaction_ended()
    name = _browser_cookie_name(server, transaction_digest)
    secrets = find_cookies(request.headers, name)
    cookies_to_set: tuple[str, ...] = ()
    if secrets:
        browser_secret = secrets[0]
        if len(secrets) > 1:
            raise _foreign_browser("two cookies for one transaction")
    elif transaction.browser_digest is None and request.method == "GET":
        browser_secret = (yield from ask(RandomBytes(32))).hex()
        browser_digest = digest_of(browser_secret)
        if not (yield from ask(BindTransaction(transaction_digest, browser_digest, now))):
            raise _foreign_browser("bound by another request at the same moment")
        transaction = replace(transaction, browser_digest=browser_digest)
        cookies_to_set = _binding_cookies(server, request, name, browser_secret)
    else:
        raise _foreign_browser("no cookie for a bound transaction")
    if not same_secret(transaction.browser_digest or b"", digest_of(browser_secret)):
        raise _foreign_browser("cookie of another binding")
    try:
        checked = yield from judge_transaction(server, transaction, now)
    except OAuthError as error:
        raise _page_error(error.description, reason=error.reason) from None
    return BoundTransaction(
        id=transaction_id,
        transaction=transaction,
        checked=checked,
        browser_digest=digest_of(browser_secret),
        cookies_to_set=cookies_to_set,
        csrf_key=_csrf_key(server, browser_secret),
        browser_secret=browser_secret,
        form=request.body,
    )


def repeat_answer(
    server: AuthorizationServer, request: Request, transaction_id: str | None, now: int
) -> Flow[Response | None]:
    """Return the redirect that ended a transaction a moment ago, to the very same form again.

    Somebody who presses a button twice sends a form twice, and sees only the answer to the
    second; without this the application would never get the code of the first, nor the
    browser the session of a login.
    """
    digest = digest_of(transaction_id or "")
    secrets = find_cookies(request.headers, _browser_cookie_name(server, digest))
    if len(secrets) != 1 or not request.body:
        return None
    sealed = yield from ask(FindAnswer(digest, digest_of(secrets[0]), now))
    if sealed is None:
        return None
    try:
        ring = _answer_ring(_csrf_key(server, secrets[0]), request.body)
        location, *cookies = ring.open(_ANSWER_PURPOSE, sealed).decode().split("\n")
    except SealBroken:  # another form, another button
        return None
    return redirect(location, (_fading_cookie(server, digest, secrets[0]), *cookies))


def record_login(
    bound: BoundTransaction,
    authentication: Authentication,
    now: int,
    *,
    cookies: tuple[str, ...] = (),
) -> Flow[BoundTransaction]:
    """Remember that this person has just logged in for this transaction.

    A login page calls it once the session is stored, and goes on with `next_step`.

    Args:
        cookies: `Set-Cookie` values that give the session to the browser; they go with the
            answer, also with a repeated one.

    Raises:
        OAuthError: the transaction has ended meanwhile.
    """
    sid = authentication.sid
    digest = bound.transaction.digest
    if not (yield from ask(RecordLogin(digest, bound.browser_digest, sid, now))):
        raise transaction_ended()
    transaction = replace(bound.transaction, login_sid=sid)
    return replace(bound, transaction=transaction, login_cookies=cookies)


def next_step(
    server: AuthorizationServer,
    bound: BoundTransaction,
    authentication: Authentication | None,
    now: int,
) -> Flow[NeedLogin | NeedConsent | Response]:
    """Return what a page should show next, or the redirect to the client that ends it all."""
    checked = bound.checked
    remembered: frozenset[str] | None = None
    if authentication is not None and not checked.client.skip_consent:
        find_consent = server.host.find_consent
        remembered = yield from find_consent(
            authentication.subject, checked.client.client_id, checked.audience
        )
    try:
        decision = decide(
            checked, authentication, remembered, now, login_sid=bound.transaction.login_sid
        )
    except OAuthError as error:
        return (yield from refuse(server, bound, error, now))
    if isinstance(decision, Ready):
        return (yield from _finish(server, bound, decision, now))
    return decision


def answer_step(
    server: AuthorizationServer, bound: BoundTransaction, step: NeedLogin | NeedConsent | Response
) -> Response:
    """Return the answer to a form post: a 303 to the page of `step`, or the redirect itself."""
    if isinstance(step, Response):
        return step
    page = "login" if isinstance(step, NeedLogin) else "consent"
    cookies = (*bound.cookies_to_set, *bound.login_cookies)
    return redirect(server.policy.endpoint(f"{page}?transaction={bound.id}"), cookies)


def approve(
    server: AuthorizationServer,
    bound: BoundTransaction,
    authentication: Authentication,
    scope: frozenset[str],
    now: int,
) -> Flow[Response]:
    """End the transaction with a code: the person said yes.

    Args:
        scope: what the person agreed to; what was not requested is left out.

    Returns:
        303 to the client; or to the login page when a login is still needed.
    """
    checked = bound.checked
    granted = tuple(token for token in checked.scope if token in scope)
    if not granted:
        denied = OAuthError("access_denied", "nothing of what was asked for was allowed")
        return (yield from refuse(server, bound, denied, now))
    try:
        reason = login_reason(checked, authentication, now, bound.transaction.login_sid)
    except OAuthError as error:
        return (yield from refuse(server, bound, error, now))
    if reason is not None:
        return answer_step(server, bound, NeedLogin(checked, reason))
    return (yield from _finish(server, bound, Ready(checked, authentication, granted), now))


def refuse(
    server: AuthorizationServer, bound: BoundTransaction, error: OAuthError, now: int
) -> Flow[Response]:
    """End the transaction with an error that goes to the client, for example `access_denied`."""
    checked = bound.checked
    place = AtRedirect(checked.redirect_uri, checked.request.state, server.policy.issuer)
    location = render_error(error, place).headers.get("location")
    if not (yield from ask(FinishTransaction(bound.end_with(location, now), now))):
        raise transaction_ended()
    name: EventName = (
        "consent_denied" if error.error == "access_denied" else "authorization_refused"
    )
    facts = {"client_id": checked.client.client_id, "error": error.error, "reason": error.reason}
    yield from ask(Emit(Event(name, now, facts)))
    return _redirect_away(server, bound, location)


def _finish(
    server: AuthorizationServer, bound: BoundTransaction, ready: Ready, now: int
) -> Flow[Response]:
    """Issue the code of a transaction, once."""
    location = yield from issue_code(
        server,
        ready.checked,
        ready.authentication,
        ready.scope,
        now,
        end_with=lambda location: bound.end_with(location, now),
    )
    return _redirect_away(server, bound, location)


def _redirect_away(server: AuthorizationServer, bound: BoundTransaction, location: str) -> Response:
    """Return the redirect that ends a transaction."""
    fading = _fading_cookie(server, bound.transaction.digest, bound.browser_secret)
    return redirect(location, (fading, *bound.login_cookies))


def _browser_cookie_name(server: AuthorizationServer, transaction_digest: bytes) -> str:
    """Return the name of the binding cookie of one transaction: ten tabs have ten."""
    return cookie_name(server.policy, "txn", transaction_digest.hex()[:8])


def _fading_cookie(
    server: AuthorizationServer, transaction_digest: bytes, browser_secret: str
) -> str:
    """Return the `Set-Cookie` value that ends a binding as soon as nothing is repeated."""
    name = _browser_cookie_name(server, transaction_digest)
    return build_cookie(server.policy, name, browser_secret, max_age=ANSWER_SECONDS)


def _csrf_key(server: AuthorizationServer, browser_secret: str) -> bytes:
    """Return the key of one browser's forms for one transaction."""
    return hmac.digest(server.key_ring.derive(_CSRF_PURPOSE), browser_secret.encode(), sha256)


def _answer_ring(csrf_key: bytes, form: bytes) -> KeyRing:
    """Return the key of the answer to one form, which only its sender can name again."""
    return KeyRing([hmac.digest(csrf_key, _ANSWER_PURPOSE.encode() + form, sha256).hex()])


def _binding_cookies(
    server: AuthorizationServer, request: Request, name: str, browser_secret: str
) -> tuple[str, ...]:
    """Return the new binding cookie, and an end to the oldest ones beyond the bound."""
    policy = server.policy
    held = find_cookie_names(request.headers, cookie_name(policy, "txn") + "-")
    surplus = held[: max(0, len(held) + 1 - MAX_BOUND_COOKIES)]
    new = build_cookie(policy, name, browser_secret, max_age=policy.transaction_lifetime)
    return (new, *(clear_cookie(policy, old) for old in surplus))


def _page_error(description: str, *, reason: str = "") -> OAuthError:
    """Return an error for a page of ours; it never goes to the client."""
    return OAuthError("invalid_request", description, reason=reason, redirectable=False)


def _foreign_browser(reason: str) -> OAuthError:
    """Return the error for a transaction that another browser holds."""
    return _page_error(
        "this sign-in was opened in another browser; start again at the application",
        reason=reason,
    )
