"""What only the ASGI adapter has; the suite over all adapters is `test_every_resource.py`."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator
from typing import Any

import pytest
from starlette.requests import Request

from codegrant.errors import OAuthError, UsageError
from codegrant.resource import AsyncResourceServer
from codegrant.web.asgi import AsgiReceive, AsgiScope, AsgiSend
from codegrant.web.asgi_resource import AsgiApp, Protect, access_token_of
from tests.support.access_tokens import AUDIENCE, access_token
from tests.support.guarded_apis import AsgiApi, Message, body_messages, plain_app, read_body
from tests.support.mock_provider import MockProvider

FORM = (b"content-type", b"application/x-www-form-urlencoded")


@pytest.fixture(scope="module")
def provider() -> Iterator[MockProvider]:
    provider = MockProvider()
    yield provider
    provider.close()


Guard = Callable[..., AsgiApi]


@pytest.fixture
def guard(provider: MockProvider) -> Iterator[Guard]:
    """Returns a function that puts `Protect` in front of an application."""
    made: list[AsgiApi] = []

    def guard(app: AsgiApp = plain_app, **options: Any) -> AsgiApi:
        def make(server: AsyncResourceServer) -> AsgiApp:
            return Protect(app, server, **options)

        made.append(AsgiApi(make, provider.issuer, AUDIENCE))
        return made[-1]

    yield guard
    for api in made:
        api.close()


@pytest.fixture
def good(provider: MockProvider) -> tuple[bytes, bytes]:
    token = access_token(provider.issuer, provider.keys["k1"], int(time.time()))
    return (b"authorization", f"Bearer {token}".encode())


def http(*headers: tuple[bytes, bytes], path: str = "/profile", **more: Any) -> Message:
    return {
        "type": "http",
        "method": "GET",
        "path": path,
        "query_string": b"",
        "headers": [*headers],
        **more,
    }


def websocket(*headers: tuple[bytes, bytes], **more: Any) -> Message:
    return {
        "type": "websocket",
        "path": "/socket",
        "query_string": b"",
        "headers": [*headers],
        **more,
    }


def test_the_scope_of_all_requests_is_judged_before_the_application(
    guard: Guard, good: tuple[bytes, bytes]
) -> None:
    async def never(scope: AsgiScope, receive: AsgiReceive, send: AsgiSend) -> None:
        raise AssertionError("nobody may come so far")

    assert guard(never, scope=["admin"]).call(http(good), [])[0]["status"] == 403
    assert guard(never).call(http(), [])[0]["status"] == 401
    assert guard(scope=["read", "profile"]).call(http(good), [])[0]["status"] == 200


def test_all_requests_may_have_to_be_of_persons(guard: Guard, provider: MockProvider) -> None:
    api = guard(person=True)
    for subject, status in (("app", 403), ("person-1", 200)):
        token = access_token(provider.issuer, provider.keys["k1"], int(time.time()), sub=subject)
        header = (b"authorization", f"Bearer {token}".encode())
        assert api.call(http(header), [])[0]["status"] == status


@pytest.mark.parametrize("scope", ["read", [""], ["read write"]])
def test_a_scope_that_no_token_can_have_is_refused_when_the_application_is_made(
    scope: Any, provider: MockProvider
) -> None:
    server = AsyncResourceServer(provider.issuer, AUDIENCE)
    with pytest.raises(UsageError, match=r"^scope: "):
        Protect(plain_app, server, scope)


def test_a_request_that_did_not_come_through_has_no_token(guard: Guard) -> None:
    for scope in (http(), {**http(), "codegrant.access_token": {"sub": "evil"}}):
        with pytest.raises(UsageError):
            access_token_of(scope)
        with pytest.raises(UsageError):
            access_token_of(Request(scope))


def test_a_token_in_the_scope_that_comes_from_elsewhere_does_not_pass(guard: Guard) -> None:
    scope = {**http(), "codegrant.access_token": object()}
    assert guard().call(scope, [])[0]["status"] == 401


def test_the_scope_that_came_in_is_not_altered(guard: Guard, good: tuple[bytes, bytes]) -> None:
    scope = http(good)
    guard().call(scope, [])
    assert "codegrant.access_token" not in scope


def test_an_answer_that_has_begun_is_not_refused_any_more(
    guard: Guard, good: tuple[bytes, bytes]
) -> None:
    async def late(scope: AsgiScope, receive: AsgiReceive, send: AsgiSend) -> None:
        await send({"type": "http.response.start", "status": 200, "headers": []})
        access_token_of(scope, "admin")

    with pytest.raises(OAuthError):
        guard(late).call(http(good), [])


def test_what_the_application_raises_of_its_own_goes_on(
    guard: Guard, good: tuple[bytes, bytes]
) -> None:
    async def broken(scope: AsgiScope, receive: AsgiReceive, send: AsgiSend) -> None:
        raise LookupError("broken")

    with pytest.raises(LookupError, match="broken"):
        guard(broken).call(http(good), [])


@pytest.mark.parametrize(
    "header",
    [
        pytest.param((b"x y", b"1"), id="name"),
        pytest.param((b"x", b"1\r\nset-cookie: a=b"), id="line end"),
        pytest.param((b"authorization", b"Bearer \0"), id="NUL"),
    ],
)
def test_what_is_no_request_is_refused(guard: Guard, header: tuple[bytes, bytes]) -> None:
    start, body = guard().call(http(header), [])
    assert start["status"] == 400
    assert b"invalid_request" in body["body"]


@pytest.mark.parametrize("chunk", [1, 7, 65_536, 1 << 20])
def test_the_application_gets_every_message_of_a_form(
    guard: Guard, good: tuple[bytes, bytes], chunk: int
) -> None:
    received: list[bytes] = []

    async def echo(scope: AsgiScope, receive: AsgiReceive, send: AsgiSend) -> None:
        received.append(await read_body(receive))
        assert (await receive())["type"] == "http.disconnect"
        await plain_app(scope, receive, send)

    body = b"a=1&b=" + b"2" * (200 if chunk < 100 else 200_000)
    messages = body_messages(body, chunk)
    assert guard(echo).call(http(good, FORM), messages)[0]["status"] == 200
    assert received == [body]


@pytest.mark.requirement("RS-BR-03")
@pytest.mark.parametrize("chunk", [1, 7, 1 << 20])
def test_a_token_in_a_form_is_seen_however_the_body_is_cut(
    guard: Guard, good: tuple[bytes, bytes], chunk: int
) -> None:
    messages = body_messages(b"a=1&access_token=x&b=2", chunk)
    assert guard().call(http(good, FORM), messages)[0]["status"] == 400
    messages = body_messages(b"a=1&access_tokens=x&b=2", chunk)
    assert guard().call(http(good, FORM), messages)[0]["status"] == 200


def test_a_client_that_hangs_up_within_a_form_is_told_to_the_application(
    guard: Guard, good: tuple[bytes, bytes]
) -> None:
    kinds: list[str] = []

    async def note(scope: AsgiScope, receive: AsgiReceive, send: AsgiSend) -> None:
        kinds.extend([(await receive())["type"] for _ in range(2)])

    first: Message = {"type": "http.request", "body": b"a", "more_body": True}
    guard(note).call(http(good, FORM), [first, {"type": "http.disconnect"}])
    assert kinds == ["http.request", "http.disconnect"]


def test_a_body_that_is_no_form_is_not_touched(guard: Guard, good: tuple[bytes, bytes]) -> None:
    left: list[Message] = body_messages(b"x" * 10, 1)

    async def never_reads(scope: AsgiScope, receive: AsgiReceive, send: AsgiSend) -> None:
        assert (await receive())["body"] == b"x"
        await plain_app(scope, receive, send)

    json = (b"content-type", b"application/json")
    assert guard(never_reads).call(http(good, json), left)[0]["status"] == 200


async def accept(scope: AsgiScope, receive: AsgiReceive, send: AsgiSend) -> None:
    assert (await receive())["type"] == "websocket.connect"
    await send({"type": "websocket.accept", "subprotocol": access_token_of(scope).subject})


CONNECT: Message = {"type": "websocket.connect"}


def test_a_websocket_is_judged_by_its_handshake(guard: Guard, good: tuple[bytes, bytes]) -> None:
    api = guard(accept)
    assert api.call(websocket(good), [dict(CONNECT)]) == [
        {"type": "websocket.accept", "subprotocol": "person-1"}
    ]
    for headers in ((), ((b"authorization", b"Bearer opaque"),), (good, good)):
        assert api.call(websocket(*headers), [dict(CONNECT)]) == [
            {"type": "websocket.close", "code": 1008}
        ]


def test_a_websocket_gets_the_challenge_where_the_server_can_send_it(guard: Guard) -> None:
    scope = websocket(extensions={"websocket.http.response": {}})
    start, body = guard(accept).call(scope, [dict(CONNECT)])
    assert (start["type"], start["status"]) == ("websocket.http.response.start", 401)
    assert (b"www-authenticate", b"Bearer") in start["headers"]
    assert body == {"type": "websocket.http.response.body", "body": b""}


def test_lifespan_passes_and_what_is_not_known_does_not(guard: Guard) -> None:
    async def live(scope: AsgiScope, receive: AsgiReceive, send: AsgiSend) -> None:
        await send({"type": "lifespan.startup.complete"})

    api = guard(live)
    assert api.call({"type": "lifespan"}, []) == [{"type": "lifespan.startup.complete"}]
    with pytest.raises(ValueError, match="tunnel"):
        api.call({"type": "tunnel"}, [])
