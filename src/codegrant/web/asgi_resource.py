"""`Protect`: the resource server in front of an ASGI application. Layer: web.

It works in plain ASGI, and as a middleware of Starlette and FastAPI:

    server = AsyncResourceServer("https://issuer.example", audience="https://api.example")

    async def profile(request: Request) -> JSONResponse:
        return JSONResponse({"subject": access_token_of(request, "profile").subject})

    app = Starlette(
        routes=[Route("/profile", profile)],
        middleware=[Middleware(Protect, server)],
    )

It translates scopes and messages and decides nothing. ASGI specification 3.0, HTTP and
WebSocket 2.3 to 2.5.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Awaitable, Callable, Collection, Mapping, MutableMapping
from typing import Any, TypeAlias

from codegrant.errors import MessageError, OAuthError, UsageError
from codegrant.http import Headers, Request, Response
from codegrant.resource import AccessToken, AsyncResourceServer
from codegrant.rules.access_token import check_access, check_wanted_scope
from codegrant.rules.bearer import has_form
from codegrant.web.asgi import AsgiReceive, AsgiScope, AsgiSend

__all__ = ["AsgiApp", "Protect", "access_token_of"]

AsgiApp: TypeAlias = Callable[[AsgiScope, AsgiReceive, AsgiSend], Awaitable[None]]

_ACCESS_TOKEN = "codegrant.access_token"
_MOST_LOOKED_AT = 65_536


class Protect:
    """An ASGI application that lets only requests with a good access token reach another.

    A WebSocket is judged by its handshake. Connections without a request (`lifespan`) pass.

    Args:
        app: what is protected. An `OAuthError` that it raises before it has answered, as
            `access_token_of` does, is answered here.
        resource_server: whose tokens count, and for which audience.
        scope: scope tokens that every request's token must have, all of them.
        person: a token that a client got for itself will not do.

    Raises:
        UsageError: `scope` is no collection of scope tokens.
    """

    def __init__(
        self,
        app: AsgiApp,
        resource_server: AsyncResourceServer,
        scope: Collection[str] = (),
        *,
        person: bool = False,
    ) -> None:
        check_wanted_scope(scope)
        self._app = app
        self._resource_server = resource_server
        self._wanted = tuple(scope)
        self._person = person

    async def __call__(self, scope: AsgiScope, receive: AsgiReceive, send: AsgiSend) -> None:
        """Answer one connection scope."""
        match scope["type"]:
            case "http" | "websocket":
                await self._guard(scope, receive, _Answer(scope, send))
            case "lifespan":
                await self._app(scope, receive, send)
            case other:
                raise ValueError(f"ASGI scope {other!r} is not known")

    async def _guard(self, scope: AsgiScope, receive: AsgiReceive, answer: _Answer) -> None:
        """Hand a request on with its verified token, or refuse it."""
        try:
            request, receive = await _read(scope, receive)
            token = await self._resource_server.verify_request(
                request, self._wanted, person=self._person
            )
            await self._app({**scope, _ACCESS_TOKEN: token}, receive, answer.send_on)
        except (OAuthError, MessageError) as error:
            if answer.has_begun:
                raise
            await answer.refuse(self._resource_server.refuse(error))


def access_token_of(
    asgi_scope: Mapping[str, Any], *scope: str, person: bool = False
) -> AccessToken:
    """Return the verified access token of a request that came through `Protect`.

    Args:
        asgi_scope: of the request; a `Request` of Starlette or FastAPI is one.
        scope: scope tokens that the token must have here, all of them.
        person: a token that a client got for itself will not do here.

    Raises:
        OAuthError: `insufficient_scope`; left alone, `Protect` answers it with a 403.
        UsageError: the request did not come through `Protect`.

    RFC 6750 §3.1.
    """
    token = asgi_scope.get(_ACCESS_TOKEN)
    if not isinstance(token, AccessToken):
        raise UsageError("access token: this request did not come through Protect")
    check_access(token, scope, person=person)
    return token


class _Answer:
    """The answer to one request: the application's, kept out of caches, or a refusal."""

    def __init__(self, scope: AsgiScope, send: AsgiSend) -> None:
        self._scope = scope
        self._send = send
        self.has_begun = False

    async def send_on(self, message: MutableMapping[str, Any]) -> None:
        """Send a message of the application. RFC 6750 §2.3."""
        self.has_begun = True
        if message["type"] == "http.response.start":
            headers = [*message.get("headers", ())]
            if all(name.lower() != b"cache-control" for name, _ in headers):
                headers.append((b"cache-control", b"private, no-store"))
                message = {**message, "headers": headers}
        await self._send(message)

    async def refuse(self, response: Response) -> None:
        """Send a refusal; to a WebSocket as far as the server can do that."""
        kind = "http.response"
        if self._scope["type"] == "websocket":
            kind = f"websocket.{kind}"
            if kind not in (self._scope.get("extensions") or {}):
                await self._send({"type": "websocket.close", "code": 1008})
                return
        headers = [
            (name.encode("latin-1"), value.encode("latin-1"))
            for name, value in response.headers.pairs()
        ]
        headers.append((b"content-length", str(len(response.body)).encode()))
        body = b"" if self._scope.get("method") == "HEAD" else response.body
        await self._send({"type": f"{kind}.start", "status": response.status, "headers": headers})
        await self._send({"type": f"{kind}.body", "body": body})


async def _read(scope: AsgiScope, receive: AsgiReceive) -> tuple[Request, AsgiReceive]:
    """Return the request as ours, and a `receive` for the application.

    Of a form the first 64 KiB are read ahead, to see whether a token stands there.
    """
    headers = Headers(
        [(name.decode("latin-1"), value.decode("latin-1")) for name, value in scope["headers"]]
    )
    body = b""
    if has_form(headers) and scope["type"] == "http":
        seen: deque[MutableMapping[str, Any]] = deque()
        more, size, receive_more = True, 0, receive
        while more and size < _MOST_LOOKED_AT:
            seen.append(await receive_more())
            size += len(seen[-1].get("body", b""))
            more = seen[-1].get("more_body", False)
        body = b"".join(message.get("body", b"") for message in seen)

        async def receive_again() -> MutableMapping[str, Any]:
            return seen.popleft() if seen else await receive_more()

        receive = receive_again
    request = Request(
        method=scope.get("method", "GET"),
        url=f"{scope.get('scheme', 'http')}://{headers.get('host')}{scope['path']}",
        path=scope["path"],
        query=scope["query_string"].decode("latin-1"),
        headers=headers,
        body=body,
    )
    return request, receive
