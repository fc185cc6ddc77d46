"""`Login`: the shared web login in front of any ASGI application.

    login = Login(AsyncClient("https://issuer.example", client_id=..., client_secret=...))

    @login.required
    async def profile(scope, receive, send):
        said = await login.api(scope).get("https://api.example/profile")
        await send({"type": "http.response.start", "status": 200})
        await send({"type": "http.response.body", "body": said.content})

    app = login.wrap(profile)

It translates requests and responses and decides nothing. Layer: web.
"""

from __future__ import annotations

from typing import Any

from codegrant.errors import LoginRequired, StoreError
from codegrant.web.asgi import AsgiApplication, AsgiReceive, AsgiScope, AsgiSend
from codegrant.web.asgi_http import Noting, send_response
from codegrant.web.asgi_sessions import AsgiSessions
from codegrant.web.login_setup import AsyncTokenStore, find_configured_keys

__all__ = ["AsyncTokenStore", "Login"]


class Login(AsgiSessions):
    """Logs people in to an ASGI application: `wrap` adds `/login`, `/callback` and `/logout`.

    It may be used from several event loops, and needs no lifespan.

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

    def wrap(self, app: AsgiApplication) -> AsgiApplication:
        """Return `app` with the addresses, and pages for requests without a login or the store.

        A person whose tokens are gone (`LoginRequired`) is sent to log in; while the store
        cannot say who is signed in (`StoreError`) the answer is a 503. Both only before the
        application has begun to answer.

        Raises:
            ConfigurationError: `CODEGRANT_SECRET` has a key with under 32 characters.
        """
        if self._ring is None:
            find_configured_keys()  # a wrong key is told now rather than at the first login
        paths = frozenset(path for _, path in self._web.routes())

        async def answer(scope: AsgiScope, receive: AsgiReceive, send: AsgiSend) -> None:
            if scope["type"] == "http" and self._ours(scope).path in paths:
                response = await self._answer(scope, receive)
                await send_response(scope, send, response)
            elif scope["type"] == "http":
                await self._hand_on(app, scope, receive, send)
            else:
                await app(scope, receive, send)

        return Noting(answer, self._kept_as)

    def required(self, app: AsgiApplication) -> AsgiApplication:
        """Let only somebody who is signed in reach `app`; others are sent to log in.

        A WebSocket of nobody's is refused.
        """

        async def guarded(scope: AsgiScope, receive: AsgiReceive, send: AsgiSend) -> None:
            if await self.current(scope) is not None:
                self._visit(scope).is_guarded = True
                await app(scope, receive, send)
            elif scope["type"] == "websocket":
                await send({"type": "websocket.close", "code": 1008})
            else:
                await send_response(scope, send, self._web.ask_to_log_in(self._ours(scope)))

        return guarded

    async def _hand_on(
        self, app: AsgiApplication, scope: AsgiScope, receive: AsgiReceive, send: AsgiSend
    ) -> None:
        """Let the application answer; explain what it fails with, if nothing is sent yet."""
        has_begun = False

        async def send_on(message: Any) -> None:  # noqa: ANN401 - as ASGI
            nonlocal has_begun
            has_begun = True
            await send(message)

        try:
            await app(scope, receive, send_on)
        except (LoginRequired, StoreError) as error:
            if has_begun:
                raise
            await send_response(scope, send, await self._explain(scope, error))
