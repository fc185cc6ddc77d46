"""A person in front of the provider's pages, who needs no password. Layer: testing.

The steps are those of the login and the consent page; only what would prove who it is, which
takes tens of milliseconds on purpose, is taken on trust.
"""

from __future__ import annotations

import re
from collections.abc import Callable
from html import unescape
from threading import Lock
from typing import Any, TypeAlias
from urllib.parse import urlsplit

from codegrant.accounts.effects import SaveConsent
from codegrant.accounts.forms import read_query
from codegrant.accounts.records import Account
from codegrant.accounts.sessions import authentication_of, start_session
from codegrant.accounts.visit import visit_transaction
from codegrant.errors import OAuthError, TransportError, UsageError
from codegrant.flow import Flow, ask
from codegrant.http import Headers, Request, Response
from codegrant.server.effects import Emit
from codegrant.server.events import Event
from codegrant.server.interaction import (
    NeedConsent,
    answer_step,
    approve,
    bind_transaction,
    next_step,
    record_login,
    refuse,
    remembers_consent,
)
from codegrant.server.server import AuthorizationServer
from codegrant.testing.wire import Unanswered

__all__ = ["Visitor"]

_Respond: TypeAlias = Callable[[Request], Response]
# Drives a flow on the provider's database.
_Run: TypeAlias = Callable[[Flow[Response]], Response]

_MOST_STEPS = 10
_CODE = re.compile(r'id="error-code">([^<]*)<')
_DESCRIPTION = re.compile(r'id="error-description">([^<]*)<')


class Visitor:
    """One person with a browser of their own.

    Args:
        server: whose pages they see.
        account: who they are.
        respond: the server's answer to a request.
        run: drives a flow of the server.
        clock: epoch seconds.
    """

    def __init__(
        self,
        server: AuthorizationServer,
        account: Account,
        *,
        respond: _Respond,
        run: _Run,
        clock: Callable[[], int],
    ) -> None:
        self.account = account
        self._server = server
        self._respond = respond
        self._run = run
        self._clock = clock
        self._cookies: dict[str, str] = {}
        self._seen_at = 0
        self._lock = Lock()  # one browser does one thing after another

    def authorize(self, url: str, *, allow: bool = True) -> str:
        """Open an authorization URL, log in, agree, and return where that leads.

        Args:
            url: that the application sent the browser to.
            allow: whether the person agrees; else the answer is `access_denied`.

        Raises:
            UsageError: the server shows an error page; its code is the error's.
            TransportError: the browser gets no answer.
        """
        with self._lock:
            try:
                return self._authorize(url, allow=allow)
            except Unanswered as error:
                raise TransportError(
                    f"the person's browser gets no answer at {url.partition('?')[0]}: {error}",
                    code="timeout" if error.stalls else "connect_failed",
                    stage="authorize",
                    hint="a fault of this test reaches as far as that; endpoint= narrows it",
                ) from None

    def _authorize(self, url: str, *, allow: bool) -> str:
        now = self._clock()
        if not allow or now < self._seen_at:
            # Who is logged in and has agreed is not asked again; and a clock that was set back
            # would have somebody logged in since a moment that is yet to come.
            self._cookies.clear()
        self._seen_at = now
        issuer = self._server.policy.issuer.rstrip("/")
        pages = {f"{issuer}/login": self._log_in, f"{issuer}/consent": self._consent}
        for _ in range(_MOST_STEPS):
            request = self._request(url)
            page = pages.get(request.url)
            if page is None:
                answer = self._respond(request)
            else:
                answer = self._run(page(request, allow=allow))
            self._take_cookies(answer)
            if answer.status not in {302, 303}:
                raise _shown(request, answer)
            url = answer.headers.get("location")
            if not url.startswith(f"{issuer}/"):
                return url
        raise UsageError(f"{url} leads in circles")

    def _log_in(self, request: Request, *, allow: bool) -> Flow[Response]:
        """Answer as the login page does to the right password."""
        server, now = self._server, self._clock()
        bound = yield from bind_transaction(server, request, _transaction_of(request), now)
        if not allow:
            return (yield from refuse(server, bound, _denied(), now))
        started = yield from start_session(server.policy, request, self.account, ("pwd",), now)
        if started is None:
            raise UsageError(f"{self.account.username} is disabled, or has another password now")
        session, cookie = started
        facts = {"subject": session.subject, "sid": session.sid}
        yield from ask(Emit(Event("login_succeeded", now, facts)))
        authentication = authentication_of(session)
        bound = yield from record_login(bound, authentication, now, cookies=(cookie,))
        step = yield from next_step(server, bound, authentication, now)
        return answer_step(server, bound, step)

    def _consent(self, request: Request, *, allow: bool) -> Flow[Response]:
        """Answer as the consent page does to a decision."""
        server, now = self._server, self._clock()
        bound, session, step = yield from visit_transaction(
            server, request, _transaction_of(request), now
        )
        if session is None or not isinstance(step, NeedConsent):
            return answer_step(server, bound, step)
        if not allow:
            return (yield from refuse(server, bound, _denied(), now))
        checked, scope = bound.checked, frozenset(bound.checked.scope)
        answer = yield from approve(server, bound, authentication_of(session), scope, now)
        if remembers_consent(checked):
            client_id, audience = checked.client.client_id, checked.audience
            yield from ask(SaveConsent(session.subject, client_id, audience, scope, now))
        return answer

    def _request(self, url: str) -> Request:
        parts = urlsplit(url)
        cookies = "; ".join(f"{name}={value}" for name, value in self._cookies.items())
        return Request(
            method="GET",
            url=f"{parts.scheme}://{parts.netloc}{parts.path}",
            path=parts.path,
            query=parts.query,
            headers=Headers([("cookie", cookies)] if cookies else []),
            peer="192.0.2.2",
        )

    def _take_cookies(self, answer: Response) -> None:
        for line in answer.headers.get_all("set-cookie"):
            name, _, rest = line.partition("=")
            value, _, attributes = rest.partition(";")
            self._cookies.pop(name, None)
            if "Max-Age=0" not in attributes:
                self._cookies[name] = value


def _transaction_of(request: Request) -> str | None:
    return read_query(request).single("transaction")


def _denied() -> OAuthError:
    return OAuthError("access_denied", "the person did not allow it")


def _shown(request: Request, answer: Response) -> UsageError:
    """Return what a page says that should have been a redirect."""
    text = answer.body.decode(errors="replace")
    found: Any = _CODE.search(text)
    code = found[1] if found else "no_redirect"
    found = _DESCRIPTION.search(text)
    told = unescape(found[1]) if found else f"status {answer.status}"
    return UsageError(
        f"{request.url} shows a page instead of leading back to the application: {told}",
        code=code,
        stage="authorize",
        hint="the client must be registered, with this very redirect_uri: add_client(...)",
    )
