"""What leaves through a driver and what comes back, in both colours, over real sockets."""

from __future__ import annotations

import asyncio
import gzip
import logging
import os
import socket
import ssl
import threading
import warnings
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import pytest

from codegrant.errors import ConfigurationError, TransportError, UsageError
from codegrant.flow import Effect, Flow, RandomBytes, ask
from codegrant.http import Headers, Request, Response, Send
from codegrant.remote.aio import AsyncDriver
from codegrant.remote.effects import Pause, Report, SingleFlight
from codegrant.remote.sync import SyncDriver
from codegrant.remote.transport import MAX_BODY, HttpSettings
from tests.support.colours import Colour
from tests.support.mock_provider import Answer, Handler, Listener, Received, redirect
from tests.support.tls import SelfSigned, self_signed


class Driver:
    """Either driver, driven from a test."""

    def __init__(self, colour: Colour, settings: HttpSettings) -> None:
        self.colour = colour
        self.real = AsyncDriver(settings) if colour.is_async else SyncDriver(settings)

    def perform(self, effect: Effect[Any]) -> Any:
        return self.colour.wait(self.real.perform(effect))

    def get(self, url: str, *, guarded: bool = False) -> Response:
        response: Response = self.perform(Send(Request(method="GET", url=url), guarded))
        return response

    def close(self) -> None:
        if isinstance(self.real, AsyncDriver):
            self.colour.finish(self.real.aclose())
        else:
            self.real.close()


@pytest.fixture(params=["sync", "async"])
def colour(request: pytest.FixtureRequest) -> Iterator[Colour]:
    colour = Colour(request.param)
    yield colour
    colour.close()


@pytest.fixture
def driver(colour: Colour) -> Iterator[Driver]:
    driver = Driver(colour, HttpSettings(timeout=5.0))
    yield driver
    driver.close()


@pytest.fixture
def listener() -> Iterator[Listener]:
    listener = Listener()
    yield listener
    listener.close()


@pytest.fixture(scope="module")
def certificate(tmp_path_factory: pytest.TempPathFactory) -> SelfSigned:
    return self_signed(tmp_path_factory.mktemp("tls"))


def refusal(driver: Driver, url: str, *, guarded: bool = False) -> TransportError:
    with pytest.raises(TransportError) as caught:
        driver.get(url, guarded=guarded)
    return caught.value


def test_a_pause_comes_to_its_end_and_gives_nothing(driver: Driver) -> None:
    assert driver.perform(Pause(0)) is None


def test_a_request_arrives_as_it_was_built(driver: Driver, listener: Listener) -> None:
    listener.routes["/token"] = lambda _: Answer(201, b"{}", [("x-twice", "1"), ("x-twice", "2")])
    headers = Headers([("content-type", "text/plain"), ("authorization", "Basic eA==")])
    request = Request(
        method="POST", url=f"{listener.origin}/token?q=%20", headers=headers, body=b"a=b"
    )
    response = driver.perform(Send(request))
    assert (response.status, response.body) == (201, b"{}")
    assert response.headers.get_all("x-twice") == ("1", "2")
    received = listener.received[0]
    assert (received.method, received.target, received.body) == ("POST", "/token?q=%20", b"a=b")
    assert received.headers["authorization"] == "Basic eA=="
    assert received.headers["accept-encoding"] == "identity"
    assert received.headers["user-agent"].startswith("codegrant/")


@pytest.mark.parametrize("status", [301, 302, 303, 307, 308])
def test_a_redirect_is_an_answer_and_not_followed(
    driver: Driver, listener: Listener, status: int
) -> None:
    listener.routes["/here"] = lambda _: redirect(f"{listener.origin}/there", status)
    assert driver.get(f"{listener.origin}/here").status == status
    assert listener.paths() == ["/here"]


def test_cookies_of_one_answer_do_not_go_out_with_the_next_request(
    driver: Driver, listener: Listener
) -> None:
    listener.routes["/a"] = lambda _: Answer(200, b"", [("set-cookie", "who=alice; Path=/")])
    driver.get(f"{listener.origin}/a")
    driver.get(f"{listener.origin}/a")
    assert all("cookie" not in request.headers for request in listener.received)


def test_an_answer_up_to_the_limit_is_read_and_not_a_byte_more(
    driver: Driver, listener: Listener
) -> None:
    listener.routes["/fits"] = lambda _: Answer(200, b"x" * MAX_BODY)
    listener.routes["/huge"] = lambda _: Answer(200, b"x" * (10 * MAX_BODY))
    assert len(driver.get(f"{listener.origin}/fits").body) == MAX_BODY
    assert refusal(driver, f"{listener.origin}/huge").code == "too_large"


def test_a_compressed_answer_is_refused_and_not_unpacked(
    driver: Driver, listener: Listener
) -> None:
    bomb = gzip.compress(b"x" * (4 * MAX_BODY))
    listener.routes["/bomb"] = lambda _: Answer(200, bomb, [("content-encoding", "gzip")])
    assert refusal(driver, f"{listener.origin}/bomb").code == "broken_answer"


def test_a_server_that_does_not_answer_is_left(colour: Colour, listener: Listener) -> None:
    driver = Driver(colour, HttpSettings(timeout=0.2))
    listener.routes["/slow"] = listener.hang
    error = refusal(driver, f"{listener.origin}/slow?code=secret")
    assert (error.code, error.facts["endpoint"]) == ("timeout", f"{listener.origin}/slow")
    assert "secret" not in str(error)
    driver.close()


def test_nobody_listening_is_a_failed_connection(driver: Driver) -> None:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port = probe.getsockname()[1]
    error = refusal(driver, f"http://127.0.0.1:{port}/")
    assert error.code == "connect_failed"
    assert "is the server running" in error.hint


def test_what_is_no_http_is_a_broken_answer(driver: Driver) -> None:
    with socket.create_server(("127.0.0.1", 0)) as server:
        port = server.getsockname()[1]

        def greet() -> None:
            peer, _ = server.accept()
            with peer:
                peer.recv(4096)
                peer.sendall(b"220 mail.example ESMTP\r\n")

        thread = threading.Thread(target=greet)
        thread.start()
        assert refusal(driver, f"http://127.0.0.1:{port}/").code == "broken_answer"
        thread.join()


@pytest.mark.requirement("CO-HTTP-01")
def test_a_self_signed_certificate_is_refused_and_a_trusted_one_accepted(
    colour: Colour, certificate: SelfSigned
) -> None:
    listener = Listener(certificate.server_context())
    listener.routes["/"] = lambda _: Answer(200, b"hello")
    stranger = Driver(colour, HttpSettings())
    friend = Driver(colour, HttpSettings(ca_file=str(certificate.file)))
    error = refusal(stranger, f"{listener.origin}/")
    assert error.code == "tls_failed"
    assert "ca_file" in error.hint
    assert listener.received == []
    assert friend.get(f"{listener.origin}/").body == b"hello"
    assert refusal(friend, f"https://localhost:{listener.port}/").code == "tls_failed"
    stranger.close()
    friend.close()
    listener.close()


def test_tls_before_1_2_is_refused(colour: Colour, certificate: SelfSigned) -> None:
    old = certificate.server_context()
    old.set_ciphers("ALL:@SECLEVEL=0")
    with warnings.catch_warnings(action="ignore", category=DeprecationWarning):
        old.minimum_version, old.maximum_version = ssl.TLSVersion.TLSv1, ssl.TLSVersion.TLSv1_1
    listener = Listener(old)
    driver = Driver(colour, HttpSettings(ca_file=str(certificate.file)))
    assert refusal(driver, f"{listener.origin}/").code == "tls_failed"
    driver.close()
    listener.close()


def test_a_ca_file_that_cannot_be_read_is_a_configuration_error(
    colour: Colour, tmp_path: Path
) -> None:
    driver = Driver(colour, HttpSettings(ca_file=str(tmp_path / "absent.pem")))
    with pytest.raises(ConfigurationError, match="ca_file"):
        driver.get("https://127.0.0.1:1/")


@pytest.mark.requirement("CO-HTTP-02")
@pytest.mark.parametrize(
    "url",
    [
        pytest.param("http://169.254.169.254/latest/meta-data/", id="cloud metadata"),
        pytest.param("https://169.254.169.254/", id="cloud metadata over https"),
        pytest.param("https://10.0.0.1/", id="private"),
        pytest.param("https://127.0.0.1:{port}/", id="loopback"),
        pytest.param("https://localhost:{port}/", id="a name for loopback"),
        pytest.param("https://[::1]:{port}/", id="loopback, v6"),
        pytest.param("https://[::ffff:127.0.0.1]:{port}/", id="mapped"),
        pytest.param("https://2130706433:{port}/", id="a number"),
        pytest.param("https://0x7f.1:{port}/", id="the short form in hex"),
        pytest.param("https://0:{port}/", id="zero"),
        pytest.param("http://127.0.0.1:{port}/", id="http"),
        pytest.param("file:///etc/passwd", id="file"),
    ],
)
def test_a_guarded_fetch_refuses_what_is_not_public(
    driver: Driver, listener: Listener, url: str
) -> None:
    error = refusal(driver, url.format(port=listener.port), guarded=True)
    assert error.code == "address_refused"
    assert listener.received == []
    listener.routes["/"] = lambda _: Answer(200, b"fine")
    assert driver.get(f"{listener.origin}/").body == b"fine"


@pytest.mark.parametrize(("name", "code"), [("localhost", ""), ("other.example", "tls_failed")])
def test_a_guarded_fetch_connects_to_the_address_it_judged_and_verifies_the_name(
    colour: Colour, tmp_path: Path, name: str, code: str
) -> None:
    # The connection goes to 127.0.0.1, which neither certificate names.
    certificate = self_signed(tmp_path, name)
    listener = Listener(certificate.server_context())
    listener.routes["/jwks"] = lambda request: Answer(200, request.headers["host"].encode())
    driver = Driver(colour, HttpSettings(ca_file=str(certificate.file), allow_private=True))
    url = f"https://localhost:{listener.port}/jwks"
    if code:
        assert refusal(driver, url, guarded=True).code == code
    else:
        assert driver.get(url, guarded=True).body == f"localhost:{listener.port}".encode()
    driver.close()
    listener.close()


def test_loopback_is_reached_past_a_proxy_of_the_environment(
    colour: Colour, listener: Listener, monkeypatch: pytest.MonkeyPatch
) -> None:
    proxy = Listener()
    for name in ("http_proxy", "https_proxy", "all_proxy"):
        monkeypatch.setenv(name, proxy.origin)
    monkeypatch.delenv("no_proxy", raising=False)
    monkeypatch.delenv("NO_PROXY", raising=False)
    listener.routes["/"] = lambda _: Answer(200, b"direct")
    driver = Driver(colour, HttpSettings())
    assert driver.get(f"{listener.origin}/").body == b"direct"
    assert driver.get("http://issuer.invalid/").status == 404  # the proxy's answer
    assert len(proxy.received) == 1
    driver.close()
    proxy.close()


def test_a_closed_driver_opens_again(driver: Driver, listener: Listener) -> None:
    listener.routes["/"] = lambda _: Answer(200, b"")
    driver.get(f"{listener.origin}/")
    driver.close()
    assert driver.get(f"{listener.origin}/").status == 200


def test_connections_are_kept_for_the_next_request(driver: Driver, listener: Listener) -> None:
    ports: list[int] = []
    accept = listener._server.get_request

    def noting() -> tuple[socket.socket, Any]:
        peer, address = accept()
        ports.append(address[1])
        return peer, address

    listener._server.get_request = noting  # type: ignore[method-assign]
    listener.routes["/"] = lambda _: Answer(200, b"")
    for _ in range(3):
        driver.get(f"{listener.origin}/")
    assert len(ports) == 1


def test_entropy_is_as_long_as_asked_and_never_the_same(driver: Driver) -> None:
    one, two = driver.perform(RandomBytes(32)), driver.perform(RandomBytes(32))
    assert len(one) == len(two) == 32
    assert one != two


def test_a_report_shows_fields_of_the_allow_list_only(
    driver: Driver, caplog: pytest.LogCaptureFixture
) -> None:
    fields: Any = {"code": "timeout", "access_token": "hush"}
    with caplog.at_level(logging.WARNING, logger="codegrant"):
        driver.perform(Report(logging.WARNING, "something happened", fields))
        driver.perform(Report(logging.DEBUG, "nothing happened", {}))
    assert caplog.messages == ["something happened code='timeout'"]


def test_an_effect_of_somebody_else_is_a_usage_error(driver: Driver) -> None:
    with pytest.raises(UsageError, match="Effect"):
        driver.perform(Effect())


def flight(answers: list[object], waiting: Effect[Any]) -> Flow[object]:
    """A flow that counts its runs in `answers`."""
    answers.append(object())
    yield from ask(waiting)
    return answers[-1]


def test_a_single_flight_gives_one_result_to_all_threads(listener: Listener) -> None:
    driver = SyncDriver(HttpSettings())
    runs: list[object] = []
    entered, go_on = threading.Event(), threading.Event()

    def answer(_: object) -> Answer:
        entered.set()
        go_on.wait()
        return Answer(200, b"")

    listener.routes["/"] = answer
    effect = SingleFlight("key", lambda: flight(runs, Send(Request(method="GET", url=url))))
    url = f"{listener.origin}/"
    with ThreadPoolExecutor(8) as pool:
        first = pool.submit(driver.perform, effect)
        entered.wait()
        rest = [pool.submit(driver.perform, effect) for _ in range(7)]
        go_on.set()
        results = {id(f.result()) for f in [first, *rest]}
    # Those who came while it was in the air share it; nobody ran beside it.
    assert len(results) == len(runs)
    assert listener.count("/") == len(runs) <= 2
    driver.close()


def test_a_single_flight_gives_one_failure_to_all(driver: Driver) -> None:
    def fail() -> Flow[None]:
        yield from ask(RandomBytes(16))
        raise TransportError("no", code="timeout")

    for _ in range(2):
        with pytest.raises(TransportError, match="no"):
            driver.perform(SingleFlight("key", fail))


def test_a_single_flight_gives_one_result_to_all_tasks(listener: Listener) -> None:
    listener.routes["/"] = lambda _: Answer(200, b"")
    driver = AsyncDriver(HttpSettings())
    runs: list[object] = []
    send = Send(Request(method="GET", url=f"{listener.origin}/"))

    async def main() -> list[object]:
        effect = SingleFlight("key", lambda: flight(runs, send))
        results = await asyncio.gather(*(driver.perform(effect) for _ in range(20)))
        await driver.aclose()
        return results

    assert len(set(map(id, asyncio.run(main())))) == 1
    assert len(runs) == 1
    assert listener.count("/") == 1


def test_a_cancelled_leader_hands_over(listener: Listener) -> None:
    driver = AsyncDriver(HttpSettings())
    runs: list[object] = []
    calls: Iterator[Handler] = iter([listener.hang, lambda _: Answer(200, b"")])
    arrived = threading.Event()

    def answer(request: Received) -> Answer:
        handler = next(calls)
        arrived.set()
        return handler(request)

    listener.routes["/"] = answer
    send = Send(Request(method="GET", url=f"{listener.origin}/"))
    effect = SingleFlight("key", lambda: flight(runs, send))

    async def main() -> object:
        leader = asyncio.create_task(driver.perform(effect))
        await asyncio.to_thread(arrived.wait)
        follower = asyncio.create_task(driver.perform(effect))
        await asyncio.sleep(0)
        leader.cancel()
        result = await follower
        assert leader.cancelled()
        await driver.aclose()
        return result

    assert asyncio.run(main()) is runs[1]
    assert len(runs) == 2


def test_an_async_driver_serves_one_event_loop_after_another(listener: Listener) -> None:
    listener.routes["/"] = lambda _: Answer(200, b"")
    driver = AsyncDriver(HttpSettings())

    async def main() -> int:
        try:
            response = await driver.send(Request(method="GET", url=f"{listener.origin}/"))
        finally:
            await driver.aclose()
        return response.status

    assert [asyncio.run(main()), asyncio.run(main())] == [200, 200]


@pytest.mark.skipif(not hasattr(os, "fork"), reason="no fork here")
def test_a_forked_child_opens_connections_of_its_own(listener: Listener) -> None:
    listener.routes["/"] = lambda request: Answer(200, request.headers["x-who"].encode())
    driver = SyncDriver(HttpSettings())

    def ask_as(who: str) -> bytes:
        headers = Headers([("x-who", who)])
        return driver.send(Request(method="GET", url=f"{listener.origin}/", headers=headers)).body

    assert ask_as("parent") == b"parent"
    reader, writer = os.pipe()
    child = os.fork()
    if child == 0:
        try:
            os.write(writer, ask_as("child"))
        finally:
            os._exit(0)
    os.close(writer)
    with os.fdopen(reader, "rb") as pipe:
        assert pipe.read() == b"child"
    os.waitpid(child, 0)
    assert ask_as("parent again") == b"parent again"
    driver.close()
