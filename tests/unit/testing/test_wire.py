"""What is answered in the process, what may leave it, and what fails."""

from __future__ import annotations

import asyncio
import threading
from collections.abc import Coroutine, Iterator
from http.server import BaseHTTPRequestHandler, HTTPServer
from typing import Any, cast

import httpx2
import pytest

from codegrant.errors import TransportError, UsageError
from codegrant.flow import run, run_async
from codegrant.http import Headers, Request, Response, Send
from codegrant.remote.aio import AsyncDriver
from codegrant.remote.fetch import get_document
from codegrant.remote.sync import SyncDriver
from codegrant.remote.transport import MAX_BODY, HttpSettings
from codegrant.testing import Unanswered, Wire
from codegrant.testing.wire import WireTransport
from tests.support.colours import Colour

API = "https://api.test"


@pytest.fixture(params=["sync", "async"])
def colour(request: pytest.FixtureRequest) -> Iterator[Colour]:
    colour = Colour(request.param)
    yield colour
    colour.close()


@pytest.fixture
def wire() -> Iterator[Wire]:
    with Wire() as wire:
        yield wire


@pytest.fixture
def neighbour() -> Iterator[str]:
    """Return the origin of somebody on this machine."""

    class Handler(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            self.send_response(200)
            self.send_header("content-length", "4")
            self.end_headers()
            self.wfile.write(b"real")

        def log_message(self, format: str, *args: object) -> None:  # noqa: A002
            pass

    server = HTTPServer(("127.0.0.1", 0), Handler)
    thread = threading.Thread(target=server.serve_forever, args=(0.01,))
    thread.start()
    yield f"http://127.0.0.1:{server.server_port}"
    server.shutdown()
    thread.join()
    server.server_close()


def echo(request: Request) -> Response:
    told = f"{request.method} {request.url} {request.path} {request.query} {request.body.decode()}"
    headers = Headers([("x-host", request.headers.get("host")), ("x-peer", request.peer)])
    return Response(status=207, headers=headers, body=told.encode())


def send(colour: Colour, url: str, *, method: str = "GET", guarded: bool = False) -> Response:
    effect = Send(Request(method=method, url=url, body=b"x" if method == "POST" else b""), guarded)
    settings = HttpSettings(timeout=5)
    if not colour.is_async:
        driver = SyncDriver(settings)
        try:
            return cast("Response", driver.perform(effect))
        finally:
            driver.close()

    async def send_async() -> Response:
        driver = AsyncDriver(settings)
        try:
            return cast("Response", await driver.perform(effect))
        finally:
            await driver.aclose()

    coroutine: Response | Coroutine[Any, Any, Response] = send_async()
    return colour.wait(coroutine)


@pytest.mark.parametrize("guarded", [False, True], ids=["plain", "guarded"])
def test_a_drivers_request_is_answered_here(wire: Wire, colour: Colour, guarded: bool) -> None:
    wire.serve(API, echo)
    response = send(colour, f"{API}/a%20b?c=d%20e", method="POST", guarded=guarded)
    assert response.status == 207
    assert response.body == b"POST https://api.test/a%20b /a b c=d%20e x"
    assert response.headers.get("x-host") == "api.test"
    assert response.headers.get("x-peer")


@pytest.mark.parametrize("guarded", [False, True], ids=["plain", "guarded"])
def test_what_nobody_serves_fails_and_names_the_address(
    wire: Wire, colour: Colour, guarded: bool
) -> None:
    wire.serve(API, echo)
    for url in ("https://other.test/token", "https://api.test:444/token"):
        with pytest.raises(TransportError) as caught:
            send(colour, f"{url}?code=abc", guarded=guarded)
        assert caught.value.code == "not_served"
        assert f"GET {url}: nothing serves" in str(caught.value)
        assert "abc" not in str(caught.value)
    assert wire.not_served == ["GET https://other.test/token", "GET https://api.test:444/token"]


def test_the_limits_of_the_driver_hold(wire: Wire, colour: Colour) -> None:
    wire.serve(API, lambda request: Response(status=200, body=b"x" * (MAX_BODY + 1)))
    with pytest.raises(TransportError) as caught:
        send(colour, API)
    assert caught.value.code == "too_large"


def test_a_guarded_address_must_still_be_one(wire: Wire, colour: Colour) -> None:
    wire.serve("http://127.0.0.1:9", echo)
    assert send(colour, "http://127.0.0.1:9/").status == 207
    with pytest.raises(TransportError) as caught:
        send(colour, "http://127.0.0.1:9/", guarded=True)
    assert caught.value.code == "address_refused"


@pytest.mark.parametrize(("stalls", "code"), [(True, "timeout"), (False, "connect_failed")])
def test_no_answer_is_what_it_is_on_a_network(
    wire: Wire, colour: Colour, stalls: bool, code: str
) -> None:
    def nobody(request: Request) -> Response:
        raise Unanswered(stalls=stalls)

    wire.serve(API, nobody)
    with pytest.raises(TransportError) as caught:
        send(colour, API)
    assert caught.value.code == code
    assert (wire.not_served, wire.failures) == ([], [])


def test_what_an_application_raises_is_kept(wire: Wire, colour: Colour) -> None:
    def fails(request: Request) -> Response:
        raise ZeroDivisionError

    wire.serve(API, fails)
    with pytest.raises(TransportError) as caught:
        send(colour, API)
    assert caught.value.code == "broken_answer"
    assert [type(error) for error in wire.failures] == [ZeroDivisionError]


def test_an_origin_is_let_out_by_name(wire: Wire, colour: Colour, neighbour: str) -> None:
    with pytest.raises(TransportError) as caught:
        send(colour, neighbour)
    assert caught.value.code == "not_served"
    wire.let_out(neighbour)
    assert send(colour, neighbour).body == b"real"
    wire.serve(neighbour, echo)  # what is served here does not leave
    assert send(colour, neighbour).status == 207


def test_the_network_is_back_when_the_wire_is_down(colour: Colour, neighbour: str) -> None:
    with Wire() as wire, pytest.raises(TransportError):
        send(colour, neighbour)
    assert wire.not_served
    assert send(colour, neighbour).body == b"real"


def test_a_driver_that_was_in_use_before_is_diverted_too(neighbour: str) -> None:
    driver = SyncDriver(HttpSettings())
    request = Request(method="GET", url=neighbour)
    assert driver.send(request).body == b"real"
    with Wire() as wire:
        wire.serve(neighbour, echo)
        assert driver.send(request).status == 207
    assert driver.send(request).body == b"real"
    driver.close()


def test_the_newest_of_two_wires_is_asked_first(colour: Colour) -> None:
    def says(text: bytes) -> Wire:
        wire = Wire()
        wire.serve(API, lambda request: Response(status=200, body=text))
        return wire

    older, newer = says(b"older"), says(b"newer")
    older.serve("https://older.test", echo)
    with older:
        with newer:
            assert send(colour, API).body == b"newer"
            assert send(colour, "https://older.test").status == 207
        assert send(colour, API).body == b"older"


def test_wires_come_down_in_any_order_and_more_than_once(neighbour: str) -> None:
    driver, first, second = SyncDriver(HttpSettings()), Wire(), Wire()
    for wire in (first, second):
        wire.serve(neighbour, echo)
        wire.__enter__()
    request = Request(method="GET", url=neighbour)
    first.__exit__()
    first.__exit__()
    assert driver.send(request).status == 207
    second.__exit__()
    assert driver.send(request).status == 200
    driver.close()


def test_many_threads_share_a_wire(wire: Wire) -> None:
    wire.serve(API, echo)
    driver = SyncDriver(HttpSettings())
    answers: list[int] = []

    def ask() -> None:
        answers.append(driver.send(Request(method="GET", url=API)).status)

    threads = [threading.Thread(target=ask) for _ in range(20)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert answers == [207] * 20


def test_one_driver_in_several_event_loops(wire: Wire) -> None:
    wire.serve(API, echo)
    driver = AsyncDriver(HttpSettings())

    async def ask() -> int:
        answers = await asyncio.gather(
            *(driver.send(Request(method="GET", url=API)) for _ in range(5))
        )
        return sum(answer.status for answer in answers)

    assert [asyncio.run(ask()) for _ in range(2)] == [5 * 207] * 2


def test_a_wire_is_a_transport_of_httpx2() -> None:
    wire = Wire()
    wire.serve(API, echo)
    with httpx2.Client(transport=WireTransport(wire)) as http:
        assert http.post(f"{API}/a", content=b"b").text == "POST https://api.test/a /a  b"
        with pytest.raises(TransportError):
            http.get("https://other.test")

    async def ask() -> str:
        async with httpx2.AsyncClient(transport=WireTransport(wire)) as http:
            return (await http.get(API)).text

    assert asyncio.run(ask()) == "GET https://api.test/ /  "


@pytest.mark.parametrize("origin", ["api.test", "ftp://api.test", "", "https://"])
def test_only_an_origin_can_be_served(origin: str) -> None:
    with pytest.raises(UsageError):
        Wire().serve(origin, echo)
    with pytest.raises(UsageError):
        Wire().let_out(origin)


def test_flows_do_not_notice(wire: Wire) -> None:
    wire.serve(API, lambda request: Response(status=200, body=b"{}"))
    driver, twin = SyncDriver(HttpSettings()), AsyncDriver(HttpSettings())
    assert run(get_document(API, stage="discovery", guarded=True), driver.perform).body == b"{}"
    flow = get_document(API, stage="discovery", guarded=True)
    assert asyncio.run(run_async(flow, twin.perform)).body == b"{}"
