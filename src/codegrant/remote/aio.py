"""The driver for asyncio: performs the effects of remote flows over httpx2. Layer: remote.

An `AsyncDriver` may be shared between tasks, and used from one event loop after another:
connections and running flights belong to the loop (and process) that made them.
"""

from __future__ import annotations

import asyncio
import os
import socket
import ssl
from collections.abc import AsyncIterator
from typing import TYPE_CHECKING, Any
from urllib.parse import urlsplit

from codegrant.errors import TransportError, UsageError
from codegrant.flow import Effect, RandomBytes, run_async
from codegrant.http import Request, Response, Send
from codegrant.remote import transport
from codegrant.remote.effects import Report, SingleFlight
from codegrant.remote.guard import address_url, check_guarded_url, judge_addresses
from codegrant.remote.transport import MAX_BODY, HttpSettings

if TYPE_CHECKING:
    import httpx2

__all__ = ["AsyncDriver"]


class _Loop:
    """What belongs to one event loop."""

    def __init__(self, settings: HttpSettings, tls: ssl.SSLContext) -> None:
        self.http = _open(settings, tls)
        self.flights: dict[str, asyncio.Future[Any]] = {}


class AsyncDriver:
    """Performs `Send`, `SingleFlight`, `RandomBytes` and `Report` in the running loop.

    Args:
        settings: time limit, trust and log.
    """

    def __init__(self, settings: HttpSettings) -> None:
        self._settings = settings
        self._contexts: dict[int, ssl.SSLContext] = {}
        self._loops: dict[tuple[int, asyncio.AbstractEventLoop], _Loop] = {}

    async def perform(self, effect: Effect[Any]) -> Any:  # noqa: ANN401 - as `flow.run` asks
        """Carry out one effect and return its answer.

        Raises:
            TransportError: see `http.Send`.
            UsageError: the effect is none of this driver's.
        """
        match effect:
            case Send(request, guarded):
                return await (self.send_guarded(request) if guarded else self.send(request))
            case SingleFlight():
                return await self._once(effect)
            case RandomBytes():
                return os.urandom(effect.size)
            case Report():
                return transport.write_report(effect, self._settings)
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
        """Close the connections of this loop; a later request opens new ones."""
        loop = self._loops.pop(_current(), None)
        if loop is not None:
            await loop.http.aclose()

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
        flights = self._loop().flights
        while (flight := flights.get(effect.key)) is not None:
            await asyncio.wait([flight])  # unlike awaiting it, this does not cancel it with us
            if not flight.cancelled():
                return flight.result()
        flight = flights[effect.key] = asyncio.get_running_loop().create_future()
        try:
            result = await run_async(effect.start(), self.perform)
        except Exception as error:
            flight.set_exception(error)
            flight.exception()  # seen by the leader, even if nobody waits
            raise
        except BaseException:
            flight.cancel()  # the next in line leads
            raise
        else:
            flight.set_result(result)
            return result
        finally:
            flights.pop(effect.key, None)


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
