"""`Bearer` of FastAPI: what only it has. All others share `test_every_resource`."""
# FastAPI looks at the annotations of endpoints where it cannot resolve texts.

import asyncio
import time
from typing import Annotated, Any

import httpx2
import pytest
from fastapi import FastAPI, Security
from fastapi.responses import PlainTextResponse, Response

from codegrant.errors import OAuthError
from codegrant.http import Request
from codegrant.resource import AccessToken, AsyncResourceServer
from codegrant.web.fastapi_resource import Bearer


class _Trusting(AsyncResourceServer):
    """Takes one token."""

    async def verify_request(self, request: Request, *_: Any, **__: Any) -> AccessToken:
        if request.headers.get("authorization") != "Bearer good":
            raise OAuthError("invalid_token", description="another one")
        now = int(time.time())
        return AccessToken(
            issuer="https://issuer.example",
            subject="alice",
            client_id="app",
            audience=("https://api.example",),
            scope=frozenset(),
            expires_at=now + 60,
            issued_at=now,
            jti="1",
        )


@pytest.mark.parametrize(
    ("path", "said"),
    [
        ("/plain", "private, no-store"),
        ("/own", "private, no-store"),
        ("/cached", "max-age=60"),
        ("/public", None),
    ],
)
def test_caches_keep_nothing_that_a_token_was_shown_for(path: str, said: str | None) -> None:
    """RFC 6750 §2.3: also where the endpoint makes its response itself."""
    app = FastAPI()
    urls: dict[str, Any] = {
        "authorization_url": "https://issuer.example/authorize",
        "token_url": "https://issuer.example/token",
    }
    server = _Trusting("https://issuer.example", audience="https://api.example")
    bearer, other = Bearer(app, server, **urls), Bearer(app, server, name="other", **urls)
    assert len(app.user_middleware) == 1

    @app.get("/plain")
    async def plain(token: Annotated[AccessToken, Security(bearer)]) -> str:
        return token.subject or ""

    @app.get("/own")
    async def own(_: Annotated[AccessToken, Security(other)]) -> Response:
        return PlainTextResponse("alice")

    @app.get("/cached")
    async def cached(_: Annotated[AccessToken, Security(bearer)]) -> Response:
        return PlainTextResponse("alice", headers={"cache-control": "max-age=60"})

    @app.get("/public")
    async def public() -> Response:
        return PlainTextResponse("for all")

    async def ask() -> httpx2.Response:
        transport = httpx2.ASGITransport(app)
        async with httpx2.AsyncClient(transport=transport, base_url="http://api") as http:
            return await http.get(path, headers={"authorization": "Bearer good"})

    answer = asyncio.run(ask())
    assert answer.status_code == 200
    assert answer.headers.get("cache-control") == said
