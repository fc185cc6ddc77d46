"""The ASGI adapter, driven message by message."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Awaitable, Callable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

import pytest

from codegrant.errors import StoreError
from codegrant.flow import Effect, Flow, RandomBytes, ask
from codegrant.http import Headers, Request, Response
from codegrant.web.asgi import AsgiScope, ServerApp
from codegrant.web.proxy import TrustedProxies

NOW = 1_700_000_000
FORM = (b"content-type", b"application/x-www-form-urlencoded")
Message = Mapping[str, Any]


async def perform(effect: Effect[Any]) -> bytes:
    assert isinstance(effect, RandomBytes)
    return b"r" * effect.size


@dataclass
class Server:
    """Notes each request and answers as it is told."""

    answer: Callable[[Request], Response] = lambda _: Response(status=200, body=b"here")
    requests: list[Request] = field(default_factory=list)
    times: list[int] = field(default_factory=list)

    def respond(self, request: Request, now: int) -> Flow[Response]:
        self.requests.append(request)
        self.times.append(now)
        yield from ask(RandomBytes(1))
        return self.answer(request)

    def app(self, **options: Any) -> ServerApp:
        return ServerApp(self.respond, perform, clock=lambda: NOW, **options)


def scope_of(method: str = "GET", path: str = "/x", **more: Any) -> AsgiScope:
    return {
        "type": "http",
        "method": method,
        "scheme": "http",
        "path": path,
        "raw_path": path.encode(),
        "query_string": b"",
        "headers": [(b"host", b"issuer.test")],
        "client": ("192.0.2.7", 4711),
        "server": ("127.0.0.1", 8080),
        **more,
    }


def call(app: ServerApp, scope: AsgiScope, received: Sequence[Message] = ()) -> list[Message]:
    """Run one scope to its end; what is received past the given messages never comes."""
    queue, sent = list(received), list[Message]()

    async def receive() -> dict[str, Any]:
        if not queue:
            await asyncio.get_running_loop().create_future()
        return dict(queue.pop(0))

    async def send(message: Message) -> None:
        sent.append(message)

    asyncio.run(app(scope, receive, send))
    return sent


def body(*parts: bytes) -> list[Message]:
    last = len(parts) - 1
    return [
        {"type": "http.request", "body": part, "more_body": number < last}
        for number, part in enumerate(parts)
    ]


def posted(*parts: bytes, length: int | None = None) -> tuple[AsgiScope, list[Message]]:
    announced = sum(map(len, parts)) if length is None else length
    headers = [(b"host", b"issuer.test"), FORM, (b"content-length", str(announced).encode())]
    return scope_of("POST", headers=headers), body(*parts)


def headers_of(sent: Sequence[Message]) -> dict[str, str]:
    return {name.decode(): value.decode() for name, value in sent[0]["headers"]}


def test_a_request_arrives_as_it_was_sent() -> None:
    server = Server()
    scope = scope_of(
        "POST",
        "/a b",
        raw_path=b"/a%20b",
        query_string=b"x=1&x=%C3%BC",
        headers=[
            (b"host", b"issuer.test:8080"),
            (b"cookie", b"a=1"),
            (b"cookie", b"b=2"),
            (b"content-length", b"4"),
        ],
    )
    call(server.app(), scope, body(b"k=", b"", b"v"))
    (request,) = server.requests
    assert request.method == "POST"
    assert request.url == "http://issuer.test:8080/a%20b"
    assert (request.path, request.query) == ("/a b", "x=1&x=%C3%BC")
    assert request.headers.get_all("cookie") == ("a=1", "b=2")
    assert request.body == b"k=v"
    assert request.peer == "192.0.2.7"
    assert request.client_certificate == ""


def test_an_answer_is_sent_as_it_is() -> None:
    headers = Headers((("set-cookie", "a=1"), ("set-cookie", "b=2"), ("x-name", "ü")))
    server = Server(lambda _: Response(status=303, headers=headers, body=b"gone"))
    start, end = call(server.app(), scope_of())
    assert (start["type"], start["status"]) == ("http.response.start", 303)
    assert start["headers"] == [
        (b"set-cookie", b"a=1"),
        (b"set-cookie", b"b=2"),
        (b"x-name", b"\xfc"),
        (b"content-length", b"4"),
    ]
    assert end == {"type": "http.response.body", "body": b"gone"}


def test_a_head_gets_the_length_of_the_body_and_no_body() -> None:
    server = Server()
    start, end = call(server.app(), scope_of("HEAD"))
    assert server.requests[0].method == "HEAD"
    assert (b"content-length", b"4") in start["headers"]
    assert end["body"] == b""


def test_an_answer_without_content_has_no_length() -> None:
    start, _ = call(Server(lambda _: Response(status=204)).app(), scope_of())
    assert start["headers"] == []


def test_a_body_of_exactly_the_limit_is_taken() -> None:
    server = Server()
    scope, messages = posted(b"x" * 10)
    call(server.app(body_limit=10), scope, messages)
    assert len(server.requests[0].body) == 10


def test_a_request_without_a_body_is_not_waited_for() -> None:
    sent = call(Server().app(), scope_of())
    assert sent[0]["status"] == 200


@pytest.mark.requirement("CO-HTTP-03")
@pytest.mark.parametrize(
    ("parts", "length"),
    [
        pytest.param((b"x" * 11,), None, id="one part"),
        pytest.param((b"x" * 6, b"x" * 5), None, id="two parts"),
        pytest.param((b"x",), 99_999_999, id="announced, never sent"),
        pytest.param((b"x",), 10**30, id="announced beyond reason"),
        pytest.param((b"x" * 700_000, b"x" * 700_000), 12, id="endless, contrary to its length"),
    ],
)
def test_a_body_above_the_limit_is_refused(parts: tuple[bytes, ...], length: int | None) -> None:
    server = Server()
    scope, messages = posted(*parts, length=length)
    sent = call(server.app(body_limit=10), scope, messages)
    assert sent[0]["status"] == 413
    assert headers_of(sent)["connection"] == "close"
    assert server.requests == []
    scope, messages = posted(b"x" * 10)
    assert call(server.app(body_limit=10), scope, messages)[0]["status"] == 200


def test_a_chunked_body_above_the_limit_is_refused() -> None:
    headers = [(b"host", b"a"), (b"transfer-encoding", b"chunked")]
    sent = call(Server().app(body_limit=10), scope_of("POST", headers=headers), body(b"x" * 11))
    assert sent[0]["status"] == 413


@pytest.mark.requirement("CO-HTTP-03")
def test_a_body_that_does_not_come_is_given_up() -> None:
    server = Server()
    scope, messages = posted(b"a=", b"1")
    sent = call(server.app(body_seconds=0.01), scope, messages[:1])
    assert sent[0]["status"] == 408
    assert headers_of(sent)["connection"] == "close"
    assert server.requests == []
    assert call(server.app(), scope, messages)[0]["status"] == 200


def test_whoever_hangs_up_during_the_body_gets_nothing() -> None:
    server = Server()
    scope, messages = posted(b"a=", b"1")
    assert call(server.app(), scope, [messages[0], {"type": "http.disconnect"}]) == []
    assert server.requests == []


@pytest.mark.parametrize(
    "headers",
    [
        pytest.param([(b"host", b"a"), (b"host", b"b")], id="two hosts"),
        pytest.param([(b"host", b"a"), (b"bad name", b"b")], id="a name that is none"),
        pytest.param([(b"host", b"a"), (b"x", b"a\x00b")], id="NUL"),
    ],
)
def test_a_head_that_no_rule_could_judge_is_refused(headers: list[tuple[bytes, bytes]]) -> None:
    server = Server()
    assert call(server.app(), scope_of(headers=headers))[0]["status"] == 400
    assert server.requests == []


@pytest.mark.requirement("CO-HTTP-06")
def test_forwarded_headers_count_only_from_a_trusted_proxy() -> None:
    forwarded = [
        (b"host", b"inner.test"),
        (b"x-forwarded-for", b"203.0.113.9"),
        (b"x-forwarded-proto", b"https"),
        (b"x-forwarded-host", b"issuer.test"),
    ]
    server = Server()
    call(server.app(), scope_of(headers=forwarded))
    call(server.app(proxies=TrustedProxies(["10.0.0.1"])), scope_of(headers=forwarded))
    call(server.app(proxies=TrustedProxies(["192.0.2.0/24"])), scope_of(headers=forwarded))
    seen = [(request.peer, request.url) for request in server.requests]
    assert seen == [
        ("192.0.2.7", "http://inner.test/x"),
        ("192.0.2.7", "http://inner.test/x"),
        ("203.0.113.9", "https://issuer.test/x"),
    ]


def test_the_client_certificate_comes_from_the_tls_extension() -> None:
    server = Server()
    tls = {"tls": {"client_cert_chain": ["-----BEGIN LEAF", "-----BEGIN CA"]}}
    call(server.app(), scope_of(extensions=tls))
    call(server.app(), scope_of(extensions={"tls": {"client_cert_chain": []}}))
    call(server.app(), scope_of(extensions={}))
    seen = [request.client_certificate for request in server.requests]
    assert seen == ["-----BEGIN LEAF", "", ""]


@pytest.mark.requirement("CO-SEC-03")
def test_the_clock_is_read_once_and_handed_on() -> None:
    server = Server()
    later = iter(range(NOW, NOW + 10))
    app = ServerApp(server.respond, perform, clock=lambda: next(later))
    call(app, scope_of())
    call(app, scope_of())
    assert server.times == [NOW, NOW + 1]


def test_an_unexpected_error_is_a_plain_500_that_says_nothing(
    caplog: pytest.LogCaptureFixture,
) -> None:
    def fail(_: Request) -> Response:
        raise ValueError("what the request held: s3cret")

    scope = scope_of(query_string=b"code=s3cret")
    with caplog.at_level(logging.DEBUG, "codegrant"):
        sent = call(Server(fail).app(), scope)
    assert sent[0]["status"] == 500
    assert headers_of(sent)["content-type"] == "text/plain; charset=utf-8"
    (record,) = (each for each in caplog.records if each.levelno > logging.DEBUG)
    facts = record.__dict__["facts"]
    assert facts["request_id"] in sent[1]["body"].decode()
    assert "ValueError at" in facts["where"]
    assert "test_asgi.py" in facts["where"]
    for text in (sent[1]["body"].decode(), str(record.__dict__)):
        assert "s3cret" not in text


def test_an_error_of_the_store_that_nobody_caught_is_a_500_as_well() -> None:
    def fail(_: Request) -> Response:
        raise StoreError("the disk is full")

    sent = call(Server(fail).app(), scope_of())
    assert sent[0]["status"] == 500
    assert b"disk" not in sent[1]["body"]


def drive_until_stuck(
    interrupt: Callable[[asyncio.Task[None]], Awaitable[None]],
    received: asyncio.Queue[Message],
    monkeypatch: pytest.MonkeyPatch,
) -> tuple[list[str], list[Message]]:
    """Run a flow that waits for ever, and let `interrupt` end it."""
    monkeypatch.setattr("codegrant.web.asgi._PATIENCE", 0)
    happened: list[str] = []
    sent: list[Message] = []

    def respond(request: Request, now: int) -> Flow[Response]:
        try:
            yield from ask(RandomBytes())
        finally:
            happened.append("closed")
        return Response(status=200)

    async def go() -> None:
        stuck = asyncio.Event()

        async def wait(effect: Effect[Any]) -> None:
            stuck.set()
            await asyncio.get_running_loop().create_future()

        async def receive() -> dict[str, Any]:
            return dict(await received.get())

        async def send(message: Message) -> None:
            sent.append(message)

        task = asyncio.create_task(ServerApp(respond, wait)(scope_of(), receive, send))
        await stuck.wait()
        await interrupt(task)

    asyncio.run(go())
    return happened, sent


def test_whoever_hangs_up_while_a_flow_waits_closes_it(monkeypatch: pytest.MonkeyPatch) -> None:
    received: asyncio.Queue[Message] = asyncio.Queue()

    async def hang_up(task: asyncio.Task[None]) -> None:
        received.put_nowait({"type": "http.request", "body": b"", "more_body": False})
        received.put_nowait({"type": "http.disconnect"})
        await task

    assert drive_until_stuck(hang_up, received, monkeypatch) == (["closed"], [])


def test_a_server_that_goes_down_cancels_the_flow(monkeypatch: pytest.MonkeyPatch) -> None:
    async def cancel(task: asyncio.Task[None]) -> None:
        task.cancel()
        with pytest.raises(asyncio.CancelledError):
            await task

    assert drive_until_stuck(cancel, asyncio.Queue(), monkeypatch) == (["closed"], [])


def test_the_lifespan_protocol_is_answered() -> None:
    messages = [{"type": "lifespan.startup"}, {"type": "lifespan.shutdown"}]
    sent = call(Server().app(), {"type": "lifespan"}, messages)
    assert [m["type"] for m in sent] == ["lifespan.startup.complete", "lifespan.shutdown.complete"]


def test_a_web_socket_is_refused() -> None:
    sent = call(Server().app(), {"type": "websocket"}, [{"type": "websocket.connect"}])
    assert sent == [{"type": "websocket.close", "code": 1008}]


def test_a_scope_of_another_kind_is_an_error() -> None:
    with pytest.raises(ValueError, match="'mqtt' is not known"):
        call(Server().app(), {"type": "mqtt"})
