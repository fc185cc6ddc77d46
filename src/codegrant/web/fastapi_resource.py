"""`Bearer`: the resource server as what FastAPI's endpoints depend on, Swagger's login included.

    bearer = Bearer(
        app,
        AsyncResourceServer("https://issuer.example", audience="https://api.example"),
        authorization_url="https://issuer.example/authorize",
        token_url="https://issuer.example/token",
    )

    @app.get("/profile")
    async def profile(token: Annotated[AccessToken, Security(bearer, scopes=["profile"])]) -> str:
        return token.subject

It translates requests and responses and decides nothing. Layer: web.
"""
# FastAPI looks at the annotations of `__call__` where it cannot resolve texts.

from collections.abc import Mapping
from typing import cast

from codegrant.errors import ConfigurationError, OAuthError
from codegrant.resource import AccessToken, AsyncResourceServer
from codegrant.web.asgi_http import from_scope

try:
    from fastapi import FastAPI, Request, Response
    from fastapi.openapi.models import OAuth2, OAuthFlowAuthorizationCode, OAuthFlows
    from fastapi.openapi.models import SecurityBase as SecurityModel
    from fastapi.security import SecurityScopes
    from fastapi.security.base import SecurityBase
    from starlette.datastructures import MutableHeaders
    from starlette.types import ASGIApp, Message, Receive, Scope, Send
except ImportError as _error:  # pragma: no cover - seen in the test of the bare wheel
    raise ConfigurationError(
        "codegrant.web.fastapi_resource needs FastAPI: pip install 'codegrant[fastapi]'"
    ) from _error

from codegrant.web.starlette_http import to_starlette

__all__ = ["AccessToken", "Bearer"]


class Bearer(SecurityBase):
    """Lets only requests with a good access token reach an endpoint that depends on it.

    `Security(bearer, scopes=["profile"])` asks for scope tokens, all of them;
    `Depends(bearer)` for none. The OpenAPI document describes the login by which a program
    gets such a token, and Swagger's page can do it.

    Args:
        app: gets an answer for each refusal (`OAuthError`).
        resource_server: whose tokens count, and for which audience.
        authorization_url, token_url: of the issuer, as its metadata has them; nothing is
            fetched for the document.
        scopes: scope token to what it means, for the document.
        client_id: of a public client for Swagger's page, registered with the redirect URI
            `https://api.example/docs/oauth2-redirect`. It logs in with PKCE. The issuer must
            allow the page's origin at its token endpoint (CORS), as Codegrant's does.
        person: a token that a client got for itself will not do.
        name: of the scheme in the document.
    """

    def __init__(
        self,
        app: FastAPI,
        resource_server: AsyncResourceServer,
        *,
        authorization_url: str,
        token_url: str,
        scopes: Mapping[str, str] | None = None,
        client_id: str = "",
        person: bool = False,
        name: str = "OAuth2",
    ) -> None:
        self._resource_server = resource_server
        self._person = person
        flow = OAuthFlowAuthorizationCode.model_validate(
            {
                "authorizationUrl": authorization_url,
                "tokenUrl": token_url,
                "scopes": dict(scopes or {}),
            }
        )
        if not any(cast("object", each.cls) is _NotKept for each in app.user_middleware):
            app.add_middleware(_NotKept)
        self.scheme_name: str = name
        self.model: SecurityModel = OAuth2(flows=OAuthFlows(authorizationCode=flow))
        if client_id:
            app.swagger_ui_init_oauth = {
                "clientId": client_id,
                "scopes": " ".join(scopes or {}),
                "usePkceWithAuthorizationCodeGrant": True,
            }
        app.add_exception_handler(OAuthError, self._refuse)

    async def __call__(self, request: Request, wanted: SecurityScopes) -> AccessToken:
        """Return the verified access token of a request, as a dependency.

        Raises:
            OAuthError: there is none, it does not hold, or it may not do this; left alone,
                the answer is a challenge. RFC 6750 §3.
        """
        ours = from_scope(request, request.scope.get("root_path", ""))
        token = await self._resource_server.verify_request(
            ours, tuple(wanted.scopes), person=self._person
        )
        request.scope[_NotKept.MARK] = True
        return token

    async def _refuse(self, _: Request, error: Exception) -> Response:
        return to_starlette(self._resource_server.refuse(cast("OAuthError", error)))


class _NotKept:
    """Tells caches not to keep what an access token was shown for. RFC 6750 §2.3.

    Whatever kind of answer a view gives: a response of its own gets no headers from FastAPI.
    """

    MARK = "codegrant.access_token"

    def __init__(self, app: ASGIApp) -> None:
        self._app = app

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        async def send_marked(message: Message) -> None:
            if message["type"] == "http.response.start" and scope.get(self.MARK):
                MutableHeaders(scope=message).setdefault("Cache-Control", "private, no-store")
            await send(message)

        await self._app(scope, receive, send_marked)
