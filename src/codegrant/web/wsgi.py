"""`Login`: the shared web login in front of any WSGI application.

    login = Login(Client("https://issuer.example", client_id=..., client_secret=...))

    @login.required
    def profile(environ, start_response):
        said = login.api(environ).get("https://api.example/profile")
        start_response("200 OK", [("Content-Type", "application/json")])
        return [said.content]

    app = login.wrap(profile)

It translates requests and responses and decides nothing. Layer: web. PEP 3333.
"""

from __future__ import annotations

import os
import time
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any, TypeAlias, TypeVar

from codegrant.client.api import ApiSession
from codegrant.client.facade import Client
from codegrant.client.tokens import Tokens
from codegrant.errors import LoginRequired, StoreError
from codegrant.flow import Effect, Flow, RandomBytes, run
from codegrant.http import Request
from codegrant.remote.transport import machine_time
from codegrant.rules.identity import Identity
from codegrant.sealing import KeyRing
from codegrant.web.login import SESSION_LIFETIME, WebLogin
from codegrant.web.login_effects import AtProvider, Pause
from codegrant.web.login_logout import LogoutAt
from codegrant.web.login_options import LoginAsk
from codegrant.web.login_sessions import SignedIn
from codegrant.web.login_setup import (
    TokenStore,
    check_signed_in,
    check_usable,
    clients_by_name,
    find_configured_keys,
    find_key_file,
    open_store,
    state_folder,
)
from codegrant.web.login_tokens import SessionTokens
from codegrant.web.wsgi_http import Visit, from_environ, noting, read_form, send_response, visit_of

if TYPE_CHECKING:
    from collections.abc import Iterable
    from wsgiref.types import StartResponse, WSGIApplication

    WsgiApplication: TypeAlias = WSGIApplication

__all__ = ["Login", "TokenStore"]

R = TypeVar("R")


class Login:
    """Logs people in to a WSGI application: `wrap` adds `/login`, `/callback` and `/logout`.

    Args:
        client: one client, or a mapping of provider names to clients.
        public_url: how browsers reach the application, e.g. `https://app.example`. Without
            it the request says so, which is right only without a proxy in front.
        store: where sessions and tokens are kept; by default an encrypted SQLite file in
            `folder`.
        key_ring: seals cookies and tokens; by default made of `CODEGRANT_SECRET`, else of a
            key file in `folder`.
        folder: the application's data folder; by default one below the platform's folder for
            state, by the clients' issuers and ids.
        login_path, callback_path, logout_path: of the three addresses.
        home: where a person goes after login and logout, below the application's root.
        session_lifetime: seconds, at least 60.
        logout: `local` ends the session here; `provider` goes on to the provider's own
            logout, where it has one, and comes back.
        ask: what logins ask for: `LoginOptions`, or several by name, for `url`.
        clock: returns epoch seconds; for tests.

    Raises:
        UsageError: no client was given, or one under a name that no address should have.
        ConfigurationError: `public_url` is neither https nor loopback, a client's own
            `redirect_uri` does not lead to the callback, or `session_lifetime` is too short.
    """

    def __init__(
        self,
        client: Client | Mapping[str, Client],
        *,
        public_url: str | None = None,
        store: TokenStore | None = None,
        key_ring: KeyRing | None = None,
        folder: str | os.PathLike[str] | None = None,
        login_path: str = "/login",
        callback_path: str = "/callback",
        logout_path: str = "/logout",
        home: str = "/",
        session_lifetime: int = SESSION_LIFETIME,
        logout: LogoutAt = "local",
        ask: LoginAsk = None,
        clock: Callable[[], float] = machine_time,
    ) -> None:
        self._clients = clients_by_name(client, Client)
        self._store, self._ring, self._clock = store, key_ring, clock
        self._folder = folder
        self._kept_as = f"codegrant.signed_in.{id(self)}"
        self._web = WebLogin(
            {name: one.flows for name, one in self._clients.items()},
            self._key_ring,
            public_url=public_url,
            login_path=login_path,
            callback_path=callback_path,
            logout_path=logout_path,
            home=home,
            session_lifetime=session_lifetime,
            logout=logout,
            ask=ask,
        )

    def wrap(self, app: WsgiApplication) -> WsgiApplication:
        """Return `app` with the addresses, and pages for requests without a login or the store.

        A person whose tokens are gone (`LoginRequired`) is sent to log in; while the store
        cannot say who is signed in (`StoreError`) the answer is a 503. Both only while the
        application is called, not while its answer is read.

        Raises:
            ConfigurationError: `CODEGRANT_SECRET` has a key with under 32 characters.
        """
        if self._ring is None:
            find_configured_keys()  # a wrong key is told now rather than at the first login
        paths = frozenset(path for _, path in self._web.routes())

        def answer(environ: dict[str, Any], start_response: StartResponse) -> Iterable[bytes]:
            environ[self._kept_as] = visit = Visit()
            start = noting(start_response, visit)
            ours = from_environ(environ)
            if ours.path in paths:
                flow = self._web.respond(from_environ(environ, read_form(environ)), self._now())
                return send_response(environ, start, self._run(flow))
            try:
                return app(environ, start)
            except LoginRequired as error:
                again = self._run(self._web.log_in_again(ours, error, self._now(), visit.signed_in))
                return send_response(environ, start, again, visit.failure())
            except StoreError as error:
                page = self._run(self._web.explain(ours, error))
                return send_response(environ, start, page, visit.failure())

        return answer

    def required(self, app: WsgiApplication) -> WsgiApplication:
        """Let only somebody who is signed in reach `app`; others are sent to log in."""

        def guarded(environ: dict[str, Any], start_response: StartResponse) -> Iterable[bytes]:
            if self.current(environ) is None:
                asked = self._web.ask_to_log_in(from_environ(environ))
                return send_response(environ, start_response, asked)
            self._visit(environ).is_guarded = True
            return app(environ, start_response)

        return guarded

    def current(self, environ: dict[str, Any]) -> SignedIn | None:
        """Return who is signed in in the browser that sent a request; one look-up per request.

        Args:
            environ: of the request.

        Raises:
            StoreError: the store cannot say; left alone, the answer is a 503.
            UsageError: the request did not come through `wrap`.
        """
        visit = self._visit(environ)
        if not visit.is_looked_up:
            flow = self._web.find_signed_in(self._ours(environ), self._now())
            visit.know(self._run(flow))
        return visit.signed_in

    def tokens(self, environ: dict[str, Any]) -> Tokens:
        """Return the tokens of the person who is signed in.

        Raises:
            LoginRequired: nobody is.
        """
        return check_signed_in(self.current(environ)).tokens

    def identity(self, environ: dict[str, Any]) -> Identity:
        """Return who is signed in: the key of an account is (`issuer`, `subject`).

        Raises:
            LoginRequired: nobody is signed in.
            UsageError: the login was without OpenID.
        """
        return check_signed_in(self.current(environ)).identity

    def api(self, environ: dict[str, Any]) -> ApiSession:
        """Call APIs as the person who is signed in; see `Client.api`.

        What a refresh gives is kept with the session. Where the tokens are gone for good
        the session ends, and the call fails with `LoginRequired`: left alone, that sends the
        person to log in again, and back to this page.

        Raises:
            LoginRequired: nobody is signed in, or the access token has expired and nothing
                can refresh it.
        """
        signed_in, visit = check_signed_in(self.current(environ)), self._visit(environ)
        check_usable(signed_in, self._now())
        if visit.api is None:
            tokens = SessionTokens(
                self._web.sessions, signed_in, drive=self._run, clock=self._now, tell=visit.know
            )
            visit.api = self._clients[signed_in.provider].api(tokens)
        return visit.api

    def url(
        self,
        environ: dict[str, Any],
        return_to: str | None = None,
        *,
        ask: str | None = None,
        login_hint: str | None = None,
    ) -> str:
        """Return the path that starts a login and then leads to `return_to`.

        Args:
            environ: of the request for the page that shows it.
            return_to: a path of the same origin, up to 200 bytes; anything else is ignored.
            ask: the name of a set of options that the login was given.
            login_hint: who is expected to log in; sealed in the link.

        Raises:
            UsageError: there is no set of that name, or the hint is too long.
        """
        ours = self._ours(environ)
        return self._web.login_url(ours, return_to, ask=ask, login_hint=login_hint)

    def _visit(self, environ: dict[str, Any]) -> Visit:
        return visit_of(environ, self._kept_as)

    def _ours(self, environ: dict[str, Any]) -> Request:
        return from_environ(environ)

    def _run(self, flow: Flow[R]) -> R:
        return run(flow, self._perform)

    def _perform(self, effect: Effect[Any]) -> Any:  # noqa: ANN401 - as `flow.run` asks
        match effect:
            case AtProvider(name, start):
                return run(start(), self._clients[name].perform)
            case Pause(seconds):
                return time.sleep(seconds)
            case RandomBytes(size=size):
                return os.urandom(size)
            case _:
                return self._token_store().perform(effect)

    def _now(self) -> int:
        return int(self._clock())

    # Made on first use, and without a lock that a fork could inherit: of two that are made at
    # once one is dropped unused.

    def _token_store(self) -> TokenStore:
        if self._store is None:
            self._store = open_store(self._data_folder())
        return self._store

    def _key_ring(self) -> KeyRing:
        if self._ring is None:
            self._ring = find_configured_keys() or find_key_file(self._data_folder())
        return self._ring

    def _data_folder(self) -> Path:
        if self._folder is not None:
            return Path(self._folder)
        return state_folder({name: one.flows.config for name, one in self._clients.items()})
