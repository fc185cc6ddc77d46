"""Functions, WSGI and ASGI applications, asked in a thread and in an event loop."""

from __future__ import annotations

import asyncio
import json
from collections.abc import Callable, Iterator
from typing import Any

import flask
import pytest
from starlette.applications import Starlette
from starlette.requests import Request as StarletteRequest
from starlette.responses import JSONResponse
from starlette.routing import Route

from codegrant.errors import UsageError
from codegrant.http import Headers, Request, Response
from codegrant.testing.apps import ServedApp, as_served

ASKED = Request(
    method="POST",
    url="https://api.test:8443/a%20b",
    path="/a b",
    query="q=1&q=2",
    headers=Headers(
        [("host", "api.test:8443"), ("content-type", "text/plain"), ("x-a", "1"), ("x-a", "2")]
    ),
    body=b"hello",
)
TOLD = {
    "method": "POST",
    "url": "https://api.test:8443/a%20b?q=1&q=2",
    "body": "hello",
    "type": "text/plain",
}


def answer(request: Request) -> Response:
    told = {
        "method": request.method,
        "url": f"{request.url}?{request.query}",
        "body": request.body.decode(),
        "type": request.headers.get("content-type"),
    }
    return Response(status=201, headers=Headers([("x-told", "1")]), body=json.dumps(told).encode())


flask_app = flask.Flask("api")


@flask_app.post("/<path:_>")
def flask_view(_: str) -> flask.Response:
    request = flask.request
    told = {
        "method": request.method,
        "url": request.url,
        "body": request.get_data(as_text=True),
        "type": request.content_type,
    }
    assert request.headers["X-A"] == "1, 2"
    return flask.Response(json.dumps(told), 201, {"X-Told": "1"})


async def starlette_view(request: StarletteRequest) -> JSONResponse:
    told = {
        "method": request.method,
        "url": str(request.url),
        "body": (await request.body()).decode(),
        "type": request.headers["content-type"],
    }
    assert request.headers.getlist("x-a") == ["1", "2"]
    return JSONResponse(told, 201, {"X-Told": "1"})


starlette_app = Starlette(routes=[Route("/{_:path}", starlette_view, methods=["POST"])])
APPS = [
    pytest.param(answer, id="function"),
    pytest.param(flask_app, id="wsgi"),
    pytest.param(starlette_app, id="asgi"),
]


def check(response: Response) -> None:
    assert response.status == 201
    assert response.headers.get("x-told") == "1"
    told = json.loads(response.body)
    # Flask shows an address for people to read.
    assert {**told, "url": told["url"].replace(" ", "%20")} == TOLD


@pytest.mark.parametrize("app", APPS)
def test_it_answers_in_a_thread(app: ServedApp) -> None:
    check(as_served(app).answer(ASKED))


@pytest.mark.parametrize("app", APPS)
def test_it_answers_in_an_event_loop(app: ServedApp) -> None:
    async def ask() -> Response:
        return await as_served(app).answer_async(ASKED)

    check(asyncio.run(ask()))


@pytest.mark.parametrize("app", APPS)
def test_it_answers_a_blocking_call_in_an_event_loop(app: ServedApp) -> None:
    async def ask() -> Response:
        return as_served(app).answer(ASKED)

    check(asyncio.run(ask()))


def test_an_exception_of_the_application_is_the_tests() -> None:
    def fails(request: Request) -> Response:
        raise ZeroDivisionError

    async def fails_too(scope: Any, receive: Any, send: Any) -> None:
        raise ZeroDivisionError

    for app in (fails, fails_too):
        with pytest.raises(ZeroDivisionError):
            as_served(app).answer(ASKED)


def test_the_body_of_a_wsgi_application_is_closed() -> None:
    class Body:
        closed = False

        def __iter__(self) -> Iterator[bytes]:
            yield b"a"
            yield b"b"

        def close(self) -> None:
            self.closed = True

    body = Body()

    def app(environ: dict[str, Any], start_response: Callable[..., Any]) -> Any:
        start_response("200 OK", [("a", "b")])
        return body

    assert as_served(app).answer(ASKED).body == b"ab"
    assert body.closed


@pytest.mark.parametrize(
    "app",
    [
        pytest.param("https://api.test", id="no callable"),
        pytest.param(lambda: None, id="no argument"),
        pytest.param(lambda a, b, c, d: None, id="four arguments"),
    ],
)
def test_something_else_is_refused(app: Any) -> None:
    with pytest.raises(UsageError, match="no WSGI and no ASGI"):
        as_served(app)


async def _is_awaited(request: Request) -> Response:
    return Response(status=200)


def test_a_function_that_has_to_be_awaited_is_refused() -> None:
    with pytest.raises(UsageError, match="is awaited"):
        as_served(_is_awaited)  # type: ignore[arg-type]


@pytest.mark.parametrize("returned", [{"notes": []}, b"[]", None, flask.Response("")])
def test_a_function_that_returns_no_response_is_told(returned: Any) -> None:
    served = as_served(lambda request: returned)
    kind = type(returned).__name__
    with pytest.raises(UsageError, match=f"returned a {kind}, no codegrant.http.Response"):
        served.answer(ASKED)
    with pytest.raises(UsageError, match=kind):
        asyncio.run(served.answer_async(ASKED))  # type: ignore[arg-type]
