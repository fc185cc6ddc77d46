"""`Login`: Starlette in front of the shared web login.

    app = Starlette()
    login = Login(app, AsyncClient("https://issuer.example", client_id=..., client_secret=...))

    @login.required
    async def profile(request: Request) -> JSONResponse:
        return JSONResponse((await login.api(request).get("https://api.example/profile")).json())

It translates requests and responses and decides nothing. Layer: web.
"""

from __future__ import annotations

import asyncio
import inspect
import os
import time
from collections.abc import Awaitable, Callable, Mapping
from functools import wraps
from pathlib import Path
from typing import Any, ParamSpec, TypeAlias, TypeVar, cast

from codegrant.client.aio import AsyncClient
from codegrant.client.api import AsyncApiSession
from codegrant.client.tokens import Tokens
from codegrant.errors import ConfigurationError, LoginRequired, StoreError, UsageError
from codegrant.flow import Effect, Flow, RandomBytes, run, run_async
from codegrant.http import Request as OurRequest
from codegrant.rules.identity import Identity
from codegrant.sealing import KeyRing
from codegrant.web.login import SESSION_LIFETIME, WebLogin
from codegrant.web.login_effects import AtProvider, Pause
from codegrant.web.login_logout import LogoutAt
from codegrant.web.login_sessions import SignedIn
from codegrant.web.login_setup import (
    AsyncTokenStore,
    check_signed_in,
    check_usable,
    clients_by_name,
    find_configured_keys,
    find_key_file,
    open_store,
    state_folder,
)
from codegrant.web.login_tokens import SessionTokens

try:
    from starlette.applications import Starlette
    from starlette.concurrency import run_in_threadpool
    from starlette.requests import HTTPConnection, Request
    from starlette.responses import Response
    from starlette.routing import Route
except ImportError as _error:  # pragma: no cover - seen in the test of the bare wheel
    raise ConfigurationError(
        "codegrant.web.starlette needs Starlette: pip install 'codegrant[starlette]'"
    ) from _error

from codegrant.web.starlette_http import (
    Noting,
    Visit,
    from_starlette,
    read_form,
    to_starlette,
    visit_of,
)

__all__ = ["AsyncTokenStore", "Login"]

P = ParamSpec("P")
R = TypeVar("R")

# A framework on top of Starlette makes its responses of other values.
Guarded: TypeAlias = Callable[P, Awaitable[Any]]


class Login:
    """Logs people in to a Starlette application: adds `/login`, `/callback` and `/logout`.

    It may be used from several event loops, and needs no lifespan.

    Args:
        app: or None, and `init_app` later.
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
        clock: returns epoch seconds; for tests.

    Raises:
        UsageError: no client was given, or one under a name that no address should have.
        ConfigurationError: `public_url` is neither https nor loopback, a client's own
            `redirect_uri` does not lead to the callback, or `session_lifetime` is too short.
    """

    def __init__(
        self,
        app: Starlette | None = None,
        client: AsyncClient | Mapping[str, AsyncClient] | None = None,
        *,
        public_url: str | None = None,
        store: AsyncTokenStore | None = None,
        key_ring: KeyRing | None = None,
        folder: str | os.PathLike[str] | None = None,
        login_path: str = "/login",
        callback_path: str = "/callback",
        logout_path: str = "/logout",
        home: str = "/",
        session_lifetime: int = SESSION_LIFETIME,
        logout: LogoutAt = "local",
        clock: Callable[[], float] = time.time,
    ) -> None:
        self._clients = clients_by_name(client, AsyncClient)
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
        )
        if app is not None:
            self.init_app(app)

    def init_app(self, app: Starlette) -> None:
        """Add the addresses to `app`, and pages for endpoints without a login or the store.

        A person whose tokens are gone (`LoginRequired`) is sent to log in; while the store
        cannot say who is signed in (`StoreError`) the answer is a 503. It must be called
        before the application has answered its first request.

        The routes, for `url_path_for`, are `codegrant.login`, `codegrant.callback` and
        `codegrant.logout`; of several providers also `codegrant.login.NAME`.

        Raises:
            ConfigurationError: `CODEGRANT_SECRET` has a key with under 32 characters.
        """
        if self._ring is None:
            find_configured_keys()  # a wrong key is told now rather than at the first login
        app.add_middleware(Noting, kept_as=self._kept_as)
        # First, or a route for every path would hide them.
        app.router.routes[:0] = [
            Route(path, self._respond, name=f"codegrant.{name}", methods=["GET", "POST"])
            for name, path in self._web.routes()
        ]
        app.add_exception_handler(LoginRequired, self._log_in_again)
        app.add_exception_handler(StoreError, self._explain)

    def required(self, endpoint: Callable[P, object]) -> Guarded[P]:
        """Let only somebody who is signed in reach `endpoint`; others are sent to log in.

        Args:
            endpoint: has the request among its arguments; one that is not asynchronous runs
                in a thread.
        """

        @wraps(endpoint)
        async def guarded(*args: P.args, **kwargs: P.kwargs) -> Any:  # noqa: ANN401 - see `Guarded`
            request = _request_among((*args, *kwargs.values()))
            if await self.current(request) is None:
                return to_starlette(self._web.ask_to_log_in(self._ours(request)))
            self._visit(request).is_guarded = True
            if inspect.iscoroutinefunction(endpoint):
                return await endpoint(*args, **kwargs)
            return await run_in_threadpool(endpoint, *args, **kwargs)

        return guarded

    async def current(self, request: HTTPConnection) -> SignedIn | None:
        """Return who is signed in in the browser that sent `request`; one look-up per request.

        Raises:
            StoreError: the store cannot say; left alone, the answer is a 503.
        """
        visit = self._visit(request)
        if not visit.is_looked_up:
            flow = self._web.find_signed_in(self._ours(request), self._now())
            visit.know(await self._run(flow))
        return visit.signed_in

    def tokens(self, request: HTTPConnection) -> Tokens:
        """Return the tokens of the person who is signed in.

        Raises:
            LoginRequired: nobody is.
            UsageError: nobody has asked yet: the endpoint is not under `required`, and has
                not awaited `current`.
        """
        return self._signed_in(request).tokens

    def identity(self, request: HTTPConnection) -> Identity:
        """Return who is signed in: the key of an account is (`issuer`, `subject`).

        Raises:
            LoginRequired: nobody is signed in.
            UsageError: the login was without OpenID, or as for `tokens`.
        """
        return self._signed_in(request).identity

    def api(self, request: HTTPConnection) -> AsyncApiSession:
        """Call APIs as the person who is signed in; see `AsyncClient.api`.

        What a refresh gives is kept with the session. Where the tokens are gone for good
        the session ends, and the call fails with `LoginRequired`: left alone, that sends the
        person to log in again, and back to this page.

        Raises:
            LoginRequired: nobody is signed in, or the access token has expired and nothing
                can refresh it.
            UsageError: as for `tokens`.
        """
        signed_in, visit = self._signed_in(request), self._visit(request)
        check_usable(signed_in, self._now())
        if visit.api is None:
            tokens = self._session_tokens(signed_in, visit)
            visit.api = self._clients[signed_in.provider].api(tokens)
        return visit.api

    def url(self, request: HTTPConnection, return_to: str | None = None) -> str:
        """Return the path that starts a login and then leads to `return_to`.

        Args:
            request: of the page that shows it.
            return_to: a path of the same origin, up to 200 bytes; anything else is ignored.
        """
        return self._web.login_url(self._ours(request), return_to)

    def _session_tokens(self, signed_in: SignedIn, visit: Visit) -> SessionTokens:
        """Return where the tokens of a request's session are kept; asked in a thread."""

        def drive(flow: Flow[Any]) -> Any:  # noqa: ANN401 - as `flow.run`
            return run(flow, self._token_store().perform)

        return SessionTokens(
            self._web.sessions, signed_in, drive=drive, clock=self._now, tell=visit.know
        )

    def _signed_in(self, request: HTTPConnection) -> SignedIn:
        visit = self._visit(request)
        if not visit.is_looked_up:
            raise UsageError(
                "request: who is signed in is not known yet",
                hint="put the endpoint under @login.required, or await login.current(request)",
            )
        return check_signed_in(visit.signed_in)

    def _visit(self, request: HTTPConnection) -> Visit:
        return visit_of(request, self._kept_as)

    def _ours(self, request: HTTPConnection, body: bytes = b"") -> OurRequest:
        return from_starlette(request, self._visit(request).root_path, body)

    async def _respond(self, request: Request) -> Response:
        ours = self._ours(request, await read_form(request))
        return to_starlette(await self._run(self._web.respond(ours, self._now())))

    async def _log_in_again(self, request: HTTPConnection, error: Exception) -> Response:
        known = self._visit(request).signed_in
        flow = self._web.log_in_again(
            self._ours(request), cast("LoginRequired", error), self._now(), known
        )
        return to_starlette(await self._run(flow))

    async def _explain(self, request: HTTPConnection, error: Exception) -> Response:
        return to_starlette(
            await self._run(self._web.explain(self._ours(request), cast("StoreError", error)))
        )

    async def _run(self, flow: Flow[R]) -> R:
        return await run_async(flow, self._perform)

    async def _perform(self, effect: Effect[Any]) -> Any:  # noqa: ANN401 - as `flow.run_async`
        match effect:
            case AtProvider(name, start):
                return await run_async(start(), self._clients[name].perform)
            case Pause(seconds):
                return await asyncio.sleep(seconds)
            case RandomBytes(size=size):
                return os.urandom(size)
            case _:
                return await self._token_store().perform_async(effect)

    def _now(self) -> int:
        return int(self._clock())

    # Made on first use, and without a lock that a fork could inherit: of two that are made at
    # once one is dropped unused.

    def _token_store(self) -> AsyncTokenStore:
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


def _request_among(arguments: tuple[object, ...]) -> HTTPConnection:
    """Return the request that an endpoint was called with."""
    for one in arguments:
        if isinstance(one, HTTPConnection):
            return cast("HTTPConnection", one)
    raise UsageError("required: the endpoint does not take the request")
