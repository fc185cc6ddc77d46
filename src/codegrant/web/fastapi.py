"""`Login`: FastAPI in front of the shared web login.

    app = FastAPI()
    login = Login(app, AsyncClient("https://issuer.example", client_id=..., client_secret=...))

    @app.get("/profile")
    async def profile(user: Annotated[SignedIn, Depends(login)]) -> dict[str, str]:
        return {"subject": user.identity.subject}

It is Starlette's login, which FastAPI can depend on. Layer: web.
"""
# FastAPI looks at the annotations of `__call__` where it cannot resolve texts.

import os
from collections.abc import Callable, Mapping

from codegrant.client.aio import AsyncClient
from codegrant.errors import ConfigurationError
from codegrant.remote.transport import machine_time
from codegrant.sealing import KeyRing
from codegrant.web.login import SESSION_LIFETIME
from codegrant.web.login_logout import LogoutAt
from codegrant.web.login_options import LoginAsk
from codegrant.web.login_sessions import SignedIn
from codegrant.web.login_setup import AsyncTokenStore, check_signed_in

try:
    from fastapi import FastAPI
    from fastapi.openapi.models import APIKey, APIKeyIn
    from fastapi.openapi.models import SecurityBase as SecurityModel
    from fastapi.requests import HTTPConnection
    from fastapi.security.base import SecurityBase
except ImportError as _error:  # pragma: no cover - seen in the test of the bare wheel
    raise ConfigurationError(
        "codegrant.web.fastapi needs FastAPI: pip install 'codegrant[fastapi]'"
    ) from _error

from codegrant.web import starlette

__all__ = ["AsyncTokenStore", "Login", "SignedIn"]


class Login(starlette.Login, SecurityBase):
    """Logs people in to a FastAPI application: as for Starlette, and a dependency as well.

    `user: Annotated[SignedIn, Depends(login)]` lets only somebody who is signed in reach an
    endpoint, and puts the session's cookie into the OpenAPI document of the application. The
    arguments are those of `codegrant.web.starlette.Login`.
    """

    def __init__(
        self,
        app: FastAPI | None = None,
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
            app,
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
        self.scheme_name: str = "Login"
        self.model: SecurityModel = APIKey.model_validate(
            {
                "in": APIKeyIn.cookie,
                "name": self._web.session_cookie() or "cg-app",
                "description": f"The session of who has logged in at {login_path}.",
            }
        )

    async def __call__(self, request: HTTPConnection) -> SignedIn:
        """Return who is signed in, as a dependency; of a request or a WebSocket.

        Raises:
            LoginRequired: nobody is; left alone, a page is answered with a redirect to the
                login, a WebSocket is refused, anything else answered with 401.
            StoreError: the store cannot say; left alone, the answer is a 503.
        """
        signed_in = check_signed_in(await self.current(request))
        self._visit(request).is_guarded = True
        return signed_in
