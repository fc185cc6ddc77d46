"""A request of an ASGI application as ours, our response in its messages. Layer: web.

What a login notes about a request while it lasts stands here as well. ASGI specification
3.0, HTTP and WebSocket 2.3 to 2.5.
"""

from __future__ import annotations

from collections.abc import Mapping, MutableMapping
from typing import Any, TypeAlias
from urllib.parse import quote

from codegrant.client.api import AsyncApiSession
from codegrant.errors import MessageError, UsageError
from codegrant.http import Headers, Request, Response
from codegrant.web.asgi import AsgiApplication, AsgiReceive, AsgiScope, AsgiSend
from codegrant.web.login_sessions import SignedIn

__all__ = [
    "AsgiRequest",
    "Noting",
    "Visit",
    "from_scope",
    "lenient_headers",
    "read_form",
    "send_response",
    "visit_of",
]

# A scope, or what looks like one: a request of Starlette or FastAPI.
AsgiRequest: TypeAlias = Mapping[str, Any]

_LONGEST_FORM = 65_536
_SCHEMES = {"ws": "http", "wss": "https"}


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
        if scope["type"] not in {"http", "websocket"}:
            await self._app(scope, receive, send)
            return
        visit = Visit(scope.get("root_path", ""))

        async def send_on(message: MutableMapping[str, Any]) -> None:
            if message["type"] == "http.response.start":
                message = {**message, "headers": _noted(list(message.get("headers", ())), visit)}
            await send(message)

        await self._app({**scope, self._kept_as: visit}, receive, send_on)


def visit_of(request: AsgiRequest, kept_as: str) -> Visit:
    """Return what a login has noted about a request.

    Raises:
        UsageError: the request did not come through an application of that login.
    """
    visit = request.get(kept_as)
    if not isinstance(visit, Visit):
        raise UsageError("request: it did not come through the application of this login")
    return visit


def from_scope(scope: AsgiRequest, root_path: str, body: bytes = b"") -> Request:
    """Return a request as ours; `root_path` is where the application is mounted."""
    pairs = [(name.decode("latin-1"), value.decode("latin-1")) for name, value in scope["headers"]]
    headers, root, path = lenient_headers(pairs), root_path.rstrip("/"), str(scope["path"])
    # The path holds the root path since ASGI 2.3; some servers still leave it out.
    below = path.removeprefix(root) if path == root or path.startswith(f"{root}/") else path
    server = scope.get("server")
    host = headers.get("host") or (f"{server[0]}:{server[1]}" if server else "")
    client = scope.get("client")
    scheme = _SCHEMES.get(scope["scheme"], scope["scheme"])
    return Request(
        method=scope.get("method", "GET"),
        url=f"{scheme}://{host}{quote(root + below)}",
        path=below,
        query=scope["query_string"].decode("latin-1"),
        headers=headers,
        body=body,
        peer=client[0] if client else "",
    )


async def read_form(scope: AsgiRequest, receive: AsgiReceive) -> bytes:
    """Return the body when it is a form of at most 64 KiB, and the whole of it came.

    Of one that does not say its length nothing is read: there is no telling where it ends.
    """
    said = {name.lower(): value.decode("latin-1") for name, value in scope["headers"]}
    media_type = said.get(b"content-type", "").partition(";")[0].strip().lower()
    length = said.get(b"content-length", "")
    if media_type != "application/x-www-form-urlencoded" or not length.isdecimal():
        return b""
    if len(length) > 5 or int(length) > _LONGEST_FORM:
        return b""
    body = b""
    while True:
        message = await receive()
        if message["type"] != "http.request":  # the client has hung up
            return b""
        part: bytes = message.get("body", b"")
        body += part
        if len(body) > _LONGEST_FORM:
            return b""
        if not message.get("more_body", False):
            return body


async def send_response(scope: AsgiRequest, send: AsgiSend, response: Response) -> None:
    """Send a response; to a HEAD without its body. RFC 9110 §9.3.2."""
    headers = [
        (name.encode("latin-1"), value.encode("latin-1"))
        for name, value in response.headers.pairs()
    ]
    headers.append((b"content-length", str(len(response.body)).encode()))
    await send({"type": "http.response.start", "status": response.status, "headers": headers})
    body = b"" if scope["method"] == "HEAD" else response.body
    await send({"type": "http.response.body", "body": body})


def lenient_headers(pairs: list[tuple[str, str]]) -> Headers:
    """Return the header fields; what some servers let through and is none stays out."""
    try:
        return Headers(pairs)
    except MessageError:
        if len(pairs) == 1:
            return Headers()
    return Headers(field for pair in pairs for field in lenient_headers([pair]).pairs())


def _noted(fields: list[tuple[bytes, bytes]], visit: Visit) -> list[tuple[bytes, bytes]]:
    """Return the header fields of an answer with what caches must know of it."""
    if visit.is_looked_up:  # RFC 9110 §12.5.5
        varies = {
            token.strip().lower()
            for name, value in fields
            if name.lower() == b"vary"
            for token in value.split(b",")
        }
        if varies.isdisjoint({b"cookie", b"*"}):
            fields.append((b"vary", b"Cookie"))
    if visit.is_guarded and all(name.lower() != b"cache-control" for name, _ in fields):
        fields.append((b"cache-control", b"private, no-store"))  # RFC 6750 §2.3
    return fields
