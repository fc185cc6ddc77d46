"""The recorder's place on the wire: it changes nothing and forgets no end."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Iterable, MutableMapping
from typing import Any

import pytest
from werkzeug.test import Client, EnvironBuilder, run_wsgi_app

from codegrant.demo.recording import Party, Recorder
from codegrant.demo.wire import record_asgi, record_wsgi

Message = MutableMapping[str, Any]
LOGIN = {"/login"}


def hello(environ: Any, start_response: Any) -> Iterable[bytes]:
    start_response("303 SEE OTHER", [("Location", "/authorize?state=s1"), ("Set-Cookie", "a=b")])
    return [b"one ", environ["PATH_INFO"].encode()]


def fail(environ: Any, start_response: Any) -> Iterable[bytes]:
    raise ZeroDivisionError


@pytest.fixture
def recorder() -> Recorder:
    return Recorder("cg-app-abc123")


@pytest.mark.parametrize("path", ["/login", "/other"])
def test_a_wsgi_answer_passes_unchanged(recorder: Recorder, path: str) -> None:
    plain, recorded = (
        Client(app).get(path)
        for app in (hello, record_wsgi(hello, recorder, Party.APPLICATION, LOGIN))
    )
    assert (recorded.status, recorded.data) == (plain.status, plain.data)
    assert list(recorded.headers) == list(plain.headers)
    assert len(recorder.find_newest()) == (path in LOGIN)


def test_a_wsgi_request_that_is_no_message_passes_unrecorded(recorder: Recorder) -> None:
    app = record_wsgi(hello, recorder, Party.APPLICATION, LOGIN)
    assert Client(app).get("/login", environ_overrides={"HTTP_X(Y)": "1"}).status_code == 303
    assert recorder.find_newest() == ()


def test_a_wsgi_application_that_fails_fails_as_before(recorder: Recorder) -> None:
    app = record_wsgi(fail, recorder, Party.APPLICATION, LOGIN)
    with pytest.raises(ZeroDivisionError):
        run_wsgi_app(app, EnvironBuilder("/login").get_environ(), buffered=True)
    assert not recorder._open


def test_what_is_said_over_wsgi_is_recorded(recorder: Recorder) -> None:
    Client(record_wsgi(hello, recorder, Party.APPLICATION, LOGIN)).get("/login?return_to=/a")
    (exchange,) = recorder.find_newest()
    assert exchange.request.lines == ("GET /login?return_to=/a", "Host: localhost")
    assert exchange.answer is not None
    assert exchange.answer.lines[:2] == ("303 See Other", "Location: /authorize?state=***")


def exchange_asgi(
    app: Callable[..., Any], recorder: Recorder, scope: Message, *parts: bytes
) -> list[Message]:
    """Send one request in parts and return what was sent back."""
    sent: list[Message] = []
    waiting = [
        {"type": "http.request", "body": part, "more_body": at < len(parts) - 1}
        for at, part in enumerate(parts)
    ]

    async def receive() -> Message:
        return waiting.pop(0)

    async def send(message: Message) -> None:
        sent.append(message)

    recorded = record_asgi(app, recorder, Party.SERVER, {"/style.css"})

    async def answer() -> None:
        await recorded(scope, receive, send)

    asyncio.run(answer())
    return sent


def scope(*fields: tuple[bytes, bytes], path: str = "/login", kind: str = "http") -> Message:
    return {
        "type": kind,
        "method": "POST",
        "scheme": "http",
        "path": path,
        "query_string": b"state=s1",
        "headers": list(fields),
    }


FORM = (b"content-type", b"application/x-www-form-urlencoded")


async def echo(scope: Message, receive: Any, send: Any) -> None:
    body, more = b"", True
    while more:
        message = await receive()
        body, more = body + message["body"], message["more_body"]
    await send({"type": "http.response.start", "status": 200, "headers": []})
    await send({"type": "http.response.body", "body": body, "more_body": True})
    await send({"type": "http.response.body", "body": b"!"})


@pytest.fixture
def known(recorder: Recorder) -> Recorder:
    """A recorder that knows the login with the state s1."""
    Client(record_wsgi(hello, recorder, Party.APPLICATION, LOGIN)).get("/login")
    return recorder


def test_a_body_in_parts_passes_and_is_recorded_whole(known: Recorder) -> None:
    sent = exchange_asgi(echo, known, scope(FORM), b"user", b"name=alice&pass", b"word=secret")
    assert b"".join(message.get("body", b"") for message in sent) == (
        b"username=alice&password=secret!"
    )
    exchange = known.find_newest()[-1]
    assert exchange.request.lines[-2:] == ("username=alice", "&password=***")
    assert exchange.answer is not None
    assert exchange.answer.lines == ("200 OK", "", "(31 bytes)")


def test_an_asgi_application_that_fails_fails_as_before(known: Recorder) -> None:
    async def break_off(scope: Message, receive: Any, send: Any) -> None:
        raise ZeroDivisionError

    with pytest.raises(ZeroDivisionError):
        exchange_asgi(break_off, known, scope())
    assert known.find_newest()[-1].answer is None
    assert not known._open


@pytest.mark.parametrize(
    "unrecorded",
    [
        pytest.param(scope(path="/style.css"), id="an ignored path"),
        pytest.param(scope(kind="websocket"), id="no HTTP"),
        pytest.param(scope((b"a b", b"c")), id="a field with an impossible name"),
    ],
)
def test_what_is_no_part_of_the_conversation_passes_by(
    known: Recorder, unrecorded: Message
) -> None:
    before = known.find_newest()
    assert exchange_asgi(echo, known, unrecorded, b"body")[-1]["body"] == b"!"
    assert known.find_newest() == before
