"""What goes wrong slowly, before a connection, or with somebody else waiting; both colours."""

from __future__ import annotations

import socket
import threading
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress
from typing import Any

import pytest

from codegrant.errors import TransportError
from codegrant.flow import Flow, RandomBytes, ask
from codegrant.remote.effects import SingleFlight
from codegrant.remote.sync import SyncDriver
from codegrant.remote.transport import HttpSettings
from tests.support.colours import Colour
from tests.support.mock_provider import Answer, Listener
from tests.unit.remote.test_drivers import Driver, refusal


@pytest.fixture(params=["sync", "async"])
def colour(request: pytest.FixtureRequest) -> Iterator[Colour]:
    colour = Colour(request.param)
    yield colour
    colour.close()


@pytest.fixture
def guarded(colour: Colour) -> Iterator[Driver]:
    driver = Driver(colour, HttpSettings(timeout=5.0, allow_private=True))
    yield driver
    driver.close()


@pytest.fixture
def listener() -> Iterator[Listener]:
    listener = Listener()
    listener.routes["/"] = lambda _: Answer(200, b"fine")
    yield listener
    listener.close()


def resolve_to(monkeypatch: pytest.MonkeyPatch, *addresses: str) -> None:
    """Let `localhost` have these addresses, in this order."""
    real = socket.getaddrinfo

    def fake(host: Any, port: Any, *arguments: Any, **options: Any) -> Any:
        if host != "localhost":
            return real(host, port, *arguments, **options)
        return [(socket.AF_INET, socket.SOCK_STREAM, 6, "", (each, port)) for each in addresses]

    monkeypatch.setattr(socket, "getaddrinfo", fake)


class Dripping:
    """Sends an answer byte by byte, as fast as nobody would, until the other side leaves.

    Args:
        answers: one after the other, each sent at once; what follows the last one is either
            more of its head or its body.
    """

    def __init__(self, *answers: bytes) -> None:
        self._answers = answers or (b"HTTP/1.1 200 OK\r\nContent-Length: 99999\r\n\r\n",)
        self._socket = socket.create_server(("127.0.0.1", 0))
        self.url = f"http://127.0.0.1:{self._socket.getsockname()[1]}/"
        self._left = threading.Event()
        self._thread = threading.Thread(target=self._serve)
        self._thread.start()

    def _serve(self) -> None:
        with suppress(OSError):
            connection, _ = self._socket.accept()
            with connection:
                for answer in self._answers:
                    connection.recv(65_536)
                    connection.sendall(answer)
                while not self._left.wait(0.02):
                    connection.sendall(b"x")

    def close(self) -> None:
        self._left.set()
        self._thread.join()
        self._socket.close()


@pytest.mark.requirement("CL-TOK-01", "CO-HTTP-02")
def test_an_answer_that_drips_is_left_when_the_time_of_the_whole_request_is_over(
    colour: Colour,
) -> None:
    server, driver = Dripping(), Driver(colour, HttpSettings(timeout=0.3))
    error = refusal(driver, server.url)
    assert (error.code, error.facts["endpoint"]) == ("timeout", server.url)
    driver.close()
    server.close()


@pytest.mark.requirement("CO-HTTP-02")
@pytest.mark.parametrize("guarded", [False, True], ids=["the configured", "somebody else's"])
def test_a_head_that_drips_is_left_as_well(colour: Colour, guarded: bool) -> None:
    server = Dripping(b"HTTP/1.1 200 OK\r\nx: ")
    driver = Driver(colour, HttpSettings(timeout=0.3, allow_private=True))
    error = refusal(driver, server.url, guarded=guarded)
    assert (error.code, error.facts["endpoint"]) == ("timeout", server.url)
    driver.close()
    server.close()


@pytest.mark.requirement("CO-HTTP-02")
def test_a_connection_that_is_used_again_has_the_time_of_its_new_request(colour: Colour) -> None:
    fine = b"HTTP/1.1 200 OK\r\nContent-Length: 4\r\n\r\nfine"
    server = Dripping(fine, b"HTTP/1.1 200 OK\r\nx: ")
    driver = Driver(colour, HttpSettings(timeout=0.5))
    assert driver.get(server.url).body == b"fine"
    assert refusal(driver, server.url).code == "timeout"
    driver.close()
    server.close()


def test_calls_of_an_api_have_no_time_limit_as_a_whole() -> None:
    """Who loads a film from the API over our pool takes as long as it takes."""
    server = Dripping(b"HTTP/1.1 200 OK\r\nContent-Length: 20\r\n\r\n")
    driver = SyncDriver(HttpSettings(timeout=0.2))
    assert driver.pool().get(server.url).content == b"x" * 20  # 0.4 s
    driver.close()
    server.close()


@pytest.mark.requirement("CO-HTTP-02")
def test_the_next_address_is_tried_when_the_first_does_not_answer(
    guarded: Driver, listener: Listener, monkeypatch: pytest.MonkeyPatch
) -> None:
    url = f"http://localhost:{listener.port}/"
    resolve_to(monkeypatch, "127.0.0.2", "127.0.0.1")
    assert guarded.get(url, guarded=True).body == b"fine"
    assert listener.received[0].headers["host"] == f"localhost:{listener.port}"
    resolve_to(monkeypatch, "127.0.0.2", "127.0.0.3")
    assert refusal(guarded, url, guarded=True).code == "connect_failed"


def test_an_answer_is_not_asked_for_again_at_the_next_address(
    guarded: Driver, listener: Listener, monkeypatch: pytest.MonkeyPatch
) -> None:
    listener.routes["/"] = lambda _: Answer(200, b"x", [("content-encoding", "gzip")])
    resolve_to(monkeypatch, "127.0.0.1", "127.0.0.1", "127.0.0.2")
    error = refusal(guarded, f"http://localhost:{listener.port}/", guarded=True)
    assert error.code == "broken_answer"
    assert len(listener.received) == 1


@pytest.mark.parametrize("host", ["a..example", "x" * 64 + ".example", "nobody.example"])
def test_a_name_without_an_address_is_a_failed_connection(
    guarded: Driver, host: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    def fail(name: str, *_: Any, **__: Any) -> None:
        name.encode("idna")
        raise socket.gaierror(socket.EAI_NONAME, "no such name")

    monkeypatch.setattr(socket, "getaddrinfo", fail)
    error = refusal(guarded, f"https://{host}/", guarded=True)
    assert isinstance(error, TransportError)
    assert error.code == "connect_failed"


def test_an_interrupted_leader_hands_over_to_another_thread() -> None:
    driver = SyncDriver(HttpSettings())
    entered, go_on = threading.Event(), threading.Event()
    runs: list[int] = []

    def work() -> Flow[int]:
        yield from ask(RandomBytes(1))
        runs.append(len(runs))
        if len(runs) == 1:
            entered.set()
            go_on.wait()
            raise KeyboardInterrupt
        return len(runs)

    effect = SingleFlight("key", work)
    with ThreadPoolExecutor(2) as pool:
        leader = pool.submit(driver.perform, effect)
        entered.wait()
        follower = pool.submit(driver.perform, effect)
        go_on.set()
        with pytest.raises(KeyboardInterrupt):
            leader.result()
        assert follower.result() == 2
    assert driver.perform(effect) == 3
    driver.close()
