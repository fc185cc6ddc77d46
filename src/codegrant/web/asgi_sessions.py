"""Who is signed in to an ASGI application, whatever framework it is made with. Layer: web.

`asgi_login`, `starlette` and `fastapi` add how their applications are guarded. It translates
requests and responses and decides nothing.
"""

from __future__ import annotations

import asyncio
import os
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any, TypeVar

from codegrant.client.aio import AsyncClient
from codegrant.client.api import AsyncApiSession
from codegrant.client.tokens import Tokens
from codegrant.errors import LoginRequired, StoreError, UsageError
from codegrant.flow import Effect, Flow, RandomBytes, run, run_async
from codegrant.http import Request, Response
from codegrant.remote.transport import machine_time
from codegrant.rules.identity import Identity
from codegrant.sealing import KeyRing
from codegrant.web.asgi import AsgiReceive
from codegrant.web.asgi_http import AsgiRequest, Visit, from_scope, read_form, visit_of
from codegrant.web.login import SESSION_LIFETIME, WebLogin
from codegrant.web.login_effects import AtProvider, Pause
from codegrant.web.login_logout import LogoutAt
from codegrant.web.login_options import LoginAsk
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

__all__ = ["AsgiSessions"]

R = TypeVar("R")


class AsgiSessions:
    """Knows who sent a request of an ASGI application; the arguments are those of `Login`."""

    def __init__(
        self,
        client: AsyncClient | Mapping[str, AsyncClient] | None,
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
            ask=ask,
        )

    async def current(self, request: AsgiRequest) -> SignedIn | None:
        """Return who is signed in in the browser that sent `request`; one look-up per request.

        Args:
            request: its scope; a request of Starlette or FastAPI will do.

        Raises:
            StoreError: the store cannot say; left alone, the answer is a 503.
        """
        visit = self._visit(request)
        if not visit.is_looked_up:
            flow = self._web.find_signed_in(self._ours(request), self._now())
            visit.know(await self._run(flow))
        return visit.signed_in

    def tokens(self, request: AsgiRequest) -> Tokens:
        """Return the tokens of the person who is signed in.

        Raises:
            LoginRequired: nobody is.
            UsageError: nobody has asked yet: the endpoint is not under `required`, and has
                not awaited `current`.
        """
        return self._signed_in(request).tokens

    def identity(self, request: AsgiRequest) -> Identity:
        """Return who is signed in: the key of an account is (`issuer`, `subject`).

        Raises:
            LoginRequired: nobody is signed in.
            UsageError: the login was without OpenID, or as for `tokens`.
        """
        return self._signed_in(request).identity

    def api(self, request: AsgiRequest) -> AsyncApiSession:
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

    def url(
        self,
        request: AsgiRequest,
        return_to: str | None = None,
        *,
        ask: str | None = None,
        login_hint: str | None = None,
    ) -> str:
        """Return the path that starts a login and then leads to `return_to`.

        Args:
            request: of the page that shows it.
            return_to: a path of the same origin, up to 200 bytes; anything else is ignored.
            ask: the name of a set of options that the login was given.
            login_hint: who is expected to log in; sealed in the link.

        Raises:
            UsageError: there is no set of that name, or the hint is too long.
        """
        ours = self._ours(request)
        return self._web.login_url(ours, return_to, ask=ask, login_hint=login_hint)

    def _session_tokens(self, signed_in: SignedIn, visit: Visit) -> SessionTokens:
        """Return where the tokens of a request's session are kept; asked in a thread."""

        def drive(flow: Flow[Any]) -> Any:  # noqa: ANN401 - as `flow.run`
            return run(flow, self._token_store().perform)

        return SessionTokens(
            self._web.sessions, signed_in, drive=drive, clock=self._now, tell=visit.know
        )

    def _signed_in(self, request: AsgiRequest) -> SignedIn:
        visit = self._visit(request)
        if not visit.is_looked_up:
            raise UsageError(
                "request: who is signed in is not known yet",
                hint="put the endpoint under @login.required, or await login.current(request)",
            )
        return check_signed_in(visit.signed_in)

    def _visit(self, request: AsgiRequest) -> Visit:
        return visit_of(request, self._kept_as)

    def _ours(self, request: AsgiRequest, body: bytes = b"") -> Request:
        return from_scope(request, self._visit(request).root_path, body)

    async def _answer(self, request: AsgiRequest, receive: AsgiReceive) -> Response:
        """Return the answer to a request for one of the addresses."""
        ours = self._ours(request, await read_form(request, receive))
        return await self._run(self._web.respond(ours, self._now()))

    async def _explain(self, request: AsgiRequest, error: LoginRequired | StoreError) -> Response:
        """Return the answer to a request that failed for want of a login or of the store."""
        ours = self._ours(request)
        if isinstance(error, StoreError):
            return await self._run(self._web.explain(ours, error))
        known = self._visit(request).signed_in
        return await self._run(self._web.log_in_again(ours, error, self._now(), known))

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
