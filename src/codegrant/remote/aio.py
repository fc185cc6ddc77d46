"""The driver for asyncio: performs the effects of remote flows over httpx2. Layer: remote.

An `AsyncDriver` may be shared between tasks, and used from one event loop after another or
from several at once: connections belong to the loop (and process) that made them, and who
asks for a flight waits for it in whatever loop it runs.
"""

from __future__ import annotations

import asyncio
import contextvars
import inspect
import os
import socket
import ssl
from collections.abc import AsyncGenerator, AsyncIterator, Callable, Coroutine
from concurrent.futures import Future, ThreadPoolExecutor
from contextlib import suppress
from threading import Lock
from typing import TYPE_CHECKING, Any, TypeVar
from urllib.parse import urlsplit

from codegrant.errors import TransportError, UsageError
from codegrant.flow import Effect, RandomBytes, run_async
from codegrant.http import Request, Response, Send
from codegrant.remote import transport
from codegrant.remote.effects import Call, Leased, Pause, Report, SingleFlight
from codegrant.remote.flights import outcome
from codegrant.remote.guard import address_url, check_guarded_url, judge_addresses
from codegrant.remote.leases import LEASE, Lease, unleased
from codegrant.remote.transport import MAX_BODY, HttpSettings

if TYPE_CHECKING:
    import httpx2

__all__ = ["AsyncDriver"]

# How often who waits for another loop looks whether that loop still runs.
_LOOK_SECONDS = 1.0
# That wait for stores at the same time, at most.
_THREADS = 16
# Requests of one refresh: metadata, keys, tokens; and a revocation, if the login has ended.
_REQUESTS = 4

# The runs that must not be broken off and that this task is part of, the outermost first.
_RUNS: contextvars.ContextVar[tuple[asyncio.Task[Any] | None, ...]] = contextvars.ContextVar(
    "_RUNS", default=()
)

T = TypeVar("T")


class _Loop:
    """What belongs to one event loop."""

    def __init__(self, settings: HttpSettings, tls: ssl.SSLContext) -> None:
        self.http = _open(settings, tls)
        # Runs that must not be broken off, and what waits for each.
        self.runs: dict[asyncio.Task[None], asyncio.Task[None]] = {}
        # A loop ends the asynchronous generators that began in it, as `asyncio.run` sees to:
        # with this one go the connections that nobody has closed.
        self._end = self._closed_at_end()
        with suppress(StopIteration):
            self._end.asend(None).send(None)

    async def settle(self) -> None:
        """Wait until what must not be broken off has come to its end, but for what asks for it."""
        while others := [end for run, end in self.runs.items() if run not in _RUNS.get()]:
            await asyncio.wait(others)

    async def close(self) -> None:
        """Close the connections, once what must not be broken off has come to its end."""
        await self._end.aclose()

    async def _closed_at_end(self) -> AsyncGenerator[None, None]:
        try:
            yield
        finally:
            await self.settle()
            await self.http.aclose()


class _Flight:
    """One run of a flow, which others wait for."""

    def __init__(self) -> None:
        self.loop = asyncio.get_running_loop()
        self.future: Future[Any] = Future()

    async def landed(self) -> bool:
        """Wait for its end; False when it has none: it was cancelled, or its loop stands still."""
        waiting, event = asyncio.get_running_loop(), asyncio.Event()

        def tell(_: Future[Any]) -> None:
            with suppress(RuntimeError):  # who waited is gone, and its loop closed
                waiting.call_soon_threadsafe(event.set)

        self.future.add_done_callback(tell)
        while not self.future.done() and self.loop.is_running():
            with suppress(TimeoutError):
                # Not `wait_for`, whose task `asyncio.run` would cancel.
                async with asyncio.timeout(_LOOK_SECONDS):
                    await event.wait()
        return self.future.done() and not self.future.cancelled()


class _Process:
    """What belongs to one process, whatever the loop."""

    def __init__(self) -> None:
        self.lock = Lock()
        self.flights: dict[str, _Flight] = {}
        # Our own: a store that waits for the program's other work could lose its lease.
        self.threads = ThreadPoolExecutor(_THREADS, "codegrant")


class AsyncDriver:
    """Performs the effects of `remote/` and `Send` and `RandomBytes` in the running loop.

    Args:
        settings: time limit, trust and log.
    """

    def __init__(self, settings: HttpSettings) -> None:
        self._settings = settings
        self._contexts: dict[int, ssl.SSLContext] = {}
        self._loops: dict[tuple[int, asyncio.AbstractEventLoop], _Loop] = {}
        self._processes: dict[int, _Process] = {}

    async def perform(self, effect: Effect[Any]) -> Any:  # noqa: ANN401 - as `flow.run` asks
        """Carry out one effect and return its answer.

        Raises:
            TransportError: see `http.Send`.
            UsageError: the effect is none of this driver's.
        """
        match effect:
            case Send(request, guarded):
                lease = LEASE.get()
                if lease is not None and request.method != "GET":
                    lease.check()
                return await (self.send_guarded(request) if guarded else self.send(request))
            case RandomBytes():
                return os.urandom(effect.size)
            case Report():
                return transport.write_report(effect, self._settings)
            case SingleFlight():
                return await self._once(effect)
            case Leased():
                return await self._hold(effect)
            case Call(call, blocks):
                with unleased():
                    answer = await self._thread(call) if blocks else call()
                    return await answer if inspect.isawaitable(answer) else answer
            case Pause(seconds):
                return await asyncio.sleep(seconds)
            case _:
                raise UsageError(f"{type(effect).__name__} is no effect of this driver")

    def pool(self) -> httpx2.AsyncClient:
        """Return the connection pool of the running loop, made on first use."""
        return self._loop().http

    async def send(self, request: Request) -> Response:
        """Send `request` and return the answer, whatever its status."""
        headers = transport.outgoing_headers(request)
        try:
            async with asyncio.timeout(self._settings.timeout):
                return await self._exchange(self.pool(), request, request.url, headers, {})
        except TimeoutError:
            raise transport.timed_out(request, self._settings) from None

    async def send_guarded(self, request: Request) -> Response:
        """As `send`, to a public address only, over a connection of its own."""
        try:
            async with asyncio.timeout(self._settings.timeout):
                return await self._exchange_guarded(request)
        except TimeoutError:
            raise transport.timed_out(request, self._settings) from None

    async def aclose(self) -> None:
        """Close the connections of this loop; a later request opens new ones.

        What must not be broken off, a refresh say, comes to its end first.
        """
        key = _current()
        loop = self._loops.get(key)
        if loop is None:
            return
        # With the pool still in its place: what goes on must not open another one.
        await loop.settle()
        if self._loops.pop(key, None) is loop:
            await loop.close()

    def _loop(self) -> _Loop:
        key = _current()
        loop = self._loops.get(key)
        if loop is None:
            # Connections of a loop that has ended are of no use to anybody.
            for pid, other in list(self._loops):
                if other.is_closed():
                    self._loops.pop((pid, other), None)
            loop = self._loops.setdefault(key, _Loop(self._settings, self._tls()))
        return loop

    def _tls(self) -> ssl.SSLContext:
        pid = os.getpid()
        context = self._contexts.get(pid)
        if context is None:
            context = self._contexts.setdefault(pid, transport.make_tls_context(self._settings))
        return context

    async def _exchange(
        self,
        http: httpx2.AsyncClient,
        request: Request,
        url: str,
        headers: list[tuple[str, str]],
        extensions: dict[str, str],
    ) -> Response:
        try:
            async with http.stream(
                request.method,
                url,
                content=request.body or None,
                headers=headers,
                extensions=extensions,
                follow_redirects=False,
            ) as answer:
                chunks = [chunk async for chunk in self._bounded(request, answer.aiter_raw())]
                return transport.incoming(request, answer, chunks)
        except TransportError:
            raise
        except Exception as error:  # noqa: BLE001 - every failure of the network has one type
            raise transport.translate(error, request, self._settings) from None

    async def _exchange_guarded(self, request: Request) -> Response:
        host, port = check_guarded_url(request.url, allow_private=self._settings.allow_private)
        resolve = asyncio.get_running_loop().getaddrinfo
        try:
            found = await resolve(host, port, type=socket.SOCK_STREAM)
        except UnicodeError:
            found = []  # no name that could have an address
        except OSError as error:
            raise transport.translate(error, request, self._settings) from None
        addresses = judge_addresses(
            host,
            (str(entry[4][0]) for entry in found),
            allow_private=self._settings.allow_private,
        )
        headers = transport.outgoing_headers(request, host=urlsplit(request.url).netloc)
        # Pools tell connections apart by address: a shared one could hand out a connection
        # whose certificate was checked for another name.
        async with _open(self._settings, self._tls(), guarded=True) as http:
            for address in addresses:
                url = address_url(request.url, address, port)
                sni = {"sni_hostname": host}
                try:
                    return await self._exchange(http, request, url, headers, sni)
                except TransportError as error:
                    if error.code != "connect_failed" or address == addresses[-1]:
                        raise
        raise AssertionError("there was an address")

    @staticmethod
    async def _bounded(request: Request, chunks: AsyncIterator[bytes]) -> AsyncIterator[bytes]:
        size = 0
        async for chunk in chunks:
            size += len(chunk)
            if size > MAX_BODY:
                raise transport.too_large(request)
            yield chunk

    async def _once(self, effect: SingleFlight[Any]) -> Any:  # noqa: ANN401 - as `flow.run` asks
        process = self._process()
        while True:
            with process.lock:
                flight = process.flights.get(effect.key)
                # A loop that stands still, or was closed, leads nobody any more.
                leads = flight is None or not flight.loop.is_running()
                if flight is None or leads:
                    flight = process.flights[effect.key] = _Flight()
            if leads and not effect.finishes:
                await self._lead(process, effect, flight)
            elif leads:
                self._finish(self._lead(process, effect, flight))
            if await flight.landed():
                return outcome(flight.future)
            if leads:
                raise asyncio.CancelledError  # as it says of itself, what it ran was cancelled

    async def _lead(self, process: _Process, effect: SingleFlight[Any], flight: _Flight) -> None:
        try:
            result = await run_async(effect.start(), self.perform)
        except Exception as error:  # noqa: BLE001 - handed on to all who wait
            self._land(process, effect.key, flight)
            flight.future.set_exception(error)
        except BaseException:
            self._land(process, effect.key, flight)
            flight.future.cancel()  # the next in line leads
            raise
        else:
            self._land(process, effect.key, flight)
            flight.future.set_result(result)

    @staticmethod
    def _land(process: _Process, key: str, flight: _Flight) -> None:
        with process.lock:
            if process.flights.get(key) is flight:
                del process.flights[key]

    async def _hold(self, effect: Leased[Any]) -> Any:  # noqa: ANN401 - as `flow.run` asks
        lease = Lease(effect, asyncio.get_running_loop())
        outer = LEASE.set(lease)
        try:
            while True:
                lease.begin()
                while not await self._thread(lease.take):
                    lease.check_patience()
                    await asyncio.sleep(Lease.LOOK_AFTER)
                lease.keep()
                try:
                    return await run_async(effect.start(), self.perform)
                except TransportError:
                    if not lease.has_lapsed:
                        raise
        finally:
            lease.end()
            with suppress(ValueError):  # what a closed loop left behind is cleared away elsewhere
                LEASE.reset(outer)
            await self._thread(lease.release)

    async def _thread(self, call: Callable[[], T]) -> T:
        """Return what `call` does, in one of the threads that nobody else can keep busy."""
        run_here = contextvars.copy_context().run
        pool = self._process().threads
        try:
            called = asyncio.get_running_loop().run_in_executor(pool, run_here, call)
        except RuntimeError:
            # The main thread has ended, and with it all pools: no token may be lost for that.
            return call()
        return await called

    def _finish(self, work: Coroutine[Any, Any, None]) -> None:
        """Begin `work`, which no end of the loop breaks off.

        `asyncio.run` cancels every task that it knows and waits for their ends. This one it
        does not know; it knows the one that waits, and that outlives being cancelled. But not
        by longer than our part can take: a callback that waits for what has ended already
        must not keep the program from its end.
        """
        patience = Lease.PATIENCE + _REQUESTS * self._settings.timeout

        async def run() -> None:
            _RUNS.set((*_RUNS.get(), asyncio.current_task()))
            await work

        async def wait() -> None:
            left = None
            while not running.done():
                try:
                    await asyncio.wait([running], timeout=left)
                except asyncio.CancelledError:
                    left = patience
                else:
                    running.cancel()

        runs = self._loop().runs
        running = asyncio.create_task(run())
        asyncio.tasks._unregister_task(running)  # noqa: SLF001 - documented: "Extending asyncio"
        runs[running] = ending = asyncio.create_task(wait())
        ending.add_done_callback(lambda _: runs.pop(running))

    def _process(self) -> _Process:
        pid = os.getpid()
        return self._processes.get(pid) or self._processes.setdefault(pid, _Process())


def _current() -> tuple[int, asyncio.AbstractEventLoop]:
    return os.getpid(), asyncio.get_running_loop()


def _open(
    settings: HttpSettings, tls: ssl.SSLContext, *, guarded: bool = False
) -> httpx2.AsyncClient:
    """Return a new pool; a guarded one knows no proxy, which would resolve the name again."""
    import httpx2

    return httpx2.AsyncClient(
        verify=tls,
        trust_env=not guarded,
        mounts={} if guarded else transport.loopback_mounts(),
        timeout=transport.timeouts(settings),
        cookies=transport.no_cookies(),
        headers=transport.default_headers(),
    )
