"""Logging people in to a web application, as flows from a request to a response. Layer: web.

Everything that a framework's adapter needs and none of them decides: where the login
starts, who is signed in, how they sign out. A pending login is one small sealed cookie per
attempt; a finished one is an opaque session id in a cookie and sealed tokens in the token
store. What the callback is worth stands in `login_callback`.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from dataclasses import replace
from urllib.parse import urlencode

from codegrant.client.flows import ClientFlows
from codegrant.client.known_provider import consent_prompt
from codegrant.client.login import SealedState
from codegrant.client.pending import LOGIN_LIFETIME
from codegrant.client.state import seal_cookie
from codegrant.errors import (
    CodegrantError,
    ConfigurationError,
    LoginRequired,
    StoreError,
    UsageError,
)
from codegrant.flow import Flow, ask
from codegrant.http import Headers, Request, Response
from codegrant.rules.return_to import safe_return_to
from codegrant.sealing import KeyRing
from codegrant.web.login_addresses import LoginAddresses
from codegrant.web.login_callback import LoginCallback
from codegrant.web.login_effects import AtProvider
from codegrant.web.login_failures import answer_failure
from codegrant.web.login_logout import LoginLogout, LogoutAt
from codegrant.web.login_options import Asked, LoginAsk, LoginAsks
from codegrant.web.login_pages import NOT_KEPT, chooser_page, not_allowed, redirect
from codegrant.web.login_sessions import LoginSessions, SignedIn

__all__ = ["SESSION_LIFETIME", "WebLogin"]

SESSION_LIFETIME = 14 * 86_400
_SHORTEST_SESSION = 60
# Tokens that are of no use so soon after their login would be of none after another one.
_LOOP_SECONDS = 30


class WebLogin:
    """The login of one web application, at one provider or several.

    Args:
        clients: name of each provider to its client's flows.
        key_ring: called on first use; the same keys in every process of the application.
        public_url: origin (and path) under which browsers reach the application; else the
            request says so.
        login_path, callback_path, logout_path: below the application's root. With several
            providers `/NAME` follows the first two.
        home: where a person goes after login and logout, unless asked otherwise; below the
            application's root.
        session_lifetime: seconds, at least 60.
        logout: `local` ends the session here; `provider` goes on to the provider's own
            logout, where it has one, and comes back.
        ask: what logins ask for, or several sets of options by name.

    Attributes:
        sessions: who is signed in.

    Raises:
        UsageError: there is no client, or one whose name has other characters than an
            address should.
        ConfigurationError: `public_url` is neither https nor loopback, a client's own
            `redirect_uri` does not lead to the callback, `session_lifetime` is too short, or
            `logout` is something else.
    """

    def __init__(
        self,
        clients: Mapping[str, ClientFlows],
        key_ring: Callable[[], KeyRing],
        *,
        public_url: str | None = None,
        login_path: str = "/login",
        callback_path: str = "/callback",
        logout_path: str = "/logout",
        home: str = "/",
        session_lifetime: int = SESSION_LIFETIME,
        logout: LogoutAt = "local",
        ask: LoginAsk = None,
    ) -> None:
        if not clients:
            raise UsageError("client: at least one is needed")
        if session_lifetime < _SHORTEST_SESSION:
            raise ConfigurationError(
                f"session_lifetime: {session_lifetime} is below {_SHORTEST_SESSION} seconds"
            )
        if logout not in {"local", "provider"}:
            raise ConfigurationError(f"logout: {logout!r} is neither local nor provider")
        self._clients = dict(clients)
        self._key_ring = key_ring
        configs = {name: flows.config for name, flows in self._clients.items()}
        self._addresses = LoginAddresses(
            configs,
            public_url=public_url,
            login_path=login_path,
            callback_path=callback_path,
            logout_path=logout_path,
            home=home,
        )
        self.sessions: LoginSessions = LoginSessions(configs, key_ring, session_lifetime)
        self._asks = LoginAsks(ask, key_ring)
        self._callback = LoginCallback(
            self._clients, self._addresses, self.sessions, key_ring, self._asks
        )
        self._logout = LoginLogout(
            self._clients, self._addresses, self.sessions, key_ring, logout=logout
        )

    def routes(self) -> Iterator[tuple[str, str]]:
        """Yield a name and the path of each address that `respond` answers."""
        return self._addresses.routes()

    def session_cookie(self) -> str | None:
        """Return the name of the session's cookie; None while only a request can tell it."""
        return self._addresses.session_cookie()

    def respond(self, request: Request, now: int) -> Flow[Response]:
        """Return the answer to a request for one of `routes`.

        One that a browser makes ahead of time changes nothing: 503 is no page to keep for later.
        """
        if "prefetch" in f"{request.headers.get('sec-purpose')} {request.headers.get('purpose')}":
            return Response(status=503, headers=Headers(NOT_KEPT))
        if request.path == self._addresses.logout_path:
            return (yield from self._logout.sign_out(request, now))
        if request.path == self._addresses.logged_out_path:
            return (yield from self._logout.come_back(request, now))
        if request.path in self._addresses.backchannels:
            return (yield from self._logout.obey(request, now))
        if request.path in self._addresses.callbacks:
            if request.method not in {"GET", "POST"}:
                return not_allowed("GET")
            return (yield from self._callback.answer(request, now))
        if request.method != "GET":
            return not_allowed("GET")
        name = self._addresses.starts.get(request.path)
        if name is None:
            return self._choose(request)
        return (yield from self._start(request, now, name))

    def find_signed_in(self, request: Request, now: int) -> Flow[SignedIn | None]:
        """Return who is signed in in the browser that sent `request`; one look-up.

        Raises:
            StoreError: the store cannot say.
        """
        session_id = self._addresses.cookies(request).find_session(request.headers)
        return (yield from self.sessions.find(session_id, now))

    def ask_to_log_in(self, request: Request) -> Response:
        """Return the answer to a request that needs somebody signed in.

        A page is answered with a redirect to the login, which leads back to it; anything
        else (a form, a script's request) with 401.
        """
        mode = request.headers.get("sec-fetch-mode", "navigate")
        if request.method not in {"GET", "HEAD"} or mode != "navigate":
            return Response(status=401, headers=Headers(NOT_KEPT))
        return redirect(self.login_url(request, self._addresses.here(request)))

    def log_in_again(
        self, request: Request, error: LoginRequired, now: int, known: SignedIn | None = None
    ) -> Flow[Response]:
        """Return the answer to a request whose view failed with `error`.

        As `ask_to_log_in`, except where the login is only seconds old: a provider whose
        tokens are of no use when they come would send the browser round for ever.

        Args:
            request: of the view.
            error: what it failed with.
            now: epoch seconds.
            known: who was signed in when the request came; their session may have ended.
        """
        answer = self.ask_to_log_in(request)
        if answer.status != 303:
            return answer
        try:
            signed_in = known or (yield from self.find_signed_in(request, now))
        except StoreError as failure:
            return (yield from self.explain(request, failure))
        if signed_in is None or now - signed_in.since >= _LOOP_SECONDS:
            return answer
        retry = self.login_url(request, self._addresses.here(request))
        return (yield from answer_failure(error, retry))

    def explain(self, request: Request, error: StoreError) -> Flow[Response]:
        """Return the page for a request that could not be served for want of the store."""
        is_page = (
            request.method in {"GET", "HEAD"} and request.path not in self._addresses.callbacks
        )
        page = safe_return_to(self._addresses.here(request)) if is_page else None
        retry = page or self._addresses.home(request)
        return (yield from answer_failure(error, retry, what="looking up who is signed in failed"))

    def login_url(
        self,
        request: Request,
        return_to: str | None = None,
        *,
        ask: str | None = None,
        login_hint: str | None = None,
    ) -> str:
        """Return the path that starts a login and leads to the path `return_to` in the end.

        Args:
            request: of the page that shows it.
            return_to: see above.
            ask: the name of a set of options.
            login_hint: who is expected to log in.

        Raises:
            UsageError: there is no set of that name, or the hint is too long.
        """
        more = self._asks.query(ask, login_hint)
        return self._addresses.login_url(request, return_to, more)

    def _start(self, request: Request, now: int, name: str) -> Flow[Response]:
        """Send the browser to the provider, with a pending cookie of its own."""
        return_to, flows = self._addresses.return_to(request), self._clients[name]
        with_consent = self._addresses.asks_for_consent(request)
        found: Asked | None = None
        try:
            key_ring = self._key_ring()
            found = self._asks.find(request)
            asked = replace(
                found.request,
                redirect_uri=self._addresses.redirect_uri(request, name),
                return_to=return_to,
                prompt=consent_prompt(flows.config) if with_consent else found.request.prompt,
            )
            state = SealedState(
                key_ring=key_ring,
                origin=self._addresses.seen_origin(request),
                user_agent=request.headers.get("user-agent"),
            )
            login = yield from ask(
                AtProvider(name, lambda: flows.start_login(asked, now, state)),
            )
        except CodegrantError as error:
            again = {} if found is None else found.query
            retry = self._addresses.login_url(request, return_to, again)
            return (yield from answer_failure(error, retry))
        cookies = self._addresses.cookies(request)
        surplus = cookies.surplus(request.headers, key_ring, now, LOGIN_LIFETIME)
        pending = cookies.build_pending(
            login.login_id,
            seal_cookie(login, name, key_ring, found.name, with_consent=with_consent),
            max_age=LOGIN_LIFETIME,
            by_form=flows.config.response_mode == "form_post",
        )
        forms = any(one.config.response_mode == "form_post" for one in self._clients.values())
        dropped = cookies.clear_pending(surplus, by_form=forms)
        return redirect(login.url, [*dropped, pending])

    def _choose(self, request: Request) -> Response:
        """Offer the providers."""
        return_to, kept = self._addresses.return_to(request), self._asks.find(request).query
        kept = {**({"return_to": return_to} if return_to else {}), **kept}
        query = f"?{urlencode(kept)}" if kept else ""
        starts = self._addresses.starts.items()
        return chooser_page([(n, self._addresses.below(request, p) + query) for p, n in starts])
