"""Starlette's request as ours, our response as Starlette's, and what a login notes between.

Layer: web. ASGI specification 3.0, HTTP 2.3 to 2.5.
"""

from __future__ import annotations

from collections.abc import MutableMapping
from typing import Any
from urllib.parse import quote

from codegrant.client.api import AsyncApiSession
from codegrant.errors import ConfigurationError, MessageError, UsageError
from codegrant.http import Headers, Request, Response
from codegrant.web.asgi import AsgiApplication, AsgiReceive, AsgiScope, AsgiSend
from codegrant.web.login_sessions import SignedIn

try:
    from starlette.datastructures import MutableHeaders
    from starlette.requests import HTTPConnection
    from starlette.requests import Request as StarletteRequest
    from starlette.responses import Response as StarletteResponse
except ImportError as _error:  # pragma: no cover - seen in the test of the bare wheel
    raise ConfigurationError(
        "codegrant.web.starlette needs Starlette: pip install 'codegrant[starlette]'"
    ) from _error

__all__ = ["Noting", "Visit", "from_starlette", "read_form", "to_starlette", "visit_of"]

_LONGEST_FORM = 65_536


class Visit:
    """What one login knows about one request.

    Attributes:
        root_path: where the application is mounted; a `Mount` inside it says another.
        is_looked_up: `signed_in` is known.
        signed_in: who sent the request.
        is_guarded: the answer is for one person.
        api: made at most once.
    """

    __slots__ = ("api", "is_guarded", "is_looked_up", "root_path", "signed_in")

    def __init__(self, root_path: str) -> None:
        self.root_path: str = root_path
        self.is_looked_up: bool = False
        self.signed_in: SignedIn | None = None
        self.is_guarded: bool = False
        self.api: AsyncApiSession | None = None

    def know(self, signed_in: SignedIn | None) -> None:
        """Keep who it is for the rest of the request."""
        self.is_looked_up, self.signed_in = True, signed_in


class Noting:
    """A middleware that gives each request its `Visit`, and tells caches what came of it.

    Args:
        app: what answers.
        kept_as: name of the visit in the scope: an application inside another one, with a
            login of its own, sees the same scope.
    """

    def __init__(self, app: AsgiApplication, kept_as: str) -> None:
        self._app = app
        self._kept_as = kept_as

    async def __call__(self, scope: AsgiScope, receive: AsgiReceive, send: AsgiSend) -> None:
        """Answer one connection scope."""
        if scope["type"] != "http":
            await self._app(scope, receive, send)
            return
        visit = scope[self._kept_as] = Visit(scope.get("root_path", ""))

        async def send_on(message: MutableMapping[str, Any]) -> None:
            if message["type"] == "http.response.start":
                headers = MutableHeaders(raw=message.setdefault("headers", []))
                if visit.is_looked_up:  # RFC 9110 §12.5.5
                    headers.add_vary_header("Cookie")
                if visit.is_guarded:  # RFC 6750 §2.3
                    headers.setdefault("Cache-Control", "private, no-store")
                message["headers"] = headers.raw
            await send(message)

        await self._app(scope, receive, send_on)


def visit_of(connection: HTTPConnection, kept_as: str) -> Visit:
    """Return what a login has noted about a request.

    Raises:
        UsageError: the request did not come through an application of that login.
    """
    visit = connection.scope.get(kept_as)
    if not isinstance(visit, Visit):
        raise UsageError("request: it did not come through the application of this login")
    return visit


def from_starlette(connection: HTTPConnection, root_path: str, body: bytes = b"") -> Request:
    """Return a request as ours; `root_path` is where the application is mounted."""
    scope = connection.scope
    pairs = [(name.decode("latin-1"), value.decode("latin-1")) for name, value in scope["headers"]]
    headers, root, path = _headers(pairs), root_path.rstrip("/"), str(scope["path"])
    # The path holds the root path since ASGI 2.3; some servers still leave it out.
    below = path.removeprefix(root) if path == root or path.startswith(f"{root}/") else path
    server = scope.get("server")
    host = headers.get("host") or (f"{server[0]}:{server[1]}" if server else "")
    client = scope.get("client")
    return Request(
        method=scope["method"],
        url=f"{scope['scheme']}://{host}{quote(root + below)}",
        path=below,
        query=scope["query_string"].decode("latin-1"),
        headers=headers,
        body=body,
        peer=client[0] if client else "",
    )


async def read_form(request: StarletteRequest) -> bytes:
    """Return the body when it is a form of at most 64 KiB.

    Of one that does not say its length nothing is read: there is no telling where it ends.
    """
    media_type = request.headers.get("content-type", "").partition(";")[0].strip().lower()
    length = request.headers.get("content-length", "")
    if media_type != "application/x-www-form-urlencoded" or not length.isdecimal():
        return b""
    return b"" if len(length) > 5 or int(length) > _LONGEST_FORM else await request.body()


def to_starlette(response: Response) -> StarletteResponse:
    """Return our response as Starlette's."""
    answer = StarletteResponse(response.body, response.status)
    for name, value in response.headers.pairs():
        answer.headers.append(name, value)
    return answer


def _headers(pairs: list[tuple[str, str]]) -> Headers:
    """Return the header fields; what some servers let through and is none stays out."""
    try:
        return Headers(pairs)
    except MessageError:
        if len(pairs) == 1:
            return Headers()
    return Headers(field for pair in pairs for field in _headers([pair]).pairs())
