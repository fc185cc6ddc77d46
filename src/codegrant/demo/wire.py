"""Where the recorder listens: before a WSGI application and before an ASGI one. Layer: demo.

Both hand on every byte as it is; what cannot be read as a message is not recorded.
"""

from __future__ import annotations

from collections.abc import Collection, Iterable, MutableMapping
from dataclasses import replace
from typing import TYPE_CHECKING, Any, TypeAlias

from werkzeug.datastructures import EnvironHeaders
from werkzeug.test import run_wsgi_app
from werkzeug.wsgi import get_current_url

from codegrant.demo.recording import Opened, Party, Recorder
from codegrant.errors import MessageError
from codegrant.http import Headers, Request, Response
from codegrant.web.asgi import AsgiApplication, AsgiReceive, AsgiScope, AsgiSend

if TYPE_CHECKING:
    from _typeshed.wsgi import StartResponse, WSGIApplication, WSGIEnvironment

__all__ = ["record_asgi", "record_wsgi"]

AsgiMessage: TypeAlias = MutableMapping[str, Any]

_MOST_BYTES = 65_536


def record_wsgi(
    app: WSGIApplication, recorder: Recorder, party: Party, paths: Collection[str]
) -> WSGIApplication:
    """Return `app` with a recorder before it.

    Args:
        app: whose recorded paths take no body.
        recorder: is told of each exchange.
        party: who `app` is.
        paths: the ones that are recorded.
    """

    def recorded(environ: WSGIEnvironment, start_response: StartResponse) -> Iterable[bytes]:
        request = _read_environ(environ) if environ.get("PATH_INFO") in paths else None
        if request is None:
            return app(environ, start_response)
        opened = recorder.begin(party, request)
        response = None
        try:
            chunks, status, headers = run_wsgi_app(app, environ, buffered=True)
            body = b"".join(chunks)
            response = Response(
                status=int(status.partition(" ")[0]), headers=Headers(headers.items()), body=body
            )
        finally:
            recorder.end(opened, request, response)
        start_response(status, list(headers.items()))
        return [body]

    return recorded


def record_asgi(
    app: AsgiApplication, recorder: Recorder, party: Party, ignored: Collection[str]
) -> AsgiApplication:
    """Return `app` with a recorder before it.

    Args:
        app: the application.
        recorder: is told of each exchange.
        party: who `app` is.
        ignored: paths that are not recorded.
    """

    async def recorded(scope: AsgiScope, receive: AsgiReceive, send: AsgiSend) -> None:
        request = None if scope.get("path") in ignored else _read_request(scope)
        if request is None:
            await app(scope, receive, send)
            return
        ear = _Ear(recorder, party, request, receive, send)
        try:
            await app(scope, ear.receive, ear.send)
        finally:
            ear.finish()

    return recorded


class _Ear:
    """Listens to one exchange of an ASGI application."""

    def __init__(
        self,
        recorder: Recorder,
        party: Party,
        request: Request,
        receive: AsgiReceive,
        send: AsgiSend,
    ) -> None:
        self._recorder = recorder
        self._request = request
        self._receive, self._send = receive, send
        self._opened: Opened | None = recorder.begin(party, request)
        self._body, self._answer = bytearray(), bytearray()
        self._status = 0
        self._headers = Headers()

    async def receive(self) -> AsgiMessage:
        """Hand on what comes from the other side."""
        message = await self._receive()
        _extend(self._body, message)
        return message

    async def send(self, message: AsgiMessage) -> None:
        """Hand on what goes to the other side; recorded first, what it leads to comes later."""
        if message["type"] == "http.response.start":
            self._status = message["status"]
            self._headers = _headers(message)
        else:
            _extend(self._answer, message)
            if not message.get("more_body"):
                self.finish()
        await self._send(message)

    def finish(self) -> None:
        """Tell the recorder, once."""
        opened, self._opened = self._opened, None
        if opened is None:
            return
        response = None
        if self._status:
            response = Response(
                status=self._status, headers=self._headers, body=bytes(self._answer)
            )
        self._recorder.end(opened, replace(self._request, body=bytes(self._body)), response)


def _extend(body: bytearray, message: AsgiMessage) -> None:
    """Add the body of a message, as far as it is of interest."""
    if len(body) < _MOST_BYTES:
        body.extend(message.get("body", b""))


def _headers(message: AsgiMessage) -> Headers:
    return Headers((k.decode("latin-1"), v.decode("latin-1")) for k, v in message["headers"])


def _read_environ(environ: WSGIEnvironment) -> Request | None:
    """Return the request of an environment, or None when it is none to be recorded."""
    try:
        headers = Headers(EnvironHeaders(environ).items())
    except MessageError:
        return None
    return Request(
        method=environ["REQUEST_METHOD"],
        url=get_current_url(environ, strip_querystring=True),
        query=environ.get("QUERY_STRING", ""),
        headers=headers,
    )


def _read_request(scope: AsgiScope) -> Request | None:
    """Return the request of a connection scope, or None when it is none to be recorded."""
    if scope["type"] != "http":
        return None
    try:
        headers = _headers(scope)
    except MessageError:
        return None
    return Request(
        method=scope["method"],
        url=f"{scope['scheme']}://{headers.get('host')}{scope['path']}",
        query=scope["query_string"].decode("latin-1"),
        headers=headers,
    )
