"""`ServerApp`: the authorization server as a plain ASGI application. Layer: web.

It translates a scope into a `Request` and a `Response` into messages, bounds size and time
of a body, and drives the flow between them. It decides nothing about the protocol.
ASGI specification 3.0, HTTP 2.3 to 2.5.
"""

from __future__ import annotations

import asyncio
import logging
import secrets
import time
from collections.abc import Awaitable, Callable, MutableMapping
from typing import Any, TypeAlias, cast

from codegrant.errors import MessageError
from codegrant.flow import Effect, Flow, run_async
from codegrant.http import Headers, Request, Response
from codegrant.web.failures import trail_of
from codegrant.web.proxy import Origin, TrustedProxies

__all__ = [
    "AsgiApplication",
    "AsgiReceive",
    "AsgiScope",
    "AsgiSend",
    "Clock",
    "Respond",
    "ServerApp",
]

# The ASGI specification leaves the values of its mappings open.
AsgiScope: TypeAlias = MutableMapping[str, Any]
AsgiReceive: TypeAlias = Callable[[], Awaitable[MutableMapping[str, Any]]]
AsgiSend: TypeAlias = Callable[[MutableMapping[str, Any]], Awaitable[None]]
AsgiApplication: TypeAlias = Callable[[AsgiScope, AsgiReceive, AsgiSend], Awaitable[None]]

Respond: TypeAlias = Callable[[Request, int], Flow[Response]]
Perform: TypeAlias = Callable[[Effect[Any]], Awaitable[Any]]
Clock: TypeAlias = Callable[[], int]

_log = logging.getLogger("codegrant.web")

# So much of a body that is too large is still read, or the peer would see a reset
# connection in place of the answer.
_DISCARDED = 1 << 20
# A flow that takes longer than this is given up once nobody waits for it any more.
_PATIENCE = 1.0


def epoch_seconds() -> int:
    """Return the time as the rest of Codegrant counts it."""
    return int(time.time())


class ServerApp:
    """An ASGI application over a flow from a request to a response.

    Safe for any number of event loops at once, as far as `perform` is.

    Args:
        respond: `(request, now)`, for example `Site.respond`.
        perform: carries out one effect, for example `ServerPerformer.perform_async`.
        proxies: whose forwarded headers count; by default nobody's.
        clock: the time of a request, epoch seconds.
        body_limit: bytes; a larger body is answered 413.
        body_seconds: how long a whole body may take to arrive; a slower one is answered 408.
    """

    def __init__(
        self,
        respond: Respond,
        perform: Perform,
        *,
        proxies: TrustedProxies | None = None,
        clock: Clock = epoch_seconds,
        body_limit: int = 65_536,
        body_seconds: float = 10.0,
    ) -> None:
        self._respond = respond
        self._perform = perform
        self._proxies = proxies or TrustedProxies()
        self._clock = clock
        self._body_limit = body_limit
        self._body_seconds = body_seconds

    async def __call__(self, scope: AsgiScope, receive: AsgiReceive, send: AsgiSend) -> None:
        """Answer one connection scope."""
        match scope["type"]:
            case "http":
                response = await self._answer(scope, receive)
                if response is not None:
                    await _send(response, send, head=scope["method"] == "HEAD")
            case "lifespan":
                await _live(receive, send)
            case "websocket":
                await send({"type": "websocket.close", "code": 1008})
            case other:
                raise ValueError(f"ASGI scope {other!r} is not known")

    async def _answer(self, scope: AsgiScope, receive: AsgiReceive) -> Response | None:
        """Return the answer, or None when nobody is there to take it."""
        waiting = _Waiting(receive)
        try:
            headers = Headers(
                [
                    (name.decode("latin-1"), value.decode("latin-1"))
                    for name, value in scope["headers"]
                ]
            )
            body = await self._read_body(headers, receive, waiting)
            request = self._request(scope, headers, body)
        except MessageError as error:
            return _refusal(_STATUS.get(error.code, 400), error.message)
        except _Gone:
            return None
        waiting.watch()
        try:
            response = await run_async(self._respond(request, self._clock()), self._perform)
        except asyncio.CancelledError:
            if waiting.is_over():
                return None
            raise
        except Exception as error:  # noqa: BLE001 - the last stop before the wire
            request_id = secrets.token_hex(16)
            facts = {"request_id": request_id, "method": request.method, "where": trail_of(error)}
            _log.error("unexpected_error", extra={"facts": facts})
            return _refusal(500, f"the server failed, request {request_id}", close=False)
        finally:
            waiting.stop()
        if _log.isEnabledFor(logging.DEBUG):
            # An address that is none may be anything, a token that went astray, say.
            endpoint = request.path if response.status != 404 else "none"
            _log.debug(
                "request_answered",
                extra={
                    "facts": {
                        "method": request.method,
                        "endpoint": endpoint,
                        "status": response.status,
                    }
                },
            )
        return response

    async def _read_body(self, headers: Headers, receive: AsgiReceive, waiting: _Waiting) -> bytes:
        """Return the body, at most `body_limit` bytes that arrive within `body_seconds`."""
        announced = headers.get("content-length", "0")
        if announced == "0" and "transfer-encoding" not in headers:
            return b""
        if len(announced) > 12 or not announced.isdecimal() or int(announced) > _DISCARDED:
            raise self._too_large()
        parts: list[bytes] = []
        size = 0
        waiting.expect_body(self._body_seconds)
        try:
            more = True
            while more:
                message = await receive()
                if message["type"] == "http.disconnect":
                    raise _Gone
                part: bytes = message.get("body", b"")
                size += len(part)
                if size <= self._body_limit:
                    parts.append(part)
                elif size > _DISCARDED:
                    raise self._too_large()
                more = message.get("more_body", False)
        except asyncio.CancelledError:
            if waiting.is_over():
                raise MessageError("the body took too long", code="too_slow") from None
            raise
        finally:
            waiting.stop()
        if size > self._body_limit:
            raise self._too_large()
        return parts[0] if len(parts) == 1 else b"".join(parts)

    def _too_large(self) -> MessageError:
        return MessageError(
            f"the body is too large, {self._body_limit} bytes are allowed", code="too_large"
        )

    def _request(self, scope: AsgiScope, headers: Headers, body: bytes) -> Request:
        """Return the request as it was before the trusted proxies."""
        hosts = headers.get_all("host")
        if len(hosts) > 1:  # RFC 9112 §3.2
            raise MessageError("the header host occurs more than once")
        client = scope.get("client")
        host = hosts[0] if hosts else _own_address(scope)
        origin = Origin(client[0] if client else "", scope["scheme"], host)
        if self._proxies:
            origin = self._proxies.origin(headers, origin)
        path: str = scope["path"]
        raw_path: bytes | None = scope.get("raw_path")
        shown = raw_path.decode("latin-1") if raw_path else path
        return Request(
            method=scope["method"],
            url=f"{origin.scheme}://{origin.host}{shown}",
            path=path,
            query=scope["query_string"].decode("latin-1"),
            headers=headers,
            body=body,
            peer=origin.peer,
            client_certificate=_client_certificate(scope),
        )


_STATUS = {"too_large": 413, "too_slow": 408}


class _Gone(Exception):
    """The client has hung up."""


class _Waiting:
    """Cancels the task that answers: when the body is late, and when the client has hung up.

    Whether it has costs a task to find out, so nobody asks before `_PATIENCE` has passed.
    """

    __slots__ = ("_answering", "_is_over", "_receive", "_timer", "_watcher")

    def __init__(self, receive: AsgiReceive) -> None:
        self._receive = receive
        self._answering = cast("asyncio.Task[object]", asyncio.current_task())
        self._timer: asyncio.TimerHandle | None = None
        self._watcher: asyncio.Task[None] | None = None
        self._is_over = False

    def expect_body(self, seconds: float) -> None:
        """Wait so long for the body, until `stop`."""
        self._timer = self._answering.get_loop().call_later(seconds, self._give_up)

    def watch(self) -> None:
        """Wait for the client to hang up, until `stop`."""
        self._timer = self._answering.get_loop().call_later(_PATIENCE, self._start)

    def is_over(self) -> bool:
        """Return whether a cancellation was ours, and only ours."""
        return self._is_over and self._answering.uncancel() == 0

    def stop(self) -> None:
        """End the wait: what was waited for is there."""
        if self._timer is not None:
            self._timer.cancel()
        if self._watcher is not None:
            self._watcher.cancel()

    def _give_up(self) -> None:
        self._is_over = True
        self._answering.cancel()

    def _start(self) -> None:
        self._watcher = self._answering.get_loop().create_task(self._watch())

    async def _watch(self) -> None:
        while (await self._receive())["type"] != "http.disconnect":
            pass
        self._give_up()


def _own_address(scope: AsgiScope) -> str:
    """Return what was connected to, for a request that does not say."""
    server = scope.get("server")
    return f"{server[0]}:{server[1]}" if server else ""


def _client_certificate(scope: AsgiScope) -> str:
    """Return the PEM of the client's own certificate. ASGI TLS extension 0.2."""
    extensions = scope.get("extensions")
    tls = extensions.get("tls") if extensions else None
    chain = tls.get("client_cert_chain") if tls else None
    return str(next(iter(chain))) if chain else ""


def _refusal(status: int, text: str, *, close: bool = True) -> Response:
    """Return an answer in plain text; most mean that the connection is of no more use."""
    pairs = [
        ("content-type", "text/plain; charset=utf-8"),
        ("cache-control", "no-store"),
        ("x-content-type-options", "nosniff"),
    ]
    if close:
        pairs.append(("connection", "close"))
    return Response(status=status, headers=Headers(pairs), body=f"{text}\n".encode())


async def _send(response: Response, send: AsgiSend, *, head: bool) -> None:
    """Send `response`; to a HEAD without its body, but with its length. RFC 9110 §9.3.2."""
    headers = [
        (name.encode("latin-1"), value.encode("latin-1"))
        for name, value in response.headers.pairs()
    ]
    if response.status not in {204, 304} and "content-length" not in response.headers:
        headers.append((b"content-length", str(len(response.body)).encode()))
    await send({"type": "http.response.start", "status": response.status, "headers": headers})
    await send({"type": "http.response.body", "body": b"" if head else response.body})


async def _live(receive: AsgiReceive, send: AsgiSend) -> None:
    """Answer the lifespan protocol: there is nothing to start or to stop here."""
    while True:
        message = await receive()
        await send({"type": f"{message['type']}.complete"})
        if message["type"] == "lifespan.shutdown":
            return
