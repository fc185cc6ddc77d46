"""One protected API, written for each adapter: Flask, Django, plain ASGI, Starlette.

`/profile` wants the scope `read`, `/admin` the scope `admin`, `/person` a person's token.
`/cached` has caching rules of its own, `/form` answers with the field `a` of a form, and
`/missing` is a view that answers 404.
"""

from __future__ import annotations

import asyncio
import socket
import threading
from collections.abc import Callable, Iterator, Mapping, MutableMapping, Sequence
from contextlib import contextmanager
from typing import Any, NamedTuple, Protocol
from urllib.parse import parse_qs

import flask
import uvicorn
import werkzeug.test
from django.http import Http404, HttpRequest, HttpResponse, JsonResponse
from django.urls import path
from starlette.applications import Starlette
from starlette.exceptions import HTTPException
from starlette.middleware import Middleware
from starlette.requests import Request
from starlette.responses import JSONResponse, Response
from starlette.routing import Route
from werkzeug.serving import WSGIRequestHandler, make_server

from codegrant.messages.json import build_json
from codegrant.resource import AccessToken, AsyncResourceServer, ResourceServer
from codegrant.web.asgi import AsgiReceive, AsgiScope, AsgiSend
from codegrant.web.asgi_resource import AsgiApp, Protect, access_token_of
from codegrant.web.django import Protect as DjangoProtect
from codegrant.web.flask_resource import Protect as FlaskProtect
from tests.support import django_project

CACHED = "public, max-age=60"
Message = MutableMapping[str, Any]


class Answer(NamedTuple):
    status: int
    headers: Mapping[str, str]
    body: bytes

    @property
    def challenge(self) -> str:
        return self.headers.get("www-authenticate", "")


class GuardedApi(Protocol):
    """One of them, without sockets."""

    def send(
        self,
        method: str,
        target: str,
        headers: Sequence[tuple[str, str]] = (),
        body: bytes = b"",
    ) -> Answer: ...

    def close(self) -> None: ...


def told(token: AccessToken) -> dict[str, str]:
    return {"subject": token.subject, "client_id": token.client_id}


# Flask


def flask_app(server: ResourceServer) -> flask.Flask:
    app = flask.Flask("api")
    api = FlaskProtect(server)

    @app.get("/profile")
    @app.post("/profile", endpoint="post_profile")
    @api.require("read")
    def profile() -> dict[str, str]:
        return told(api.token)

    @app.get("/admin")
    @api.require("read", "admin")
    def admin() -> dict[str, str]:
        return told(api.token)

    @app.get("/person")
    @api.require(person=True)
    def person() -> dict[str, str]:
        return told(api.token)

    @app.get("/cached")
    @api.require()
    def cached() -> tuple[str, dict[str, str]]:
        return "", {"Cache-Control": CACHED}

    @app.post("/form")
    @api.require()
    def form() -> dict[str, str]:
        return {"a": flask.request.form["a"]}

    @app.get("/missing")
    @api.require()
    def missing() -> str:
        flask.abort(404)

    return app


class FlaskApi:
    def __init__(self, issuer: str, audience: str) -> None:
        self._server = ResourceServer(issuer, audience)
        self.app = flask_app(self._server)

    def send(
        self,
        method: str,
        target: str,
        headers: Sequence[tuple[str, str]] = (),
        body: bytes = b"",
    ) -> Answer:
        answer = self.app.test_client().open(
            target, method=method, headers=list(headers), data=body
        )
        found = {name.lower(): value for name, value in answer.headers.items()}
        return Answer(answer.status_code, found, answer.data)

    def close(self) -> None:
        self._server.close()


# Django


def django_urls(server: ResourceServer | AsyncResourceServer) -> django_project.Urls:
    """Return the API's addresses; its views are of both kinds, whatever the server is."""
    api = DjangoProtect(server)

    @api.require("read")
    def profile(request: HttpRequest) -> JsonResponse:
        return JsonResponse(told(api.token(request)))

    @api.require("read", "admin")
    async def admin(request: HttpRequest) -> JsonResponse:
        return JsonResponse(told(api.token(request)))

    @api.require(person=True)
    def person(request: HttpRequest) -> JsonResponse:
        return JsonResponse(told(api.token(request)))

    @api.require()
    async def cached(request: HttpRequest) -> HttpResponse:
        return HttpResponse(headers={"Cache-Control": CACHED})

    @api.require()
    def form(request: HttpRequest) -> JsonResponse:
        return JsonResponse({"a": request.POST["a"]})

    @api.require()
    async def missing(request: HttpRequest) -> HttpResponse:
        raise Http404

    views: list[Any] = [profile, admin, person, cached, form, missing]
    return django_project.Urls([path(view.__name__, view) for view in views])


class DjangoApi:
    """Over WSGI."""

    def __init__(self, issuer: str, audience: str) -> None:
        self._server = ResourceServer(issuer, audience)
        self.urls = django_urls(self._server)

    def send(
        self,
        method: str,
        target: str,
        headers: Sequence[tuple[str, str]] = (),
        body: bytes = b"",
    ) -> Answer:
        answer = werkzeug.test.Client(django_project.wsgi(), use_cookies=False).open(
            target,
            method=method,
            headers=list(headers),
            data=body,
            environ_overrides={django_project.SITE: self.urls},
        )
        found = {name.lower(): value for name, value in answer.headers.items()}
        return Answer(answer.status_code, found, answer.data)

    def close(self) -> None:
        self._server.close()


# ASGI


async def read_body(receive: AsgiReceive) -> bytes:
    body, more = b"", True
    while more:
        message = await receive()
        body += message.get("body", b"")
        more = message.get("more_body", False)
    return body


async def plain_app(scope: AsgiScope, receive: AsgiReceive, send: AsgiSend) -> None:
    """Answer without any framework."""
    status, headers, value = 200, [(b"content-type", b"application/json")], dict[str, str]()
    match scope["path"]:
        case "/profile":
            value = told(access_token_of(scope, "read"))
        case "/admin":
            value = told(access_token_of(scope, "read", "admin"))
        case "/person":
            value = told(access_token_of(scope, person=True))
        case "/cached":
            headers.append((b"Cache-Control", CACHED.encode()))
        case "/form":
            value = {"a": parse_qs((await read_body(receive)).decode())["a"][0]}
        case _:
            status = 404
    await send({"type": "http.response.start", "status": status, "headers": headers})
    await send({"type": "http.response.body", "body": build_json({**value})})


def plain_asgi_app(server: AsyncResourceServer) -> AsgiApp:
    return Protect(plain_app, server)


def starlette_app(server: AsyncResourceServer) -> AsgiApp:
    async def profile(request: Request) -> Response:
        return JSONResponse(told(access_token_of(request, "read")))

    async def admin(request: Request) -> Response:
        return JSONResponse(told(access_token_of(request)))

    async def person(request: Request) -> Response:
        return JSONResponse(told(access_token_of(request, person=True)))

    async def cached(_: Request) -> Response:
        return Response(headers={"Cache-Control": CACHED})

    async def form(request: Request) -> Response:
        return JSONResponse({"a": parse_qs((await request.body()).decode())["a"][0]})

    async def missing(_: Request) -> Response:
        raise HTTPException(404)

    guard = Middleware(Protect, server, scope=["read", "admin"])
    return Starlette(
        routes=[
            Route("/profile", profile, methods=["GET", "POST"]),
            Route("/admin", admin, middleware=[guard]),  # once more, for one route
            Route("/person", person),
            Route("/cached", cached),
            Route("/form", form, methods=["POST"]),
            Route("/missing", missing),
        ],
        middleware=[Middleware(Protect, server)],
    )


def django_app(server: AsyncResourceServer) -> AsgiApp:
    urls = django_urls(server)

    handler: Any = django_project.asgi()  # it has its own words for the same types

    async def app(scope: AsgiScope, receive: AsgiReceive, send: AsgiSend) -> None:
        async def receive_and_stay() -> Message:
            message = await receive()
            # Django gives up a request whose sender has gone.
            return message if message["type"] == "http.request" else await asyncio.Future()

        await handler({**scope, django_project.SITE: urls}, receive_and_stay, send)

    return app


AsgiAppOf = Callable[[AsyncResourceServer], AsgiApp]


class AsgiApi:
    """`chunk` is how many bytes of a body come in one message."""

    def __init__(self, make: AsgiAppOf, issuer: str, audience: str, chunk: int = 1 << 20) -> None:
        self._runner = asyncio.Runner()
        self._server = AsyncResourceServer(issuer, audience)
        self.app = make(self._server)
        self.chunk = chunk

    def send(
        self,
        method: str,
        target: str,
        headers: Sequence[tuple[str, str]] = (),
        body: bytes = b"",
    ) -> Answer:
        path, _, query = target.partition("?")
        scope: Message = {
            "type": "http",
            "asgi": {"version": "3.0", "spec_version": "2.4"},
            "http_version": "1.1",
            "method": method,
            "scheme": "https",
            "path": path,
            "raw_path": path.encode(),
            "root_path": "",
            "query_string": query.encode(),
            "headers": [(b"host", b"api.example"), *_encode(headers)],
            "client": ("192.0.2.1", 4711),
            "server": ("api.example", 443),
        }
        start, *rest = self.call(scope, body_messages(body, self.chunk))
        found = {name.decode().lower(): value.decode() for name, value in start["headers"]}
        return Answer(start["status"], found, b"".join(part["body"] for part in rest))

    def call(self, scope: Message, received: Sequence[Message]) -> list[Message]:
        """Run one scope to its end; return what was sent."""
        queue, sent = list(received), list[Message]()

        async def receive() -> Message:
            return queue.pop(0) if queue else {"type": "http.disconnect"}

        async def send(message: Message) -> None:
            sent.append(message)

        async def run() -> None:
            await self.app(scope, receive, send)

        self._runner.run(run())
        return sent

    def close(self) -> None:
        self._runner.run(self._server.aclose())
        self._runner.close()


def body_messages(body: bytes, chunk: int) -> list[Message]:
    parts = [body[at : at + chunk] for at in range(0, len(body), chunk)] or [b""]
    return [
        {"type": "http.request", "body": part, "more_body": number < len(parts) - 1}
        for number, part in enumerate(parts)
    ]


def _encode(headers: Sequence[tuple[str, str]]) -> list[tuple[bytes, bytes]]:
    return [(name.lower().encode(), value.encode("latin-1")) for name, value in headers]


MAKE: Mapping[str, Callable[[str, str], GuardedApi]] = {
    "flask": FlaskApi,
    "django": DjangoApi,
    "django-async": lambda issuer, audience: AsgiApi(django_app, issuer, audience),
    "asgi": lambda issuer, audience: AsgiApi(plain_asgi_app, issuer, audience),
    "starlette": lambda issuer, audience: AsgiApi(starlette_app, issuer, audience),
}


# The same behind a port, for the end-to-end tests.


@contextmanager
def serve_flask(issuer: str, audience: str) -> Iterator[str]:
    resource_server = ResourceServer(issuer, audience)
    server = make_server(
        "127.0.0.1", 0, flask_app(resource_server), threaded=True, request_handler=_Quiet
    )
    thread = threading.Thread(target=server.serve_forever, args=(0.01,), daemon=True)
    thread.start()
    try:
        yield f"http://127.0.0.1:{server.server_port}"
    finally:
        server.shutdown()
        thread.join()
        server.server_close()
        resource_server.close()


@contextmanager
def serve_asgi(make: AsgiAppOf, issuer: str, audience: str) -> Iterator[str]:
    listening = socket.create_server(("127.0.0.1", 0))
    resource_server = AsyncResourceServer(issuer, audience)
    app: Any = make(resource_server)  # uvicorn has its own words for the same types
    # Its access log would have the addresses, and a test puts a token into one.
    server = uvicorn.Server(uvicorn.Config(app, log_config=None, lifespan="off", access_log=False))

    async def run() -> None:
        await server.serve(sockets=[listening])
        await resource_server.aclose()

    thread = threading.Thread(target=asyncio.run, args=(run(),), daemon=True)
    thread.start()
    try:
        yield f"http://127.0.0.1:{listening.getsockname()[1]}"
    finally:
        server.should_exit = True
        thread.join()
        listening.close()


class _Quiet(WSGIRequestHandler):
    def log_request(self, code: int | str = "-", size: int | str = "-") -> None:
        pass
