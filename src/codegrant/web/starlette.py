"""`Login`: Starlette in front of the shared web login.

    app = Starlette()
    login = Login(app, AsyncClient("https://issuer.example", client_id=..., client_secret=...))

    @login.required
    async def profile(request: Request) -> JSONResponse:
        return JSONResponse((await login.api(request).get("https://api.example/profile")).json())

It translates requests and responses and decides nothing. Layer: web.
"""

from __future__ import annotations

import inspect
import os
from collections.abc import Awaitable, Callable, Mapping
from functools import wraps
from typing import Any, ParamSpec, TypeAlias, cast

from codegrant.client.aio import AsyncClient
from codegrant.errors import ConfigurationError, LoginRequired, StoreError, UsageError
from codegrant.remote.transport import machine_time
from codegrant.sealing import KeyRing
from codegrant.web.asgi_http import Noting
from codegrant.web.asgi_sessions import AsgiSessions
from codegrant.web.login import SESSION_LIFETIME
from codegrant.web.login_logout import LogoutAt
from codegrant.web.login_options import LoginAsk
from codegrant.web.login_setup import AsyncTokenStore, find_configured_keys

try:
    from starlette.applications import Starlette
    from starlette.concurrency import run_in_threadpool
    from starlette.requests import HTTPConnection, Request
    from starlette.responses import Response
    from starlette.routing import Route
    from starlette.websockets import WebSocket
except ImportError as _error:  # pragma: no cover - seen in the test of the bare wheel
    raise ConfigurationError(
        "codegrant.web.starlette needs Starlette: pip install 'codegrant[starlette]'"
    ) from _error

from codegrant.web.starlette_http import to_starlette

__all__ = ["AsyncTokenStore", "Login"]

P = ParamSpec("P")

# Why a WebSocket is closed. RFC 6455 §7.4.1.
_POLICY, _TROUBLE = 1008, 1011

# A framework on top of Starlette makes its responses of other values.
Guarded: TypeAlias = Callable[P, Awaitable[Any]]


class Login(AsgiSessions):
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
        ask: what logins ask for: `LoginOptions`, or several by name, for `url`.
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
        ask: LoginAsk = None,
        clock: Callable[[], float] = machine_time,
    ) -> None:
        super().__init__(
            client,
            public_url=public_url,
            store=store,
            key_ring=key_ring,
            folder=folder,
            login_path=login_path,
            callback_path=callback_path,
            logout_path=logout_path,
            home=home,
            session_lifetime=session_lifetime,
            logout=logout,
            ask=ask,
            clock=clock,
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
            ConfigurationError: `CODEGRANT_SECRET` has a key with under 32 characters, or the
                application has a login already.
        """
        if any(getattr(one, "name", "") == "codegrant.login" for one in app.router.routes):
            raise ConfigurationError(
                "app: it has a Login already",
                hint="one takes several providers: Login(app, {'google': AsyncClient(...), ...})",
            )
        if self._ring is None:
            find_configured_keys()  # a wrong key is told now rather than at the first login
        app.add_middleware(Noting, kept_as=self._kept_as)
        # First, or a route for every path would hide them.
        app.router.routes[:0] = [
            Route(path, self._respond, name=f"codegrant.{name}", methods=["GET", "POST"])
            for name, path in self._web.routes()
        ]
        app.add_exception_handler(LoginRequired, self._explain_failure)
        app.add_exception_handler(StoreError, self._explain_failure)

    def required(self, endpoint: Callable[P, object]) -> Guarded[P]:
        """Let only somebody who is signed in reach `endpoint`; others are sent to log in.

        A WebSocket of nobody's is refused.

        Args:
            endpoint: has the request among its arguments; one that is not asynchronous runs
                in a thread.
        """

        @wraps(endpoint)
        async def guarded(*args: P.args, **kwargs: P.kwargs) -> Any:  # noqa: ANN401 - see `Guarded`
            request = _request_among((*args, *kwargs.values()))
            if await self.current(request) is None:
                if isinstance(request, WebSocket):
                    return await request.close(_POLICY)
                return to_starlette(self._web.ask_to_log_in(self._ours(request)))
            self._visit(request).is_guarded = True
            if inspect.iscoroutinefunction(endpoint):
                return await endpoint(*args, **kwargs)
            return await run_in_threadpool(endpoint, *args, **kwargs)

        return guarded

    async def _respond(self, request: Request) -> Response:
        return to_starlette(await self._answer(request, request.receive))

    async def _explain_failure(self, request: HTTPConnection, error: Exception) -> Any:  # noqa: ANN401 - a response, except to a WebSocket
        if isinstance(request, WebSocket):
            await request.close(_POLICY if isinstance(error, LoginRequired) else _TROUBLE)
            return None
        known = cast("LoginRequired | StoreError", error)
        return to_starlette(await self._explain(request, known))


def _request_among(arguments: tuple[object, ...]) -> HTTPConnection:
    """Return the request that an endpoint was called with."""
    for one in arguments:
        if isinstance(one, HTTPConnection):
            return cast("HTTPConnection", one)
    raise UsageError("required: the endpoint does not take the request")
