"""What may answer requests in a test's process: a function, a WSGI or an ASGI application.

`as_served` tells them apart by the number of their arguments, and gives each both colours.
Layer: testing.
"""

from __future__ import annotations

import asyncio
import inspect
import sys
from collections.abc import Awaitable, Callable, Iterable
from concurrent.futures import ThreadPoolExecutor
from http import HTTPStatus
from io import BytesIO
from typing import TYPE_CHECKING, Any, NamedTuple, TypeAlias, cast
from urllib.parse import urlsplit

from codegrant.errors import UsageError
from codegrant.http import Headers, Request, Response
from codegrant.web.asgi import AsgiApplication

if TYPE_CHECKING:
    from wsgiref.types import WSGIApplication

__all__ = ["Answer", "Served", "ServedApp", "as_served"]

Answer: TypeAlias = Callable[[Request], Response]
"""Answers a request, whose `url` has no query: that is in `query`, and the path in `path`."""

ServedApp: TypeAlias = "Answer | WSGIApplication | AsgiApplication"

_SENDER = ("127.0.0.1", 50_000)


class Served(NamedTuple):
    """One application in both colours."""

    answer: Answer
    answer_async: Callable[[Request], Awaitable[Response]]


def as_served(app: ServedApp) -> Served:
    """Return `app` as something that answers in threads and in event loops.

    Args:
        app: a function of one `codegrant.http.Request`, a WSGI application, which takes two
            arguments, or an ASGI one, which takes three.

    Raises:
        UsageError: it is none of these.
    """
    match _count_arguments(app):
        case 1:
            return _serve_function(cast("Callable[[Request], object]", app))
        case 2:
            return _serve_wsgi(cast("WSGIApplication", app))
        case 3:
            return _serve_asgi(cast("AsgiApplication", app))
        case _:
            raise UsageError(
                f"app: {app!r} is no function of one request, no WSGI and no ASGI application"
            )


def _count_arguments(app: object) -> int:
    """Return how many arguments must be given in order; 0 for what cannot be called."""
    if not callable(app):
        return 0
    given = inspect.signature(app).parameters.values()
    in_order = (inspect.Parameter.POSITIONAL_ONLY, inspect.Parameter.POSITIONAL_OR_KEYWORD)
    return sum(one.kind in in_order and one.default is one.empty for one in given)


def _serve_function(app: Callable[[Request], object]) -> Served:
    if inspect.iscoroutinefunction(app):
        raise UsageError(f"app: {app!r} is awaited, and a function of one request is not")

    def answer(request: Request) -> Response:
        response = app(request)
        if not isinstance(response, Response):
            raise UsageError(
                f"app: {app!r} returned a {type(response).__name__}, no codegrant.http.Response"
            )
        return response

    async def answer_async(request: Request) -> Response:
        return answer(request)

    return Served(answer, answer_async)


def _serve_wsgi(app: WSGIApplication) -> Served:
    def answer(request: Request) -> Response:
        return _ask_wsgi(app, request)

    async def answer_async(request: Request) -> Response:
        # It may itself wait for an event loop, which it cannot where one runs.
        return await asyncio.to_thread(answer, request)

    return Served(answer, answer_async)


def _serve_asgi(app: AsgiApplication) -> Served:
    async def answer_async(request: Request) -> Response:
        return await _ask_asgi(app, request)

    def answer(request: Request) -> Response:
        try:
            asyncio.get_running_loop()
        except RuntimeError:
            return asyncio.run(answer_async(request))
        with ThreadPoolExecutor(1) as elsewhere:
            return elsewhere.submit(asyncio.run, answer_async(request)).result()

    return Served(answer, answer_async)


def _ask_wsgi(app: WSGIApplication, request: Request) -> Response:
    """Return the answer of a WSGI application. PEP 3333."""
    parts = urlsplit(request.url)
    environ: dict[str, Any] = {
        "REQUEST_METHOD": request.method,
        "SCRIPT_NAME": "",
        "PATH_INFO": request.path.encode().decode("latin-1"),
        "QUERY_STRING": request.query,
        "SERVER_NAME": parts.hostname or "",
        "SERVER_PORT": str(parts.port or (443 if parts.scheme == "https" else 80)),
        "SERVER_PROTOCOL": "HTTP/1.1",
        "REMOTE_ADDR": _SENDER[0],
        "CONTENT_LENGTH": str(len(request.body)),
        "wsgi.version": (1, 0),
        "wsgi.url_scheme": parts.scheme,
        "wsgi.input": BytesIO(request.body),
        "wsgi.errors": sys.stderr,
        "wsgi.multithread": True,
        "wsgi.multiprocess": False,
        "wsgi.run_once": False,
    }
    for name, value in request.headers.pairs():
        key = name.upper().replace("-", "_")
        key = key if key in {"CONTENT_TYPE", "CONTENT_LENGTH"} else f"HTTP_{key}"
        environ[key] = f"{environ[key]}, {value}" if key in environ else value
    begun: list[tuple[str, list[tuple[str, str]]]] = []
    written: list[bytes] = []

    def start_response(
        status: str, headers: list[tuple[str, str]], _error: object = None, /
    ) -> Callable[[bytes], object]:
        begun.append((status, headers))
        return written.append

    parts_of_body: Iterable[bytes] = app(environ, start_response)
    try:
        body = b"".join([*written, *parts_of_body])
    finally:
        close = getattr(parts_of_body, "close", None)
        if close is not None:
            close()
    status, headers = begun[-1]
    return Response(status=int(status[:3]), headers=Headers(headers), body=body)


async def _ask_asgi(app: AsgiApplication, request: Request) -> Response:
    """Return the answer of an ASGI application. ASGI specification 3.0, HTTP 2.4."""
    parts = urlsplit(request.url)
    port = parts.port or (443 if parts.scheme == "https" else 80)
    scope: dict[str, Any] = {
        "type": "http",
        "asgi": {"version": "3.0", "spec_version": "2.4"},
        "http_version": "1.1",
        "method": request.method,
        "scheme": parts.scheme,
        "path": request.path,
        "raw_path": parts.path.encode(),
        "root_path": "",
        "query_string": request.query.encode("latin-1"),
        "headers": [
            (name.encode("latin-1"), value.encode("latin-1"))
            for name, value in request.headers.pairs()
        ],
        "client": _SENDER,
        "server": (parts.hostname or "", port),
        "state": {},
    }
    asked, gone = False, asyncio.Event()
    status, pairs, body = HTTPStatus.INTERNAL_SERVER_ERROR.value, list[tuple[str, str]](), b""

    async def receive() -> dict[str, Any]:
        nonlocal asked
        if asked:
            await gone.wait()
            return {"type": "http.disconnect"}
        asked = True
        return {"type": "http.request", "body": request.body, "more_body": False}

    async def send(message: Any) -> None:  # noqa: ANN401 - as ASGI leaves it open
        nonlocal status, pairs, body
        if message["type"] == "http.response.start":
            status = message["status"]
            pairs = [
                (name.decode("latin-1"), value.decode("latin-1"))
                for name, value in message.get("headers", ())
            ]
        elif message["type"] == "http.response.body":
            body += message.get("body", b"")

    await app(scope, receive, send)
    return Response(status=status, headers=Headers(pairs), body=body)
