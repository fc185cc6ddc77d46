"""`Wire`: where the requests of Codegrant's clients go while a test runs. Layer: testing.

While a wire is up, what the drivers of clients and resource servers send is answered in the
test's process: by whatever is served at the origin of its address. Nothing else leaves the
process, unless its origin was let out by name. A wire is the process's, whatever thread or
event loop sends: so are the drivers' connection pools, whose place it takes.
"""

from __future__ import annotations

import weakref
from collections.abc import AsyncIterator, Awaitable, Callable, Generator, Iterable, Iterator
from contextlib import contextmanager
from threading import Lock
from typing import Final, NamedTuple, Self
from urllib.parse import unquote
from weakref import WeakKeyDictionary

import httpx2

from codegrant.errors import MessageError, TransportError, UsageError
from codegrant.http import Headers, Request, Response
from codegrant.remote import transport
from codegrant.remote.aio import AsyncDriver
from codegrant.remote.guard import check_guarded_url
from codegrant.remote.sync import SyncDriver
from codegrant.rules.uri import origin_of
from codegrant.testing.apps import Served, ServedApp, as_served
from codegrant.testing.folders import use_other_folders, use_own_folders
from codegrant.testing.memory import begin_anew, remember_for_ever, remember_for_one_test

__all__ = ["Unanswered", "Wire"]

_SENDER: Final = "192.0.2.1"  # an address for documentation: nobody's. RFC 5737.


class Unanswered(Exception):
    """A request that gets no answer: the other side stalls, or is not there.

    What an application on a wire raises for it. Each HTTP library sees its own exception.

    Args:
        stalls: whether it is a time-out; else the connection is refused.
    """

    def __init__(self, *, stalls: bool) -> None:
        super().__init__("time-out" if stalls else "connection refused")
        self.stalls = stalls


class Wire:
    """The network of one test; a context manager that is up inside its `with`.

    Of several wires that are up, the newest is asked first. While one is, a web application that
    opens its store opens an empty one, in a folder of the test's process. Whenever one goes up,
    clients and resource servers forget what they know of their issuers.

    Args:
        let_out: origins that are really reached, e.g. `http://127.0.0.1:8000`.

    Attributes:
        served: who answers, by origin.
        open_origins: what is really reached.
        not_served: method and address, without its query, of every request that nobody
            answered.
        failures: what the applications have raised. The code under test may see no more of it
            than a connection that broke.
    """

    def __init__(self, let_out: Iterable[str] = ()) -> None:
        self.served: dict[str, Served] = {}
        self.open_origins: set[str] = {origin_of(origin) for origin in let_out}
        self.not_served: list[str] = []
        self.failures: list[Exception] = []

    def check_up(self) -> None:
        """Check that what clients send comes here.

        Raises:
            UsageError: it would leave the process.
        """
        if self not in _up:
            raise UsageError(
                f"{self!r} is not up: what the application sends would leave the process",
                hint="use the fixture codegrant_provider, or: with ProviderInProcess(...) as "
                "provider",
            )

    def serve(self, origin: str, app: ServedApp) -> None:
        """Answer requests to `origin` with `app`; it takes the place of another one.

        Args:
            origin: e.g. `https://api.example`.
            app: a function of one request, or a WSGI or ASGI application.

        Raises:
            UsageError: `origin` is no http or https address, or `app` is none of these.
        """
        self.served[origin_of(origin)] = as_served(app)

    def let_out(self, origin: str) -> None:
        """Let requests to `origin` leave the process.

        Raises:
            UsageError: it is no http or https address.
        """
        self.open_origins.add(origin_of(origin))

    def answer(self, request: Request) -> Response:
        """Return the answer to `request`, whose `url` is absolute.

        Raises:
            TransportError: `not_served`, nobody answers at this address.
            Unanswered: the answer is that there is none.
        """
        served = self.find(request)
        with self._watched():
            return served.answer(_as_received(request))

    async def answer_async(self, request: Request) -> Response:
        """As `answer`, in an event loop."""
        served = self.find(request)
        with self._watched():
            return await served.answer_async(_as_received(request))

    def find(self, request: Request) -> Served:
        """Return who answers `request`.

        Raises:
            TransportError: `not_served`, nobody does.
        """
        origin = origin_of(request.url)
        for wire in self._in_order():
            served = wire.served.get(origin)
            if served is not None:
                return served
        address = f"{request.method} {transport.endpoint_of(request)}"
        self.not_served.append(address)
        raise TransportError(
            f"{address}: nothing serves {origin} in this test, and nothing may leave it",
            code="not_served",
            hint=f"answer it with serve({origin!r}, app), or let it out with let_out({origin!r})",
            facts={"endpoint": transport.endpoint_of(request)},
        )

    def lets_out(self, url: str) -> bool:
        """Return whether a request to `url` may really be sent."""
        origin, wires = origin_of(url), self._in_order()
        served = any(origin in wire.served for wire in wires)
        return not served and any(origin in wire.open_origins for wire in wires)

    @contextmanager
    def _watched(self) -> Generator[None]:
        try:
            yield
        except (Unanswered, TransportError):
            raise
        except Exception as error:
            self.failures.append(error)
            raise

    def _in_order(self) -> tuple[Wire, ...]:
        newest_first = tuple(reversed(_up))
        return newest_first if self in newest_first else (self, *newest_first)

    def __enter__(self) -> Self:
        with _lock:
            _up.append(self)
            if len(_up) == 1:
                _put(_DIVERTED)
                use_other_folders()
                remember_for_one_test()
            begin_anew()
        return self

    def __exit__(self, *exc_info: object) -> None:
        with _lock:
            if self in _up:
                _up.remove(self)
            if not _up:
                _put(_REAL)
                use_own_folders()
                remember_for_ever()

    def __repr__(self) -> str:
        return f"Wire({', '.join(sorted(self.served))})"


def _as_received(request: Request) -> Request:
    """Return a request that was to be sent as who receives it sees it."""
    url = httpx2.URL(request.url)
    pairs = request.headers.pairs()
    if "host" not in request.headers:
        pairs = (("host", url.netloc.decode("ascii")), *pairs)
    raw_path = url.raw_path.partition(b"?")[0].decode("ascii")
    return Request(
        method=request.method,
        url=f"{url.scheme}://{url.netloc.decode('ascii')}{raw_path}",
        path=unquote(raw_path),
        query=url.query.decode("ascii"),
        headers=Headers(pairs),
        body=request.body,
        peer=_SENDER,
    )


class _Body(httpx2.SyncByteStream, httpx2.AsyncByteStream):
    """A body that is there as a whole."""

    def __init__(self, body: bytes) -> None:
        self._body = body

    def __iter__(self) -> Iterator[bytes]:
        yield self._body

    async def __aiter__(self) -> AsyncIterator[bytes]:
        yield self._body


def from_httpx2(request: httpx2.Request) -> Request:
    """Return a request of httpx2, whose body has been read, as ours.

    Raises:
        TransportError: a header has a character that none may have.
    """
    try:
        headers = Headers((k.decode("ascii"), v.decode("latin-1")) for k, v in request.headers.raw)
    except (MessageError, UnicodeDecodeError) as error:
        raise TransportError(f"a header cannot be sent: {error}", code="broken_answer") from None
    return Request(
        method=request.method, url=str(request.url), headers=headers, body=request.content
    )


def to_httpx2(response: Response) -> httpx2.Response:
    """Return our response as one of httpx2."""
    pairs = [(k.encode("ascii"), v.encode("latin-1")) for k, v in response.headers.pairs()]
    return httpx2.Response(response.status, headers=pairs, stream=_Body(response.body))


def as_httpx2_error(error: Unanswered, request: httpx2.Request) -> httpx2.TransportError:
    """Return what httpx2 raises when there is no answer."""
    if error.stalls:
        return httpx2.ReadTimeout("the peer stalls", request=request)
    return httpx2.ConnectError("the connection is refused", request=request)


class WireTransport(httpx2.BaseTransport, httpx2.AsyncBaseTransport):
    """A wire as a transport of httpx2, for both of its clients.

    Args:
        wire: answers.
    """

    def __init__(self, wire: Wire) -> None:
        self._wire = wire

    def handle_request(self, request: httpx2.Request) -> httpx2.Response:
        """Return the answer."""
        request.read()
        try:
            return to_httpx2(self._wire.answer(from_httpx2(request)))
        except Unanswered as error:
            raise as_httpx2_error(error, request) from None

    async def handle_async_request(self, request: httpx2.Request) -> httpx2.Response:
        """As `handle_request`."""
        await request.aread()
        try:
            return to_httpx2(await self._wire.answer_async(from_httpx2(request)))
        except Unanswered as error:
            raise as_httpx2_error(error, request) from None


# From here on: what takes the place of four methods of the drivers. Production code knows
# nothing of it and has no switch that could send credentials elsewhere.

_lock = Lock()
_up: list[Wire] = []
_pools: WeakKeyDictionary[SyncDriver, httpx2.Client] = WeakKeyDictionary()
_async_pools: WeakKeyDictionary[AsyncDriver, httpx2.AsyncClient] = WeakKeyDictionary()


class _Originals(NamedTuple):
    pool: Callable[[SyncDriver], httpx2.Client]
    send_guarded: Callable[[SyncDriver, Request], Response]
    async_pool: Callable[[AsyncDriver], httpx2.AsyncClient]
    async_send_guarded: Callable[[AsyncDriver, Request], Awaitable[Response]]


_REAL = _Originals(
    SyncDriver.pool, SyncDriver.send_guarded, AsyncDriver.pool, AsyncDriver.send_guarded
)


def _newest() -> Wire:
    """Return the wire that is asked first; who comes when all are down meets nobody."""
    return _up[-1] if _up else Wire()


class _Diverted(httpx2.BaseTransport):
    """The transport of one driver's pool."""

    def __init__(self, driver: SyncDriver) -> None:
        self._driver = driver

    def handle_request(self, request: httpx2.Request) -> httpx2.Response:
        wire = _newest()
        if wire.lets_out(str(request.url)):
            return _REAL.pool(self._driver).send(request, stream=True)
        return WireTransport(wire).handle_request(request)


class _AsyncDiverted(httpx2.AsyncBaseTransport):
    """The transport of one driver's pool."""

    def __init__(self, driver: AsyncDriver) -> None:
        self._driver = driver

    async def handle_async_request(self, request: httpx2.Request) -> httpx2.Response:
        wire = _newest()
        if wire.lets_out(str(request.url)):
            return await _REAL.async_pool(self._driver).send(request, stream=True)
        return await WireTransport(wire).handle_async_request(request)


def _pool(driver: SyncDriver) -> httpx2.Client:
    """Take the place of `SyncDriver.pool`."""
    http = _pools.get(driver)
    if http is None:
        http = _pools[driver] = httpx2.Client(
            transport=_Diverted(weakref.proxy(driver)),
            trust_env=False,
            cookies=transport.no_cookies(),
            headers=transport.default_headers(),
        )
    return http


def _async_pool(driver: AsyncDriver) -> httpx2.AsyncClient:
    """Take the place of `AsyncDriver.pool`."""
    http = _async_pools.get(driver)
    if http is None:
        http = _async_pools[driver] = httpx2.AsyncClient(
            transport=_AsyncDiverted(weakref.proxy(driver)),
            trust_env=False,
            cookies=transport.no_cookies(),
            headers=transport.default_headers(),
        )
    return http


def _send_guarded(driver: SyncDriver, request: Request) -> Response:
    """Take the place of `SyncDriver.send_guarded`: names of a test have no addresses."""
    if _newest().lets_out(request.url):
        return _REAL.send_guarded(driver, request)
    check_guarded_url(request.url)
    return driver.send(request)


async def _async_send_guarded(driver: AsyncDriver, request: Request) -> Response:
    """Take the place of `AsyncDriver.send_guarded`."""
    if _newest().lets_out(request.url):
        return await _REAL.async_send_guarded(driver, request)
    check_guarded_url(request.url)
    return await driver.send(request)


_DIVERTED = _Originals(_pool, _send_guarded, _async_pool, _async_send_guarded)


def _put(methods: _Originals) -> None:
    """Let the drivers send through `methods`."""
    for owner, name, method in (
        (SyncDriver, "pool", methods.pool),
        (SyncDriver, "send_guarded", methods.send_guarded),
        (AsyncDriver, "pool", methods.async_pool),
        (AsyncDriver, "send_guarded", methods.async_send_guarded),
    ):
        setattr(owner, name, method)
